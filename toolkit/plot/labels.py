"""Plot the probabilities of labels, answer by answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import Colormap
from matplotlib.patches import Rectangle

from toolkit import arguments
from toolkit.metrics import label_distribution
from toolkit.palettes import UNKNOWN, readable_on
from toolkit.plot._drawing import Drawing, documented, split_options
from toolkit.plot._style import axis_labels, colour_map, make_legible, row_size, ticks
from toolkit.tables import LogprobTables

_STATED = "#d55e00"  # the frame of the label that the answer states


@documented("the picture", is_alone=True)
def label_heatmap(
    lp: LogprobTables,
    labels: Sequence[str] | Mapping[str, str | Sequence[str]],
    *,
    max_answers: int = 40,
    ax: Axes | None = None,
    title: str | None = None,
    label: str | None = None,
    **kwargs: Any,
) -> Axes:
    """Draw how probable each label was in each answer.

    Parameters
    ----------
    lp : LogprobTables
    labels : sequence of str, or mapping
        As in `toolkit.label_distribution`.
    max_answers : int
        At most this many answers are drawn; the title counts the others.
    **kwargs
        Further options of `toolkit.label_distribution`.

    Returns
    -------
    Axes
        One row per answer, one column per label. The colour and the first number are
        ``probability_lower``; the second number is the upper bound, where it differs. A frame marks
        the label that the answer states. Answers without a known probability are grey.

    Raises
    ------
    ArgumentError
        As `toolkit.label_distribution`, or if `max_answers` is not a positive integer.

    Examples
    --------
    >>> import toolkit
    >>> ax = label_heatmap(toolkit.read("data/sentiment_k20.jsonl"), ["positive", "negative"])
    >>> len(ax.texts)
    40
    """
    max_answers = arguments.whole("max_answers", max_answers)
    options, keywords = split_options(label_distribution, kwargs)
    cmap = keywords.pop("cmap", "cividis")
    drawing = Drawing(ax, title, label, keywords)
    drawing.require_alone("labels of other answers")
    table = label_distribution(lp, labels, **options)
    names = list(dict.fromkeys(table["label"]))
    n = len(table) // max(len(names), 1)
    shown = table.head(max_answers * len(names))
    rows = len(shown) // max(len(names), 1)
    omitted = f"{n - rows:,} more omitted" if n > rows else None
    parts = ["labels", f"{rows:,} answers", omitted]
    ax = drawing.begin(2.8 + 1.3 * len(names), 1.5 + 0.26 * max(rows, 1), parts)
    if not rows:
        return drawing.say("no answers")
    low, high = (
        shown[name].to_numpy(float).reshape(rows, -1)
        for name in ("probability_lower", "probability_upper")
    )
    stated = shown["is_answer"].to_numpy().reshape(rows, -1)
    colours = colour_map(cmap, is_dark=drawing.colours.is_dark).with_extremes(bad=UNKNOWN)
    image = ax.imshow(np.ma.masked_invalid(low), cmap=colours, vmin=0, vmax=1, aspect="auto")
    drawing.main(image)
    ax.grid(False)
    size = row_size(ax, rows, 8)
    for row, column in np.ndindex(low.shape):
        _write_bounds(ax, row, column, low[row, column], high[row, column], colours, size)
        if stated[row, column]:
            ax.add_patch(
                Rectangle((column - 0.47, row - 0.44), 0.94, 0.88, fill=False, ec=_STATED, lw=2)
            )
    ticks(ax.xaxis, names)
    first = shown.iloc[:: len(names)]
    ids = first["custom_id"].astype(object).where(first["custom_id"].notna(), None)
    marks = [each or f"answer {i}" for i, each in enumerate(ids)]
    ticks(ax.yaxis, marks, most=20)
    axis_labels(ax, "probability at least – at most (framed: what the answer states)")
    name = "probability, lower bound" if label is None else label
    bar = ax.figure.colorbar(image, ax=ax, label=name, fraction=0.05, pad=0.03)
    make_legible(bar.ax)
    make_legible(ax)
    return ax


def _write_bounds(
    ax: Axes, row: int, column: int, low: float, high: float, colours: Colormap, size: float
) -> None:
    if np.isnan(low):
        text, ink = "unknown", "black"
    else:
        text = f"{low:.2f}" if high - low < 0.005 else f"{low:.2f} – {high:.2f}"
        ink = readable_on(colours(low)[:3])
    ax.text(column, row, text, ha="center", va="center", color=ink, fontsize=size)
