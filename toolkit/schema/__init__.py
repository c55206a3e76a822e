"""Every table and result column: name, type, null rule, unit and meaning.

The declarations here are the only ones. Loaders build tables in these types, metrics return
DataFrames in these columns, `conform` checks foreign tables against them, and the data dictionary
of the README is printed from them. Unit, direction and doc travel as Arrow field metadata and
survive Parquet.
"""

from toolkit.schema.base import (
    BINARY,
    LABEL,
    SCHEMA_VERSION,
    TEXT,
    Column,
    Table,
    conform,
    label_array,
)
from toolkit.schema.codes import (
    ALIGNMENTS,
    CENSORED_AT_OR_BELOW,
    CHANNELS,
    INVALID_ABOVE,
    KINDS,
    LOGPROBS_STATES,
    NOTES,
    REASONS,
    STATUSES,
)
from toolkit.schema.results import (
    CORPUS_METRICS,
    EXPECTED_SCORE,
    FIELD_METRICS,
    LABEL_DISTRIBUTION,
    P_TRUE,
    POSITION_METRICS,
    RESULTS,
    SEQUENCE_METRICS,
    SPAN_METRICS,
    SPANS,
    TOKEN_METRICS,
    USAGE,
    USAGE_HISTOGRAM,
    USAGE_OVER_TIME,
    WORD_METRICS,
)
from toolkit.schema.tables import (
    ALTERNATIVES,
    CHOICES,
    LEDGER,
    REJECTS,
    RESPONSES,
    TABLES,
    TOKENS,
    USAGE_COLUMNS,
)

__all__ = [
    "ALIGNMENTS",
    "ALTERNATIVES",
    "BINARY",
    "CENSORED_AT_OR_BELOW",
    "CHANNELS",
    "CHOICES",
    "CORPUS_METRICS",
    "Column",
    "EXPECTED_SCORE",
    "FIELD_METRICS",
    "INVALID_ABOVE",
    "KINDS",
    "LABEL",
    "LABEL_DISTRIBUTION",
    "LEDGER",
    "LOGPROBS_STATES",
    "NOTES",
    "POSITION_METRICS",
    "P_TRUE",
    "REASONS",
    "REJECTS",
    "RESPONSES",
    "RESULTS",
    "SCHEMA_VERSION",
    "SEQUENCE_METRICS",
    "SPANS",
    "SPAN_METRICS",
    "STATUSES",
    "TABLES",
    "TEXT",
    "TOKENS",
    "TOKEN_METRICS",
    "Table",
    "USAGE",
    "USAGE_COLUMNS",
    "USAGE_HISTOGRAM",
    "USAGE_OVER_TIME",
    "WORD_METRICS",
    "conform",
    "label_array",
]
