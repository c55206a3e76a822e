"""An export touches nothing that the toolkit did not make."""

import os
import shutil
import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

import toolkit
from tests.conftest import ROOT
from tests.stress.exports import contents, listing, plant
from toolkit.dataset import publish
from toolkit.dataset.layout import MANIFEST, objection
from toolkit.errors import ExportError

pytestmark = pytest.mark.skipif(os.name != "posix", reason="links and locks of POSIX")
SOURCE = ROOT / "data" / "pairs_whole.jsonl"


@pytest.fixture(scope="module")
def lp():
    return toolkit.read(SOURCE)


@pytest.fixture
def out(lp, tmp_path):
    return lp.write_parquet(tmp_path / "out")


# Beside the target


@given(rng=st.randoms(use_true_random=False), resume=st.booleans(), n=st.integers(1, 8))
def test_foreign_neighbours_are_left_alone(tmp_path_factory, lp, rng, resume, n):
    """Files, folders and links named like the leftovers of an export."""
    folder = tmp_path_factory.mktemp("foreign")
    out = folder / "out"
    for _ in range(n):
        plant(folder, rng.choice(("out", "out", "out.staging-1")), rng)
    before = listing(folder)
    try:
        toolkit.export(SOURCE, out, resume=resume)
        lp.write_parquet(out, overwrite=True)
        with pytest.raises(toolkit.errors.NoRecordsError):
            toolkit.export(b"{bad", out, resume=resume, overwrite=True)
    except ExportError as error:
        assert "lock" in str(error)  # noqa: PT017  # other exports must succeed
        assert ".out.export-lock" in before
    else:
        assert toolkit.read_parquet(out).equals(lp)
    after = listing(folder)
    own = {path for path in after if path == "out" or path.startswith("out/")}
    assert {path: text for path, text in after.items() if path not in own} == before


def test_a_running_export_to_a_like_name_is_left_alone(lp, tmp_path):
    digits = uuid.uuid4().hex
    for name in ("a.staging-1", f"a.staging-{digits}", ".a.staging-1", f".a.staging-{digits}"):
        target = tmp_path / name
        with publish.staged(target, overwrite=False, objection=objection) as staging:
            (staging.content / "begun").touch()
            lp.write_parquet(tmp_path / "a", overwrite=True)
            lp.write_parquet(tmp_path / "a", overwrite=True)
            assert contents(staging.content) == ["begun"]
        lp.write_parquet(tmp_path / "a", overwrite=True)
        assert contents(target) == ["_SUCCESS", "begun"]


@pytest.mark.parametrize("kind", ["file", "folder", "link"])
def test_a_foreign_lock_is_named_and_left(lp, tmp_path, kind):
    path = tmp_path / ".out.export-lock"
    if kind == "file":
        path.write_text("mine")
    elif kind == "folder":
        path.mkdir()
    else:
        path.symlink_to(tmp_path / "nowhere")
    before = listing(tmp_path)
    with pytest.raises(ExportError, match="export-lock"):
        lp.write_parquet(tmp_path / "out")
    assert listing(tmp_path) == before


@pytest.mark.parametrize("state", ["unmarked", "unmarked and empty of its own", "half a mark"])
def test_what_a_killed_export_had_not_marked_is_removed_if_the_lock_names_it(lp, tmp_path, state):
    folder = tmp_path / f".out.staging-{uuid.uuid4().hex}"
    folder.mkdir()
    (tmp_path / ".out.export-lock").write_text("" if state == "half a mark" else folder.name)
    if state == "unmarked and empty of its own":
        (folder / "notes.txt").write_text("mine")
    lp.write_parquet(tmp_path / "out")
    left = [] if state == "unmarked" else [folder.name]
    assert contents(tmp_path) == [*left, "out"]


# In the target


def file_at_the_top(out):
    (out / "notes.txt").write_text("mine")
    return "notes.txt"


def folder_at_the_top(out):
    (out / "plots").mkdir()
    return "plots"


def file_in_a_table(out):
    (out / "tokens" / "notes.txt").write_text("mine")
    return "tokens/notes.txt"


def further_part(out):
    (out / "tokens" / "part-00001.parquet").write_bytes(b"mine")
    return "tokens/part-00001.parquet"


def folder_named_as_a_part(out):
    part = out / "tokens" / "part-00000.parquet"
    part.unlink()
    part.mkdir()
    return "tokens/part-00000.parquet"


def link_instead_of_a_part(out):
    part = out / "tokens" / "part-00000.parquet"
    part.rename(out.parent / "elsewhere")
    part.symlink_to(out.parent / "elsewhere")
    return "tokens/part-00000.parquet"


FOREIGN = (
    file_at_the_top,
    folder_at_the_top,
    file_in_a_table,
    further_part,
    folder_named_as_a_part,
    link_instead_of_a_part,
)


@pytest.mark.parametrize("add", FOREIGN)
def test_an_export_with_foreign_content_is_not_replaced(lp, out, add):
    name = add(out)
    before = listing(out.parent)
    for write in (
        lambda: lp.write_parquet(out, overwrite=True),
        lambda: toolkit.export(SOURCE, out, overwrite=True),
        lambda: toolkit.export(SOURCE, out, overwrite=True, resume=True),
    ):
        with pytest.raises(ExportError, match=f"did not write .'{name}'.; move it"):
            write()
        assert listing(out.parent) == before


def test_many_foreign_files_are_counted(lp, out):
    for i in range(5):
        (out / f"{i}.txt").touch()
    with pytest.raises(ExportError, match=r"\('0.txt', '1.txt', '2.txt' and 2 more\)"):
        lp.write_parquet(out, overwrite=True)


def test_what_comes_while_an_export_is_at_work_is_not_removed(lp, out):
    with (
        pytest.raises(ExportError, match=r"notes\.txt"),
        publish.staged(out, overwrite=True, objection=objection),
    ):
        file_at_the_top(out)
    assert (out / "notes.txt").read_text() == "mine"
    assert toolkit.read_parquet(out).equals(lp)
    assert contents(out.parent) == ["out"]


@pytest.mark.parametrize("raw", [b"{", b"[]", b"{}", b"[" * 100_000, b"\xff"])
def test_a_directory_whose_manifest_is_broken_is_not_replaced(lp, out, raw):
    (out / MANIFEST).write_bytes(raw)
    before = listing(out.parent)
    with pytest.raises(ExportError, match="not an export"):
        lp.write_parquet(out, overwrite=True)
    with pytest.raises(toolkit.errors.SourceError, match="not a manifest"):
        toolkit.read_parquet(out)
    assert listing(out.parent) == before


def test_an_earlier_version_is_replaced(lp, tmp_path):
    out = tmp_path / "out"
    shutil.copytree(ROOT / "tests" / "dataset" / "kept" / "version_1", out)
    lp.write_parquet(out, overwrite=True)
    assert toolkit.read_parquet(out).equals(lp)


# What a failed export leaves


@pytest.mark.parametrize("resume", [False, True])
def test_an_export_of_rejects_alone_leaves_no_directory(tmp_path, resume):
    (tmp_path / "there").mkdir()
    for parent in (tmp_path / "there", tmp_path / "new" / "newer"):
        with pytest.raises(toolkit.errors.NoRecordsError, match="rejected"):
            toolkit.export(b'{"x": 1}', parent / "out", resume=resume)
    assert listing(tmp_path) == {"there": ""}


def test_a_new_parent_that_another_program_uses_stays(tmp_path):
    out = tmp_path / "new" / "out"

    def interfered():
        with publish.staged(out, overwrite=False, objection=objection):
            (out.parent / "theirs").touch()
            out.touch()

    with pytest.raises(ExportError, match="not an export"):
        interfered()
    out.unlink()
    assert contents(out.parent) == ["theirs"]
