"""Patterns: each file once, whatever links there are."""

import glob
import os
import sys
from itertools import product
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

import toolkit
from toolkit.loaders.sources import globs
from toolkit.loaders.sources.resolve import resolve

BODY = """{"choices": [{"message": {"content": "x"}, "logprobs": {"content": [
{"token": "x", "logprob": -0.5}]}}]}"""
FILES = ("a.jsonl", "x/b.jsonl", "x/y/c.jsonl", "x/y/.d.jsonl", ".h/e.jsonl", "x/f.md", "z/x/g.txt")


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tree")
    for name in FILES:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(BODY)
    (folder / "empty").mkdir()
    return folder


def names(pattern, folder):
    return [os.path.relpath(source.name, folder) for source in resolve(pattern)]


PARTS = st.sampled_from(["**", "*", "x", "y", "?", "[xz]", "*.jsonl", ".[a-z]*", "**b", ".", ""])


@example(parts=["y", "**"], is_absolute=False)  # glob gives y/, which does not exist
@given(parts=st.lists(PARTS, min_size=1, max_size=5), is_absolute=st.booleans())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_without_links_patterns_match_as_those_of_glob_do(parts, is_absolute, tree, monkeypatch):
    monkeypatch.chdir(tree)
    pattern = "/".join(parts)
    pattern = f"{tree}/{pattern}" if is_absolute or pattern.startswith("/") else pattern

    def real(paths):
        return {os.path.realpath(path) for path in paths}

    expected = [path for path in glob.glob(pattern, recursive=True) if os.path.exists(path)]
    if parts[-1] not in ("", "."):  # for which glob gives directories alone
        assert real(globs.hits(pattern)) >= real(expected)
        if parts[-1] != "**":  # after which glob gives no file that is matched by what is before
            assert real(globs.hits(pattern)) == real(expected)


@pytest.mark.parametrize("n_links", [1, 2, 12])
def test_links_to_directories_above_are_not_followed(n_links, tmp_path):
    """With two links to ``.``, there are 2 ** 40 paths to each file."""
    for name in ("a.jsonl", "x/b.jsonl"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(BODY)
    for i, folder in product(range(n_links), (tmp_path, tmp_path / "x")):
        (folder / f"link{i}").symlink_to("." if i % 2 else "..")
    for pattern in ("**", "**/*", "**/*.jsonl", "**/**/**/*.jsonl"):
        assert names(f"{tmp_path}/{pattern}", tmp_path) == ["a.jsonl", "x/b.jsonl"]
    assert names(tmp_path, tmp_path) == ["a.jsonl", "x/b.jsonl"]
    assert len(toolkit.read(f"{tmp_path}/**")) == 2


@pytest.mark.parametrize("pattern", ["*/*.jsonl", "*", "*/*", "**/a.jsonl", "l*/**"])
def test_two_names_of_one_directory_give_each_file_once(pattern, tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "a.jsonl").write_text(BODY)
    (tmp_path / "latest").symlink_to("run")
    expected = "latest/a.jsonl" if pattern.startswith("l") else "run/a.jsonl"
    assert names(f"{tmp_path}/{pattern}", tmp_path) == [expected]


def test_a_link_that_is_named_is_followed(tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "a.jsonl").write_text(BODY)
    (tmp_path / "latest").symlink_to("run")
    for pattern in ("latest/*", "latest/**/*.jsonl", "latest"):
        assert names(f"{tmp_path}/{pattern}", tmp_path) == ["latest/a.jsonl"]


def test_a_link_to_a_file_is_a_file(tmp_path):
    (tmp_path / "a.jsonl").write_text(BODY)
    (tmp_path / "b.jsonl").symlink_to("a.jsonl")
    for pattern in ("*.jsonl", "**", ""):
        assert names(f"{tmp_path}/{pattern}", tmp_path) == ["a.jsonl", "b.jsonl"]


def test_many_stars_take_little_time():
    parts = ["a"] * 2000
    assert globs.matches(parts, ["**", "a"] * 20)
    assert not globs.matches(parts, [*["**", "a"] * 20, "b"])


@pytest.mark.parametrize("pattern", ["", "**/*.jsonl", "**/d"])
def test_a_deep_tree_is_read_once(pattern, tmp_path, monkeypatch):
    """Its depth is more than the recursion limit."""
    monkeypatch.chdir(tmp_path)
    depth = sys.getrecursionlimit() + 100
    for _ in range(depth):
        os.mkdir("d")
        os.chdir("d")
    Path("a.jsonl").write_text(BODY)
    os.chdir(tmp_path)
    [source] = resolve(f"{tmp_path}/{pattern}")
    assert source.name == f"{tmp_path}/{'d/' * depth}a.jsonl"
    for _ in range(depth):  # pytest removes directories recursively
        os.chdir("d")
    os.remove("a.jsonl")
    for _ in range(depth):
        os.chdir("..")
        os.rmdir("d")


@pytest.mark.parametrize(
    "pattern", [Path("**/\0"), "no/**", "no/**/*.jsonl", "a.jsonl/**", "no*/**"]
)
def test_what_is_not_there_matches_nothing(pattern, tree, monkeypatch):
    monkeypatch.chdir(tree)
    [source] = resolve(pattern)
    with pytest.raises(toolkit.errors.SourceError, match="matches no file"):
        next(source.blocks())
