"""Build the package, and install it into environments that hold nothing else."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from tests.conftest import ROOT

_LEFT_OUT = (
    ".git",
    ".venv*",
    "build",
    "dist",
    "*.egg-info",
    "*.so",
    "__pycache__",
    ".*_cache",
    ".hypothesis",
)
BIN = "Scripts" if sys.platform == "win32" else "bin"
_OLD = ("pyparsing>=3.1,<3.3",)  # matplotlib 3.9 calls it in a way that 3.3 warns about
NO_COMPILER = {"CC": "no-compiler", "CXX": "no-compiler"}


def uv(*arguments: object, **variables: str) -> str:
    """Run uv, which must succeed; return what it printed."""
    program = shutil.which("uv", path=os.path.dirname(sys.executable)) or shutil.which("uv")
    if program is None:
        pytest.skip("uv is not installed; the extra dev has it")
    environment = {**os.environ, "UV_NO_PROGRESS": "1", "UV_NO_CONFIG": "1", **variables}
    environment.pop("VIRTUAL_ENV", None)
    return ran(program, *arguments, env=environment)


def ran(program: object, *arguments: object, **options: object) -> str:
    """Run a program, which must succeed; return its output."""
    done = subprocess.run(
        [os.fspath(program), *map(str, arguments)],
        capture_output=True, text=True, encoding="utf-8", check=False, **options,
    )  # fmt: skip
    assert done.returncode == 0, f"{program} {arguments}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def built(folder: Path, **variables: str) -> tuple[Path, Path]:
    """Build an sdist from a copy of the project, and a wheel from the sdist.

    Returns
    -------
    sdist : path
        Unpacked, without the code of the package: what is tested is what is installed.
    wheel : path
    """
    source, dist = folder / "source", folder / "dist"
    shutil.copytree(ROOT, source, ignore=shutil.ignore_patterns(*_LEFT_OUT))
    uv("build", source, "--out-dir", dist, "--python", sys.executable, **variables)
    (wheel,) = dist.glob("*.whl")
    (packed,) = dist.glob("*.tar.gz")
    with tarfile.open(packed) as archive:
        archive.extractall(folder, filter="data")
    sdist = folder / packed.name.removesuffix(".tar.gz")
    assert (sdist / "toolkit" / "native").is_dir()
    for path in (sdist / "toolkit").rglob("*.py"):  # a folder without code is not in the way
        path.unlink()
    return sdist, wheel


def environment(folder: Path, wheel: Path, *more: str, resolution: str = "highest") -> Path:
    """Install a wheel and what it needs, nothing else; return the folder of its programs."""
    venv = folder / "venv"
    uv("venv", "--python", sys.executable, venv)
    python = ("--python", venv)
    old = () if resolution == "highest" else _OLD
    project = ROOT / "pyproject.toml"
    uv("pip", "install", *python, "--resolution", resolution, "-r", project, *old)
    if more:
        uv("pip", "install", *python, *more)
    uv("pip", "install", *python, "--no-deps", wheel)
    uv("pip", "check", *python)
    return venv / BIN
