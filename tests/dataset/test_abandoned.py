"""Exports by shards that were never finished are removed, and nothing that others made."""

import os
import shutil
import uuid
from datetime import timedelta

import pytest

import toolkit
from tests.conftest import ROOT
from tests.stress.exports import contents, listing
from toolkit.dataset import abandon_exports, export_shard, finish_export, plan_export

SOURCE = ROOT / "data" / "pairs_whole.jsonl"
NOW, HOUR = timedelta(0), timedelta(hours=1)


@pytest.fixture
def left(tmp_path):
    """The directory that an export by shards has left."""
    [shard] = plan_export(SOURCE)
    export_shard(shard, tmp_path / "out")
    [folder] = tmp_path.iterdir()
    (folder / "tokens" / f".part-00003.parquet.{uuid.uuid4().hex}").write_bytes(b"of a killed one")
    return folder


def age(folder, seconds):
    for path in (folder, *folder.rglob("*")):
        os.utime(path, (os.stat(path).st_mtime - seconds,) * 2)


def test_what_is_old_is_removed(left, tmp_path):
    age(left, 1800)
    assert abandon_exports(tmp_path / "out", older_than=HOUR) == []
    assert left.is_dir()
    age(left, 3600)
    assert abandon_exports(str(tmp_path / "out"), older_than=HOUR) == [left.name[-32:]]
    assert contents(tmp_path) == []


def test_one_new_file_keeps_it(left, tmp_path):
    age(left, 7200)
    os.utime(next(left.glob("tokens/part-*")))
    assert abandon_exports(tmp_path / "out", older_than=HOUR) == []


def test_an_export_that_was_begun_anew_can_be_finished(left, tmp_path):
    toolkit.export(SOURCE, tmp_path / "out")
    assert abandon_exports(tmp_path / "out", older_than=NOW) == [left.name[-32:]]
    assert contents(tmp_path) == ["out"]
    reports = [export_shard(shard, tmp_path / "out") for shard in plan_export(SOURCE)]
    finish_export(reports, tmp_path / "out", overwrite=True)
    assert abandon_exports(tmp_path / "out", older_than=NOW) == []
    assert toolkit.read_parquet(tmp_path / "out").equals(toolkit.read(SOURCE))


def file_at_the_top(left):
    (left / "notes.txt").write_text("mine")


def file_in_a_table(left):
    (left / "tokens" / "notes.txt").write_text("mine")


def folder_in_a_table(left):
    (left / "tokens" / "part-00000-1.parquet").mkdir()


def folder_at_the_top(left):
    (left / "plots").mkdir()


def link_in_a_table(left):
    (left / "tokens" / "part-00009.parquet").symlink_to(SOURCE)


def link_instead_of_a_table(left):
    shutil.move(left / "tokens", left.parent / "elsewhere")
    (left / "tokens").symlink_to(left.parent / "elsewhere")


def link_instead_of_it(left):
    shutil.move(left, left.parent / "elsewhere")
    left.symlink_to(left.parent / "elsewhere")


def no_mark(left):
    (left / f"toolkit-{left.name[-32:]}").unlink()


def mark_of_another(left):
    (left / f"toolkit-{left.name[-32:]}").rename(left / f"toolkit-{uuid.uuid4().hex}")


def other_digits(left):
    left.rename(left.with_name(f".out.shards-{uuid.uuid4().hex}"))


def short_name(left):
    left.rename(left.with_name(".out.shards-1"))


def like_name(left):
    left.rename(left.with_name(f".out2.shards-{left.name[-32:]}"))


CHANGES = (
    *(file_at_the_top, file_in_a_table, folder_in_a_table, folder_at_the_top, link_in_a_table),
    *(link_instead_of_a_table, link_instead_of_it, no_mark, mark_of_another, other_digits),
    *(short_name, like_name),
)


@pytest.mark.skipif(os.name != "posix", reason="links of POSIX")
@pytest.mark.parametrize("change", CHANGES)
def test_what_might_be_another_s_is_kept(left, tmp_path, change):
    change(left)
    before = listing(tmp_path)
    assert abandon_exports(tmp_path / "out", older_than=NOW) == []
    assert listing(tmp_path) == before


def test_a_place_without_exports(tmp_path):
    assert abandon_exports(tmp_path / "none" / "out") == []
