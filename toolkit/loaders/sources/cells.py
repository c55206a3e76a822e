"""Turn the cells of tables into JSON values."""

from __future__ import annotations

import ast
import json
import re
from typing import Any

_NULLS = ("NAType", "NaTType")  # types of missing values in pandas
_LISTS = re.compile(r"log_?prob|token", re.IGNORECASE)
_BRACKETS = ("[", "{")
_REPR = ("{'", "['", "[{'", "[[", "[(")  # how the text of a list or dict of Python begins
_SPEAKS = re.compile(r"'choices'|'[a-z_]*log_?prob[a-z_]*'", re.IGNORECASE)
_NOT_REPR = re.compile(r"\\[^\\'\"nrtxuU]")  # escapes that `repr` never writes; `ast` warns of them


def plain(value: Any) -> Any:
    """Return a cell as JSON values.

    Missing values are null, and null members of objects are omitted. Bytes are the text that they
    are in UTF-8, else a list of integers. Dates and decimals are texts.

    Examples
    --------
    >>> plain({"a": float("nan"), "b": [None, b"hi"]})
    {'b': [None, 'hi']}
    """
    kind = type(value)
    if value is None or kind is str or kind is int or kind is bool:
        return value
    if kind is float:
        return value if value == value else None
    if isinstance(value, dict):
        members = ((str(key), plain(inner)) for key, inner in value.items())
        return {key: inner for key, inner in members if inner is not None}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(each) for each in value]
    if isinstance(value, bytes | bytearray | memoryview):
        try:
            return bytes(value).decode()
        except UnicodeDecodeError:
            return list(value)
    if hasattr(value, "tolist"):  # of NumPy
        return plain(value.tolist())
    if hasattr(value, "model_dump"):  # of an SDK
        return plain(value.model_dump())
    return None if kind.__name__ in _NULLS else str(value)


def listed(name: str, text: str) -> Any:
    """Return the list or object that a text stands for, else the text.

    CSV has no lists, so people keep those of tokens and logprobs as JSON, or as Python writes them.
    Nothing is executed: `ast.literal_eval` accepts literals alone.

    Parameters
    ----------
    name : str
        Of the column. The JSON of other columns than those of tokens and logprobs stays a text,
        which may be an answer.
    text : str

    Examples
    --------
    >>> listed("logprobs", "[-0.5, null]"), listed("answer", "[1]"), listed("tokens", "['a', 'b']")
    ([-0.5, None], '[1]', ['a', 'b'])
    """
    if not text.startswith(_BRACKETS):
        return text
    is_list = _LISTS.search(name) is not None
    try:
        if is_list:
            return json.loads(text)
    except (ValueError, RecursionError):
        pass
    if text.startswith(_REPR) and (is_list or _SPEAKS.search(text)) and not _NOT_REPR.search(text):
        try:
            return plain(ast.literal_eval(text))
        except (ValueError, SyntaxError, MemoryError, RecursionError, TypeError):
            pass
    return text
