"""The work of every metric grows as the answers; `tests.stress.growth.metrics` times it."""

import sys

import pytest

from tests.stress.growth.metrics import CASES, corpus
from toolkit import metrics

SIZES = (100, 200, 400)
MOST = 3  # times as many more calls from 200 to 400 answers as from 100 to 200; 2 is linear
BY_CHANCE = 5000  # calls that do not depend on the number of answers alone


@pytest.fixture(scope="module")
def corpora():
    return [corpus(n) for n in SIZES]


def calls(name, data):
    """Return how many functions a call of a metric calls, in Python and in C."""
    count = 0

    def profile(_frame, event, _argument):
        nonlocal count
        count += event in ("call", "c_call")

    before = sys.getprofile()
    sys.setprofile(profile)
    try:
        CASES[name](data)
    finally:
        sys.setprofile(before)
    return count


def test_every_metric_is_measured():
    assert set(CASES) == set(metrics.__all__) - {"Calibrator"}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", CASES)
def test_calls_grow_as_the_answers(name, corpora):
    """A loop in a loop shows in the number of calls, which does not depend on the machine."""
    CASES[name](corpora[0])  # imports, and fills caches
    counts = [calls(name, data) for data in corpora]
    steps = counts[1] - counts[0], counts[2] - counts[1]
    assert steps[1] <= MOST * max(steps[0], 0) + BY_CHANCE, counts
