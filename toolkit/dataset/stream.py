"""Offer recordings to engines that read Arrow streams: `arrow_stream`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pyarrow as pa

from toolkit import arguments, schema
from toolkit.loaders.read import scan


def arrow_stream(sources: Any, table: str = "tokens", **options: Any) -> ArrowStream:
    """Offer one table of recordings as an Arrow stream, in bounded memory.

    DuckDB, Polars, pyarrow and others take any object with ``__arrow_c_stream__``. This one can be
    read again: each call reads the sources from the start. Nothing is read before.

    Parameters
    ----------
    sources
        As in `toolkit.scan`, except what can be read only once: iterators and open files.
    table : {"responses", "choices", "tokens", "alternatives", "rejects"}
    **options
        As in `toolkit.scan`.

    Returns
    -------
    ArrowStream

    Raises
    ------
    ArgumentError
        If there is no such table, an option is invalid, or the sources can be read only once.

    Examples
    --------
    >>> import pyarrow, toolkit
    >>> entry = b'{"token": "Hi", "logprob": -0.5}'
    >>> choice = b'{"message": {"content": "Hi"}, "logprobs": {"content": [' + entry + b"]}}"
    >>> line = b'{"choices": [' + choice + b"]}\\n"
    >>> stream = toolkit.dataset.arrow_stream([line, line], "choices")
    >>> [pyarrow.table(stream).num_rows for _ in range(2)]
    [2, 2]
    """
    declared = {each.name: each for each in schema.TABLES}
    arguments.one_of("table", table, list(declared))
    if isinstance(sources, Iterator) or hasattr(sources, "read"):
        raise arguments.invalid("sources", sources, "paths or bytes, which can be read again")
    scan(sources, **options)  # checks the options
    return ArrowStream(sources, declared[table], options)


class ArrowStream:
    """A table of recordings that is read when an engine asks for it, as often as it asks.

    Attributes
    ----------
    schema : pyarrow.Schema
    """

    def __init__(self, sources: Any, table: schema.Table, options: dict[str, Any]) -> None:
        self._sources, self._table, self._options = sources, table, options
        self.schema: pa.Schema = table.arrow

    def __repr__(self) -> str:
        """Return the name of the table."""
        return f"<ArrowStream: {self._table.name}>"

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        """Read the sources from the start, as the Arrow PyCapsule interface has it."""
        reader = pa.RecordBatchReader.from_batches(self.schema, self._batches())
        return reader.__arrow_c_stream__(requested_schema)

    def _batches(self) -> Iterator[pa.RecordBatch]:
        for part in scan(self._sources, **self._options):
            yield from part[self._table.name].cast(self.schema).to_batches()
