"""Metrics computed on several threads are those computed on one, bit for bit."""

import os

import pandas as pd
import pytest

import toolkit
from tests.conftest import ROOT
from toolkit.metrics._blocks import over_blocks

SOURCES = [ROOT / "data" / name for name in ("arithmetic_n5.jsonl", "pairs_whole.jsonl")]


@pytest.fixture(scope="module")
def lp():
    return toolkit.read(SOURCES, threads=1)


@pytest.fixture
def cores(monkeypatch):
    """Set the number of cores that this process may use."""
    monkeypatch.setattr("toolkit.metrics._blocks.BLOCK_ROWS", 97)
    return lambda n: monkeypatch.setattr(os, "sched_getaffinity", lambda _: range(n))


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="needs a number of cores to set")
@pytest.mark.parametrize("name", ["token_metrics", "sequence_metrics", "confidence_metrics"])
def test_the_number_of_cores_makes_no_difference(lp, cores, name):
    metric = getattr(toolkit.metrics, name)
    cores(1)
    expected = metric(lp)
    for n in (2, 5):
        cores(n)
        pd.testing.assert_frame_equal(metric(lp), expected, check_exact=True)


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="needs a number of cores to set")
def test_findings_do_not_depend_on_the_number_of_cores(lp, cores):
    cores(1)
    expected = toolkit.check(lp)
    cores(4)
    pd.testing.assert_frame_equal(toolkit.check(lp), expected, check_exact=True)


@pytest.mark.parametrize("n", [1, 4])
def test_results_come_in_order_and_so_does_the_first_fault(lp, cores, n):
    cores(n)
    starts = [(block.rows.start, start) for block, start in over_blocks(_start, lp)]
    assert starts == sorted(starts)
    assert len(starts) > 20
    assert all(own == start for own, start in starts)
    with pytest.raises(ValueError, match=f"^{starts[3][0]}$"):
        list(over_blocks(lambda block: _fails_from(block, starts[3][0]), lp))


def _start(block):
    return block.rows.start


def _fails_from(block, start):
    if block.rows.start >= start:
        raise ValueError(block.rows.start)
