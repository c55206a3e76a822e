"""What says the same in several files, for people and for the code host, agrees."""

import re
import tomllib

import yaml

import toolkit
from tests.conftest import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
WORKFLOW = yaml.safe_load((ROOT / ".github" / "workflows" / "ci.yml").read_text(encoding="utf-8"))
CITATION = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
HOOKS = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))
SECURITY = (ROOT / "SECURITY.md").read_text(encoding="utf-8")


def commands():
    return [
        step["run"] for job in WORKFLOW["jobs"].values() for step in job["steps"] if "run" in step
    ]


def test_the_version_is_one():
    assert PROJECT["project"]["version"] == toolkit.__version__ == CITATION["version"]


def test_the_workflow_tests_the_versions_of_the_classifiers():
    python = "Programming Language :: Python :: "
    declared = [
        each.removeprefix(python)
        for each in PROJECT["project"]["classifiers"]
        if each.startswith(f"{python}3.")
    ]
    matrix = WORKFLOW["jobs"]["tests"]["strategy"]["matrix"]
    assert matrix["python"] == declared
    assert {name.split("-")[0] for name in matrix["os"]} == {"ubuntu", "macos", "windows"}
    assert PROJECT["project"]["requires-python"] == f">={declared[0]}"
    assert PROJECT["tool"]["cibuildwheel"]["build"] == f"cp{declared[0].replace('.', '')}-*"


def test_the_workflow_runs_what_exists():
    assert (ROOT / ".ci" / "run").is_file()
    assert ".ci/run" in commands()
    marks = {each.split(":")[0] for each in PROJECT["tool"]["pytest"]["ini_options"]["markers"]}
    extras = PROJECT["project"]["optional-dependencies"]
    for command in commands():
        assert set(re.findall(r"-m \"?(?:not )?(\w+)\"?$", command)) <= marks, command
        assert set(re.findall(r"\.\[(\w+)\]", command)) <= set(extras), command
        for path in re.findall(r"\btests/[\w/.]+", command):
            assert (ROOT / path).exists(), path


def test_uv_installs_what_the_toolkit_needs_and_writes_no_tracked_file():
    assert PROJECT["tool"]["uv"]["default-groups"] == []
    assert "dependency-groups" not in PROJECT
    assert "uv.lock" in (ROOT / ".gitignore").read_text(encoding="utf-8").splitlines()


def test_hooks_run_what_ci_runs_and_fetch_nothing():
    (repository,) = HOOKS["repos"]
    assert repository["repo"] == "local"
    ci = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    for hook in repository["hooks"]:
        assert hook["language"] == "system"
        assert hook["entry"].removesuffix(" --force-exclude").split(" --")[0] in ci, hook["entry"]


def test_no_address_is_invented():
    assert not set(CITATION) & {"url", "repository-code", "repository", "doi", "contact"}
    assert [set(author) for author in CITATION["authors"]] == [{"name"}]
    assert "urls" not in PROJECT["project"]
    assert not re.search(r"://|@\w", SECURITY)
