"""Run the notebooks from top to bottom and keep their outputs: ``python -m tools.notebooks``.

A file changes only where an output does: cells are numbered from 1, ids are fixed, and times and
paths of this machine are removed.
"""

import os
import sys
from importlib.metadata import version
from pathlib import Path

import nbformat
from nbclient import NotebookClient

ROOT = Path(__file__).resolve().parents[1]
MADE_WITH = ROOT / "notebooks" / "MADE_WITH"


def versions() -> str:
    """Return the versions of the packages on which outputs of notebooks and guides depend."""
    return "".join(
        f"{name} {'.'.join(version(name).split('.')[:2])}\n"
        for name in ("numpy", "pandas", "pyarrow", "duckdb", "polars")
    )


def execute(path: Path, folder: Path) -> nbformat.NotebookNode:
    """Return the notebook, executed in a folder that has ``../data``."""
    notebook = nbformat.read(path, as_version=4)
    client = NotebookClient(
        notebook,
        timeout=300,
        kernel_name="python3",
        resources={"metadata": {"path": os.fspath(folder)}},
    )
    client.execute()  # raises at the first cell that fails
    return notebook


def clean(notebook: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """Remove everything that changes from run to run."""
    notebook.metadata = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    for number, cell in enumerate(notebook.cells):
        cell.id = f"cell-{number:02d}"
        cell.metadata = {}
        for output in cell.get("outputs", []):
            output.get("metadata", {}).clear()
    return notebook


def main(names: list[str]) -> None:
    """Run and save the notebooks with these names, or all."""
    os.environ["MPLBACKEND"] = "module://matplotlib_inline.backend_inline"
    os.environ["TQDM_DISABLE"] = "1"  # a progress bar is not part of the output
    for path in sorted((ROOT / "notebooks").glob("*.ipynb")):
        if not names or path.stem in names:
            nbformat.write(clean(execute(path, path.parent)), path)
            print(path.relative_to(ROOT))
    MADE_WITH.write_text(versions())


if __name__ == "__main__":
    main(sys.argv[1:])
