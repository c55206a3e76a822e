"""Divide the sources of an export into shards: `Shard`, `plan`, and `ShardReport`.

A shard is a run of consecutive sources, or a part of one large plain file of JSON lines. It is the
unit of work that an engine runs, retries, and that a resumed export reuses
(`toolkit.dataset.checkpoints`). The files of a shard depend on the shard alone.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from functools import partial
from typing import Any, Self

import pyarrow as pa

from toolkit import __version__, schema
from toolkit.dataset.layout import Part
from toolkit.errors import ArgumentError
from toolkit.limits import Limits
from toolkit.loaders.cutting import cut
from toolkit.loaders.decoding.rejects import LISTED
from toolkit.loaders.formats.shape import Shape
from toolkit.loaders.options import ReadOptions
from toolkit.loaders.sources.locations import address, located
from toolkit.loaders.sources.source import Source, Span
from toolkit.progress import progress_bar

SHARD_BYTES = 256 << 20
"""Least bytes of stored sources in a shard, if nobody says how many."""
_MOST_BYTES = 4 << 30
_SHARDS = 2500  # about so many of a very large export, so that files are neither small nor many
_LEAST_PART = 1 << 20  # bytes of a part of a file
_UNKNOWN_BYTES = 1 << 20  # assumed size of a source whose size is unknown
_OF_THE_PROCESS = ("threads", "progress")  # options that change no row


@dataclass(frozen=True)
class Shard:
    """Sources that are exported together, with the options of the export.

    A shard is plain data, without handles or credentials: it can be pickled, and `to_json` and
    `from_json` carry it as JSON. A shard of an export without texts, and its report, have the key
    of the pseudonyms, so they are as confidential as the recordings.

    Attributes
    ----------
    run : str
        The same for all shards of a plan, and different for other sources or options.
    ordinal : int
        Its number among all shards.
    sources : tuple of (int, Source)
        Each source with its ordinal among all sources; or a part of one file.
    options : ReadOptions
        The options of the export.
    texts_key : str, optional
        If texts are left out: the key of the pseudonyms of tokens, in hexadecimal digits.
    """

    run: str
    ordinal: int
    sources: tuple[tuple[int, Source], ...]
    options: ReadOptions
    texts_key: str | None = field(default=None, repr=False)

    @property
    def part_of(self) -> int | None:
        """The ordinal of the source of which this is a part; None: it has whole sources."""
        return next((ordinal for ordinal, source in self.sources if source.span is not None), None)

    @property
    def is_portable(self) -> bool:
        """Whether another process can open all sources."""
        return all(address(source.location) is not None for _, source in self.sources)

    def to_json(self) -> dict[str, Any]:
        """Return the shard as a dict for JSON."""
        options = asdict(self.options)
        return {
            "run": self.run,
            "ordinal": self.ordinal,
            "sources": [_source_json(*each) for each in self.sources],
            "options": {name: options[name] for name in options if name not in _OF_THE_PROCESS},
            "texts_key": self.texts_key,
        }

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> Self:
        """Return the shard of a dict that `to_json` returned."""
        options = dict(document["options"])
        options["limits"] = Limits(**options["limits"])
        if options["shape"] is not None:
            options["shape"] = Shape(**options["shape"])
        sources = tuple(_source_of(each) for each in document["sources"])
        run, ordinal, key = (document[name] for name in ("run", "ordinal", "texts_key"))
        return cls(run, ordinal, sources, ReadOptions(**options), key)


@dataclass(frozen=True)
class ShardReport:
    """What the export of a shard wrote and read.

    Attributes
    ----------
    shard : Shard
    tables : dict of str to list of dict
        The files of each table: name, rows, bytes and SHA-256.
    sources : list of dict
        Name, bytes, time of modification and SHA-256 of each source, as it was read.
    counts : dict
        Records, responses, rejects and what else a warning at the end tells.
    ledger : list of dict
        Of a part of a file: its row of the ledger. The rows of all parts are added.
    refused : str
        Why a part of a file could not be read alone; then nothing was written.
    """

    shard: Shard
    tables: dict[str, list[Part]]
    sources: list[dict[str, Any]]
    counts: dict[str, Any]
    ledger: list[dict[str, Any]]
    refused: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return the report as a dict for JSON."""
        return {**self.found(), "shard": self.shard.to_json()}

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> Self:
        """Return the report of a dict that `to_json` returned."""
        return cls(**document | {"shard": Shard.from_json(document["shard"])})

    def found(self) -> dict[str, Any]:
        """Return all but the shard, as a dict for JSON."""
        names = (each.name for each in fields(self) if each.name != "shard")
        return {name: getattr(self, name) for name in names}


def place_of(source: Source) -> dict[str, int]:
    """Return where a part lies in its file; empty for a whole source."""
    span = source.span
    if span is None:
        return {}
    return {"start": span.start, "stop": span.stop, "file_bytes": span.size}


def _source_json(ordinal: int, source: Source) -> dict[str, Any]:
    found = address(source.location)
    if found is None:
        raise ArgumentError(
            f"{source.name} cannot be opened by another process: expected paths of files; "
            "export() in one process reads it"
        )
    return {
        "ordinal": ordinal,
        "name": source.name,
        "address": list(found),
        "skipped": dict(source.skipped),
        "span": None if source.span is None else list(source.span),
    }


def _source_of(document: dict[str, Any]) -> tuple[int, Source]:
    span = None if document["span"] is None else Span(*document["span"])
    location = located(*document["address"])
    return document["ordinal"], Source(document["name"], location, document["skipped"], span)


# The plan


def plan(
    sources: list[Source],
    options: ReadOptions,
    shard_bytes: int | None,
    *,
    count: bool,
    texts_key: str | None = None,
) -> list[Shard]:
    """Divide sources into shards, at least one.

    Parameters
    ----------
    sources : list of Source
    options : ReadOptions
    shard_bytes : int, optional
        Bytes of stored sources after which a shard ends, at the end of a source. A plain file of
        JSON lines of at least twice this size is cut. Default: from all bytes, 256 MiB to 4 GiB.
    count : bool
        Whether to count the records before each part of a file; else they are read in order, and
        `continued` fills the counts in.
    texts_key : str, optional
        As in `Shard`.
    """
    sources = [_anywhere(source) for source in sources]
    sizes = [source.size() for source in sources]
    size = shard_bytes or _size(sum(each or 0 for each in sizes))
    least = max(size, _LEAST_PART)
    large = [each for each in sizes if count and each is not None and each >= 2 * least]
    with progress_bar("counting records", lambda: sum(large), show=options.progress) as advance:
        divide = partial(
            cut, part_bytes=least, limits=options.limits, count=count, on_bytes=advance
        )
        groups = list(_groups(sources, sizes, size, divide))
    options = replace(options, threads=None, progress=False)
    return [Shard("", i, tuple(group), options, texts_key) for i, group in enumerate(groups)]


def _anywhere(source: Source) -> Source:
    """Return a source that is found from another working directory too."""
    found = address(source.location)
    if found is None or found[0] != "file":
        return source
    return replace(source, location=located(*found))


def with_run(shards: Sequence[Shard]) -> list[Shard]:
    """Return shards as other processes get them: with the name of their plan and whole paths."""
    settings = [schema.SCHEMA_VERSION, __version__, pa.__version__]
    documents = [replace(shard, run="").to_json() for shard in shards]
    run = hashlib.sha256(json.dumps([settings, documents]).encode()).hexdigest()[:32]
    return [Shard.from_json(document | {"run": run}) for document in documents]


def _size(total: int) -> int:
    return min(max(total // _SHARDS, SHARD_BYTES), _MOST_BYTES)


def _groups(
    sources: list[Source],
    sizes: list[int | None],
    shard_bytes: int,
    divide: Callable[[Source], list[Source]],
) -> Iterator[list[tuple[int, Source]]]:
    size, n = 0, 0
    taken: list[tuple[int, Source]] = []
    for i, (source, known) in enumerate(zip(sources, sizes, strict=True)):
        parts = divide(source)
        if len(parts) > 1:
            if taken:
                yield taken
            yield from ([(i, part)] for part in parts)
            size, taken, n = 0, [], n + 1
            continue
        taken.append((i, source))
        size += _UNKNOWN_BYTES if known is None else known
        if size >= shard_bytes:
            yield taken
            size, taken, n = 0, [], n + 1
    if taken or n == 0:
        yield taken


def continued(shard: Shard, before: ShardReport | None) -> Shard:
    """Return a part of a file with the counts of what the part before it has read."""
    if before is None or shard.part_of is None or before.shard.part_of != shard.part_of:
        return shard
    [(ordinal, source)], [(_, earlier)] = shard.sources, before.shard.sources
    assert source.span is not None
    assert earlier.span is not None
    [row] = before.ledger
    n_lines = sum(row[name] for name in ("records", "blank", "done", "comments", "control"))
    span = source.span._replace(
        records=earlier.span.records + row["records"], lines=earlier.span.lines + n_lines
    )
    return replace(shard, sources=((ordinal, replace(source, span=span)),))


def files_to_repeat(reports: Iterable[ShardReport]) -> list[Shard]:
    """Return shards of the whole files of which the parts cannot be used.

    A part was refused, or all parts together list more rejects of a reason than one source does.
    The shard of a whole file has the ordinal of its first part.
    """
    parts: dict[int, list[ShardReport]] = {}
    for report in reports:
        if report.shard.part_of is not None:
            parts.setdefault(report.shard.part_of, []).append(report)
    return [_whole(found) for found in parts.values() if not _can_be_used(found)]


def _can_be_used(parts: list[ShardReport]) -> bool:
    reasons: Counter[str] = Counter()
    for part in parts:
        if part.refused:
            return False
        reasons.update(part.counts["reasons"])
    is_capped = parts[0].shard.options.rejects == "first"
    return not is_capped or max(reasons.values(), default=0) <= LISTED


def _whole(parts: list[ShardReport]) -> Shard:
    first = min((part.shard for part in parts), key=lambda shard: shard.ordinal)
    [(ordinal, source)] = first.sources
    return replace(first, sources=((ordinal, replace(source, span=None)),))
