"""The native scanner's copies of constants, codes and columns are those of the Python side."""

import re

import numpy as np
import pytest

import toolkit
from tests.conftest import ROOT
from toolkit import schema
from toolkit.limits import LIMITS
from toolkit.loaders import buffers
from toolkit.loaders.decoding import body_reader
from toolkit.loaders.framing import frames
from toolkit.loaders.scanner import scan_block

HEADERS = "\n".join(path.read_text() for path in (ROOT / "toolkit" / "native").glob("*.h"))


def constant(name):
    """Return the number that a header gives a constant."""
    return float(re.search(rf"constexpr \w+ {name} = ([-+.e\d]+);", HEADERS)[1])


def codes(name):
    """Return the names of an enumeration in order of their codes, which begin at 0."""
    names = re.search(rf"enum {name} : \w+ {{ (.*?) }}", HEADERS)[1]
    return [each.removeprefix("k").lower() for each in names.split(", ")]


def test_limits_and_thresholds():
    assert constant("kMaxDepth") == LIMITS.nesting
    assert constant("kYear10000") == body_reader._YEAR_10000
    assert constant("kCensoredAtOrBelow") == schema.CENSORED_AT_OR_BELOW
    assert constant("kInvalidAbove") == schema.INVALID_ABOVE
    assert frames.DONE.startswith(b"[D")  # as in is_usual


def test_codes():
    kinds, states = codes("Kind"), codes("State")
    assert tuple(codes("Status")) == schema.STATUSES
    assert [getattr(buffers, f"KIND_{each.upper()}") for each in kinds] == list(range(len(kinds)))
    assert [getattr(buffers, f"STATE_{each.upper()}") for each in states] == list(range(3))


@pytest.mark.skipif(toolkit.decoder() != "native", reason="the native scanner was not built")
def test_columns():
    none = np.empty(0, np.int64)
    scanned = scan_block(b"", none, none, none, 0)
    tables = (scanned.bodies, scanned.parts, scanned.tokens, scanned.alternatives)
    expected = (buffers.BODIES, buffers.PARTS, buffers.TOKENS, buffers.ALTERNATIVES)
    for table, schema_ in zip(tables, expected, strict=True):
        for field in table.schema:
            assert field.type == schema_.field(field.name).type, field.name
