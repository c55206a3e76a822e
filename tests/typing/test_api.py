"""The script that type checkers read runs, and calls all that is public."""

import ast
from pathlib import Path

import pytest

import toolkit
from tests.typing import api

HOMES = (toolkit, toolkit.dataset, toolkit.metrics, toolkit.plot)


@pytest.mark.filterwarnings("ignore::toolkit.ToolkitWarning")
def test_the_script_runs(data, tmp_path):
    api.main(data, tmp_path)


@pytest.mark.parametrize("home", HOMES, ids=lambda home: home.__name__)
def test_the_script_uses_every_public_name(home):
    tree = ast.parse(Path(api.__file__).read_text())
    used = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    used |= {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    assert set(home.__all__) <= used
