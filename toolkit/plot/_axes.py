"""What the plots share: axes, selectors, titles."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from toolkit import schema
from toolkit.errors import ArgumentError
from toolkit.tables import LogprobTables, Selector


def new_axes(width: float, height: float) -> Axes:
    """Make a figure with one axes, through pyplot; sizes in inches."""
    from matplotlib import pyplot

    _, ax = pyplot.subplots(figsize=(width, height), layout="constrained")
    return ax


def one_choice(
    lp: LogprobTables, response: Selector, choice: int, channel: str
) -> tuple[LogprobTables, dict[str, Any]]:
    """Return one choice of one response, alone, and the row of its response."""
    if channel not in schema.CHANNELS:
        raise ArgumentError(f"channel={channel!r}; choose one of {schema.CHANNELS}")
    row = lp.choice_row(response, choice)
    key = lp.choices["response_key"][row].as_py()
    index = lp.choices["choice"][row].as_py()
    alone = lp.filter(response_key=key, choice=index)
    return alone, alone.responses.to_pylist()[0]


def title_of(response: dict[str, Any], choice: int, channel: str, sequences: pd.DataFrame) -> str:
    """Say what is shown: model, id, choice, perplexity."""
    parts = [
        response["model"],
        response["custom_id"] or response["response_id"],
        f"choice {choice}" if response["n_choices"] > 1 else None,
        channel if channel != "content" else None,
    ]
    rows = sequences[sequences["channel"] == channel]
    if len(rows) and pd.notna(rows["perplexity"].iloc[0]):
        parts.append(f"perplexity {rows['perplexity'].iloc[0]:.3g}")
    return " · ".join(_printable(part) for part in parts if part)


def _printable(text: str) -> str:
    """Ids and models are data too: nothing but plain characters goes into a title."""
    shown = "".join(c if c.isascii() and c.isprintable() else "\ufffd" for c in text)
    return shown if len(shown) <= 48 else f"{shown[:24]}…{shown[-20:]}"


def picture(draw: Callable[[Axes], object], width: float, height: float) -> bytes:
    """Return what `draw` draws as PNG, without pyplot; sizes in inches.

    The same drawing gives the same bytes.
    """
    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    draw(figure.subplots())
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=110, metadata={"Software": None})
    return buffer.getvalue()
