"""Find the id that people gave to a row."""

from __future__ import annotations

_IDS = (
    *("custom_id", "request_id", "litellm_call_id", "id", "sample_id", "question_id"),
    *("uuid", "key", "index", "recordId", "qid", "doc_id", "uid", "task_id"),
)
"""Keys under which a row has its id; the first that is there counts."""


def row_id(obj: object, default: str | None) -> str | None:
    """Return the id of a row as text, or the default if it has none."""
    if isinstance(obj, dict):
        for name in _IDS:
            value = obj.get(name)
            if isinstance(value, str | int) and not isinstance(value, bool):
                return str(value)
    return default
