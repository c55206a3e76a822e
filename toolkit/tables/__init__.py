"""The five tables of a load as one object: `LogprobTables`, `concat`."""

from toolkit.tables.attaching import has_texts, require_texts
from toolkit.tables.concatenation import concat, in_order, joined
from toolkit.tables.logprob_tables import Frame, LogprobTables, Row, Selector
from toolkit.tables.required import require_tables

__all__ = [
    "Frame",
    "LogprobTables",
    "Row",
    "Selector",
    "concat",
    "has_texts",
    "in_order",
    "joined",
    "require_tables",
    "require_texts",
]
