"""Sources that are added to an export get keys after those that it has."""

import json
import os
import shutil

import pytest

import toolkit
from tests.dataset import recordings
from tests.dataset.recordings import SHARD_BYTES
from tests.oracle import assert_conserved
from tests.stress.exports import contents, files
from toolkit.errors import ArgumentError, ExportError, NoRecordsError, SourceError
from toolkit.tables import joined

pytestmark = pytest.mark.filterwarnings("ignore:.*rejected [(]:toolkit.ToolkitWarning")


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("made")
    recordings.make(folder)
    return folder


@pytest.fixture
def folder(made, tmp_path):
    """A folder of the first, fourth and fifth recording, and a function that adds the others."""
    folder = tmp_path / "logs"
    folder.mkdir()
    for path in made.iterdir():
        if path.name[0] in "aef":
            shutil.copy2(path, folder / path.name)
    return folder


def added(made, folder):
    for name in ("b-small.jsonl", "c-chunks.jsonl"):
        shutil.copy2(made / name, folder / name)
    return [folder / name for name in ("b-small.jsonl", "c-chunks.jsonl")]


@pytest.mark.parametrize("options", [{}, {"workers": 1}, {"resume": True}])
def test_new_files_are_numbered_after_those_before(made, folder, tmp_path, options):
    out = toolkit.export(folder, tmp_path / "out", shard_bytes=SHARD_BYTES)
    before, old = files(out), sorted(folder.iterdir())
    new = added(made, folder)
    assert toolkit.export(folder, out, append=True, shard_bytes=SHARD_BYTES, **options) == out
    found = toolkit.read_parquet(out)
    assert_conserved(found)
    assert found.equals(toolkit.read([*old, *new]))
    assert found.ledger["source"].to_pylist() == list(map(str, [*old, *new]))
    after = files(out)
    assert {name: after[name] for name in before if name.endswith(".parquet")} == {
        name: before[name] for name in before if name.endswith(".parquet")
    }
    listed = json.loads((out / "manifest.json").read_text())["sources"]
    assert [each["source"] for each in listed] == list(map(str, [*old, *new]))
    assert contents(tmp_path) == ["logs", "out"]


def test_what_an_export_has_is_not_read_again(folder, tmp_path, monkeypatch):
    out = toolkit.export(folder, tmp_path / "out")
    before = files(out)
    monkeypatch.setattr("toolkit.loaders.sources.source.Source.blocks", None)
    toolkit.export(folder, out, append=True)
    assert files(out) == before


def test_the_first_export_is_like_any_other(folder, tmp_path):
    one = toolkit.export(folder, tmp_path / "one")
    assert files(toolkit.export(folder, tmp_path / "two", append=True)) == files(one)


def test_nothing_is_no_first_export(tmp_path):
    for target in (tmp_path / "out", f"file://{tmp_path}/store/answers"):
        with pytest.raises(NoRecordsError):
            toolkit.export([], target, append=True)
        with pytest.raises(SourceError, match=r"no manifest\.json"):
            toolkit.read_parquet(target)


def test_bytes_are_always_new(folder, tmp_path):
    [*_, stream] = sorted(folder.iterdir())
    out = toolkit.export(stream.read_bytes(), tmp_path / "out")
    toolkit.export(stream.read_bytes(), out, append=True)
    found = toolkit.read_parquet(out)
    assert len(set(found.responses["response_key"].to_pylist())) == 2 * len(toolkit.read(stream))


@pytest.mark.parametrize("change", ["longer", "touched", "gone"])
def test_a_file_that_changed_is_named(folder, tmp_path, change):
    sources = sorted(folder.iterdir())
    out = toolkit.export(sources, tmp_path / "out")
    before = files(out)
    if change == "longer":
        with sources[2].open("ab") as file:
            file.write(b"\n")
    elif change == "touched":
        os.utime(sources[2], ns=(1, 1))
    else:
        sources[2].unlink()
    with pytest.raises(ExportError, match=r"f-stream.sse is not as it was .*overwrite=True"):
        toolkit.export(sources, out, append=True)
    toolkit.export(sources[:2], out, append=True)  # what is not given any more stays
    assert files(out) == before


def test_what_cannot_be_added_to(folder, tmp_path):
    [*_, stream] = sorted(folder.iterdir())
    out = toolkit.read(stream).write_parquet(tmp_path / "out")
    with pytest.raises(ExportError, match="has no sources: expected an export of recordings"):
        toolkit.export(folder, out, append=True)
    with pytest.raises(ArgumentError, match="either append or overwrite"):
        toolkit.export(folder, out, append=True, overwrite=True)
    toolkit.export(stream, out, overwrite=True)
    path = out / "manifest.json"
    path.write_text(path.read_text().replace('"schema": "', '"schema": "0.'))
    with pytest.raises(ExportError, match="has schema version 0"):
        toolkit.export(folder, out, append=True)
    (out / "notes.txt").write_text("mine")
    with pytest.raises(ExportError, match="did not write"):
        toolkit.export(folder, out, append=True)


def test_it_is_appended_again_and_again(made, folder, tmp_path):
    out = tmp_path / "out"
    paths = sorted(made.iterdir())
    for path in reversed(paths):
        toolkit.export(path, out, append=True, shard_bytes=SHARD_BYTES)
    found = toolkit.read_parquet(out)
    assert found.equals(toolkit.read(paths[::-1]))
    assert joined([found]).equals(found)
