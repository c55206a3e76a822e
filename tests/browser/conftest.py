"""One tab for the tests of a module."""

import pytest

from tests.browser import chromium


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    with chromium.Page(tmp_path_factory.mktemp("profile")) as opened:
        yield opened
