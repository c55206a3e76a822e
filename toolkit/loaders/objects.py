"""Load responses that are in memory: `from_responses`.

The objects of SDKs, LangChain, vLLM and others become plain data (`toolkit.loaders.plain_data`), in
which the formats find the answer, as in a file.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Sequence
from typing import Any

from toolkit import arguments
from toolkit.errors import ArgumentError, NoRecordsError
from toolkit.loaders.batches import BatchReader
from toolkit.loaders.decoding.reference import Unit
from toolkit.loaders.formats import detect
from toolkit.loaders.formats.body import Body, Control
from toolkit.loaders.formats.shape import Shape
from toolkit.loaders.json_values import Reject
from toolkit.loaders.options import OnError, ReadOptions
from toolkit.loaders.plain_data import is_data, plain
from toolkit.loaders.session import LoadSummary
from toolkit.loaders.sources.rows import Table, is_table
from toolkit.loaders.sources.suffixes import (
    ARCHIVE_SUFFIXES,
    RECORD_SUFFIXES,
    SNIFFED_SUFFIXES,
    TABLE_SUFFIXES,
    suffix_of,
)
from toolkit.tables import LogprobTables

_SUFFIXES = {*RECORD_SUFFIXES, *SNIFFED_SUFFIXES, *TABLE_SUFFIXES, *ARCHIVE_SUFFIXES} - {""}
_LONGEST_PATH = 4096  # characters of a text that may name a file
_BLOCK_BYTES = 1 << 20  # of the rows of a table that are read at a time


def from_responses(
    responses: Any,
    *,
    custom_id: Any = None,
    on_error: OnError = "reject",
    path: str | None = None,
    id: str | None = None,
    keep: str | Sequence[str] = (),
    shape: Shape | None = None,
) -> LogprobTables:
    """Load responses that are in memory.

    Parameters
    ----------
    responses : object or iterable
        One response or many. A response is a dict, JSON text (str or bytes), an object of a client
        library (OpenAI and other SDKs, LiteLLM, LangChain, pydantic-ai, Haystack) or of an engine
        (vLLM, TensorRT-LLM), or an iterable of chunks of these kinds, which is one stream. A list
        whose items are all chunks is one stream too. What `read` reads as JSON is read here, and
        so are DataFrames, Arrow tables and columns.
    custom_id : str or list of str, optional
        The caller's id of each response, in order.
    on_error : {"reject", "raise"}
        As in `read`.
    path, id, keep, shape : str, str, str or list of str, Shape, optional
        As in `read`, for rows that hold an answer.

    Returns
    -------
    LogprobTables

    Raises
    ------
    ArgumentError
        If the number of ids differs from the number of responses, or files are named.
    NoRecordsError, RecordError
        As in `read`.

    Examples
    --------
    >>> import toolkit
    >>> chunks = [{"id": "a", "choices": [{"delta": {"content": text}}]} for text in ("He", "llo")]
    >>> import warnings
    >>> with warnings.catch_warnings(action="ignore"):
    ...     lp = toolkit.from_responses(chunks, custom_id="greeting")
    >>> lp.text("greeting")
    'Hello'
    """
    options = ReadOptions(
        on_error=on_error, rejects="all", path=path, id=id, keep=keep, shape=shape
    )
    reader = BatchReader(options)
    lp = reader.objects(units(responses, custom_id))
    summary = LoadSummary()
    summary.add(lp)
    summary.add_sources(reader)
    try:
        summary.require_records()
    except NoRecordsError as error:
        error.tables = lp
        raise
    summary.warn()
    return lp


# Grouping: which objects are responses, and which are chunks of one stream


def units(responses: Any, custom_id: Any) -> list[Unit]:
    """Group the arguments of `from_responses` into responses and streams."""
    items: list[Any]
    _refuse_paths(responses)
    if is_table(responses):
        items = _rows(responses)
    elif not _is_response(responses):
        items = list(responses)
    elif hasattr(responses, "__aiter__") and not is_data(responses):
        raise ArgumentError(
            "responses is an async stream: collect it first, [chunk async for chunk in stream]"
        )
    elif hasattr(responses, "__enter__") and not is_data(responses):
        raise ArgumentError(
            "responses is a context manager: enter it first, with responses as stream: ..."
        )
    else:
        items = [responses]
    found = [
        Unit([_body(item)])
        if _is_response(item)
        else Unit([_body(chunk) for chunk in item], is_stream=True)
        for item in items
    ]
    if custom_id is None:
        return found  # chunks find their stream by themselves
    if len(found) > 1 and _are_chunks(found):
        found = [Unit([unit.bodies[0] for unit in found])]
    if isinstance(custom_id, str):
        custom_id = [custom_id]
    if not isinstance(custom_id, Iterable):
        raise arguments.invalid("custom_id", custom_id, "a text, or one for each response")
    ids = list(custom_id)
    if len(ids) != len(found):
        raise ArgumentError(
            f"custom_id has {len(ids)} ids: expected one for each of the {len(found)} responses"
        )
    return [unit._replace(custom_id=given) for unit, given in zip(found, ids, strict=True)]


def _refuse_paths(responses: Any) -> None:
    """Raise `ArgumentError` if files are named where their content is expected."""
    given = responses if isinstance(responses, list | tuple) else [responses]
    if given and all(map(_names_a_file, given)):
        named = arguments.shown(os.fspath(given[0])) or "path"
        raise ArgumentError(
            "responses names a file: from_responses takes what is in memory; "
            f"toolkit.read({named}) opens files, folders and globs"
        )


def _names_a_file(item: Any) -> bool:
    if isinstance(item, os.PathLike):
        return True
    if not isinstance(item, str) or not 0 < len(item) < _LONGEST_PATH or not item.isprintable():
        return False
    is_text = item.lstrip()[:1] in ("{", "[", '"', "")
    return not is_text and (suffix_of(item) in _SUFFIXES or os.path.exists(item))


def _rows(table: Any) -> list[bytes]:
    """Return the rows of a DataFrame, an Arrow table or a column as JSON."""
    blocks = []
    with Table(table).open() as reader:
        while isinstance(block := reader.read(_BLOCK_BYTES), bytes) and block:
            blocks.append(block)
    return b"".join(blocks).splitlines()


def _is_response(item: Any) -> bool:
    """Return whether this is one response or one chunk, not a collection of them."""
    if isinstance(item, list | tuple) and any(map(_are_ids, item)):
        return True  # vLLM's ids, text and logprobs of an answer
    return not isinstance(item, Iterable) or is_data(item)


def _are_ids(value: Any) -> bool:
    return isinstance(value, list | tuple) and bool(value) and all(type(i) is int for i in value)


def _body(item: Any) -> Any:
    """Return an object as plain data, and JSON text as it is; a `Reject` if that fails."""
    if isinstance(item, str | bytes):
        return item
    try:
        found = plain(item)
    except Exception as error:  # of any class: it costs this object alone
        name, problem = type(item).__name__, type(error).__name__
        message = f"expected an object, found a Python {name} that raises {problem}"
        return Reject("not_an_object", message, "$")
    if found is None and item is not None:
        message = f"expected an object, found a Python {type(item).__name__}"
        return Reject("not_an_object", message, "$")
    return found


def _are_chunks(found: list[Unit]) -> bool:
    """Return whether these are the chunks of one stream."""
    *before, last = found
    return all(not unit.is_stream for unit in found) and (
        all(_is_chunk(unit.bodies[0]) for unit in before)
        and _is_chunk(last.bodies[0], is_last=True)
    )


def _is_chunk(item: Any, is_last: bool = False) -> bool:
    """Return whether a body is a chunk; the last one may look like a whole answer."""
    if isinstance(item, str | bytes):
        try:
            item = json.loads(item)
        except (ValueError, RecursionError):
            return False  # the decoder rejects it
    return all(
        isinstance(body, Control)
        or (isinstance(body, Body) and (_has_delta(body) or (is_last and body.kind == "either")))
        for body in detect.bodies(item)
    )


def _has_delta(body: Body) -> bool:
    choices = body.obj.get("choices")
    if body.kind == "either" or not isinstance(choices, list):
        return False
    return not any(isinstance(each, dict) and "message" in each for each in choices)
