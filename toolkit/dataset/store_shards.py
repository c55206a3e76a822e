"""Export shards straight to an object store, from scratch space on the local disk.

The files of a shard are written to a temporary directory (``TMPDIR`` names its place), uploaded,
and removed; then a report of the shard is uploaded. `StoreReports` finds it again.
"""

from __future__ import annotations

import hashlib
import json
import tempfile
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa

from toolkit import __version__, schema
from toolkit.dataset.appending import Earlier
from toolkit.dataset.checkpoints import is_unchanged
from toolkit.dataset.finishing import finish_elsewhere
from toolkit.dataset.layout import STORED, Part
from toolkit.dataset.pointer import REPORTS, key_of, keys_of
from toolkit.dataset.runs import (
    AT_ONCE,
    FAULTS,
    Runs,
    UploadError,
    export_faults,
    faults_of,
    uploads_to,
)
from toolkit.dataset.shard_files import write_shard
from toolkit.dataset.shards import Shard, ShardReport, with_run
from toolkit.errors import ToolkitError
from toolkit.loaders.sources.locations import state_of
from toolkit.loaders.sources.source import describe_error


def run_of_plan(shards: Sequence[Shard]) -> str:
    """Return the name of the run of a plan: other sources, changed ones, or options: another run.

    That of sources in memory, which no other export reads, is random.
    """
    if not all(shard.is_portable for shard in shards):
        return uuid.uuid4().hex[:12]
    states = [state_of(source.location) for shard in shards for _, source in shard.sources]
    return _hash([with_run(shards)[0].run, states])


def run_of_shard(shard: Shard) -> str:
    """Return the name of the run of a shard that `plan_export` returned."""
    return shard.run[:12]


def write_to_store(
    shard: Shard,
    *,
    uri: str,
    run: str,
    threads: int | None = 1,
    on_stored: Callable[[int], object] = lambda n: None,
) -> ShardReport:
    """Read the sources of a shard, and write its files and its report to an object store.

    Parameters
    ----------
    shard, threads, on_stored
        As in `write_shard`.
    uri : str
        The dataset.
    run : str

    Raises
    ------
    UploadError
        If the store cannot be written.
    """
    runs = Runs(uri)
    with _scratch() as folder:
        report = write_shard(shard, folder, threads=threads, on_stored=on_stored)
        with uploads_to(runs):
            _upload(runs, run, folder, report.tables)
            if not report.refused and _report_name(shard) is not None:
                _put_report(runs, run, report)
    return report


class StoreReports:
    """The reports of shards that earlier exports to a dataset in a store have uploaded.

    Those of other runs are used too: their files are copied within the store.

    Parameters
    ----------
    runs : Runs
    run : str
        The run that is written.
    """

    def __init__(self, runs: Runs, run: str) -> None:
        self._runs, self._run = runs, run
        self._sizes: dict[str, int] = {}
        self._runs_with: dict[str, list[str]] = {}  # by the name of a report
        with faults_of(runs):
            for key, info in runs.files():
                self._sizes[key] = info.size
                found, _, name = key.partition("/")
                if name.startswith(REPORTS):
                    self._runs_with.setdefault(name, []).append(found)

    def all(self, shards: Iterable[Shard]) -> Iterable[ShardReport | None]:
        """Return the report of each shard, as `get` does."""
        with ThreadPoolExecutor(AT_ONCE) as pool:
            found = list(pool.map(self.get, shards))
        for report in filter(None, found):  # one new file keeps the run from `abandon_exports`
            with faults_of(self._runs):
                _put_report(self._runs, self._run, report)
            break
        return found

    def get(self, shard: Shard) -> ShardReport | None:
        """Return the report of a shard; None if the shard has to be written (again)."""
        runs = self._runs_with.get(_report_name(shard) or "", [])
        for run in sorted(runs, key=lambda run: run != self._run):
            report = _stored(self._runs, run, shard, self._sizes.get)
            if report is not None and (run == self._run or self._is_copied(run, report)):
                return report
        return None

    def _is_copied(self, run: str, report: ShardReport) -> bool:
        """Copy the files and the report of a shard of another run, if they are still there."""
        files = [
            (key_of(run, table, part), key_of(self._run, table, part))
            for table, parts in report.tables.items()
            for part in parts
        ]
        name = _report_name(report.shard)
        try:
            self._runs.each(lambda keys: self._runs.copy(*keys), files)
            self._runs.copy(f"{run}/{name}", f"{self._run}/{name}")
        except FAULTS:
            return False
        return True


def stored_report(uri: str, run: str, shard: Shard) -> ShardReport | None:
    """Return the report of a shard of a run; None if the shard has to be written (again)."""
    runs = Runs(uri)
    return _stored(runs, run, shard, runs.size)


def _stored(
    runs: Runs, run: str, shard: Shard, size_of: Callable[[str], int | None]
) -> ShardReport | None:
    name = _report_name(shard)
    if name is None:
        return None
    try:
        stored = json.loads(runs.read(f"{run}/{name}"))
        report = ShardReport(shard, **stored)
        sources = zip(shard.sources, report.sources, strict=True)
        is_usable = (
            report.tables.keys() == {table.name for table in STORED}
            and all(is_unchanged(source, before, by_hash=False) for (_, source), before in sources)
            and all(
                size_of(key_of(run, table, part)) == part["bytes"]
                for table, parts in report.tables.items()
                for part in parts
            )
        )
    except (*FAULTS, ToolkitError, KeyError, TypeError, AttributeError):
        return None  # there is none, or it is damaged
    return report if is_usable else None


def publish_run(
    runs: Runs,
    run: str,
    reports: Sequence[ShardReport],
    *,
    overwrite: bool,
    earlier: Earlier | None = None,
) -> dict[str, Any]:
    """Write what depends on all shards, then the manifest, which makes them a dataset.

    Parameters
    ----------
    runs : Runs
    run : str
    reports : list of ShardReport
        One for each shard, in order.
    overwrite : bool
    earlier : Earlier, optional
        The dataset that they are added to. Its files stay in their runs.
    """
    with export_faults(), _scratch() as content, uploads_to(runs):

        def fetch(table: str, parts: list[Part]) -> None:
            files = [
                (key_of(part.get("run", run), table, part), content / table / part["name"])
                for part in parts
            ]
            runs.each(lambda file: runs.download(*file), [f for f in files if not f[1].exists()])

        manifest = {"run": run, **finish_elsewhere(content, reports, fetch, earlier)}
        keys = keys_of(manifest).items()
        written = [(content / name, key) for name, (key, _) in keys if (content / name).exists()]
        runs.each(lambda file: runs.upload(*file), written)
        if earlier is None:
            return runs.publish(manifest, overwrite)
        return runs.publish(manifest, True, lambda found: found == earlier.manifest)


@contextmanager
def _scratch() -> Iterator[Path]:
    """Provide a temporary directory with a folder for each table."""
    try:
        with tempfile.TemporaryDirectory(prefix="logprobs-") as scratch:
            for table in STORED:
                Path(scratch, table.name).mkdir()
            yield Path(scratch)
    except OSError as error:
        if isinstance(error, ToolkitError | UploadError):
            raise
        raise UploadError(
            f"the scratch space in {tempfile.gettempdir()} {describe_error(error, 'written')}; the "
            "environment variable TMPDIR names another place"
        ) from error


def _upload(runs: Runs, run: str, folder: Path, tables: dict[str, list[Part]]) -> None:
    files = [
        (folder / table / part["name"], key_of(run, table, part))
        for table, parts in tables.items()
        for part in parts
    ]
    runs.each(lambda file: runs.upload(*file), files)


def _put_report(runs: Runs, run: str, report: ShardReport) -> None:
    """Upload a report; that of a shard without texts has no hash of what was read.

    Such a hash would show whether a guess of a text is right.
    """
    found = report.found()
    if report.shard.texts_key is not None:
        found["sources"] = [
            {name: value for name, value in source.items() if name != "sha256"}
            for source in report.sources
        ]
    runs.put(f"{run}/{_report_name(report.shard)}", json.dumps(found).encode())


def _report_name(shard: Shard) -> str | None:
    """Return the name of the report of a shard; None: no other call can use it.

    That is so of sources in memory; and of shards without texts that `plan_export` has not
    returned, because nobody else has the key of their pseudonyms. The name tells nothing of a key,
    which is random.
    """
    if not shard.is_portable or (shard.texts_key is not None and not shard.run):
        return None
    settings = [schema.SCHEMA_VERSION, __version__, pa.__version__]
    document = {name: value for name, value in shard.to_json().items() if name != "run"}
    return f"{REPORTS}/{shard.ordinal:05d}-{_hash([settings, document])}.json"


def _hash(value: object) -> str:
    return hashlib.sha256(json.dumps(value).encode()).hexdigest()[:12]
