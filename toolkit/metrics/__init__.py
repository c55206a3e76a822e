"""Metrics of tokens, answers and corpora: tables in, DataFrames out."""

from toolkit.metrics.agreement import agreement, votes
from toolkit.metrics.answers import answers
from toolkit.metrics.calibration import calibration, reliability
from toolkit.metrics.calibrators import Calibrator, fit_calibrator
from toolkit.metrics.checks import check
from toolkit.metrics.compare import compare, compare_tokens
from toolkit.metrics.comparison import compare_summary
from toolkit.metrics.confidence import confidence_metrics, token_confidence
from toolkit.metrics.corpora import corpus_metrics
from toolkit.metrics.distributions import ecdf, finish_reasons, token_histogram
from toolkit.metrics.divergence import divergence
from toolkit.metrics.evaluations import compare_evaluations, evaluate
from toolkit.metrics.fields import field_metrics
from toolkit.metrics.joins import join_labels
from toolkit.metrics.judging import expected_score, p_true
from toolkit.metrics.labels import label_distribution
from toolkit.metrics.length_confounding import length_confounding
from toolkit.metrics.multiple_choice import multiple_choice, option_scores
from toolkit.metrics.positions import position_metrics
from toolkit.metrics.repeats import noise_floor, prefix_survival
from toolkit.metrics.rollout_mismatch import rollout_mismatch
from toolkit.metrics.same_model import same_model
from toolkit.metrics.selective import risk_coverage, selective, threshold_for
from toolkit.metrics.sequences import sequence_metrics
from toolkit.metrics.spans import span_metrics, spans, word_metrics
from toolkit.metrics.texts import text_metrics, text_perplexity
from toolkit.metrics.tokens import token_metrics
from toolkit.metrics.usage import usage
from toolkit.metrics.usage_distributions import usage_histogram, usage_over_time

__all__ = [
    "Calibrator",
    "agreement",
    "answers",
    "calibration",
    "check",
    "compare",
    "compare_evaluations",
    "compare_summary",
    "compare_tokens",
    "confidence_metrics",
    "corpus_metrics",
    "divergence",
    "ecdf",
    "evaluate",
    "expected_score",
    "field_metrics",
    "finish_reasons",
    "fit_calibrator",
    "join_labels",
    "label_distribution",
    "length_confounding",
    "noise_floor",
    "multiple_choice",
    "option_scores",
    "p_true",
    "position_metrics",
    "prefix_survival",
    "reliability",
    "risk_coverage",
    "rollout_mismatch",
    "same_model",
    "selective",
    "sequence_metrics",
    "span_metrics",
    "spans",
    "text_metrics",
    "text_perplexity",
    "threshold_for",
    "token_confidence",
    "token_histogram",
    "token_metrics",
    "usage",
    "usage_histogram",
    "usage_over_time",
    "votes",
    "word_metrics",
]


def __dir__() -> list[str]:
    """List the public names alone."""
    return sorted(__all__)
