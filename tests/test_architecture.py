"""Who may import whom: data flows one way."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[1] / "toolkit"

# From the ground up. A module imports from the layers below its own, never from its neighbours.
LAYERS = (
    {"errors", "_scan", "objects", "texts", "palettes"},
    {"schema", "ahead", "units", "capture", "commit", "limits"},
    {"sources", "framing", "formats", "columns"},
    {"strict_json", "derive", "assign", "entries"},
    {"body", "orderly", "tool_calls", "copies"},
    {"reference", "scanned", "unite"},
    {"decode", "streams"},
    {"assemble"},
    {"tables"},
    {"combine", "recording"},
    {"dataset"},
    {"loading"},
    {"load"},
    {"metrics", "shards", "writers"},
    {"parquet"},
    {"plot", "view"},
    {"reporting"},
    {"cli"},
    {"__main__"},
)
LAYER_OF = {name: i for i, names in enumerate(LAYERS) for name in names}
# Conveniences that reach upwards, inside a function and nowhere else.
LATE = {("tables", "parquet"), ("tables", "view")}
# Packages that stay behind one door.
DOORS = {"matplotlib": {"plot"}, "click": {"cli"}, "tqdm": {"loading"}}


def modules():
    return sorted(path for path in PACKAGE.rglob("*.py") if path.name != "__init__.py") + sorted(
        PACKAGE.rglob("__init__.py")
    )


def name_of(path: Path) -> str:
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(part for part in parts if part != "__init__")


def imports(path: Path):
    """Yield (module, inside a function) of each import; ``from toolkit import x`` is toolkit.x."""
    tree = ast.parse(path.read_text())
    inner = {
        id(node)
        for function in ast.walk(tree)
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef)
        for node in ast.walk(function)
    }
    typing_only = {
        id(node)
        for block in ast.walk(tree)
        if isinstance(block, ast.If) and ast.unparse(block.test) == "TYPE_CHECKING"
        for node in ast.walk(block)
    }
    for node in ast.walk(tree):
        if id(node) in typing_only:
            continue
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, id(node) in inner
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            if node.module in ("toolkit", "toolkit.formats", "toolkit.metrics"):
                for alias in node.names:
                    yield f"{node.module}.{alias.name}", id(node) in inner
            else:
                yield node.module, id(node) in inner


@pytest.mark.parametrize("path", modules(), ids=name_of)
def test_imports_go_down_only(path):
    name = name_of(path)
    if not name:
        assert [module for module, _ in imports(path)] == ["importlib.import_module"] or all(
            not module.startswith("toolkit") for module, _ in imports(path)
        )
        return
    top = name.split(".")[0]
    for module, is_late in imports(path):
        if not module.startswith("toolkit.") or module == "toolkit.__version__":
            continue
        target = module.split(".")[1]
        if target == top:
            continue
        if top in ("cli", "__main__"):
            public = target in ("errors", "schema", "cli")
            assert public or is_late or module == "toolkit", f"{name} imports {module}"
            continue
        if is_late and (top, target) in LATE:
            continue
        assert LAYER_OF[target] < LAYER_OF[top], f"{name} imports {module}, which is not below it"


def test_formats_never_import_each_other():
    for path in (PACKAGE / "formats").glob("*.py"):
        if path.name == "__init__.py":
            continue
        inside = {module for module, _ in imports(path) if module.startswith("toolkit.formats")}
        shared = ("toolkit.formats.base", "toolkit.formats.arrays")
        assert all(module.startswith(shared) for module in inside), path


def test_metrics_core_imports_numpy_alone():
    found = {module.split(".")[0] for module, _ in imports(PACKAGE / "metrics" / "core.py")}
    assert found <= {"__future__", "numpy"}


@pytest.mark.parametrize("package", DOORS)
def test_packages_stay_behind_their_door(package):
    users = {
        name_of(path).split(".")[0]
        for path in modules()
        for module, _ in imports(path)
        if module.split(".")[0] == package
    }
    assert users == DOORS[package]


def test_import_toolkit_is_light():
    code = (
        "import sys, toolkit; toolkit.read; toolkit.export;"
        "print(sorted({'pandas', 'matplotlib', 'click', 'tqdm'} & set(sys.modules)))"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"


def test_files_and_functions_stay_small():
    for path in modules():
        lines = path.read_text().splitlines()
        if path.parent.name != "results":  # lists of declarations
            assert len(lines) <= 420, f"{path.name} has {len(lines)} lines"
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef):
                body = node.body[1:] if ast.get_docstring(node) else node.body
                length = body[-1].end_lineno - body[0].lineno + 1 if body else 0
                assert length <= 50, f"{path.name}: {node.name} has {length} lines"
