"""A folder or file named ``toolkit`` in the way: what still finds the installed one."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import toolkit

SAFE = {
    "the command": ("{scripts}/logprobs", "--version"),
    "-P -m": ("{python}", "-P", "-m", "toolkit", "--version"),
    "a script with -P": ("{python}", "-P", "script.py"),
}


@pytest.fixture(params=["package", "module", "folder"])
def crowded(request, tmp_path):
    """A working directory with something else of that name."""
    if request.param == "module":
        (tmp_path / "toolkit.py").write_text("raise SystemExit('theirs')\n")
    else:
        (tmp_path / "toolkit").mkdir()
    if request.param == "package":
        (tmp_path / "toolkit" / "__init__.py").write_text("raise SystemExit('theirs')\n")
    (tmp_path / "script.py").write_text("import toolkit; print(toolkit.__version__)\n")
    return tmp_path


def run(command, folder):
    scripts = Path(sys.executable).parent
    filled = [part.format(scripts=scripts, python=sys.executable) for part in command]
    if shutil.which(filled[0]) is None:
        pytest.skip("the toolkit is not installed in the environment of the tests")
    return subprocess.run(filled, cwd=folder, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("way", SAFE)
def test_these_find_the_installed_toolkit(way, crowded):
    done = run(SAFE[way], crowded)
    assert done.returncode == 0, done.stderr
    assert toolkit.__version__ in done.stdout


def test_a_folder_without_code_is_not_in_the_way(tmp_path):
    """Python prefers a package to a folder that could be a part of one."""
    (tmp_path / "toolkit").mkdir()
    done = run(("{python}", "-m", "toolkit", "--version"), tmp_path)
    assert toolkit.__version__ in done.stdout


def test_the_tests_use_the_toolkit_of_their_checkout(tmp_path):
    """Also if they are started elsewhere: ``python -m pytest`` puts that folder first."""
    (tmp_path / "toolkit.py").write_text("raise SystemExit('theirs')\n")
    root = Path(__file__).parents[2]
    done = run(
        ("{python}", "-m", "pytest", "--collect-only", "-q", "-n", "0", "-p", "no:cacheprovider",
         f"--rootdir={root}", f"-c={root / 'pyproject.toml'}",
         f"{root / 'tests' / 'test_errors.py'}"),
        tmp_path,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
