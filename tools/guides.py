"""Run the code of the site's pages and keep its output: ``python -m tools.guides [PAGE ...]``.

A page is Markdown in ``docs/``. Blocks marked ``python`` and ``sh`` run in order, in one folder
that has ``data/``. What a block prints, its warnings, and (as in a notebook) the value of its last
expression are kept in the block marked ``output`` after it. A page whose first lines say ``needs:
NAME, ...`` runs only where these programs and packages are installed.
"""

from __future__ import annotations

import ast
import importlib.util
import io
import os
import re
import shutil
import subprocess
import sys
import tempfile
import warnings
from contextlib import chdir, redirect_stdout
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
PAGES = sorted([*DOCS.glob("*.md"), *DOCS.glob("guides/*.md")])
_BLOCK = re.compile(
    r"^```(?P<kind>python|sh)\n(?P<code>.*?)^```\n(?:\n```output\n.*?^```\n)?",
    re.MULTILINE | re.DOTALL,
)
_NEEDS = re.compile(r"\A---\n(?:.*\n)*?needs: (.*)\n")


def missing(text: str) -> list[str]:
    """Return the programs and packages that a page needs and that are not installed."""
    found = _NEEDS.match(text)
    names = found[1].split(", ") if found else []
    return [name for name in names if not (shutil.which(name) or importlib.util.find_spec(name))]


def executed(text: str, folder: Path) -> str:
    """Return a page with the outputs that its code has now; an exception ends the run."""
    scope: dict[str, Any] = {"__name__": "__main__"}

    def replace(block: re.Match[str]) -> str:
        kind, code = block["kind"], block["code"]
        output = _python(code, scope) if kind == "python" else _shell(code)
        kept = f"\n```output\n{output.rstrip()}\n```\n" if output.strip() else ""
        return f"```{kind}\n{code}```\n{kept}"

    (folder / "data").symlink_to(ROOT / "data")
    with chdir(folder):
        return _BLOCK.sub(replace, text)


def _python(code: str, scope: dict[str, Any]) -> str:
    """Run Python and return what it prints, with its warnings and its last value."""
    tree = ast.parse(code)
    last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
    printed = io.StringIO()
    with redirect_stdout(printed), warnings.catch_warnings(action="always"):
        warnings.showwarning = _show_warning
        exec(compile(tree, "<page>", "exec"), scope)
        if isinstance(last, ast.Expr):
            value = eval(compile(ast.Expression(last.value), "<page>", "eval"), scope)
            if value is not None:
                print(repr(value))
    return _bare(printed.getvalue())


def _show_warning(message: Warning | str, category: type[Warning], *_: Any, **__: Any) -> None:
    print(f"{category.__name__}: {message}")


def _shell(code: str) -> str:
    """Run lines of shell and return what they print, on stderr too."""
    programs = Path(sys.executable).parent
    environment = os.environ | {
        "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
        "COLUMNS": "88",
        "NO_COLOR": "1",
    }
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", code],
        env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        raise RuntimeError(f"exit code {done.returncode}:\n{code}\n{done.stdout}")
    return _bare(done.stdout)


def _bare(text: str) -> str:
    """Remove blanks at the ends of lines, which editors remove too."""
    return re.sub(r"[ \t]+$", "", text, flags=re.MULTILINE)


def main(names: list[str]) -> None:
    """Run and save the pages with these names, or all."""
    for path in PAGES:
        if names and path.stem not in names:
            continue
        text = path.read_text("utf-8")
        if lacking := missing(text):
            print(f"{path.relative_to(ROOT)}: not run without {', '.join(lacking)}")
            continue
        with tempfile.TemporaryDirectory() as folder:
            path.write_text(executed(text, Path(folder)), "utf-8")
        print(path.relative_to(ROOT))


if __name__ == "__main__":
    main(sys.argv[1:])
