"""README and CONTRIBUTING are true: commands run, links and names exist, tables are current."""

import re

import pytest

from tests.conftest import ROOT
from tools import rooms

README = (ROOT / "README.md").read_text()
TESTS = (ROOT / "tests" / "README.md").read_text()
CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text()
BLOCKS = re.findall(r"```(\w+)\n(.*?)```", README, flags=re.DOTALL)


def test_the_table_of_rooms_is_that_of_the_architecture_test():
    assert rooms.parts(CONTRIBUTING)[1] == rooms.table()


def test_each_route_is_two_lines():
    uv, pip = (block for language, block in BLOCKS if language == "sh")
    assert uv.splitlines() == ["uv run logprobs summary data/", "uv run --extra dev pytest"]
    assert len(pip.splitlines()) == 2


def test_ci_runs_the_commands_of_readme():
    _, pip = (block for language, block in BLOCKS if language == "sh")
    ci = (ROOT / ".ci" / "run").read_text().splitlines()
    for command in pip.splitlines():
        assert command in ci


def test_the_python_example_runs(tmp_path, monkeypatch):
    (tmp_path / "data").symlink_to(ROOT / "data")
    monkeypatch.chdir(tmp_path)
    (code,) = (block for language, block in BLOCKS if language == "python")
    for _ in range(2):  # people run a block again
        scope = {}
        exec(compile(code, "README.md", "exec"), scope)
        assert len(scope["lp"]) == 100
        assert scope["toolkit"].read_parquet(scope["out"]).equals(scope["lp"])


def test_the_commands_of_the_table_run(tmp_path, monkeypatch):
    from click.testing import CliRunner

    from toolkit.cli.entry import main

    (tmp_path / "data").symlink_to(ROOT / "data")
    monkeypatch.chdir(tmp_path)
    commands = re.findall(r"^\| `logprobs (.*?)` \|", README, flags=re.MULTILINE)
    assert len(commands) >= 6
    for command in commands:
        result = CliRunner().invoke(main, command.split())
        assert result.exit_code == 0, (command, result.output, result.exception)
        assert result.stdout.strip()


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md", "CHANGELOG.md", "data/README.md"])
def test_links_lead_somewhere(page):
    path = ROOT / page
    for target in re.findall(r"\]\(([^)#]+)\)", path.read_text()):
        if "://" not in target:
            assert (path.parent / target).exists(), target


def test_readme_stays_short():
    assert len(README) <= 7500


def test_commands_name_modules_that_exist():
    modules = set(re.findall(r"python -m ((?:tests|tools|benchmarks)[\w.]*)", TESTS + CONTRIBUTING))
    assert len(modules) >= 10
    for module in modules:
        place = ROOT / module.replace(".", "/")
        assert place.with_suffix(".py").is_file() or (place / "__main__.py").is_file(), module


def test_contributing_names_files_that_exist():
    """Paths are given from the root, or from the package."""
    for name in re.findall(r"`([a-z_]+/[\w/.]+\.\w+)`", CONTRIBUTING):
        assert any((home / name).exists() for home in (ROOT, ROOT / "toolkit")), name
