"""Who may import whom: data flows one way. CONTRIBUTING's table is written from `ROOMS`."""

import ast
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

from tests.conftest import ROOT

PACKAGE = ROOT / "toolkit"

# Each room, its job, and the rooms that it may import from; a room may always use itself.
_GROUND = ("errors", "limits", "schema", "arrow", "arguments")
ROOMS = {
    "errors": ("the exception tree", ()),
    "schema": ("every table, result column and code, declared once", ("errors",)),
    "arrow": ("Arrow to NumPy, pandas and Polars", ("errors",)),
    "arguments": ("every check of an option, one wording each", ("errors", "schema")),
    "limits": ("limits on resources that untrusted input may consume", ("errors", "arguments")),
    "prefetch": ("ordered parallel map with look-ahead", ()),
    "progress": ("one bar on stderr that says how far a call has come", ()),
    "visible_text": ("the one way to show a hidden character", ()),
    "files": ("a file is written whole or not at all, flushed, locked", ("errors",)),
    "palettes": ("the colours of certainty", ()),
    "tables": (
        "`LogprobTables`, `concat`, and what a row is about",
        ("errors", "schema", "arrow", "arguments"),
    ),
    "dataset.layout": ("the form of a dataset on disk", ("schema",)),
    "dataset.versions": (
        "what each schema version changed in an export",
        ("schema", "dataset.layout"),
    ),
    "dataset.lock": ("one process at a time writes a directory", ("errors", "files")),
    "dataset.publish": (
        "put a finished directory in place atomically",
        ("errors", "files", "dataset.layout", "dataset.lock"),
    ),
    "dataset.snapshot": ("the files of a directory, all of one export", ("errors",)),
    "dataset.parquet_writer": (
        "tables to Parquet files, on other threads",
        ("schema", "arrow", "tables", "dataset.layout"),
    ),
    "dataset.write": (
        "`write_parquet`: tables in memory to a dataset",
        (
            *("errors", "schema", "arguments", "tables"),
            *("dataset.layout", "dataset.publish", "dataset.parquet_writer"),
        ),
    ),
    "dataset.read": (
        "`read_parquet`: a dataset to tables",
        (
            *("errors", "schema", "arguments", "tables", "dataset.layout", "dataset.versions"),
            *("dataset.lock", "dataset.snapshot"),
        ),
    ),
    "dataset.batches": (
        "an export in batches of whole responses",
        (
            *("errors", "schema", "arrow", "tables", "dataset.layout", "dataset.versions"),
            "dataset.snapshot",
        ),
    ),
    "loaders.json_values": ("the JSON vocabulary: kinds, paths, rejects", ("limits",)),
    "loaders.buffers": ("column buffers between decoding and merging", ("schema", "arrow")),
    "loaders.scanner": ("the one door to the native scanner", ("arrow",)),
    "loaders.sources": (
        "paths, globs, URIs, file objects, tables to blocks of bytes",
        ("errors", "limits", "arguments", "arrow"),
    ),
    "loaders.framing": (
        "blocks to framed records with line and offset",
        ("errors", "limits", "loaders.scanner"),
    ),
    "loaders.formats": (
        "parsed records to canonical bodies; one module per wire format",
        ("limits", "arguments", "loaders.json_values"),
    ),
    "loaders.decoding": (
        "framed records to column buffers: native scanner, reference decoder",
        (
            *("limits", "schema", "arrow", "loaders.json_values", "loaders.buffers"),
            *("loaders.scanner", "loaders.framing", "loaders.formats"),
        ),
    ),
    "loaders.merging": (
        "chunks to responses, on whole columns",
        ("schema", "arrow", "loaders.json_values", "loaders.buffers", "loaders.decoding"),
    ),
    "loaders.assembling": (
        "merged columns to the five tables: keys, ranks, statuses",
        (
            *("errors", "schema", "arrow", "tables", "loaders.buffers", "loaders.scanner"),
            *("loaders.framing", "loaders.formats", "loaders.merging"),
        ),
    ),
    "loaders.plan": (
        "each source begins, has blocks or ranges of bytes, and ends",
        ("errors", "limits", "loaders.sources", "loaders.framing"),
    ),
    "loaders.plain_data": ("objects of SDKs and engines to plain data", ("limits",)),
    "loaders.options": (
        "the options of a load, checked once",
        ("errors", "limits", "arguments", "loaders.formats"),
    ),
    "loaders.batches": (
        "sources, one after the other, from bytes to tables",
        (
            *("errors", "limits", "schema", "arrow", "tables"),
            *("loaders.sources", "loaders.framing", "loaders.formats", "loaders.scanner"),
            "loaders.decoding",
            *("loaders.merging", "loaders.assembling", "loaders.plan"),
            *("prefetch", "loaders.options"),
        ),
    ),
    "loaders.session": (
        "one load, its batches and its summary",
        (
            *(*_GROUND, "tables", "dataset.layout"),
            *("loaders.sources", "loaders.scanner", "loaders.options", "loaders.batches"),
            "progress",
        ),
    ),
    "loaders.read": (
        "`read`, `scan`",
        (
            *(*_GROUND, "tables", "dataset.layout", "dataset.read"),
            *("loaders.formats", "loaders.options", "loaders.batches", "loaders.session"),
        ),
    ),
    "dataset.stream": (
        "`arrow_stream`: recordings for engines that read Arrow streams",
        ("schema", "arguments", "loaders.read"),
    ),
    "loaders.objects": (
        "`from_responses`: objects in memory",
        (
            *(*_GROUND, "tables", "loaders.json_values", "loaders.formats", "loaders.decoding"),
            *("loaders.plain_data", "loaders.sources", "loaders.options", "loaders.batches"),
            "loaders.session",
        ),
    ),
    "loaders.raw": (
        "`raw`: the recorded text of a response",
        (
            *("errors", "limits", "arrow", "tables", "loaders.json_values", "loaders.buffers"),
            *("loaders.sources", "loaders.framing", "loaders.decoding", "loaders.merging"),
            *("loaders.options", "loaders.batches"),
        ),
    ),
    "loaders.line_file": ("whole lines to a file that others append to too", ("files",)),
    "loaders.tee": (
        "`tee`: a live stream to a file",
        ("errors", "arguments", "loaders.line_file", "loaders.plain_data"),
    ),
    "loaders.cutting": (
        "large files of JSON lines to parts that can be read apart",
        (
            *("errors", "limits", "loaders.sources", "loaders.framing", "loaders.plan"),
            "prefetch",
        ),
    ),
    "dataset.shards": (
        "sources to shards, the unit of retry",
        (
            *("errors", "limits", "schema", "dataset.layout", "loaders.sources"),
            *("loaders.formats", "loaders.decoding", "loaders.options", "loaders.cutting"),
            "progress",
        ),
    ),
    "dataset.pseudonyms": (
        "tables without texts, tokens under pseudonyms",
        ("schema", "arrow", "tables"),
    ),
    "dataset.shard_files": (
        "one shard to its files, in any process",
        (
            *("schema", "tables", "dataset.parquet_writer", "dataset.write", "dataset.shards"),
            *("dataset.pseudonyms", "loaders.plan", "loaders.session"),
        ),
    ),
    "dataset.shard_folder": (
        "the hidden directory of an export by shards",
        ("dataset.layout",),
    ),
    "dataset.workers": (
        "shards on other processes, each tried again if its process dies",
        ("errors", "dataset.shards"),
    ),
    "dataset.checkpoints": (
        "the shards that an export has finished",
        (
            *("errors", "files", "dataset.layout", "dataset.publish", "dataset.shards"),
            "loaders.sources",
        ),
    ),
    "dataset.appending": (
        "sources added to an earlier export",
        (
            *("errors", "schema", "dataset.layout", "dataset.shards"),
            "loaders.sources",
        ),
    ),
    "dataset.finishing": (
        "ledger, small files and manifest, when all shards are written",
        (
            *("schema", "dataset.layout", "dataset.parquet_writer", "dataset.write"),
            *("dataset.shards", "dataset.appending"),
        ),
    ),
    "dataset.pointer": (
        "the manifest of a dataset in an object store, and its names",
        ("dataset.layout",),
    ),
    "dataset.runs": (
        "a dataset in an object store: its runs, one of them named by the manifest",
        (
            *("errors", "files", "arguments", "dataset.layout", "dataset.pointer"),
            *("dataset.snapshot", "loaders.sources"),
        ),
    ),
    "dataset.store_shards": (
        "shards straight to an object store, and the reports of finished ones",
        (
            *("errors", "schema", "dataset.layout", "dataset.shards", "dataset.shard_files"),
            *("dataset.checkpoints", "dataset.appending", "dataset.finishing"),
            *("dataset.pointer", "dataset.runs", "loaders.sources"),
        ),
    ),
    "dataset.exporting": (
        "`export`: sources to a dataset",
        (
            *(*_GROUND, "dataset.layout", "dataset.publish", "dataset.write", "dataset.shards"),
            *("dataset.shard_files", "dataset.workers", "dataset.checkpoints"),
            *("dataset.pseudonyms", "dataset.runs", "dataset.store_shards", "files"),
            *("dataset.appending", "dataset.finishing", "loaders.formats", "loaders.options"),
            *("loaders.sources", "loaders.session", "progress"),
        ),
    ),
    "dataset.machines": (
        "`plan_export`, `export_shard`, `finish_export`: an export on many machines",
        (
            *(*_GROUND, "dataset.layout", "dataset.publish", "dataset.write", "dataset.shards"),
            *("dataset.shard_files", "dataset.finishing", "dataset.exporting", "dataset.runs"),
            *("dataset.pseudonyms", "dataset.shard_folder", "dataset.store_shards"),
            *("loaders.formats", "loaders.options", "loaders.sources"),
        ),
    ),
    "dataset.store": (
        "`upload_dataset`, `abandon_exports`",
        (
            "errors",
            "arguments",
            "dataset.layout",
            "dataset.pointer",
            "dataset.runs",
            "dataset.shard_folder",
        ),
    ),
    "metrics._arrays": ("array functions under the metrics: NumPy alone", ()),
    "metrics._alignment": (
        "tokens to text and back",
        ("schema", "arrow", "tables", "metrics._arrays"),
    ),
    "metrics": (
        "tables to result DataFrames, one module per metric",
        (*_GROUND, "prefetch", "progress", "tables", "metrics._arrays", "metrics._alignment"),
    ),
    "dataset.opened": (
        "`open_dataset`: metrics of an export, batch by batch",
        (
            *("errors", "arguments", "schema", "dataset.layout", "dataset.snapshot"),
            *("dataset.read", "dataset.batches", "metrics", "progress"),
        ),
    ),
    "plot": (
        "result tables to Axes; computes no statistic",
        (*_GROUND, "tables", "visible_text", "palettes", "metrics"),
    ),
    "view": (
        "token view, card, HTML, terminal",
        (*_GROUND, "files", "tables", "visible_text", "palettes", "metrics"),
    ),
    "view.report": (
        "one page about everything",
        (
            *(*_GROUND, "progress", "files", "tables", "visible_text", "palettes"),
            *("metrics", "plot", "view"),
        ),
    ),
    "cli": (
        "the command `logprobs`; public names only",
        ("errors", "schema", "files", "visible_text", "progress"),
    ),
    "__main__": ("`python -m toolkit`", ("cli",)),
}
# Conveniences that reach upwards, inside a function and nowhere else.
LATE = {
    ("dataset.read", "dataset.runs"),
    ("tables", "dataset.write"),
    ("tables", "view"),
    ("tables", "loaders.raw"),
    ("metrics", "view"),
}
# Packages that stay behind one door.
DOORS = {
    "matplotlib": {"plot"},
    "click": {"cli"},
    "tqdm": {"progress"},
    "duckdb": {"cli"},
    "polars": {"arrow"},
    "toolkit._scan": {"loaders.scanner"},
}
DECLARATIONS = (ast.Import, ast.ImportFrom, ast.Assign, ast.AnnAssign)
MOST_MODULES = 9  # at the top of the package, besides __init__ and __main__


def modules():
    return sorted(path for path in PACKAGE.rglob("*.py") if path.name != "__init__.py")


def packages():
    return sorted(PACKAGE.rglob("__init__.py"))


def name_of(path: Path) -> str:
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(part for part in parts if part != "__init__")


def room_of(module: str) -> str:
    """Return the room of a module, the longest of their names that begins its own."""
    fits = [room for room in ROOMS if module == room or module.startswith(f"{room}.")]
    return max(fits, key=len, default=module)


@cache
def imports(path: Path) -> list[tuple[str, bool]]:
    """Return (module, inside a function) of each import; ``from toolkit import x`` is toolkit.x."""
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
    found = []
    for node in ast.walk(tree):
        if id(node) in typing_only:
            continue
        if isinstance(node, ast.Import):
            for alias in node.names:
                found.append((alias.name, id(node) in inner))
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            folder = PACKAGE.parent.joinpath(*node.module.split("."))
            for alias in node.names:
                is_module = (folder / alias.name).is_dir() or folder.joinpath(
                    f"{alias.name}.py"
                ).is_file()
                is_module |= alias.name == "_scan"
                module = f"{node.module}.{alias.name}" if is_module else node.module
                found.append((module, id(node) in inner))
    return found


@pytest.mark.parametrize("path", modules(), ids=name_of)
def test_a_room_imports_from_those_before_it(path):
    name = name_of(path)
    room = room_of(name)
    assert room in ROOMS, f"{name} is in no room"
    for module, is_late in imports(path):
        if not module.startswith("toolkit.") or module == "toolkit._scan":
            continue
        target = room_of(module.removeprefix("toolkit."))
        allowed = target == room or target in ROOMS[room][1] or (is_late and (room, target) in LATE)
        assert allowed, f"{name} ({room}) imports {module} ({target})"


def test_a_room_comes_after_those_it_imports_from():
    order = list(ROOMS)
    for room, (_, sources) in ROOMS.items():
        for source in sources:
            # The report is a room inside the view, and `read` knows the form of a dataset.
            assert order.index(source) < order.index(room) or source == "view", (room, source)


def test_the_top_floor_is_small():
    top = [path.name for path in PACKAGE.glob("*.py") if not path.name.startswith("__")]
    assert len(top) <= MOST_MODULES, top


@pytest.mark.parametrize("path", packages(), ids=lambda path: name_of(path) or "toolkit")
def test_packages_hold_no_logic(path):
    """A docstring, names of other modules, and the lazy lookup of public names."""
    body = ast.parse(path.read_text()).body
    assert ast.get_docstring(ast.parse(path.read_text())), path
    for node in body[1:]:
        if isinstance(node, ast.FunctionDef):
            assert node.name in ("__getattr__", "__dir__"), f"{path}: {node.name}"
        else:
            is_text = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
            assert is_text or isinstance(node, DECLARATIONS), ast.unparse(node)


def test_formats_never_import_each_other():
    shared = {
        "detect",
        "declared",
        "loose",
        "unread",
        "shape",
        "lookup",
        "refusal",
    }  # what formats are read with
    for path in (PACKAGE / "loaders" / "formats").glob("*.py"):
        if path.stem in shared or path.name == "__init__.py":
            continue
        folder = "toolkit.loaders.formats"
        inside = {module for module, _ in imports(path) if module.startswith(folder)}
        tools = ("body", "token_lists", "choice_lists", "row_ids", "usage", "paths")
        assert inside <= {f"{folder}.{name}" for name in tools}, path


def test_arrays_import_numpy_alone():
    for path in (PACKAGE / "metrics" / "_arrays").glob("*.py"):
        for module, _ in imports(path):
            is_own = module.startswith("toolkit.metrics._arrays")
            top = module.split(".")[0]
            assert is_own or top == "numpy" or top in sys.stdlib_module_names, (path, module)


@pytest.mark.parametrize("package", DOORS)
def test_packages_stay_behind_their_door(package):
    users = {
        room_of(name_of(path))
        for path in modules()
        for module, _ in imports(path)
        if module == package or module.startswith(f"{package}.")
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
