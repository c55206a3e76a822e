"""The reference decoder can be given some rows of a block: what another decoder deferred."""

import json

import numpy as np
import pytest

from toolkit.framing import frame
from toolkit.reference import ReferenceDecoder

GOOD = [
    json.dumps({"id": str(i), "choices": [{"message": {"content": str(i)}}]}).encode()
    for i in range(6)
]
LINES = [*GOOD[:2], b"{broken", b"[DONE]", GOOD[2], GOOD[3] + GOOD[4], b"[DONE]", GOOD[5]]
COLUMNS = ["record", "line", "byte_offset", "length", "epoch"]


@pytest.fixture
def block():
    [frames] = frame([b"\n".join([*LINES, b""])])
    return frames


def test_all_rows_count_every_record(block):
    decoder = ReferenceDecoder()
    decoded = decoder.frames(block)
    assert decoded.bodies["record"].to_pylist() == [0, 1, 3, 4, 5, 6]
    assert decoded.bodies["epoch"].to_pylist() == [0, 0, 1, 1, 1, 2]
    assert decoded.rejects.select(["record", "epoch"]).to_pylist() == [{"record": 2, "epoch": 0}]
    assert (decoder.next_record, decoder.epoch) == (7, 2)


@pytest.mark.parametrize("rows", [[2], [0, 2, 5], [4], [1, 4, 5], [2, 3], [0, 1, 2, 3, 4, 5]])
def test_some_rows_leave_the_places_of_the_others(block, rows):
    """Row 4 holds two records, so it can only be left out together with none that follow."""
    whole, some = ReferenceDecoder(), ReferenceDecoder()
    everything = whole.frames(block)
    decoded = some.frames(block, np.array(rows))
    lines = set(block.lines[rows].tolist())
    for name in ("bodies", "rejects"):
        expected = [
            row
            for row in getattr(everything, name).select(COLUMNS).to_pylist()
            if row["line"] in lines
        ]
        found = getattr(decoded, name).select(COLUMNS).to_pylist()
        if 4 not in rows:  # elsewhere it counts as one record
            expected = [row | {"record": row["record"] - (row["line"] > 6)} for row in expected]
        assert found == expected
    assert some.epoch == whole.epoch


def test_no_rows_only_count(block):
    decoder = ReferenceDecoder()
    decoded = decoder.frames(block, np.array([], np.int64))
    assert (decoded.bodies.num_rows, decoded.rejects.num_rows) == (0, 0)
    assert (decoder.next_record, decoder.epoch) == (6, 2)
