"""Fixtures of all tests (folders of recordings), and how tests are ordered and generated."""

import sys
from pathlib import Path

import matplotlib
import pytest
from hypothesis import HealthCheck, Phase, settings

matplotlib.use("Agg")

ROOT = Path(__file__).resolve().parents[1]
SHARED = ROOT.parent / "shared"


def _folder(name: str) -> Path:
    folder = SHARED / name
    if not folder.is_dir():
        pytest.skip(f"the recordings {folder.parent.name}/{name} are not beside the project")
    return folder


@pytest.fixture(scope="session")
def samples() -> Path:
    """The folder of sample recordings; skips where it is absent."""
    return _folder("samples")


@pytest.fixture(scope="session")
def realdata() -> Path:
    """The folder of public recordings with golden.json; skips where it is absent."""
    return _folder("realdata")


@pytest.fixture(scope="session")
def reference_files() -> Path:
    """The folder of reference texts; skips where it is absent."""
    return _folder("reference")


@pytest.fixture(scope="session")
def data() -> Path:
    """The project's own sample data."""
    return ROOT / "data"


@pytest.fixture(autouse=True)
def _figures_closed():
    """Close the figures of pyplot after each test, because it warns about too many."""
    yield
    if pyplot := sys.modules.get("matplotlib.pyplot"):
        pyplot.close("all")


# No deadline, because other workers and threads share the cores; time is tested where it matters.
# pytest --hypothesis-profile=thorough tries many more examples.
UNTIMED = {"deadline": None, "suppress_health_check": (HealthCheck.too_slow,)}
settings.register_profile("toolkit", max_examples=60, **UNTIMED)
settings.register_profile("thorough", max_examples=1000, **UNTIMED)
settings.load_profile("toolkit")
# For mutants, where any failure counts and the smallest example does not.
settings.register_profile("first", phases=[Phase.explicit, Phase.generate], deadline=None)


def pytest_collection_modifyitems(items):
    """Run slow tests first, so that no worker is left with one at the end."""
    items.sort(key=lambda item: item.get_closest_marker("slow") is None)
