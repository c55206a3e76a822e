"""The native scanner's copies of constants, codes and columns are those of the Python side."""

import re

import numpy as np
import pytest

import toolkit
from tests.conftest import ROOT
from toolkit import schema
from toolkit.limits import LIMITS
from toolkit.loaders import buffers, scanner
from toolkit.loaders.decoding import body_reader
from toolkit.loaders.framing import frames

HEADERS = "\n".join(path.read_text() for path in (ROOT / "toolkit" / "native").glob("*.h"))


def constant(name):
    """Return the number that a header gives a constant."""
    return float(re.search(rf"constexpr \w+ {name} = ([-+.e\d]+);", HEADERS)[1])


def codes(name):
    """Return the names of an enumeration in order of their codes, which begin at 0."""
    names = re.search(rf"enum {name} : \w+ {{ (.*?) }}", HEADERS)[1]
    words = (re.findall("[A-Z][a-z]+", each) for each in names.split(", "))
    return ["_".join(each).lower() for each in words]


def test_limits_and_thresholds():
    assert constant("kMaxDepth") == LIMITS.nesting
    assert constant("kYear10000") == body_reader._YEAR_10000
    assert constant("kCensoredAtOrBelow") == schema.CENSORED_AT_OR_BELOW
    assert constant("kCensoredAt") == schema.CENSORED_AT
    assert constant("kInvalidAbove") == schema.INVALID_ABOVE
    assert frames.DONE.startswith(b"[D")  # as in is_usual


def test_statuses():
    assert tuple(codes("Status")) == schema.STATUSES


@pytest.mark.parametrize(
    ("name", "module", "prefix"),
    [("Kind", buffers, "KIND_"), ("State", buffers, "STATE_"), ("Verdict", scanner, "")],
)
def test_codes(name, module, prefix):
    for code, each in enumerate(codes(name)):
        assert getattr(module, prefix + each.upper()) == code


@pytest.mark.skipif(toolkit.decoder() != "native", reason="the native scanner was not built")
def test_columns():
    none = np.empty(0, np.int64)
    scanned = scanner.scan_block(b"", none, none, none, 0)
    tables = (scanned.bodies, scanned.parts, scanned.tokens, scanned.alternatives)
    expected = (buffers.BODIES, buffers.PARTS, buffers.TOKENS, buffers.ALTERNATIVES)
    for table, schema_ in zip(tables, expected, strict=True):
        for field in table.schema:
            if field.name == "format":  # a code for one of `plans.NAMES`
                continue
            assert field.type == schema_.field(field.name).type, field.name
