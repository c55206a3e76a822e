"""Put columns of responses and choices beside the rows of any table that has their keys."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from toolkit import arguments, arrow, schema
from toolkit.arrow import numpy, offsets
from toolkit.errors import ArgumentError
from toolkit.schema import ANSWER_CHANNELS, CHANNELS, TEXTS_LEFT_OUT

if TYPE_CHECKING:
    from toolkit.tables.logprob_tables import LogprobTables

_OF_RESPONSES = tuple(name for name in schema.RESPONSES.names if name != "response_key")
_OF_CHOICES = tuple(n for n in schema.CHOICES.names if n not in ("response_key", "choice"))


def attach(lp: LogprobTables, frame: Any, columns: tuple[str, ...]) -> Any:
    """Add columns to a DataFrame or Arrow table; see `LogprobTables.attach`."""
    known = [*_OF_RESPONSES, *_OF_CHOICES, "text"]
    asked = {name for name in columns if isinstance(name, str)}
    kept = {} if asked <= set(known) else kept_columns(lp.responses)
    kept = {name: values for name, values in kept.items() if name not in known}
    names = arguments.columns("columns", columns, [*known, *kept])
    _require_frame(frame, names)
    by_response = _response_rows(frame, lp.responses)
    has_choices = bool(set(names) - set(_OF_RESPONSES) - set(kept))
    by_choice = _choice_rows(frame, lp.choices) if has_choices else None
    added = {}
    for name in names:
        if name in _OF_RESPONSES:
            added[name] = lp.responses[name].take(by_response)
        elif name in kept:
            added[name] = kept[name].take(by_response)
        elif name == "text":
            added[name] = _texts_beside(lp, frame, by_choice)
        else:
            added[name] = lp.choices[name].take(by_choice)
    return _with_columns(frame, added)


def kept_columns(responses: pa.Table) -> dict[str, pa.Array]:
    """Return the columns that ``keep=`` kept, by name, as texts; values that are not texts in JSON.

    Parameters
    ----------
    responses : pyarrow.Table
    """
    rows = [kept_texts(kept) for kept in responses["kept"].to_pylist()]
    names = dict.fromkeys(name for row in rows for name in row)
    return {name: pa.array([row.get(name) for row in rows], schema.TEXT) for name in names}


def kept_texts(kept: object) -> dict[str, str]:
    """Return the columns that ``keep=`` kept of the row of an answer, each as a text.

    Parameters
    ----------
    kept : str or null
        As in ``responses.kept``.
    """
    if not isinstance(kept, str):
        return {}
    return {
        name: value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        for name, value in json.loads(kept).items()
    }


def _texts_beside(lp: LogprobTables, frame: Any, by_choice: pa.Array) -> pa.Array:
    """Return the text of the choice, and channel if it names one, of each row of a frame."""
    named = _column(frame, "channel", pa.string())
    if named is None:
        named = pa.repeat("content", len(by_choice))
    n, used = lp.choices.num_rows, named.unique().to_pylist()
    every = np.arange(n)
    found = [texts(lp, name, every) if name in used else [None] * n for name in CHANNELS]
    pool = pa.array([text for own in found for text in own], schema.TEXT)
    channel = pc.index_in(named, pa.array(CHANNELS)).cast(pa.int64())
    return pool.take(pc.add(pc.multiply(channel, n), by_choice))


def has_texts(responses: pa.Table) -> NDArray[np.bool_]:
    """Return which responses have texts: all, but those of an export with ``texts=False``."""
    notes = responses["notes"].combine_chunks()
    found = np.ones(responses.num_rows, np.bool_)
    left_out = pc.equal(notes.flatten(), TEXTS_LEFT_OUT).to_numpy(zero_copy_only=False)
    found[notes.value_parent_indices().to_numpy()[left_out]] = False
    return found


def require_texts(lp: LogprobTables) -> None:
    """Raise `ArgumentError` if there are responses whose texts were left out."""
    _require(lp.responses)


def _require(responses: pa.Table) -> None:
    n = int(np.count_nonzero(~has_texts(responses)))
    if n:
        raise ArgumentError(
            f"{n} of {responses.num_rows} responses have no texts, because they were exported with "
            "texts=False: expected the recordings, or an export with texts"
        )


def text_of(lp: LogprobTables, channel: str, choice: int) -> str | None:
    """Return the text of one channel of a row of choices; raise if it was left out."""
    [found] = texts(lp, channel, np.array([choice]))
    if found is None:
        own = pc.equal(lp.responses["response_key"], lp.choices["response_key"][choice])
        _require(lp.responses.filter(own))
    return found


def texts(lp: LogprobTables, channel: str, choices: NDArray[Any]) -> list[str | None]:
    """Return the texts of one channel of some rows of choices; see `LogprobTables.text`.

    They are null where texts were left out.
    """
    found: list[str | None] = [None] * len(choices)
    if channel in ANSWER_CHANNELS:
        found = lp.choices[channel].take(pa.array(choices)).to_pylist()
    bounds = offsets(token_counts(lp.choices).ravel())
    runs = choices * len(CHANNELS) + CHANNELS.index(channel)
    for i, run in enumerate(runs.tolist()):
        start, stop = bounds[run : run + 2].tolist()
        if found[i] is None and stop > start:
            tokens = lp.tokens.slice(start, stop - start)
            pieces = pc.coalesce(tokens["bytes"], tokens["token"].cast(schema.BINARY))
            found[i] = b"".join(pieces.to_pylist()).decode("utf-8", "replace")
    if not (known := has_texts(lp.responses)).all():
        without = numpy(lp.responses, "response_key")[~known]
        is_without = np.isin(numpy(lp.choices, "response_key")[choices], without)
        found = [None if each else text for each, text in zip(is_without, found, strict=True)]
    return found


def token_counts(choices: pa.Table) -> NDArray[np.int64]:
    """Return the number of token rows, shape (n_choices, n_channels)."""
    counts = [numpy(choices, f"n_{name}_tokens") for name in CHANNELS]
    return np.stack(counts, axis=1).astype(np.int64)


def _column(frame: Any, name: str, kind: pa.DataType) -> pa.Array | None:
    """Return a column or index level of a DataFrame, or a column of a table; None if it has none.

    Parameters
    ----------
    frame : pandas.DataFrame or pyarrow.Table
    name : str
    kind : pyarrow.DataType
        NaN becomes null.

    Raises
    ------
    ArgumentError
        If it holds other values than those of this type.
    """
    if isinstance(frame, pa.Table):
        found = frame[name] if name in frame.column_names else None
    elif name in frame.columns:
        found = frame[name]
    else:
        found = frame.index.get_level_values(name) if name in frame.index.names else None
    if found is None:
        return None
    try:
        if not isinstance(found, pa.ChunkedArray):
            found = pa.chunked_array(pa.array(found, from_pandas=True))
        return found.cast(arrow.plain_type(found.type)).cast(kind).combine_chunks()
    except (pa.ArrowException, TypeError, ValueError) as error:
        raise ArgumentError(f"frame[{name!r}]: expected values of type {kind}") from error


def _require_frame(frame: Any, names: list[str]) -> None:
    """Raise `ArgumentError` unless a frame can get columns of these names."""
    pandas = sys.modules.get("pandas")
    if not isinstance(frame, pa.Table) and (
        pandas is None or not isinstance(frame, pandas.DataFrame)
    ):
        found = type(frame).__name__
        raise ArgumentError(f"frame is a {found}: expected a pandas DataFrame or an Arrow table")
    present = frame.column_names if isinstance(frame, pa.Table) else frame.columns
    for name in names:
        if name in present:
            raise ArgumentError(f"frame has a column {name!r} already: rename or drop it first")


def _response_rows(frame: Any, responses: pa.Table) -> pa.Array:
    """Return the row of the response of each row of a frame; null: none has its key."""
    return _matching(numpy(responses, "response_key"), _key(frame, "response_key"))


def _choice_rows(frame: Any, choices: pa.Table) -> pa.Array:
    """Return the row of the choice of each row of a frame; null: none has its keys."""
    names = ("response_key", "choice")
    ranks = [np.unique(numpy(choices, name), return_inverse=True) for name in names]
    (keys, key_rank), (indexes, index_rank) = ranks
    wanted = pc.add(
        pc.multiply(_matching(keys, _key(frame, "response_key")), len(indexes)),
        _matching(indexes, _key(frame, "choice")),
    )
    return _matching(key_rank * len(indexes) + index_rank, wanted)


def _key(frame: Any, name: str) -> pa.Array:
    found = _column(frame, name, pa.int64())
    if found is None:
        raise ArgumentError(
            f"frame has no column {name!r}: expected the key columns of the tables, such as those "
            "of sequence_metrics"
        )
    return found


def _matching(keys: NDArray[Any], wanted: pa.Array) -> pa.Array:
    """Return the place of each wanted key among sorted keys; null if it is not there."""
    known = wanted.is_valid().to_numpy(zero_copy_only=False)
    values = wanted.fill_null(0).to_numpy(zero_copy_only=False)
    at = np.searchsorted(keys, values)
    known &= at < len(keys)
    known[known] = keys[at[known]] == values[known]
    return pa.array(at, mask=~known)


def _with_columns(frame: Any, columns: dict[str, pa.ChunkedArray]) -> Any:
    """Return a DataFrame or table with more columns at its end, row by row."""
    if isinstance(frame, pa.Table):
        for name, values in columns.items():
            frame = frame.append_column(name, values)
        return frame
    found = arrow.to_pandas(pa.table(columns))
    return frame.assign(**{name: found[name].array for name in columns})
