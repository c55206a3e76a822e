"""The tables that `toolkit.metrics` returns, one module per kind."""

from toolkit.schema.base import Table
from toolkit.schema.results.checks import FINDINGS
from toolkit.schema.results.compare import COMPARISON, COMPARISON_SUMMARY, TOKEN_COMPARISON
from toolkit.schema.results.confidence import (
    AGREEMENT,
    CONFIDENCE_METRICS,
    TOKEN_CONFIDENCE,
    VOTES,
)
from toolkit.schema.results.distributions import ECDF, FINISH_REASONS, TOKEN_HISTOGRAM
from toolkit.schema.results.labels import EXPECTED_SCORE, LABEL_DISTRIBUTION, P_TRUE
from toolkit.schema.results.sequences import CORPUS_METRICS, SEQUENCE_METRICS
from toolkit.schema.results.spans import FIELD_METRICS, SPAN_METRICS, SPANS, WORD_METRICS
from toolkit.schema.results.tokens import POSITION_METRICS, TOKEN_METRICS
from toolkit.schema.results.trust import (
    CALIBRATION,
    RELIABILITY,
    RISK_COVERAGE,
    SELECTIVE,
    THRESHOLD,
)
from toolkit.schema.results.usage import USAGE, USAGE_HISTOGRAM, USAGE_OVER_TIME

RESULTS: tuple[Table, ...] = (
    TOKEN_METRICS,
    POSITION_METRICS,
    SEQUENCE_METRICS,
    CORPUS_METRICS,
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
    THRESHOLD,
    COMPARISON,
    COMPARISON_SUMMARY,
    TOKEN_COMPARISON,
    FINDINGS,
    TOKEN_HISTOGRAM,
    ECDF,
    FINISH_REASONS,
)
"""As pandas DataFrames, with NaN or NA for null."""
