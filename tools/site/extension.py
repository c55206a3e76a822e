"""Sphinx extension: fill the pages in ``docs/`` with what the rest of the project declares.

A line ``% made: NAME`` in a page is replaced by the Markdown that `MADE` gives for that name.
"""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

from sphinx.util.nodes import make_refnode

from toolkit import schema
from tools.site import catalogue, commands, dictionary, markdown, notebooks, pictures

MADE = {
    "catalogue": catalogue.catalogue,
    "changes": lambda: markdown.whole("CHANGELOG.md"),
    "codes": dictionary.codes,
    "commands": commands.commands,
    "formats": lambda: markdown.whole("data/FORMATS.md"),
    "line": lambda: markdown.section("CONTRIBUTING.md", "What happens to a line"),
    "rooms": lambda: markdown.section("CONTRIBUTING.md", "Where things are"),
    "stored tables": dictionary.stored_tables,
}
RESULTS = {table.name for table in schema.RESULTS}
_MARK = re.compile(r"^% made: (.+)$", re.MULTILINE)


def setup(app: Any) -> dict[str, bool]:
    """Connect to the events of a build."""
    app.connect("config-inited", _write_pages)
    app.connect("env-get-outdated", _outdated)
    app.connect("source-read", _fill)
    app.connect("missing-reference", _by_last_name)
    app.connect("autodoc-process-docstring", _link_columns)
    pictures.setup(app)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def _write_pages(app: Any, _: Any) -> None:
    """Write the pages that are made whole, after removing those of an earlier build."""
    folder = Path(app.srcdir) / "made"
    shutil.rmtree(folder, ignore_errors=True)
    notebooks.write_pages(markdown.ROOT / "notebooks", folder / "notebooks")


def _outdated(_: Any, env: Any, *__: Any) -> list[str]:
    """Return the pages to make again in every build, because they depend on other files."""
    return [name for name in env.found_docs if not name.startswith("made/api/")]


def _fill(_: Any, name: str, source: list[str]) -> None:
    source[0] = _MARK.sub(lambda mark: MADE[mark[1]](), source[0])


def _link_columns(_: Any, kind: str, name: str, __: Any, ___: Any, lines: list[str]) -> None:
    """Add a link from a function to the columns of the table that it returns."""
    home, _, last = name.rpartition(".")
    if kind == "function" and home in ("toolkit", "toolkit.metrics") and last in RESULTS:
        lines += [
            "",
            ".. rubric:: Columns",
            "",
            f":ref:`Formula, unit and source of each <{last}-table>`",
        ]


def _by_last_name(app: Any, env: Any, node: Any, content: Any) -> Any:
    """Resolve the name of a public object without its module, as docstrings write it."""
    if node.get("reftype") != "obj":
        return None
    python = env.get_domain("py")
    last = node["reftarget"].rpartition(".")[2]
    found = [name for name in python.objects if name.rpartition(".")[2] == last]
    if len(found) != 1:
        return None
    place = python.objects[found[0]]
    return make_refnode(app.builder, node["refdoc"], place.docname, place.node_id, [content])
