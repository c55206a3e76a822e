"""The code of the site's pages runs, and prints what the pages say that it prints."""

import pytest

from tests.conftest import ROOT
from tools import guides
from tools.notebooks import MADE_WITH, versions

GUIDES = [path for path in guides.PAGES if "```output" in path.read_text()]


@pytest.mark.parametrize("path", GUIDES, ids=lambda path: path.stem)
def test_a_page_prints_what_it_says(path, tmp_path):
    text = path.read_text()
    if lacking := guides.missing(text):
        pytest.skip(f"{', '.join(lacking)} is not installed")
    found = guides.executed(text, tmp_path)
    if versions() == MADE_WITH.read_text():  # others print numbers and tables otherwise
        assert found == text


def test_every_page_with_code_is_run():
    for path in (ROOT / "docs").rglob("*.md"):
        if "made" not in path.relative_to(ROOT / "docs").parts:
            assert path in guides.PAGES
    assert {path.parent.name for path in GUIDES} == {"docs", "guides"}


def test_outputs_are_written_again(tmp_path):
    page = (
        "# A\n\n```python\nprint(1)\n2\n```\n\n```output\nold\n```\n\n```sh\necho $((1 + 2))\n```\n"
    )
    assert guides.executed(page, tmp_path) == (
        "# A\n\n```python\nprint(1)\n2\n```\n\n```output\n1\n2\n```\n\n"
        "```sh\necho $((1 + 2))\n```\n\n```output\n3\n```\n"
    )


def test_a_page_names_what_it_needs():
    assert guides.missing("---\nneeds: json, no_such_program\n---\n# A\n") == ["no_such_program"]
    assert guides.missing("# A\n") == []


def test_code_that_fails_ends_the_run(tmp_path):
    with pytest.raises(RuntimeError, match="exit code 3"):
        guides.executed("```sh\nexit 3\n```\n", tmp_path)
