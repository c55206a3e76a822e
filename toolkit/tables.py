"""`LogprobTables`, the five tables of a load, and the table-shaped work on them."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from toolkit import schema
from toolkit.columns import numpy, offsets, take_runs
from toolkit.errors import ArgumentError, SchemaError, SelectionError
from toolkit.schema import conform

if TYPE_CHECKING:
    import pandas as pd

Selector = int | str
"""A row number, a ``response_id`` or a ``custom_id``."""

_RESPONSE_FILTERS = tuple(
    name for name in schema.RESPONSES.names if name not in ("notes", "finished", "error")
)
_CHOICE_FILTERS = ("choice", "role", "finish_reason", "logprobs_state", "alignment")


class LogprobTables:
    """Five tidy tables: responses, choices, tokens, alternatives and rejects.

    Rows are sorted by the key columns, so the tokens of a choice, and the alternatives of a token,
    are runs of neighbouring rows.

    Parameters
    ----------
    responses, choices, tokens, alternatives, rejects : pyarrow.Table
        In the columns that `toolkit.schema` declares; other types that hold the same are cast.
    ledger : pyarrow.Table, optional
        What each source held (`schema.LEDGER`).

    Raises
    ------
    SchemaError
        If a column is missing or does not fit, or the tables do not belong together.

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
        self.rejects = (
            schema.REJECTS.empty() if rejects is None else conform(rejects, schema.REJECTS)
        )
        self.ledger = schema.LEDGER.empty() if ledger is None else conform(ledger, schema.LEDGER)
        for child, declared, counts in (
            ("tokens", self.tokens.num_rows, _tokens_per_choice(self.choices)),
            ("alternatives", self.alternatives.num_rows, numpy(self.tokens, "n_alternatives")),
        ):
            if counts.sum() != declared:
                raise SchemaError(
                    f"table {child} has {declared} rows, its parent table counts {counts.sum()}"
                )

    def __len__(self) -> int:
        """Return the number of responses."""
        return self.responses.num_rows

    def __repr__(self) -> str:
        """Return the size of each table."""
        sizes = ", ".join(
            f"{n} {name if n != 1 else name.removesuffix('s')}"
            for name, n in ((table.name, self[table.name].num_rows) for table in schema.TABLES)
        )
        return f"<LogprobTables: {sizes}>"

    def _repr_html_(self) -> str:
        """Return the summary card that a notebook shows."""
        from toolkit.view import summary_card

        return summary_card(self)

    def __getitem__(self, name: str) -> pa.Table:
        """Return a table by its name."""
        if name not in self.__slots__:
            raise ArgumentError(
                f"no table {name!r}; choose one of {[t.name for t in schema.TABLES]}"
            )
        return getattr(self, name)

    def equals(self, other: LogprobTables) -> bool:
        """Tell whether all five tables hold the same rows.

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
            As in pandas. Default: NumPy types, where a null makes an integer column float.

        Returns
        -------
        pandas.DataFrame
            Labels such as ``channel`` are categorical.

        Raises
        ------
        ArgumentError
            If there is no such table or backend.

        Examples
        --------
        >>> import toolkit
        >>> logprobs = {"content": [{"token": "Hello", "logprob": -0.5}]}
        >>> choice = {"message": {"content": "Hello"}, "logprobs": logprobs}
        >>> lp = toolkit.from_responses({"choices": [choice]})
        >>> lp.to_pandas("choices")["content"].tolist()
        ['Hello']
        """
        if dtype_backend is None:
            return self[name].to_pandas()
        import pandas as pd

        if dtype_backend == "pyarrow":
            return self[name].to_pandas(types_mapper=pd.ArrowDtype)
        if dtype_backend == "numpy_nullable":
            nullable = {
                pa.int32(): pd.Int32Dtype(),
                pa.int64(): pd.Int64Dtype(),
                pa.float64(): pd.Float64Dtype(),
                pa.bool_(): pd.BooleanDtype(),
                pa.string(): pd.StringDtype(),
                schema.TEXT: pd.StringDtype(),
            }
            return self[name].to_pandas(types_mapper=nullable.get)
        raise ArgumentError(
            f"dtype_backend={dtype_backend!r}; choose 'pyarrow', 'numpy_nullable' or None"
        )

    def locate(self, response: Selector) -> int:
        """Return the row of one response.

        Parameters
        ----------
        response : int or str
            A row number (negative: from the end), else a ``response_id`` or ``custom_id``.

        Raises
        ------
        SelectionError
            If no response, or more than one, answers to it.
        """
        if isinstance(response, int | np.integer) and not isinstance(response, bool):
            if -len(self) <= response < len(self):
                return int(response) % len(self)
            raise SelectionError(f"no response {response}: there are {len(self)}")
        if not isinstance(response, str):
            raise ArgumentError(
                f"response is {type(response).__name__}; give a row number, an id or a custom_id"
            )
        for name in ("response_id", "custom_id"):
            rows = np.flatnonzero(
                pc.fill_null(
                    pc.equal(self.responses[name], pa.scalar(response, schema.TEXT)), False
                )
            )
            if len(rows) == 1:
                return int(rows[0])
            if len(rows) > 1:
                raise SelectionError(f"{len(rows)} responses have {name} {response!r}; give a row")
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
        channel : {"content", "refusal", "reasoning"}

        Returns
        -------
        str or None
            The text that was sent; where none was, the token bytes, joined and decoded once
            (U+FFFD where they are not UTF-8); None if there is neither.

        Raises
        ------
        SelectionError
            If there is no such response or choice.
        """
        if channel not in schema.CHANNELS:
            raise ArgumentError(f"channel={channel!r}; choose one of {schema.CHANNELS}")
        row = self.choice_row(response, choice)
        sent = self.choices[channel][row].as_py()
        if sent is not None:
            return sent
        counts = [numpy(self.choices, f"n_{name}_tokens") for name in schema.CHANNELS]
        start = int(sum(count[:row].sum() for count in counts))
        start += int(sum(count[row] for count in counts[: schema.CHANNELS.index(channel)]))
        n = int(counts[schema.CHANNELS.index(channel)][row])
        run = self.tokens.slice(start, n)
        pieces = pc.coalesce(run["bytes"], run["token"].cast(schema.BINARY)).to_pylist()
        return b"".join(pieces).decode("utf-8", "replace") if pieces else None

    def choice_row(self, response: Selector, choice: int = 0) -> int:
        """Return the row in `choices` of one choice of a response."""
        row = self.locate(response)
        key = self.responses["response_key"][row].as_py()
        found = np.flatnonzero(
            (numpy(self.choices, "response_key") == key) & (numpy(self.choices, "choice") == choice)
        )
        if not len(found):
            has = numpy(self.choices, "choice")[numpy(self.choices, "response_key") == key]
            raise SelectionError(f"response {row} has no choice {choice!r}; it has {has.tolist()}")
        return int(found[0])

    def filter(self, **conditions: Any) -> LogprobTables:
        """Keep the responses and choices that meet all conditions.

        Parameters
        ----------
        **conditions
            Column of responses or choices = a value, or a list of values to choose from; None
            keeps nulls. A condition on a choice's column keeps only such choices.

        Returns
        -------
        LogprobTables
            Rejects and ledger stay as they are: they tell of the sources.

        Raises
        ------
        ArgumentError
            If a name is no column that can be filtered by.

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
        unknown = set(conditions) - set(_RESPONSE_FILTERS) - set(_CHOICE_FILTERS)
        if unknown:
            raise ArgumentError(
                f"cannot filter by {sorted(unknown)}; choose from "
                f"{[*_RESPONSE_FILTERS, *_CHOICE_FILTERS]}"
            )
        keys = numpy(self.responses, "response_key")
        owner = np.searchsorted(keys, numpy(self.choices, "response_key"))
        by_choice &= by_response[owner]
        if set(conditions) & set(_CHOICE_FILTERS):
            by_response &= np.bincount(owner[by_choice], minlength=len(keys)) > 0
        return self._take(np.flatnonzero(by_response), np.flatnonzero(by_choice))

    def _take(self, responses: np.ndarray, choices: np.ndarray) -> LogprobTables:
        """Return some rows of responses and choices with all that hangs on them."""
        tokens = take_runs(offsets(_tokens_per_choice(self.choices)), choices)
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
            Made by the call. Each table becomes a folder of it.
        overwrite : bool
            Replace the directory if it is there.

        Returns
        -------
        pathlib.Path
            The directory.
        """
        from toolkit.parquet import write_tables

        return write_tables(self, directory, overwrite=overwrite)


def _tokens_per_choice(choices: pa.Table) -> np.ndarray:
    counts = [numpy(choices, f"n_{name}_tokens").astype(np.int64) for name in schema.CHANNELS]
    return np.add.reduce(counts)


def _meets(table: pa.Table, conditions: dict[str, Any], names: Iterable[str]) -> np.ndarray:
    """Return which rows meet those conditions that are about these columns."""
    met = np.ones(table.num_rows, bool)
    for name in set(names) & set(conditions):
        wanted = conditions[name]
        values = wanted if isinstance(wanted, list | tuple | set | np.ndarray) else [wanted]
        column = table[name]
        if pa.types.is_dictionary(column.type):
            column = column.cast(column.type.value_type)
        try:
            options = pa.array(list(values), column.type)
        except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
            raise ArgumentError(f"{name}={wanted!r} is no value of type {column.type}") from error
        met &= pc.is_in(column, options).to_numpy(zero_copy_only=False)
    return met
