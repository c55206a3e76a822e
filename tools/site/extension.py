"""Sphinx extension: fill the pages in ``docs/`` with what the rest of the project declares.

A line ``% made: NAME`` in a page is replaced by the Markdown that `MADE` gives for that name.
"""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

from tools.site import commands, dictionary, markdown, notebooks, pictures

MADE = {
    "changes": lambda: markdown.whole("CHANGELOG.md"),
    "codes": dictionary.codes,
    "commands": commands.commands,
    "formats": lambda: markdown.whole("data/FORMATS.md"),
    "line": lambda: markdown.section("CONTRIBUTING.md", "What happens to a line"),
    "result tables": dictionary.result_tables,
    "rooms": lambda: markdown.section("CONTRIBUTING.md", "Where things are"),
    "stored tables": dictionary.stored_tables,
}
_MARK = re.compile(r"^% made: (.+)$", re.MULTILINE)


def setup(app: Any) -> dict[str, bool]:
    """Connect to the events of a build."""
    app.connect("config-inited", _write_pages)
    app.connect("source-read", _fill)
    pictures.setup(app)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def _write_pages(app: Any, _: Any) -> None:
    """Write the pages that are made whole, after removing those of an earlier build."""
    folder = Path(app.srcdir) / "made"
    shutil.rmtree(folder, ignore_errors=True)
    notebooks.write_pages(markdown.ROOT / "notebooks", folder / "notebooks")


def _fill(_: Any, name: str, source: list[str]) -> None:
    source[0] = _MARK.sub(lambda mark: MADE[mark[1]](), source[0])
