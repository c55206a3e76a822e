"""What every page is checked for: it is quiet, it fits, and axe-core finds no severe fault."""

import os
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.browser import chromium

MARKS = [
    pytest.mark.browser,
    pytest.mark.skipif(chromium.PROGRAM is None, reason="there is no Chromium on this machine"),
    pytest.mark.filterwarnings("default"),  # of event loops and sockets
]
# Widths and colours do not depend on each other.
WINDOWS = pytest.mark.parametrize(
    ("width", "dark"), [(1280, False), (400, True)], ids=["wide-light", "narrow-dark"]
)


def _axe() -> Path | None:
    """Return the file of axe-core: that which AXE names, else that of the package of `dev`."""
    if named := os.environ.get("AXE"):
        return Path(named)
    found = find_spec("axe_core_python")
    return found and Path(found.submodule_search_locations[0], "axe.min.js")


AXE = _axe()
needs_axe = pytest.mark.skipif(AXE is None, reason="no axe-core: extra dev, or AXE=…/axe.min.js")


def assert_quiet(page):
    """Only files were requested, the console is empty, nothing is wider than the window."""
    addresses = [event["request"]["url"] for event in page.events_of("Network.requestWillBeSent")]
    assert [url for url in addresses if not url.startswith(("file:", "data:"))] == []
    assert page.events_of("Runtime.exceptionThrown") == []
    assert page.events_of("Runtime.consoleAPICalled") == []
    assert page.events_of("Log.entryAdded") == []
    assert page.events_of("Page.javascriptDialogOpening") == []
    wide = page.run("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert wide <= 0, f"{wide} pixels too wide"


def severe_faults(page):
    """Return the serious and critical faults that the rules of axe-core find."""
    page.run(AXE.read_text("utf-8"))
    found = page.run("axe.run(document, {resultTypes: ['violations']}).then(r => r.violations)")
    return [
        (
            each["id"],
            each["help"],
            each["nodes"][0]["html"][:200],
            each["nodes"][0]["failureSummary"],
        )
        for each in found
        if each["impact"] in ("serious", "critical")
    ]
