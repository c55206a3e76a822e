"""data/FORMATS.md names every format and envelope, and only tests that exist."""

import re

import pytest

from tests.conftest import ROOT
from toolkit.loaders.formats import detect, embedded, error_body

PAGE = (ROOT / "data" / "FORMATS.md").read_text()


@pytest.mark.parametrize("named", sorted(set(re.findall(r"`([\w/]+\.py(?:::\w+)?)`", PAGE))))
def test_the_named_tests_exist(named):
    path, _, function = named.partition("::")
    text = (ROOT / "tests" / path).read_text()
    assert not function or f"def {function}(" in text


def test_every_format_is_named():
    modules = (*detect.FORMATS, *detect.ENVELOPES, embedded, error_body)
    named = set(re.findall(r"^\| `(\w+)` \|", PAGE, flags=re.MULTILINE))
    assert {module.NAME for module in modules} - {"openai_chat"} | {"shape"} == named
