"""An export in an object store is measured where it is, as a local one."""

from __future__ import annotations

import shutil
import threading
from datetime import timedelta
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import pytest

import toolkit
from tests.dataset import recordings
from tests.object_store import MARKS, requests_of, s3  # noqa: F401
from toolkit.dataset import abandon_exports, runs, upload_dataset
from toolkit.errors import SourceError

DATA = Path("data")
LINES = (DATA / "capitals_batch.jsonl").read_bytes().splitlines(keepends=True)


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An export of several files for each table."""
    sources = [DATA / "capitals_batch.jsonl", DATA / "pairs_whole.jsonl"]
    return toolkit.export(sources, tmp_path_factory.mktemp("opened") / "out", shard_bytes=1)


@pytest.fixture
def uri(tmp_path: Path) -> str:
    return f"file://{tmp_path}/store/answers"


def assert_the_same_figures(uri: str, out: Path) -> None:
    there, here = toolkit.open_dataset(uri), toolkit.open_dataset(out)
    for options in ({}, {"by": "model"}):
        pd.testing.assert_frame_equal(
            there.corpus_metrics(**options), here.corpus_metrics(**options)
        )
    pd.testing.assert_frame_equal(pd.DataFrame(there.usage()), pd.DataFrame(here.usage()))
    pd.testing.assert_frame_equal(
        there.token_histogram("surprisal"), here.token_histogram("surprisal")
    )
    found, expected = (pd.concat(list(each.sequence_metrics())) for each in (there, here))
    pd.testing.assert_frame_equal(found, expected)


def test_figures_and_files_of_a_store(uri: str, out: Path) -> None:
    upload_dataset(out, uri)
    assert_the_same_figures(uri, out)
    lp, n_rows = toolkit.read_parquet(out), toolkit.open_dataset(uri).n_rows()
    assert n_rows == {name: lp[name].num_rows for name in n_rows}
    assert len(n_rows) == 6
    files = toolkit.open_dataset(uri).files("tokens")
    assert len(files) == len(toolkit.open_dataset(out).files("tokens")) > 1
    found = duckdb.read_parquet([each.removeprefix("file://") for each in files])
    assert found.count("*").fetchall() == [(lp.tokens.num_rows,)]


def test_a_directory_that_was_copied_into_a_store(tmp_path: Path, uri: str, out: Path) -> None:
    shutil.copytree(out, tmp_path / "store" / "answers")
    assert toolkit.read_parquet(uri).equals(toolkit.read_parquet(out))
    assert_the_same_figures(uri, out)
    (tmp_path / "store" / "answers" / "tokens" / "part-00001.parquet").unlink()
    with pytest.raises(SourceError, match=r"store/answers: files .* are missing"):
        toolkit.read_parquet(uri)


def test_a_store_without_a_dataset(uri: str) -> None:
    with pytest.raises(SourceError, match=r"no manifest\.json"):
        toolkit.open_dataset(uri)


def test_only_the_files_of_the_next_batches_are_open(
    uri: str, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    upload_dataset(out, uri)
    opened, names = runs.StoreSnapshot.open, []
    monkeypatch.setattr(
        runs.StoreSnapshot, "open", lambda self, name: (names.append(name), opened(self, name))[1]
    )
    batches = toolkit.open_dataset(uri).batches()
    next(batches)
    assert len([name for name in names if name.endswith(".parquet")]) == 4
    for _ in batches:
        pass
    assert len(set(names)) > 8


def test_a_run_that_is_abandoned_while_it_is_read(uri: str, out: Path, tmp_path: Path) -> None:
    upload_dataset(out, uri)
    dataset = toolkit.open_dataset(uri)
    batches = dataset.batches()
    next(batches)
    upload_dataset(toolkit.export(LINES[0], tmp_path / "one"), uri, overwrite=True)
    assert abandon_exports(uri, older_than=timedelta(0))
    with pytest.raises(SourceError, match="was replaced while it was read"):
        list(batches)
    assert dataset.usage()["n_responses"].tolist() == [1]


def said(error: BaseException | None) -> str:
    """Return the texts of an error and of those that a traceback shows with it."""
    if error is None:
        return ""
    context = None if error.__suppress_context__ else error.__context__
    return f"{error!r} {error} {said(error.__cause__ or context)}"


class TestOnS3:
    """The same on a server."""

    pytestmark = MARKS
    URI = "s3://buck/out/answers"

    def test_figures(self, s3: Any, out: Path) -> None:  # noqa: F811
        upload_dataset(out, self.URI)
        assert_the_same_figures(self.URI, out)
        for file in toolkit.open_dataset(self.URI).files("tokens"):
            assert s3.head_object(Bucket="buck", Key=file.removeprefix("s3://buck/"))

    def test_a_file_is_read_in_few_requests(
        self,
        s3: Any,  # noqa: F811
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        lines = recordings.lines_of(map(recordings.answer, range(1000)))
        upload_dataset(toolkit.export(lines, tmp_path / "many"), self.URI)
        for read in (toolkit.read_parquet, lambda uri: toolkit.open_dataset(uri).usage()):
            n_requests = []
            for is_remote in (True, False):
                monkeypatch.setattr(runs.StoreSnapshot, "is_remote", is_remote)
                with requests_of(monkeypatch) as seen:
                    read(self.URI)
                n_requests.append(seen["GET"])
            assert 5 < n_requests[0] < n_requests[1] / 2

    @pytest.mark.slow
    def test_a_result_is_of_one_version_while_the_pointer_changes(
        self,
        s3: Any,  # noqa: F811
        out: Path,
        tmp_path: Path,
    ) -> None:
        outs = [out, toolkit.export(b"".join(LINES[:3]), tmp_path / "few")]
        whole = [pd.DataFrame(toolkit.usage(toolkit.read_parquet(each))) for each in outs]
        upload_dataset(outs[0], self.URI)
        changed = threading.Event()

        def change() -> None:
            try:
                for n in range(1, 21):
                    upload_dataset(outs[n % 2], self.URI, overwrite=True)
            finally:
                changed.set()

        thread = threading.Thread(target=change)
        thread.start()
        dataset, n_read = toolkit.open_dataset(self.URI), 0
        while not changed.is_set() or not n_read:
            found = pd.DataFrame(dataset.usage())
            assert any(found.equals(each) for each in whole)
            n_read += 1
        thread.join()

    def test_credentials_are_in_no_message(self, s3: Any, out: Path) -> None:  # noqa: F811
        upload_dataset(out, self.URI)
        private = self.URI.replace("//", "//someone:PASSWORD@")
        dataset = toolkit.open_dataset(private)
        assert repr(dataset) == f"<Dataset: {self.URI}>"
        assert "PASSWORD" not in "".join(dataset.files("tokens"))
        key = dataset.files("tokens")[1].removeprefix("s3://buck/")
        s3.put_object(Bucket="buck", Key=key, Body=b"PAR1 damaged PAR1")
        for call in (
            dataset.corpus_metrics,
            lambda: toolkit.read_parquet(private),
            lambda: toolkit.open_dataset(private + "2"),
            lambda: toolkit.open_dataset(private + "?secret_key=PASSWORD"),
            lambda: toolkit.open_dataset(private.replace("PASSWORD", "PASS WORD:")),
            lambda: toolkit.export(LINES[0], private),
            lambda: upload_dataset(out, private.replace("/answers", "\udcff")),
        ):
            with pytest.raises(toolkit.ToolkitError) as caught:
                call()
            assert "PASS" not in said(caught.value)
