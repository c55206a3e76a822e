"""Directive ``plot``: run a block of code, and show the figure that it draws above the code."""

from __future__ import annotations

import re
from contextlib import chdir
from pathlib import Path
from typing import Any, ClassVar

import pandas
from docutils import nodes
from docutils.parsers.rst import directives
from sphinx.util.docutils import SphinxDirective

import toolkit
from tools.site.markdown import ROOT


class Plot(SphinxDirective):
    """Draw the figure of a block of code.

    The code runs in the root of the project, with the names that earlier blocks of the page made.
    """

    has_content = True
    option_spec: ClassVar = {"alt": directives.unchanged_required}

    def run(self) -> list[nodes.Node]:
        """Return the picture and its code."""
        code = "\n".join(self.content)
        scope = self.env.temp_data.setdefault("plot_scope", {"pandas": pandas, "toolkit": toolkit})
        number = self.env.temp_data["plot_number"] = self.env.temp_data.get("plot_number", 0) + 1
        page = re.sub(r"\W", "_", self.env.docname)
        path = Path("made", "plots", f"{page}_{number:02d}.png")
        (Path(self.env.srcdir) / path).parent.mkdir(parents=True, exist_ok=True)
        draw(code, scope, Path(self.env.srcdir) / path)
        image = nodes.image(uri=f"/{path.as_posix()}", alt=self.options["alt"], classes=["plot"])
        image["loading"] = "lazy"
        block = nodes.literal_block(code, code, language="python")
        self.set_source_info(block)
        return [image, block]


def draw(code: str, scope: dict[str, Any], path: Path) -> None:
    """Run code and save the only figure that it draws."""
    from matplotlib import pyplot as plt

    plt.close("all")
    with chdir(ROOT):
        exec(compile(code, "a plot of the site", "exec"), scope)
    (number,) = plt.get_fignums()
    plt.figure(number).savefig(path, dpi=144, bbox_inches="tight", metadata={"Software": None})
    plt.close("all")


def setup(app: Any) -> None:
    """Register the directive; figures are drawn without a screen."""
    import matplotlib as mpl

    mpl.use("Agg")
    app.add_directive("plot", Plot)
