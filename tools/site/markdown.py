"""Take texts from other Markdown files of the project, with links that hold on the site."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGES = {
    "CHANGELOG.md": "changes.md",
    "CONTRIBUTING.md": "design.md",
    "data/FORMATS.md": "formats.md",
}
"""Pages of the site (in ``docs/``) that show files of the project."""
_LINK = re.compile(r"(?<!!)\[((?:[^\[\]]|\[[^\[\]]*\])*)\]\(([^)\s]+)\)")


def whole(name: str) -> str:
    """Return a file without its title."""
    text = (ROOT / name).read_text("utf-8")
    return linked(text.partition("\n")[2], (ROOT / name).parent)


def section(name: str, title: str) -> str:
    """Return a section of the second level, without its title."""
    text = (ROOT / name).read_text("utf-8")
    found = re.search(rf"^## {re.escape(title)}\n(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL)
    if not found:
        raise LookupError(f"{name} has no section {title!r}")
    return linked(found[1], (ROOT / name).parent)


def linked(text: str, folder: Path) -> str:
    """Make links to files of the project lead to their pages; those without a page become text."""

    def replace(link: re.Match[str]) -> str:
        label, target = link.groups()
        if "://" in target or target.startswith("#"):
            return link[0]
        path, _, anchor = target.partition("#")
        place = (folder / path).resolve()
        name = place.relative_to(ROOT).as_posix() if place.is_relative_to(ROOT) else ""
        if name in PAGES:
            return f"[{label}](/{PAGES[name]}{'#' * bool(anchor)}{anchor})"
        if name.startswith("docs/"):
            return f"[{label}](/{name.removeprefix('docs/')}{'#' * bool(anchor)}{anchor})"
        return label

    return _LINK.sub(replace, text)
