"""From sources or objects to `LogprobTables`: `read` and `from_responses`."""

from __future__ import annotations

import json
import os
import sys
import warnings
from collections import Counter
from collections.abc import Iterator
from typing import Any, Literal

import pyarrow as pa

from toolkit import columns, schema
from toolkit.assemble import assemble
from toolkit.columns import Decoded
from toolkit.dataset import is_dataset, read_parquet
from toolkit.decode import Decoder
from toolkit.errors import ArgumentError, NoRecordsError, RecordError, SourceError, ToolkitWarning
from toolkit.framing import Frames, frame
from toolkit.sources import Source, resolve
from toolkit.streams import merge
from toolkit.tables import LogprobTables

STREAM_WINDOW = 100_000
"""Records without a chunk after which a stream is closed."""

OnError = Literal["reject", "raise"]


def read(
    sources: Any,
    *,
    on_error: OnError = "reject",
    progress: bool | None = False,
    stream_window: int = STREAM_WINDOW,
) -> LogprobTables:
    """Load recorded responses into five tables.

    Completions and stream chunks, in snake_case or camelCase, as JSONL, Batch output, JSON
    documents or arrays, or SSE, plain or compressed (gzip, zstd, bz2); all told by content.

    Parameters
    ----------
    sources : str, path, bytes, file object, or a list of these
        Paths, globs, directories (searched for recordings), URIs, ``"-"`` for standard input,
        open files, the bytes of a recording, or a directory that `export` wrote.
    on_error : {"reject", "raise"}
        What to do with a record that cannot be read: a row of ``rejects``, or `RecordError`.
    progress : bool, optional
        Show a bar on stderr; None: if stderr is a terminal.
    stream_window : int
        A stream of which no chunk came within this many records is closed.

    Returns
    -------
    LogprobTables

    Raises
    ------
    SourceError
        If no source could be read.
    NoRecordsError
        If there is no record in them.
    RecordError
        If ``on_error="raise"`` and a record cannot be read.

    Warns
    -----
    ToolkitWarning
        Once, if records were rejected or if no response has logprobs.

    Examples
    --------
    >>> import toolkit
    >>> lp = toolkit.read(b'{"choices": [{"message": {"content": "Hi"}, "logprobs": {"content":'
    ...                   b' [{"token": "Hi", "logprob": -0.25, "bytes": [72, 105]}]}}]}')
    >>> lp.tokens["logprob"].to_pylist()
    [-0.25]
    """
    if isinstance(sources, str | os.PathLike) and is_dataset(sources):
        return read_parquet(sources)
    parts = load_each(sources, on_error=on_error, progress=progress, stream_window=stream_window)
    return _joined(list(parts))


def load_each(
    sources: Any, *, on_error: OnError, progress: bool | None, stream_window: int
) -> Iterator[LogprobTables]:
    """Load one source after the other; arguments, errors and the warning are those of `read`."""
    _check_on_error(on_error)
    if isinstance(stream_window, bool) or not isinstance(stream_window, int) or stream_window < 1:
        raise ArgumentError(f"stream_window={stream_window!r}; give a whole number from 1")
    total = _Total()
    with _bar(progress) as bar:
        for ordinal, source in enumerate(resolve(sources)):
            load = _Load(source.name, ordinal, on_error, stream_window)
            for frames in load.frames(source):
                bar.update(frames.counts.bytes)
            yield total.add(load)
    total.require_records()
    total.warn()


def from_responses(
    responses: Any, *, custom_id: Any = None, on_error: OnError = "reject"
) -> LogprobTables:
    """Load responses that are in memory.

    Parameters
    ----------
    responses : object or iterable
        One response or many. A response is a dict, JSON text (str or bytes), an object with
        ``model_dump`` (OpenAI's SDK and its kin), or an iterable of chunks of these kinds: one
        stream. A list whose items are all chunks is one stream too.
    custom_id : str or list of str, optional
        The caller's id of each response, in order.
    on_error : {"reject", "raise"}
        As in `read`.

    Returns
    -------
    LogprobTables

    Raises
    ------
    ArgumentError
        If the number of ids is not the number of responses.
    NoRecordsError, RecordError
        As in `read`.

    Examples
    --------
    >>> import toolkit
    >>> chunks = [{"id": "a", "choices": [{"delta": {"content": text}}]} for text in ("He", "llo")]
    >>> with warnings.catch_warnings(action="ignore"):
    ...     lp = toolkit.from_responses(chunks, custom_id="greeting")
    >>> lp.text("greeting")
    'Hello'
    """
    _check_on_error(on_error)
    load = _Load("<memory>", 0, on_error, STREAM_WINDOW)
    load.objects(_units(responses, custom_id))
    total = _Total()
    lp = total.add(load)
    total.require_records()
    total.warn()
    return lp


def _check_on_error(on_error: str) -> None:
    if on_error not in ("reject", "raise"):
        raise ArgumentError(f"on_error={on_error!r}; choose 'reject' or 'raise'")


class _Load:
    """What one source gives: its columns as they come, its tables at the end."""

    def __init__(self, name: str, ordinal: int, on_error: OnError, window: int) -> None:
        self.name = name
        self.ordinal = ordinal
        self.on_error = on_error
        self.window = window
        self.decoder = Decoder()
        self.pieces: list[Decoded] = []
        self.counts: Counter[str] = Counter()
        self.line = 1
        self.fault: SourceError | None = None

    def frames(self, source: Source) -> Iterator[Frames]:
        """Decode a source block by block, yielding the blocks for those who count them."""
        try:
            for frames in frame(source.blocks()):
                self.counts.update(frames.counts._asdict())
                if len(frames.lines):  # where to go on, should the source give out here
                    rest = int(frames.starts[-1])
                    self.line = int(frames.lines[-1]) + frames.data.count(b"\n", rest)
                self._add(self.decoder.frames(frames))
                yield frames
        except SourceError as error:
            if self.on_error == "raise":
                raise
            self.fault = error

    def objects(self, units: list[tuple[list[Any], Any, bool]]) -> None:
        """Decode objects; see `_units`."""
        self._add(self.decoder.objects(units))

    def _add(self, decoded: Decoded) -> None:
        if self.on_error == "raise" and decoded.rejects.num_rows:
            raise _record_error(self.name, decoded.rejects)
        self.pieces.append(decoded)

    def tables(self) -> LogprobTables:
        """Merge what was decoded."""
        decoded = Decoded.concat(self.pieces)
        self.pieces = []
        if self.fault is not None:
            decoded = decoded._replace(rejects=self._with_fault(decoded.rejects, self.fault))
        merged = merge(decoded, self.window)
        if self.on_error == "raise" and merged.rejects.num_rows:
            raise _record_error(self.name, merged.rejects)
        records = self.decoder.next_record + (self.fault is not None)
        found = self.counts | {
            "source": self.name,
            "records": records,
            "read": records - merged.rejects.num_rows,
            "rejected": merged.rejects.num_rows,
            "envelopes": decoded.envelopes,
        }
        row = {name: found.get(name, 0) for name in schema.LEDGER.names}
        ledger = pa.Table.from_pylist([row], schema.LEDGER.arrow)
        return LogprobTables(*assemble(merged, self.name, self.ordinal), ledger=ledger)

    def _with_fault(self, rejects: pa.Table, fault: SourceError) -> pa.Table:
        """Add a row for the place where the source gave out."""
        row = {
            "record": self.decoder.next_record,
            "line": self.line,
            "byte_offset": self.counts["bytes"],
            "length": 0,
            "reason": getattr(fault, "reason", "unreadable_source"),
            "path": None,
            "message": str(fault),
            "epoch": self.decoder.epoch,
        }
        return pa.concat_tables([rejects, pa.Table.from_pylist([row], columns.REJECTS)])


class _Total:
    """What all sources gave together, for the verdict at the end."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self.faults: list[SourceError] = []
        self.records = self.responses = self.tokens = 0
        self.reasons: Counter[str] = Counter()

    def add(self, load: _Load) -> LogprobTables:
        """Count a source that was loaded, and return its tables."""
        lp = load.tables()
        self.names.append(load.name)
        if load.fault is not None:
            self.faults.append(load.fault)
        self.records += load.decoder.next_record
        self.responses += len(lp)
        self.tokens += lp.tokens.num_rows
        self.reasons.update(lp.rejects["reason"].to_pylist())
        return lp

    def require_records(self) -> None:
        """Refuse a load without a single record."""
        if self.records:
            return
        if self.faults:
            more = f" (and {len(self.faults) - 1} more)" if len(self.faults) > 1 else ""
            raise SourceError(f"no source could be read: {self.faults[0]}{more}")
        names = ", ".join(self.names[:3]) + (", ..." if len(self.names) > 3 else "")
        raise NoRecordsError(
            f"no record in {names or 'no sources'}: expected JSON or SSE with model responses"
        )

    def warn(self) -> None:
        """Say once what a user would otherwise find out late."""
        messages = []
        if self.reasons:
            listed = ", ".join(f"{n} {reason}" for reason, n in self.reasons.most_common())
            rejected = self.reasons.total()
            records = "record was" if rejected == 1 else "records were"
            messages.append(f"{rejected} {records} rejected ({listed}): see the rejects table")
        if self.responses and not self.tokens:
            messages.append("no response has logprobs: were they asked for (logprobs=True)?")
        if messages:
            warnings.warn("; ".join(messages), ToolkitWarning, stacklevel=_callers_level())


def _callers_level() -> int:
    """Return the stack level of the first frame outside the toolkit."""
    level, current = 1, sys._getframe(1)
    while current is not None and current.f_globals.get("__name__", "").startswith("toolkit."):
        level, current = level + 1, current.f_back
    return level


def _joined(parts: list[LogprobTables]) -> LogprobTables:
    """Put the sources of one load together; their keys are in order already."""
    if len(parts) == 1:
        return parts[0]
    return LogprobTables(
        **{
            name: pa.concat_tables([part[name] for part in parts]).combine_chunks()
            for name in LogprobTables.__slots__
        }
    )


def _record_error(source: str, rejects: pa.Table) -> RecordError:
    first = rejects.slice(0, 1).to_pylist()[0]
    names = ("line", "byte_offset", "reason", "path")
    return RecordError(first["message"], source=source, **{name: first[name] for name in names})


def _bar(progress: bool | None) -> Any:
    from tqdm import tqdm

    disable = None if progress is None else not progress
    return tqdm(unit="B", unit_scale=True, desc="reading", disable=disable, leave=False)


def _units(responses: Any, custom_id: Any) -> list[tuple[list[Any], Any, bool]]:
    """Sort what `from_responses` was given into responses and streams, each with its id.

    The flag says that the unit is a stream of its own, not to be mixed with others.
    """
    items = [responses] if _is_response(responses) else list(responses)
    units = [
        ([_plain(item)], False) if _is_response(item) else ([_plain(chunk) for chunk in item], True)
        for item in items
    ]
    if units and all(not alone and _is_chunk(unit[0]) for unit, alone in units):
        units = [([unit[0] for unit, _ in units], False)]
    ids = [custom_id] if isinstance(custom_id, str) else custom_id
    ids = [None] * len(units) if ids is None else list(ids)
    if len(ids) != len(units):
        raise ArgumentError(f"custom_id has {len(ids)} ids for {len(units)} responses")
    return [(unit, given, alone) for (unit, alone), given in zip(units, ids, strict=True)]


def _is_chunk(item: Any) -> bool:
    if isinstance(item, str | bytes):
        try:
            item = json.loads(item)
        except (ValueError, RecursionError):
            return False  # the decoder says what is wrong with it
    choices = item.get("choices") if isinstance(item, dict) else None
    if not isinstance(choices, list):
        return False
    return not any(isinstance(choice, dict) and "message" in choice for choice in choices)


def _is_response(item: Any) -> bool:
    return (
        item is None
        or isinstance(item, dict | str | bytes | int | float)
        or hasattr(item, "model_dump")
    )


def _plain(item: Any) -> Any:
    return item.model_dump() if hasattr(item, "model_dump") else item
