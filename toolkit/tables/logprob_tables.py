"""Hold the five tables of a load in `LogprobTables`."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

import numpy as np
import pyarrow as pa

from toolkit import arguments, arrow, schema
from toolkit.arrow import numpy, offsets, take_runs
from toolkit.errors import SchemaError
from toolkit.schema import conform
from toolkit.tables import rows
from toolkit.tables.attaching import attach, text_of, token_counts
from toolkit.tables.filtering import met_by

if TYPE_CHECKING:
    import pandas as pd
    import polars as pl

Row: TypeAlias = (
    "Mapping[str, Any] | tuple[Any, ...] | pd.Series | pd.DataFrame | pa.Table | pa.StructScalar"
)
"""A row of a table: of a DataFrame, of an Arrow table, a dict, a namedtuple of ``itertuples()``."""
Selector: TypeAlias = "int | str | Row"
"""A row number, a ``response_id``, a ``custom_id``, ``FILE:LINE``, or a row of a table."""
Frame = TypeVar("Frame", "pd.DataFrame", pa.Table)


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
        self._check_rows("tokens", token_counts(self.choices))
        self._check_rows("alternatives", numpy(self.tokens, "n_alternatives"))

    def _check_rows(self, child: str, counts: np.ndarray) -> None:
        n, counted = self[child].num_rows, int(counts.sum())
        if n != counted:
            raise SchemaError(f"table {child} has {n} rows, but its parent table counts {counted}")

    def __len__(self) -> int:
        """Return the number of responses."""
        return self.responses.num_rows

    @property
    def n_unlisted(self) -> int:
        """Number of rejected records that are counted in the ledger and have no row in rejects."""
        return int(numpy(self.ledger, "unlisted").sum())

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
        if not isinstance(name, str) or name not in self.__slots__:
            raise rows.no_table(name, self.__slots__)
        return getattr(self, name)

    def equals(self, other: LogprobTables) -> bool:
        """Return whether all five tables hold the same rows.

        Parameters
        ----------
        other : LogprobTables
        """
        arguments.instance("other", other, LogprobTables)
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
        >>> toolkit.read("data/capitals_batch.jsonl").to_pandas("choices")["content"][0]
        ' Paris'
        """
        arguments.one_of("dtype_backend", dtype_backend, (None, *arrow.BACKENDS))
        return arrow.to_pandas(self[name], dtype_backend)

    def to_polars(self, name: str = "tokens") -> pl.DataFrame:
        """Return one table as a DataFrame of Polars, which must be installed.

        Parameters
        ----------
        name : str
            As in `to_pandas`.

        Returns
        -------
        polars.DataFrame

        Raises
        ------
        ArgumentError
            If the table does not exist, or Polars is not installed.

        Examples
        --------
        >>> import toolkit
        >>> toolkit.read("data/capitals_batch.jsonl").to_polars("responses").height
        100
        """
        return arrow.to_polars(self[name])

    def head(self, n: int = 5) -> LogprobTables:
        """Return the tables of the first responses.

        Parameters
        ----------
        n : int
            Number of responses.

        Returns
        -------
        LogprobTables

        Examples
        --------
        >>> import toolkit
        >>> toolkit.answers(toolkit.read("data/capitals_batch.jsonl").head(2))["text"].tolist()
        [' Paris', ' Tokyo']
        """
        keys = numpy(self.responses, "response_key")[: arguments.whole("n", n, 0)]
        return self.filter(response_key=keys)

    def locate(self, response: Selector) -> int:
        """Return the row number of one response.

        Parameters
        ----------
        response : int, str or row
            A row number (negative: from the end), a ``response_id``, a ``custom_id``, the place
            where it begins as ``FILE:LINE`` (a file of ``source``, or the end of its path), or a
            row of a table that has a ``response_key``: a pandas Series or a DataFrame of one row,
            a dict, a namedtuple of ``itertuples()``, or a row of an Arrow table.

        Raises
        ------
        SelectionError
            If no response, or more than one, has this number, id, place or key.

        Examples
        --------
        >>> import toolkit
        >>> lp = toolkit.read("data/capitals_batch.jsonl")
        >>> answers = toolkit.sequence_metrics(lp).sort_values("perplexity")
        >>> lp.locate(answers.iloc[-1]) == lp.locate(answers["custom_id"].iloc[-1])
        True
        """
        return rows.locate(self.responses, self.rejects, response)

    def text(
        self, response: Selector = 0, *, choice: int | None = None, channel: str | None = None
    ) -> str | None:
        """Return the text of one choice.

        Parameters
        ----------
        response : int, str or row
            As in `locate`.
        choice : int, optional
            Index of the choice, as sent. Default: that of the row, else 0.
        channel : {"content", "prompt", "reasoning", "refusal"}, optional
            Default: that of the row, else content.

        Returns
        -------
        str or None
            The text that was sent; if none was, the token bytes joined and decoded once (U+FFFD
            where they are not UTF-8); None if there is neither.

        Raises
        ------
        SelectionError, ArgumentError
            If the response or choice does not exist, or its texts were left out of the export.
        """
        asked = rows.pick(response, choice, channel)
        channel = arguments.channel(asked.channel or "content" if channel is None else channel)
        row = self.choice_row(asked.response, asked.choice)
        return text_of(self, channel, row)

    def only(self, response: Selector = 0, choice: int | None = None) -> LogprobTables:
        """Return the tables of one choice of one response.

        Parameters
        ----------
        response, choice
            As in `text`.
        """
        return self._take(
            np.array([self.locate(response)]), np.array([self.choice_row(response, choice)])
        )

    def choice_row(self, response: Selector, choice: int | None = None) -> int:
        """Return the row in `choices` of one choice of a response.

        Parameters
        ----------
        response, choice
            As in `text`.
        """
        key = self.responses["response_key"][row := self.locate(response)].as_py()
        return rows.choice_row(self.choices, key, row, rows.pick(response, choice).choice)

    def attach(self, frame: Frame, *columns: str) -> Frame:
        """Add columns of responses and choices to the rows of any table.

        Parameters
        ----------
        frame : pandas.DataFrame or pyarrow.Table
            A table, or a part of one, with the column (or index level) ``response_key``, and with
            ``choice`` if columns of choices or texts are asked for.
        *columns : str
            Columns of responses or choices; columns of the rows that ``keep=`` kept, as texts; or
            ``"text"``: what `text` returns, of the channel that the column ``channel`` names, if
            there is one.

        Returns
        -------
        pandas.DataFrame or pyarrow.Table
            The same rows in the same order, with the same index, and the columns at the end, in the
            types of `to_pandas`; null where no response or choice has the key.

        Raises
        ------
        ArgumentError
            If a column does not exist, the frame has one of that name, or it lacks a key.

        Examples
        --------
        >>> import toolkit
        >>> lp = toolkit.read("data/capitals_batch.jsonl")
        >>> weakest = toolkit.token_metrics(lp).nsmallest(1, "probability")
        >>> lp.attach(weakest, "custom_id", "text")[["custom_id", "text"]].values.tolist()
        [['capital-049', ' Nouakchott']]
        """
        return attach(self, frame, columns)

    def raw(self, response: Selector = 0, **options: Any) -> list[str]:
        """Return the records of a response as they were recorded.

        Its source is read again, up to the last of them.

        Parameters
        ----------
        response : int, str or row
            As in `locate`; also a row of ``rejects``, or its ``FILE:LINE``.
        **options
            Options of `toolkit.read` that the response was read with (``path``, ``shape``,
            ``stream_window`` and similar), because they decide which records give it.

        Returns
        -------
        list of str
            One text for a whole response, one for each chunk of a stream, in order. A record that
            is an envelope is whole; an interaction of a cassette in YAML is written as JSON; of a
            reject, bytes that are not UTF-8 are replaced by U+FFFD.

        Raises
        ------
        SelectionError
            If there is no such response.
        SourceError
            If the source was in memory or standard input, cannot be read, or has changed.

        Examples
        --------
        >>> import json, toolkit
        >>> lp = toolkit.read("data/capitals_batch.jsonl")
        >>> [line] = lp.raw("capital-000")
        >>> json.loads(line)["custom_id"]
        'capital-000'
        """
        from toolkit.loaders.raw import raw

        return raw(self, response, options)

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
        return self._take(*met_by(self.responses, self.choices, conditions))

    def _take(self, responses: np.ndarray, choices: np.ndarray) -> LogprobTables:
        """Return some rows of responses and choices with their tokens and alternatives."""
        tokens = take_runs(offsets(token_counts(self.choices).sum(axis=1)), choices)
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
