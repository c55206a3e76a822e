"""Metrics of tokens, sequences and corpora, and usage: tables in, DataFrames out."""

from toolkit.metrics.agreement import agreement, votes
from toolkit.metrics.confidence import confidence_metrics, token_confidence
from toolkit.metrics.fields import field_metrics
from toolkit.metrics.labels import label_distribution
from toolkit.metrics.positions import position_metrics
from toolkit.metrics.scores import expected_score, p_true
from toolkit.metrics.sequences import corpus_metrics, sequence_metrics
from toolkit.metrics.spans import span_metrics, spans, word_metrics
from toolkit.metrics.tokens import token_metrics
from toolkit.metrics.usage import usage
from toolkit.metrics.usage_shape import usage_histogram, usage_over_time

__all__ = [
    "agreement",
    "confidence_metrics",
    "corpus_metrics",
    "expected_score",
    "field_metrics",
    "label_distribution",
    "p_true",
    "position_metrics",
    "sequence_metrics",
    "span_metrics",
    "spans",
    "token_confidence",
    "token_metrics",
    "usage",
    "usage_histogram",
    "usage_over_time",
    "votes",
    "word_metrics",
]
