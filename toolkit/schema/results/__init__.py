"""The tables that `toolkit.metrics` returns, one module per kind."""

from toolkit.schema.base import Table
from toolkit.schema.results.sequences import CORPUS_METRICS, SEQUENCE_METRICS
from toolkit.schema.results.tokens import POSITION_METRICS, TOKEN_METRICS
from toolkit.schema.results.usage import USAGE

RESULTS: tuple[Table, ...] = (
    TOKEN_METRICS,
    POSITION_METRICS,
    SEQUENCE_METRICS,
    CORPUS_METRICS,
    USAGE,
)
"""As pandas DataFrames, with NaN or NA for null."""
