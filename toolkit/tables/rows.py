"""Find what a row of a table is about: its response, choice and channel."""

from __future__ import annotations

import operator
import sys
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from toolkit import arguments, arrow
from toolkit.arrow import numpy
from toolkit.errors import ArgumentError, SelectionError

_SELECTORS = (
    "a row number, a response_id, a custom_id, FILE:LINE, or a row of a table (Series, dict ...)"
)
_ROWS_LISTED = 10  # row numbers in a message


class Pick(NamedTuple):
    """The response, choice, channel and position that are asked for.

    Attributes
    ----------
    response : object
        As `locate` takes it.
    choice : int
        Index of the choice, as sent.
    channel, position : str, int or None
        None: neither the caller nor the row names one.
    """

    response: Any
    choice: int
    channel: str | None
    position: int | None


def fields(row: object) -> dict[str, Any] | None:
    """Return the values of a row by column; None if the object is not a row.

    Parameters
    ----------
    row : object
        A pandas Series, a table of one row (pandas, Polars, Arrow), a dict, a namedtuple of
        ``itertuples()``, or an Arrow struct.

    Raises
    ------
    SelectionError
        If it is a table of several rows, or of none.

    Examples
    --------
    >>> fields({"response_key": 0}), fields(0)
    ({'response_key': 0}, None)
    """
    pandas = sys.modules.get("pandas")
    if isinstance(row, pa.StructScalar):  # before Mapping, whose values would be Arrow scalars
        return dict(row.as_py() or {})
    if isinstance(row, Mapping):
        return dict(row)
    if hasattr(row, "_asdict"):
        return dict(row._asdict())
    if pandas is not None and isinstance(row, pandas.Series):
        return dict(row.to_dict())
    rows: list[dict[str, Any]]
    if isinstance(row, pa.Table | pa.RecordBatch):
        rows = row.to_pylist()
    elif pandas is not None and isinstance(row, pandas.DataFrame):
        rows = row.to_dict("records")
    elif hasattr(row, "to_dicts"):
        rows = row.to_dicts()
    else:
        return None
    if len(rows) != 1:
        raise SelectionError(f"a table of {len(rows)} rows selects no response: pass one row of it")
    return rows[0]


def whole(value: object) -> int | None:
    """Return a whole number, which pandas may hold as a float; None for a null and all else."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    try:
        return operator.index(value)  # type: ignore[arg-type]
    except TypeError:
        return None


def pick(
    response: object, choice: int | None = None, channel: str | None = None, side: str = ""
) -> Pick:
    """Return what is asked for: what the caller says, else what the row says.

    Parameters
    ----------
    response : object
        As `locate` takes it.
    choice : int, optional
        None: the choice of the row, else 0.
    channel : str, optional
        None: the channel of the row, if it has one.
    side : {"", "_a", "_b"}
        Which response is meant of a row of `compare`, which has two.

    Examples
    --------
    >>> pick({"response_key": 0, "choice": 1, "channel": "refusal"}, choice=2)[1:]
    (2, 'refusal', None)
    """
    row = fields(response)
    if row is None:
        return Pick(response, 0 if choice is None else choice, channel, None)
    if f"response_key{side}" in row:
        row["response_key"] = row[f"response_key{side}"]
    if choice is None:
        choice = whole(row.get("choice")) or 0
    own = row.get("channel")
    if channel is None and isinstance(own, str):
        channel = arguments.channel(own)
    return Pick(row, choice, channel, whole(row.get("position")))


def locate(responses: pa.Table, rejects: pa.Table, response: object) -> int:
    """Return the row number in `responses` of one response; see `LogprobTables.locate`."""
    n = responses.num_rows
    if isinstance(response, int | np.integer) and not isinstance(response, bool):
        if -n <= response < n:
            return int(response) % n
        number = arguments.shown(response) or "of so large a number"
        raise SelectionError(f"no response {number}: there are {n} responses")
    if (row := fields(response)) is not None:
        return _of_row(responses, rejects, row)
    text: str = arguments.instance("response", response, str, _SELECTORS)  # type: ignore[assignment]
    arguments.text("response", text, _SELECTORS)
    for name in ("response_id", "custom_id"):
        found = np.flatnonzero(arrow.is_in(responses[name], [text]))
        if len(found):
            return _only(found, f"have the {name} {text!r}")
    if len(found := at_line(responses, text)):
        return _only(found, f"begin at {text!r}")
    if len(found := at_line(rejects, text)):
        reason = rejects["reason"][int(found[0])].as_py()
        raise SelectionError(
            f"the record at {text} was rejected ({reason}), so no response begins there; "
            "lp.raw (logprobs show --raw) gives its text"
        )
    raise SelectionError(
        f"no response has the response_id or custom_id {text!r}, or begins at this FILE:LINE"
    )


def _only(found: NDArray[np.intp], what: str) -> int:
    if len(found) == 1:
        return int(found[0])
    listed = ", ".join(map(str, found[:_ROWS_LISTED].tolist()))
    more = ", ..." if len(found) > _ROWS_LISTED else ""
    raise SelectionError(f"{len(found)} responses {what}; pass a row number: {listed}{more}")


def _of_row(responses: pa.Table, rejects: pa.Table, row: dict[str, Any]) -> int:
    """Return the row number of the response that a row of a table is about."""
    key = whole(row.get("response_key"))
    if key is None:
        for name in ("custom_id", "response_id"):
            if isinstance(row.get(name), str):
                return locate(responses, rejects, row[name])
        if "response_key_a" in row:
            raise SelectionError(
                "the row is about two responses; pass {'response_key': row['response_key_a']} "
                "to the first tables, or that of response_key_b to the second"
            )
        if (text := place(row)) is not None:
            return locate(responses, rejects, text)
        raise SelectionError(
            "the row has no response_key, custom_id, response_id or line of a source, so it is not "
            "about one response; if they are in the index, call reset_index() first"
        )
    keys = numpy(responses, "response_key")
    at = int(np.searchsorted(keys, key))
    if at == len(keys) or keys[at] != key:
        raise SelectionError(
            f"no response has the response_key {key}: the row is of another load, or its response "
            "was filtered out; pass it to the tables that it was computed from"
        )
    return at


def choice_row(choices: pa.Table, key: int, row: int, choice: int) -> int:
    """Return the row in `choices` of one choice of a response, by its key and row number."""
    choice = arguments.whole("choice", choice, -arguments.MOST)
    mine = np.flatnonzero(numpy(choices, "response_key") == key)
    found = numpy(choices, "choice")[mine].tolist()
    if choice not in found:
        raise SelectionError(f"response {row} has no choice {choice!r}; it has {found}")
    return int(mine[found.index(choice)])


def no_table(name: object, tables: Sequence[str]) -> ArgumentError:
    """Return the error for ``lp[name]`` if that is not the name of a table."""
    key = (arguments.shown(name) if isinstance(name, int | str) else None) or "ROW"
    return ArgumentError(
        f"lp[{key}]: expected the name of a table, one of {', '.join(map(repr, tables))}; of a "
        f"response, by row number or id, lp.text({key}) is the text and lp.only({key}) the tables; "
        "lp.head() has the first responses"
    )


def place(row: dict[str, Any]) -> str | None:
    """Return ``FILE:LINE`` of a row that names both, such as one of rejects or of `check`."""
    source, line = row.get("source"), whole(row.get("line"))
    return f"{source}:{line}" if isinstance(source, str) and line is not None else None


def at_line(table: pa.Table, text: str) -> NDArray[np.intp]:
    """Return the rows of responses or rejects whose record begins at ``FILE:LINE``.

    The name of the file is that in ``source``, or an end of its path; after ``…``, with which the
    command line clips a path, any end.
    """
    name, _, line = text.rpartition(":")
    none = np.empty(0, np.intp)
    if not name or not (line.isascii() and line.isdigit()) or len(line) > 18:
        return none
    rows = np.flatnonzero(numpy(table, "line") == int(line))
    sources = table["source"].take(pa.array(rows)).to_pylist()
    ends = name[1:] if name.startswith("…") else (f"/{name}", f"\\{name}")
    is_same = np.array([source == name for source in sources], bool)
    is_end = np.array([source.endswith(ends) for source in sources], bool)
    return rows[is_same] if is_same.any() else rows[is_end]
