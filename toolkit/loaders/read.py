"""Load saved responses from files, URIs and bytes: `read` and `scan`."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from typing import Any

from toolkit import arguments
from toolkit.dataset.layout import is_dataset
from toolkit.dataset.read import is_stored, read_parquet
from toolkit.errors import NoRecordsError
from toolkit.limits import LIMITS, Limits
from toolkit.loaders.formats.shape import Shape
from toolkit.loaders.options import BATCH_BYTES, STREAM_WINDOW, OnError, ReadOptions, Rejects
from toolkit.loaders.session import ReadSession
from toolkit.tables import LogprobTables, joined

# These replace `BATCH_BYTES` where all tables stay in memory anyway. Large batches cost less; those
# of several threads are smaller, because each is assembled on one of them.
_BATCH_BYTES, _SHARED_BATCH_BYTES = 256 << 20, 64 << 20


def read(
    sources: Any,
    *,
    on_error: OnError = "reject",
    rejects: Rejects = "first",
    progress: bool | None = None,
    stream_window: int = STREAM_WINDOW,
    path: str | None = None,
    id: str | None = None,
    keep: str | Sequence[str] = (),
    shape: Shape | None = None,
    threads: int | None = None,
    limits: Limits = LIMITS,
) -> LogprobTables:
    """Load saved responses into five tables.

    The sources hold completions or stream chunks, in snake_case or camelCase, as JSONL, Batch
    output, JSON documents or arrays, or server-sent events (SSE), plain or compressed (gzip, zstd,
    bz2). All of this is detected from the content. The rows of tables (DataFrames, Arrow, Parquet,
    CSV) are read as lines of JSONL.

    Parameters
    ----------
    sources : str, path, bytes, file object, table, or a list of these
        Paths, globs, directories (searched for files with responses), URIs, ``"-"`` for standard
        input, open files, the bytes of a file, a DataFrame of pandas or Polars, an Arrow table, a
        column of one, or one directory that `export` wrote.
    on_error : {"reject", "raise"}
        What to do with a record that cannot be read: add a row to ``rejects``, or raise
        `RecordError`.
    rejects : {"first", "all"}
        Which rejects get a row: the first 100,000 of each reason in a source, or all. The ledger
        counts the others as ``unlisted``.
    progress : bool, optional
        Whether to show a progress bar on stderr. Default: in a notebook, or if stderr is a
        terminal, after half a second. Metrics and reports that take longer show one too; the
        environment variable ``TQDM_DISABLE=1`` hides them all.
    stream_window : int
        Number of records after which a stream is closed if none of them is a chunk of it.
    path : str, optional
        Where in each record the response is, or the list of its token logprobs, such as
        ``"output.raw[0]"``, ``"answers[]"`` (each element) or ``'attributes["llm.output"]'``. Give
        it for rows of an experiment whose response is not found by content.
    id : str, optional
        Where the id of a row is, which becomes ``responses.custom_id``. Default: the usual names,
        such as ``id`` or ``question_id``; else the key of the answer in an object of answers; else
        the name of a file with one answer.
    keep : str or list of str
        Columns of a row to keep beside its answers, as JSON in ``responses.kept``.
    shape : Shape, optional
        Where the parts of an answer are, for a format that the toolkit does not know. Records that
        it does not match are detected as usual.
    threads : int, optional
        Number of threads that scan; None: one for each core. The tables do not depend on it.
    limits : Limits
        Limits on the size of records and sources; whatever exceeds them is rejected.

    Returns
    -------
    LogprobTables

    Raises
    ------
    SourceError
        If no source could be read.
    NoRecordsError
        If the sources hold no record, or every record was rejected; its attribute ``tables`` has
        the rejects.
    RecordError
        If ``on_error="raise"`` and a record cannot be read.
    ArgumentError
        If an option has a wrong type or is out of range.

    Warns
    -----
    ToolkitWarning
        Once for the whole load, if records were rejected, if files of a directory that may hold
        data were skipped, if no response has logprobs, or if more than 64 MiB were read without the
        native scanner.

    Examples
    --------
    >>> import toolkit
    >>> lp = toolkit.read(b'{"choices": [{"message": {"content": "Hi"}, "logprobs": {"content":'
    ...                   b' [{"token": "Hi", "logprob": -0.25, "bytes": [72, 105]}]}}]}')
    >>> lp.tokens["logprob"].to_pylist()
    [-0.25]
    """
    if isinstance(sources, str | os.PathLike) and (is_dataset(sources) or is_stored(sources)):
        return read_parquet(sources)
    options = ReadOptions(
        batch_bytes=_BATCH_BYTES if arguments.threads(threads) == 1 else _SHARED_BATCH_BYTES,
        on_error=on_error,
        rejects=rejects,
        progress=progress,
        stream_window=stream_window,
        path=path,
        id=id,
        keep=keep,
        shape=shape,
        threads=threads,
        limits=limits,
    )
    parts: list[LogprobTables] = []
    try:
        for part in ReadSession(options).read(sources):
            parts.append(part)
    except NoRecordsError as error:
        error.tables = joined(parts) if parts else None
        raise
    return joined(parts)


def scan(
    sources: Any,
    *,
    batch_bytes: int | None = None,
    on_error: OnError = "reject",
    rejects: Rejects = "first",
    progress: bool | None = None,
    stream_window: int = STREAM_WINDOW,
    path: str | None = None,
    id: str | None = None,
    keep: str | Sequence[str] = (),
    shape: Shape | None = None,
    threads: int | None = None,
    limits: Limits = LIMITS,
) -> Iterator[LogprobTables]:
    """Load saved responses batch by batch, in bounded memory.

    The batches together hold the rows that `read` returns. A stream that crosses the end of a batch
    is in a later one, as a whole, so the keys rise within a batch but not always from one batch to
    the next; `toolkit.concat` puts them in order.

    Parameters
    ----------
    sources, on_error, rejects, progress, stream_window, path, id, keep, shape, threads, limits
        As in `read`, but an exported dataset is refused.
    batch_bytes : int, optional
        Bytes of the decompressed sources that one batch is made of, about; None: 32 MiB. Many
        small sources share a batch.

    Returns
    -------
    iterator of LogprobTables
        The ledger row of a source is in the last batch of the source.

    Raises
    ------
    ArgumentError
        If an option has a wrong type or is out of range, at the call.
    SourceError, NoRecordsError, RecordError
        As in `read`, while the batches are taken.

    Examples
    --------
    >>> import toolkit
    >>> entry = b'{"token": "Hi", "logprob": -0.5}'
    >>> choice = b'{"message": {"content": "Hi"}, "logprobs": {"content": [' + entry + b"]}}"
    >>> line = b'{"choices": [' + choice + b"]}\\n"
    >>> [len(part) for part in toolkit.scan([line * 2, line], batch_bytes=1)]
    [2, 1]
    """
    options = ReadOptions(
        batch_bytes=BATCH_BYTES if batch_bytes is None else batch_bytes,
        on_error=on_error,
        rejects=rejects,
        progress=progress,
        stream_window=stream_window,
        path=path,
        id=id,
        keep=keep,
        shape=shape,
        threads=threads,
        limits=limits,
    )
    return ReadSession(options).read(sources)
