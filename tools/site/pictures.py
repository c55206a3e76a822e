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
from toolkit.plot._axes import dark_page
from tools.site.markdown import ROOT

THEMES: dict[str, dict[Any, Any]] = {  # by the theme's ground, unless the code sets another
    "light": {},
    "dark": dark_page("#14181e") | {"savefig.facecolor": "auto"},
}


class Plot(SphinxDirective):
    """Draw the figure of a block of code, once for light pages and once for dark ones.

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
        images = []
        for theme, settings in THEMES.items():
            path = Path("made", "plots", f"{page}_{number:02d}_{theme}.png")
            (Path(self.env.srcdir) / path).parent.mkdir(parents=True, exist_ok=True)
            draw(code, scope, Path(self.env.srcdir) / path, settings)
            classes = ["plot", f"only-{theme}"]  # the theme hides the other one
            image = nodes.image(uri=f"/{path.as_posix()}", alt=self.options["alt"], classes=classes)
            image["loading"] = "lazy"
            images.append(image)
        block = nodes.literal_block(code, code, language="python")
        self.set_source_info(block)
        return [*images, block]


def draw(code: str, scope: dict[str, Any], path: Path, settings: dict[Any, Any]) -> None:
    """Run code with settings of matplotlib and save the only figure that it draws."""
    import matplotlib as mpl
    from matplotlib import pyplot as plt

    plt.close("all")
    with chdir(ROOT), mpl.rc_context(settings):
        exec(compile(code, "a plot of the site", "exec"), scope)
        (number,) = plt.get_fignums()
        plt.figure(number).savefig(path, dpi=144, bbox_inches="tight", metadata={"Software": None})
    plt.close("all")


def setup(app: Any) -> None:
    """Register the directive; figures are drawn without a screen."""
    import matplotlib as mpl

    mpl.use("Agg")
    app.add_directive("plot", Plot)
