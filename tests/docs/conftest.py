"""Fixture of the built site, which all workers share."""

import fcntl
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT

COMMAND = "-W --keep-going -b html docs"


@pytest.fixture(scope="session")
def site(tmp_path_factory):
    """The folder of the built site: that which SITE names, or one that is built now."""
    if named := os.environ.get("SITE"):
        return Path(named).resolve()
    for package in ("sphinx", "myst_parser", "pydata_sphinx_theme"):
        pytest.importorskip(package, reason="the extra docs is not installed")
    folder = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        folder = folder.parent
    with (folder / "site.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "site.built").exists():
            done = subprocess.run(
                [sys.executable, "-m", "sphinx", "-q", *COMMAND.split(), str(folder / "site")],
                cwd=ROOT, capture_output=True, text=True, check=False,
            )  # fmt: skip
            assert done.returncode == 0, done.stderr
            assert done.stderr == ""
            (folder / "site.built").touch()
    return folder / "site"
