"""Declare the tables that `toolkit.metrics` returns, in one module for each of its modules."""

from toolkit.schema.base import Table
from toolkit.schema.results.agreement import AGREEMENT, VOTES
from toolkit.schema.results.answers import ANSWERS
from toolkit.schema.results.calibration import CALIBRATION, RELIABILITY
from toolkit.schema.results.checks import CHECK
from toolkit.schema.results.compare import COMPARE, COMPARE_TOKENS
from toolkit.schema.results.comparison import COMPARE_SUMMARY
from toolkit.schema.results.confidence import CONFIDENCE_METRICS, TOKEN_CONFIDENCE
from toolkit.schema.results.corpora import CORPUS_METRICS
from toolkit.schema.results.distributions import ECDF, FINISH_REASONS, TOKEN_HISTOGRAM
from toolkit.schema.results.divergence import DIVERGENCE
from toolkit.schema.results.evaluations import COMPARE_EVALUATIONS, EVALUATE
from toolkit.schema.results.fields import FIELD_METRICS
from toolkit.schema.results.judging import EXPECTED_SCORE, P_TRUE
from toolkit.schema.results.labels import LABEL_DISTRIBUTION
from toolkit.schema.results.length_confounding import LENGTH_CONFOUNDING
from toolkit.schema.results.multiple_choice import MULTIPLE_CHOICE, OPTION_SCORES
from toolkit.schema.results.positions import POSITION_METRICS
from toolkit.schema.results.repeats import NOISE_FLOOR, PREFIX_SURVIVAL
from toolkit.schema.results.rollout_mismatch import ROLLOUT_MISMATCH
from toolkit.schema.results.same_model import SAME_MODEL
from toolkit.schema.results.selective import RISK_COVERAGE, SELECTIVE, THRESHOLD_FOR
from toolkit.schema.results.sequences import SEQUENCE_METRICS
from toolkit.schema.results.spans import SPAN_METRICS, SPANS, WORD_METRICS
from toolkit.schema.results.texts import TEXT_METRICS, TEXT_PERPLEXITY
from toolkit.schema.results.tokens import TOKEN_METRICS
from toolkit.schema.results.usage import USAGE
from toolkit.schema.results.usage_distributions import USAGE_HISTOGRAM, USAGE_OVER_TIME

__all__ = [
    "AGREEMENT",
    "ANSWERS",
    "CALIBRATION",
    "CHECK",
    "COMPARE",
    "COMPARE_EVALUATIONS",
    "COMPARE_SUMMARY",
    "COMPARE_TOKENS",
    "CONFIDENCE_METRICS",
    "CORPUS_METRICS",
    "DIVERGENCE",
    "ECDF",
    "EVALUATE",
    "EXPECTED_SCORE",
    "FIELD_METRICS",
    "FINISH_REASONS",
    "LABEL_DISTRIBUTION",
    "LENGTH_CONFOUNDING",
    "NOISE_FLOOR",
    "MULTIPLE_CHOICE",
    "OPTION_SCORES",
    "POSITION_METRICS",
    "PREFIX_SURVIVAL",
    "P_TRUE",
    "RELIABILITY",
    "RESULTS",
    "RISK_COVERAGE",
    "ROLLOUT_MISMATCH",
    "SAME_MODEL",
    "SELECTIVE",
    "SEQUENCE_METRICS",
    "SPANS",
    "SPAN_METRICS",
    "TEXT_METRICS",
    "TEXT_PERPLEXITY",
    "THRESHOLD_FOR",
    "TOKEN_CONFIDENCE",
    "TOKEN_HISTOGRAM",
    "TOKEN_METRICS",
    "USAGE",
    "USAGE_HISTOGRAM",
    "USAGE_OVER_TIME",
    "VOTES",
    "WORD_METRICS",
]

RESULTS: tuple[Table, ...] = (
    TOKEN_METRICS,
    POSITION_METRICS,
    SEQUENCE_METRICS,
    ANSWERS,
    CORPUS_METRICS,
    TEXT_METRICS,
    TEXT_PERPLEXITY,
    OPTION_SCORES,
    MULTIPLE_CHOICE,
    USAGE,
    USAGE_OVER_TIME,
    USAGE_HISTOGRAM,
    SPANS,
    SPAN_METRICS,
    WORD_METRICS,
    FIELD_METRICS,
    LABEL_DISTRIBUTION,
    P_TRUE,
    EXPECTED_SCORE,
    TOKEN_CONFIDENCE,
    CONFIDENCE_METRICS,
    VOTES,
    AGREEMENT,
    CALIBRATION,
    RELIABILITY,
    SELECTIVE,
    RISK_COVERAGE,
    THRESHOLD_FOR,
    LENGTH_CONFOUNDING,
    EVALUATE,
    COMPARE_EVALUATIONS,
    COMPARE,
    COMPARE_SUMMARY,
    COMPARE_TOKENS,
    DIVERGENCE,
    NOISE_FLOOR,
    PREFIX_SURVIVAL,
    SAME_MODEL,
    ROLLOUT_MISMATCH,
    CHECK,
    TOKEN_HISTOGRAM,
    ECDF,
    FINISH_REASONS,
)
"""All result tables; functions return them as pandas DataFrames, with NaN or NA for null."""
