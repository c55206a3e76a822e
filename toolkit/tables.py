"""Hold the five tables of a load in `LogprobTables`; concatenate them with `concat`."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from toolkit import arguments, arrow, schema
from toolkit.arrow import numpy, offsets, take, take_runs
from toolkit.errors import SchemaError, SelectionError
from toolkit.schema import conform

if TYPE_CHECKING:
    import pandas as pd

Selector = int | str
"""A row number, a ``response_id`` or a ``custom_id``."""

_KEYED = ("responses", "choices", "tokens", "alternatives")  # tables with a response_key
_RESPONSE_FILTERS = tuple(
    name for name in schema.RESPONSES.names if name not in ("notes", "finished", "error")
)
_CHOICE_FILTERS = ("choice", "role", "finish_reason", "logprobs_state", "alignment")


class LogprobTables:
    """Five tidy tables: responses, choices, tokens, alternatives and rejects.

    Rows are sorted by their key columns, so the tokens of a choice, and the alternatives of a
    token, are consecutive rows.

    Parameters
    ----------
    responses, choices, tokens, alternatives, rejects : pyarrow.Table
        With the columns that `toolkit.schema` declares; equivalent types are cast.
    ledger : pyarrow.Table, optional
        Counts of what each source held (`schema.LEDGER`).

    Raises
    ------
    SchemaError
        If a column is missing or has a wrong type, or the tables do not belong together.

    Examples
    --------
    >>> import toolkit
    >>> lp = toolkit.from_responses({"choices": [{"message": {"content": "Hello"}, "logprobs": {
    ...     "content": [{"token": "Hello", "logprob": -0.5, "bytes": [72, 101, 108, 108, 111]}]}}]})
    >>> lp
    <LogprobTables: 1 response, 1 choice, 1 token, 0 alternatives, 0 rejects>
    >>> lp.text(0)
    'Hello'
    """

    __slots__ = ("alternatives", "choices", "ledger", "rejects", "responses", "tokens")

    responses: pa.Table
    choices: pa.Table
    tokens: pa.Table
    alternatives: pa.Table
    rejects: pa.Table
    ledger: pa.Table

    def __init__(
        self,
        responses: pa.Table,
        choices: pa.Table,
        tokens: pa.Table,
        alternatives: pa.Table,
        rejects: pa.Table | None = None,
        ledger: pa.Table | None = None,
    ) -> None:
        self.responses = conform(responses, schema.RESPONSES)
        self.choices = conform(choices, schema.CHOICES)
        self.tokens = conform(tokens, schema.TOKENS)
        self.alternatives = conform(alternatives, schema.ALTERNATIVES)
        empty = schema.REJECTS.empty(), schema.LEDGER.empty()
        self.rejects = conform(empty[0] if rejects is None else rejects, schema.REJECTS)
        self.ledger = conform(empty[1] if ledger is None else ledger, schema.LEDGER)
        self._check_rows("tokens", _token_counts(self.choices))
        self._check_rows("alternatives", numpy(self.tokens, "n_alternatives"))

    def _check_rows(self, child: str, counts: np.ndarray) -> None:
        n, counted = self[child].num_rows, int(counts.sum())
        if n != counted:
            raise SchemaError(f"table {child} has {n} rows, but its parent table counts {counted}")

    def __len__(self) -> int:
        """Return the number of responses."""
        return self.responses.num_rows

    def __repr__(self) -> str:
        """Return the size of each table."""
        sizes = ((table.name, self[table.name].num_rows) for table in schema.TABLES)
        listed = (f"{n} {name if n != 1 else name.removesuffix('s')}" for name, n in sizes)
        return f"<LogprobTables: {', '.join(listed)}>"

    def _repr_html_(self) -> str:
        """Return the summary card that a notebook shows."""
        from toolkit.view.card import summary_card

        return summary_card(self)

    def __getitem__(self, name: str) -> pa.Table:
        """Return a table by its name."""
        return getattr(self, arguments.one_of("table", name, self.__slots__))

    def equals(self, other: LogprobTables) -> bool:
        """Return whether all five tables hold the same rows.

        Parameters
        ----------
        other : LogprobTables
        """
        return all(self[table.name].equals(other[table.name]) for table in schema.TABLES)

    def to_pandas(self, name: str = "tokens", *, dtype_backend: str | None = None) -> pd.DataFrame:
        """Return one table as a DataFrame.

        Parameters
        ----------
        name : str
            responses, choices, tokens, alternatives, rejects or ledger.
        dtype_backend : {"pyarrow", "numpy_nullable"}, optional
            As in pandas. Default: NumPy types, where an integer column with nulls becomes float.

        Returns
        -------
        pandas.DataFrame
            Labels such as ``channel`` are categorical.

        Raises
        ------
        ArgumentError
            If the table or the backend does not exist.

        Examples
        --------
        >>> import toolkit
        >>> logprobs = {"content": [{"token": "Hello", "logprob": -0.5}]}
        >>> choice = {"message": {"content": "Hello"}, "logprobs": logprobs}
        >>> lp = toolkit.from_responses({"choices": [choice]})
        >>> lp.to_pandas("choices")["content"].tolist()
        ['Hello']
        """
        arguments.one_of("dtype_backend", dtype_backend, (None, *arrow.BACKENDS))
        return arrow.to_pandas(self[name], dtype_backend)

    def locate(self, response: Selector) -> int:
        """Return the row number of one response.

        Parameters
        ----------
        response : int or str
            A row number (negative: from the end), a ``response_id`` or a ``custom_id``.

        Raises
        ------
        SelectionError
            If no response, or more than one, has this number or id.
        """
        if isinstance(response, int | np.integer) and not isinstance(response, bool):
            if -len(self) <= response < len(self):
                return int(response) % len(self)
            raise SelectionError(f"no response {response}: there are {len(self)} responses")
        arguments.instance("response", response, str, "a row number, an id or a custom_id")
        for name in ("response_id", "custom_id"):
            rows = np.flatnonzero(arrow.is_in(self.responses[name], [response]))
            if len(rows) == 1:
                return int(rows[0])
            if len(rows) > 1:
                raise SelectionError(
                    f"{len(rows)} responses have the {name} {response!r}; pass a row number"
                )
        raise SelectionError(f"no response has the response_id or custom_id {response!r}")

    def text(
        self, response: Selector = 0, *, choice: int = 0, channel: str = "content"
    ) -> str | None:
        """Return the text of one choice.

        Parameters
        ----------
        response : int or str
            As in `locate`.
        choice : int
            Index of the choice, as sent.
        channel : {"content", "prompt", "reasoning", "refusal"}

        Returns
        -------
        str or None
            The text that was sent; if none was, the token bytes joined and decoded once (U+FFFD
            where they are not UTF-8); None if there is neither.

        Raises
        ------
        SelectionError
            If the response or choice does not exist.
        """
        arguments.channel(channel)
        row = self.choice_row(response, choice)
        sent = self.choices[channel][row].as_py() if channel != "prompt" else None
        if sent is not None:
            return sent
        run = row * len(schema.CHANNELS) + schema.CHANNELS.index(channel)
        start, stop = offsets(_token_counts(self.choices).ravel())[run : run + 2].tolist()
        tokens = self.tokens.slice(start, stop - start)
        pieces = pc.coalesce(tokens["bytes"], tokens["token"].cast(schema.BINARY)).to_pylist()
        return b"".join(pieces).decode("utf-8", "replace") if pieces else None

    def only(self, response: Selector = 0, choice: int = 0) -> LogprobTables:
        """Return the tables of one choice of one response.

        Parameters
        ----------
        response, choice : int or str, int
            As in `text`.
        """
        rows = self.locate(response), self.choice_row(response, choice)
        return self._take(*(np.array([row]) for row in rows))

    def choice_row(self, response: Selector, choice: int = 0) -> int:
        """Return the row in `choices` of one choice of a response."""
        row = self.locate(response)
        key = self.responses["response_key"][row].as_py()
        rows = np.flatnonzero(numpy(self.choices, "response_key") == key)
        found = numpy(self.choices, "choice")[rows].tolist()
        if choice not in found:
            raise SelectionError(f"response {row} has no choice {choice!r}; it has {found}")
        return int(rows[found.index(choice)])

    def filter(self, **conditions: Any) -> LogprobTables:
        """Keep the responses and choices that meet all conditions.

        Parameters
        ----------
        **conditions
            Column of responses or choices = the value, or a list of the values, to keep; None
            keeps nulls. A condition on a column of choices also drops the other choices.

        Returns
        -------
        LogprobTables
            Rejects and ledger are unchanged, because they describe the sources.

        Raises
        ------
        ArgumentError
            If a name is not a column that can be filtered by.

        Examples
        --------
        >>> import toolkit
        >>> logprobs = {"content": [{"token": "Hello", "logprob": -0.5}]}
        >>> choice = {"message": {"content": "Hello"}, "logprobs": logprobs}
        >>> lp = toolkit.from_responses([{"model": m, "choices": [choice]} for m in "aba"])
        >>> len(lp.filter(model="a"))
        2
        """
        by_response = _meets(self.responses, conditions, _RESPONSE_FILTERS)
        by_choice = _meets(self.choices, conditions, _CHOICE_FILTERS)
        arguments.columns("filter", list(conditions), [*_RESPONSE_FILTERS, *_CHOICE_FILTERS])
        keys = numpy(self.responses, "response_key")
        owner = np.searchsorted(keys, numpy(self.choices, "response_key"))
        by_choice &= by_response[owner]
        if set(conditions) & set(_CHOICE_FILTERS):
            by_response &= np.bincount(owner[by_choice], minlength=len(keys)) > 0
        return self._take(np.flatnonzero(by_response), np.flatnonzero(by_choice))

    def _take(self, responses: np.ndarray, choices: np.ndarray) -> LogprobTables:
        """Return some rows of responses and choices with their tokens and alternatives."""
        tokens = take_runs(offsets(_token_counts(self.choices).sum(axis=1)), choices)
        alternatives = take_runs(offsets(numpy(self.tokens, "n_alternatives")), tokens)
        return LogprobTables(
            self.responses.take(pa.array(responses)),
            self.choices.take(pa.array(choices)),
            self.tokens.take(pa.array(tokens)),
            self.alternatives.take(pa.array(alternatives)),
            self.rejects,
            self.ledger,
        )

    def write_parquet(self, directory: str | os.PathLike[str], *, overwrite: bool = False) -> Path:
        """Write the tables as Parquet; see `toolkit.export`.

        Parameters
        ----------
        directory : path
            Created by the call. Each table becomes a folder in it.
        overwrite : bool
            Replace an earlier export of that name.

        Returns
        -------
        pathlib.Path
            The directory.
        """
        from toolkit.dataset.write import write_tables

        return write_tables(self, directory, overwrite=overwrite)


def _token_counts(choices: pa.Table) -> NDArray[np.int64]:
    """Return the number of token rows, shape (n_choices, n_channels)."""
    counts = [numpy(choices, f"n_{name}_tokens") for name in schema.CHANNELS]
    return np.stack(counts, axis=1).astype(np.int64)


def _meets(table: pa.Table, conditions: dict[str, Any], names: Iterable[str]) -> np.ndarray:
    """Return which rows meet the conditions on these columns."""
    met = np.ones(table.num_rows, bool)
    for name in set(names) & set(conditions):
        wanted = conditions[name]
        values = wanted if isinstance(wanted, list | tuple | set | np.ndarray) else [wanted]
        try:
            met &= arrow.is_in(table[name], list(values))
        except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
            kind = arrow.plain_type(table[name].type)
            raise arguments.invalid(name, wanted, f"values of type {kind}") from error
    return met


def concat(parts: Iterable[LogprobTables]) -> LogprobTables:
    """Concatenate tables.

    Parts of one `scan` give the tables that `read` would have returned. Parts of different loads
    keep their order; their sources are renumbered, so that keys stay unique.

    Parameters
    ----------
    parts : iterable of LogprobTables

    Returns
    -------
    LogprobTables

    Examples
    --------
    >>> import toolkit
    >>> logprobs = {"content": [{"token": "Hello", "logprob": -0.5}]}
    >>> choice = {"message": {"content": "Hello"}, "logprobs": logprobs}
    >>> a = toolkit.from_responses({"choices": [choice]})
    >>> both = toolkit.concat([a, a])
    >>> both.responses["response_key"].to_pylist() == [0, 2**32]
    True
    """
    parts = [arguments.instance("a part of concat", part, LogprobTables) for part in parts]
    if not parts:
        return LogprobTables(*(table.empty() for table in schema.TABLES))
    one_load = _one_load(parts)
    if not one_load:
        parts = _renumber(parts)
    tables = {
        name: pa.concat_tables([part[name] for part in parts]) for name in LogprobTables.__slots__
    }
    if one_load:  # its parts may repeat the rows of a source
        for name in ("rejects", "ledger"):
            tables[name] = _distinct(tables[name])
    return in_order(tables)


def joined(parts: list[LogprobTables]) -> LogprobTables:
    """Concatenate the batches of one load; the batches must be disjoint."""
    if len(parts) == 1:
        return parts[0]
    names = LogprobTables.__slots__
    return in_order({name: pa.concat_tables([part[name] for part in parts]) for name in names})


def in_order(tables: dict[str, pa.Table]) -> LogprobTables:
    """Sort rows by their keys, because a stream may end in a later batch than it began in."""
    for name in _KEYED:
        keys = numpy(tables[name], "response_key")
        if np.any(keys[1:] < keys[:-1]):
            tables[name] = take(tables[name], np.argsort(keys, kind="stable"))
    return LogprobTables(**tables)


def _distinct(table: pa.Table) -> pa.Table:
    """Return a table without repeated rows."""
    rows = zip(*(column.to_pylist() for column in table.columns), strict=True)
    first = {row: i for i, row in reversed(list(enumerate(rows)))}
    return table.take(pa.array(sorted(first.values()), pa.int64()))


def _one_load(parts: list[LogprobTables]) -> bool:
    """Return whether keys are unique over the parts, and source ordinals name one source each."""
    keys = np.concatenate([numpy(part.responses, "response_key") for part in parts])
    if len(np.unique(keys)) != len(keys):
        return False
    named: set[tuple[int, str]] = set()
    for part in parts:
        ordinals, first = np.unique(numpy(part.responses, "response_key") >> 32, return_index=True)
        sources = part.responses["source"].take(pa.array(first)).to_pylist()
        named |= set(zip(ordinals.tolist(), sources, strict=True))
    return len({ordinal for ordinal, _ in named}) == len(named)


def _renumber(parts: list[LogprobTables]) -> list[LogprobTables]:
    """Add to the source ordinals in the keys, so that no two parts share one."""
    renumbered, base = [], 0
    for part in parts:
        tables = {name: part[name] for name in LogprobTables.__slots__}
        for name in _KEYED:
            key = pc.add(part[name]["response_key"], base << 32)
            tables[name] = part[name].set_column(0, schema.TOKENS["response_key"].field, key)
        renumbered.append(LogprobTables(**tables))
        keys = numpy(part.responses, "response_key")
        base += int(keys.max() >> 32) + 1 if len(keys) else 0
    return renumbered
