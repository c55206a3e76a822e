"""data/FORMATS.md names every format and envelope, and tests that there are."""

import re
from pathlib import Path

import pytest

from toolkit import formats
from toolkit.formats import error_body, rows

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "data" / "FORMATS.md").read_text()


@pytest.mark.parametrize("named", sorted(set(re.findall(r"`([\w/]+\.py(?:::\w+)?)`", PAGE))))
def test_the_tests_are_there(named):
    path, _, function = named.partition("::")
    text = (ROOT / "tests" / path).read_text()
    assert not function or f"def {function}(" in text


def test_every_format_is_named():
    modules = (*formats.FORMATS, *formats.ENVELOPES, rows, error_body)
    named = set(re.findall(r"^\| `(\w+)` \|", PAGE, flags=re.MULTILINE))
    assert {module.NAME for module in modules} - {"openai_chat"} == named
