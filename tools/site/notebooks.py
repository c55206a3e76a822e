"""Turn the notebooks into pages, with the outputs that they carry; nothing is executed."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

from tools.site.markdown import linked


def write_pages(notebooks: Path, folder: Path) -> None:
    """Write each notebook as a Markdown page, and its pictures beside it."""
    folder.mkdir(parents=True)
    for path in sorted(notebooks.glob("*.ipynb")):
        cells = json.loads(path.read_text("utf-8"))["cells"]
        parts = [
            linked("".join(cell["source"]), notebooks)
            if cell["cell_type"] == "markdown"
            else _code(cell, f"{path.stem}_{number:02d}", folder)
            for number, cell in enumerate(cells)
        ]
        (folder / f"{path.stem}.md").write_text("\n\n".join(parts) + "\n", "utf-8")


def _code(cell: dict[str, Any], name: str, folder: Path) -> str:
    outputs = [_output(each, name, folder) for each in cell["outputs"]]
    return "\n\n".join([_fenced("python", "".join(cell["source"])), *outputs])


def _output(output: dict[str, Any], name: str, folder: Path) -> str:
    """Return an output of a cell in the richest form that it has."""
    data = output.get("data", {})
    if "image/png" in data:
        (folder / f"{name}.png").write_bytes(base64.b64decode("".join(data["image/png"])))
        return f"![Plot made by the code above]({name}.png)"
    if "text/html" in data:
        html = "".join(data["text/html"])
        return _fenced("{raw} html", f'<div class="rich-output">{html}</div>')
    return _fenced("output", "".join(output.get("text") or data["text/plain"]).rstrip("\n"))


def _fenced(kind: str, text: str) -> str:
    """Return a fenced block whose fence is longer than any in the text."""
    fence = "```"
    while fence in text:
        fence += "`"
    return f"{fence}{kind}\n{text}\n{fence}"
