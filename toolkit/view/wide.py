"""Write a result of many columns and few rows as one HTML table, a line for each score."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from toolkit import schema
from toolkit.view.html import safe
from toolkit.visible_text import plain

if TYPE_CHECKING:
    import pandas as pd

_NULL_RULE = re.compile("(; n|N)ull: .*|; null .*")  # such a line has a value
MOST_ROWS = 6
"""Above this, a result is shown as any other DataFrame."""
_BETTER = {  # which end of a score is good, where that is not about certainty
    "higher": "accuracy accuracy_at_coverage auroc auroc_within_length auprc auprc_errors prr "
    "brier_resolution same_text_share share_with_logprobs",
    "lower": "ece ece_if_calibrated ace mce smooth_ece brier brier_reliability log_loss aurc eaurc "
    "n_certain_wrong n_wrong n_missing n_errors flip_rate",
    "nearer to 0": "gap delta_nll delta_nll_pooled length_correlation",
}
_GOOD_END = {name: end for end, names in _BETTER.items() for name in names.split()}


def wide_html(frame: pd.DataFrame, table: schema.Table) -> str:
    """Return a result as a table of names, values with intervals, units, directions and meanings.

    Scores that are null in every row are omitted; columns that are not declared, those of ``by=``,
    are the heads of the values.
    """
    keys = [name for name in frame.columns if name not in table.names]
    rows = frame.to_dict("records")
    heads = [" · ".join(_text(row[key]) for key in keys) or "value" for row in rows]
    lines = [_row("th", ["", *heads, "unit", "better", "meaning"])]
    for title, columns in _groups(table, frame):
        own = [line for column in columns for line in _line(column, rows, table)]
        if own:
            lines += [f'<tr><th colspan="{len(heads) + 4}">{title}</th></tr>', *own]
    return f'<table border="1" class="dataframe"><tbody>{"".join(lines)}</tbody></table>'


def _groups(table: schema.Table, frame: pd.DataFrame) -> Iterator[tuple[str, list[schema.Column]]]:
    """Yield the columns that are in the frame: counts, then scores, then the rest."""
    listed: dict[str, list[schema.Column]] = {"counts": [], "scores": [], "notes": []}
    for column in table.columns:
        if column.name in frame.columns:
            kind = "scores" if column.formula else "counts" if column.unit else "notes"
            listed[kind].append(column)
    yield from listed.items()


def _line(column: schema.Column, rows: list[dict[str, Any]], table: schema.Table) -> Iterator[str]:
    """Yield the line of a column; the ends of an interval are beside their score."""
    stem, _, end = column.name.rpartition("_")
    if end in ("lower", "upper") and stem in table.names:
        return
    name = column.name
    cells = [_value(row[name], row.get(f"{name}_lower"), row.get(f"{name}_upper")) for row in rows]
    if any(cell != "–" for cell in cells):
        end = _GOOD_END.get(name) or (
            f"{column.direction}: more certain" if column.direction else ""
        )
        unit = "" if column.unit == "1" else column.unit
        meaning = _NULL_RULE.sub("", column.doc.partition(". ")[0].rstrip("."))
        yield _row("td", [f"<b>{name}</b>", *cells, unit, end, safe(meaning)])


def _row(tag: str, cells: list[str]) -> str:
    made = (f'<{tag} style="text-align:left">{cell}</{tag}>' for cell in cells)
    return f"<tr>{''.join(made)}</tr>"


def _value(value: Any, low: Any = None, high: Any = None) -> str:
    """Write a value, rounded, with its interval if there is one; null is a dash."""
    if isinstance(value, dict):
        ends = (low or {}), (high or {})
        cells = (
            f"{_text(key)}: {_value(each, *(end.get(key) for end in ends))}"
            for key, each in value.items()
        )
        return "<br>".join(cells) or "–"
    if isinstance(value, list):
        return ", ".join(map(_text, value)) or "–"
    interval = "" if _is_null(low) or _is_null(high) else f" [{_number(low)}, {_number(high)}]"
    return _text(value) + interval


def _is_null(value: Any) -> bool:
    # NaN differs from itself, and NA is neither true nor false.
    return value is None or (value != value) is not False


def _text(value: Any) -> str:
    if isinstance(value, str):
        return safe(plain(value))
    return "–" if _is_null(value) else _number(value)


def _number(value: Any) -> str:
    """Round a number to three digits; a whole number keeps all of them."""
    if isinstance(value, int) or (isinstance(value, float) and abs(value) >= 1000):
        return f"{value:,.0f}"
    return f"{value:.3g}" if isinstance(value, float) else safe(plain(str(value)))
