"""Write frames as tables of HTML."""

from __future__ import annotations

import numbers
from typing import Any

import pandas as pd

from toolkit.view.html import safe
from toolkit.visible_text import plain


def table_html(frame: pd.DataFrame, columns: dict[str, str], label: str) -> str:
    """Write some columns of a frame; columns without a value are omitted."""
    names = [name for name in columns if name in frame and frame[name].notna().any()]
    sides = {
        name: "n" if pd.api.types.is_numeric_dtype(frame[name].dtype) else "t" for name in names
    }
    head = "".join(
        f'<th scope="col" class="{sides[name]}">{safe(columns[name])}</th>' for name in names
    )
    rows = []
    for values in frame[names].itertuples(index=False):
        cells = (
            f'<td class="{sides[name]}">{cell_html(value)}</td>'
            for name, value in zip(names, values, strict=True)
        )
        rows.append(f"<tr>{''.join(cells)}</tr>")
    return scrolled(head, "".join(rows), label)


def cell_html(value: Any) -> str:
    """Write one value; null is a dash."""
    if value is None or value is pd.NA or value != value:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, numbers.Integral):
        return f"{value:,}"
    if isinstance(value, numbers.Real):
        return f"{value:.4g}"
    return safe(plain(str(value), 200))


def scrolled(head: str, body: str, label: str) -> str:
    """Write a table in a region that scrolls by itself where the page is too narrow."""
    table = f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
    return f'<div class="scroll" role="region" aria-label="{label}" tabindex="0">{table}</div>'
