"""Measure an export without loading it: `open_dataset`."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from toolkit import arguments
from toolkit.dataset.batches import ExportReader
from toolkit.dataset.layout import STORED
from toolkit.dataset.read import described, of_one_export, opened, place
from toolkit.dataset.snapshot import OpenExport, Replaced
from toolkit.errors import SourceError
from toolkit.metrics import checks, corpora, distributions, sequences
from toolkit.metrics._check_answers import ID_COLUMNS, ID_REDUCERS, ids_partial, repeated
from toolkit.metrics._check_tokens import HABIT_REDUCERS, habits, habits_partial
from toolkit.metrics._partial import Partial, Reducer, merged
from toolkit.metrics._prices import Price
from toolkit.metrics.usage import REDUCERS, usage_columns, usage_partial, usage_table
from toolkit.progress import progress_bar

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

    from toolkit.tables import LogprobTables

T = TypeVar("T")
P = TypeVar("P")
_IDS = 1 << 20  # responses whose ids are compared in one pass, about


def open_dataset(directory: str | os.PathLike[str]) -> Dataset:
    """Open an exported dataset, whose metrics are computed without loading it.

    Parameters
    ----------
    directory : path
        What `toolkit.export` or `LogprobTables.write_parquet` wrote; or its URI in an object store,
        such as ``s3://bucket/answers``.

    Returns
    -------
    Dataset

    Raises
    ------
    SourceError
        If the directory is not an export.
    SchemaError
        If a later version of the toolkit wrote it.

    Examples
    --------
    >>> import tempfile, toolkit
    >>> entries = [{"token": "a", "logprob": l} for l in (-1.0, -3.0)]
    >>> choice = {"message": {"content": "aa"}, "logprobs": {"content": entries}}
    >>> lp = toolkit.from_responses({"choices": [choice]})
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     dataset = toolkit.open_dataset(lp.write_parquet(f"{folder}/answers"))
    ...     dataset.corpus_metrics()["perplexity"].round(3).tolist()
    [7.389]
    """
    root = place("directory", directory)

    def found(snapshot: OpenExport) -> Dataset:
        described(snapshot)
        return Dataset(root, snapshot.name)

    return of_one_export(root, found)


class Dataset:
    """An exported dataset, read batch by batch; `open_dataset` returns one.

    The results are those of the functions of the same names on the loaded tables, bit by bit, in
    whatever order the files are read: whole numbers are added, and sums of real numbers are exact
    until they are rounded once. Memory grows with the number of groups, not with that of answers.

    Each call reads one export. If another one replaces it meanwhile, a result is computed again
    from the new one; batches that are half taken go on in the old one, unless it has many files
    that are removed before they were opened.
    """

    def __init__(self, root: Path | str, name: str) -> None:
        self._root = root
        self._name = name  # the root, without credentials

    def __repr__(self) -> str:
        """Return the directory."""
        return f"<Dataset: {self._name}>"

    def files(self, table: str) -> list[str]:
        """List the Parquet files of a table, for engines that read them: DuckDB, Polars, Spark.

        Parameters
        ----------
        table : {"responses", "choices", "tokens", "alternatives", "rejects", "ledger"}

        Returns
        -------
        list of str
            The paths or URIs that the manifest lists. A URI has no credentials.

        Raises
        ------
        ArgumentError
            If there is no such table.

        Examples
        --------
        >>> import toolkit
        >>> dataset = toolkit.open_dataset("answers")  # doctest: +SKIP
        >>> duckdb.read_parquet(dataset.files("tokens")).count("*")  # doctest: +SKIP
        """
        arguments.one_of("table", table, [each.name for each in STORED])
        return self._of_one_export(lambda reader: reader.files(table))

    def n_rows(self) -> dict[str, int]:
        """Return the number of rows of each table, as the manifest lists them.

        Examples
        --------
        >>> import toolkit
        >>> toolkit.open_dataset("answers").n_rows()["tokens"]  # doctest: +SKIP
        2015
        """
        names = [table.name for table in STORED]
        return self._of_one_export(lambda reader: {name: reader.n_rows(name) for name in names})

    def batches(self) -> Iterator[LogprobTables]:
        """Yield whole responses with all of their rows, some at a time.

        Returns
        -------
        iterator of LogprobTables
            The keys rise within a batch. The first batch has no rows, so that whatever is computed
            from it has its columns and types; rejects and ledger are in no batch.

        Raises
        ------
        SourceError
            If a file is missing or damaged, or the export was replaced while it was read.
        """
        try:
            with opened(self._root) as snapshot:
                yield from _reader(snapshot).batches()
        except Replaced:
            raise SourceError(
                f"{self._name} was replaced while it was read; read it from the start"
            ) from None

    def sequence_metrics(
        self, *, vocab_size: int | None = None, threshold: float = 0.5
    ) -> Iterator[pd.DataFrame]:
        """Compute perplexity, confidence and counts of each answer, some answers at a time.

        Parameters
        ----------
        vocab_size, threshold : optional
            As in `toolkit.sequence_metrics`.

        Returns
        -------
        iterator of DataFrame
            The rows of `toolkit.sequence_metrics`, sorted within a frame. The first one is empty.
        """
        for batch in self.batches():
            yield sequences.sequence_metrics(batch, vocab_size=vocab_size, threshold=threshold)

    def corpus_metrics(
        self, *, by: str | Sequence[str] | None = None, channel: str | None = "content"
    ) -> pd.DataFrame:
        """Pool sequences into corpora: compute one row for all, or one per group.

        Parameters
        ----------
        by, channel : optional
            As in `toolkit.corpus_metrics`.

        Returns
        -------
        DataFrame
            That of `toolkit.corpus_metrics`.
        """

        def of(batch: LogprobTables) -> Partial:
            table = sequences.sequence_metrics(batch)
            return corpora.corpus_partial(table, by=by, channel=channel)

        return corpora.pooled(self._merged(of, corpora.REDUCERS), channel)

    def usage(
        self,
        *,
        by: str | Sequence[str] | None = None,
        prices: Mapping[str, Price] | str | None = None,
    ) -> pd.DataFrame:
        """Count tokens, finish reasons and cost, over all responses or per group.

        Only the columns of responses and choices that are counted are read. Medians and
        percentiles are exact: the number of responses is kept for each count of tokens
        that occurs.

        Parameters
        ----------
        by : str or sequence of str, optional
            Columns of responses, as in `toolkit.usage`; not a Series, because rows of loaded tables
            have its values.
        prices : optional
            As in `toolkit.usage`.

        Returns
        -------
        DataFrame
            That of `toolkit.usage`.
        """
        names = arguments.items("by", by, "columns of responses")

        def compute(reader: ExportReader) -> pd.DataFrame:
            found = _shown(reader, reader.some(usage_columns(names)), _n_responses)
            parts = (usage_partial(tables, by=names, prices=prices) for tables in found)
            return usage_table(merged(parts, REDUCERS))

        return self._of_one_export(compute)

    def check(self, *, ignore: str | Sequence[str] = ()) -> pd.DataFrame:
        """Check the dataset for problems, and say what they mean for the metrics.

        The export is read twice: first for what is usual. The ids of responses are compared in one
        pass for each million responses, so that memory does not grow with their number.

        Parameters
        ----------
        ignore : optional
            As in `toolkit.check`.

        Returns
        -------
        DataFrame
            That of `toolkit.check`.
        """
        ignored = checks.ignored_codes(ignore)
        return self._of_one_export(lambda reader: _checked(reader, ignored))

    def token_histogram(
        self,
        column: str = "probability",
        *,
        bins: int | Sequence[float] = 20,
        by: str | Sequence[str] | None = None,
        channel: str = "content",
    ) -> pd.DataFrame:
        """Count tokens in bins of a metric.

        Where the bins depend on the values, the export is read twice: first for the least and the
        greatest value.

        Parameters
        ----------
        column, bins, by, channel : optional
            As in `toolkit.metrics.token_histogram`.

        Returns
        -------
        DataFrame
            That of `toolkit.metrics.token_histogram`.
        """

        def values(reader: ExportReader) -> Iterator[pd.DataFrame]:
            for batch in _shown(reader, reader.batches(), len):
                yield distributions.token_values(batch, column, by=by, channel=channel)

        def compute(reader: ExportReader) -> pd.DataFrame:
            ends = np.empty(0)
            if not distributions.has_limits(column, bins):
                for each in values(reader):
                    found = each[column].to_numpy(float)
                    ends = np.append(ends, found[np.isfinite(found)])
                    ends = np.array([ends.min(), ends.max()]) if len(ends) else ends
            edges = distributions.token_edges(column, bins, ends)
            parts = (distributions.histogram_partial(each, edges) for each in values(reader))
            pooled = merged(parts, distributions.HISTOGRAM_REDUCERS)
            return distributions.histogram_table(pooled, edges)

        return self._of_one_export(compute)

    def _merged(
        self, of: Callable[[LogprobTables], Partial], reducers: Mapping[str, Reducer]
    ) -> Partial:
        def compute(reader: ExportReader) -> Partial:
            return merged(map(of, _shown(reader, reader.batches(), len)), reducers)

        return self._of_one_export(compute)

    def _of_one_export(self, compute: Callable[[ExportReader], T]) -> T:
        return of_one_export(self._root, lambda snapshot: compute(_reader(snapshot)))


def _reader(snapshot: OpenExport) -> ExportReader:
    return ExportReader(snapshot, *described(snapshot))


def _checked(reader: ExportReader, ignored: Collection[str]) -> pd.DataFrame:
    """Return the result of `Dataset.check`."""
    usual = habits(
        merged(map(habits_partial, _shown(reader, reader.batches(), len)), HABIT_REDUCERS)
    )
    parts = (checks.check_partial(batch, usual) for batch in _shown(reader, reader.batches(), len))
    found = merged(parts, checks.REDUCERS)
    for ids in _ids(reader):
        found = merged([found, repeated(ids)], checks.REDUCERS)
    firsts = found.tables["flags"]["response_key"].to_numpy()
    responses = reader.responses(firsts, ("source", "line", "custom_id"))
    records = checks.Records.of(
        reader.rows("rejects", ("reason", "source", "line")),
        reader.rows("ledger", ("records", "unlisted")),
    )
    return checks.check_table(usual, found, records, responses, ignored)


def _ids(reader: ExportReader) -> Iterator[Partial]:
    """Yield the ids of responses, some at a time, each with all of its responses."""
    n_parts = reader.n_rows("responses") // _IDS + 1
    for part in range(n_parts):
        tables = reader.some({"responses": ID_COLUMNS})
        parts = (ids_partial(each["responses"], part, n_parts) for each in tables)
        yield merged(parts, ID_REDUCERS)


def _shown(
    reader: ExportReader, found: Iterable[T], n_responses: Callable[[T], int]
) -> Iterator[T]:
    """Yield the batches of an export, and show how many responses have been measured."""
    with progress_bar(
        "measuring", lambda: reader.n_rows("responses"), unit=" responses"
    ) as advance:
        for batch in found:
            yield batch
            advance(n_responses(batch))


def _n_responses(tables: Mapping[str, pa.Table]) -> int:
    return tables["responses"].num_rows
