"""A server for all tests of a worker, and a file for what `tee` saves."""

import warnings

import pytest

from tests.clients.server import serving


@pytest.fixture(scope="session")
def url():
    with serving() as address:
        yield address


@pytest.fixture
def log(tmp_path):
    return tmp_path / "log.jsonl"


@pytest.fixture(autouse=True)
def _answers_without_logprobs():
    """Answers that only call tools have no logprobs, and a warning says so."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "no response has logprobs")
        yield
