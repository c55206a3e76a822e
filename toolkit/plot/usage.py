"""Plot token usage over time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib import dates
from matplotlib.axes import Axes

from toolkit import arguments
from toolkit.metrics import usage_over_time as table_of
from toolkit.metrics._prices import Price
from toolkit.metrics.usage_distributions import span_of
from toolkit.plot._drawing import Drawing, documented
from toolkit.plot._style import MOST_SERIES, STROKES
from toolkit.tables import LogprobTables


@documented("the lines")
def usage_over_time(
    lp: LogprobTables,
    *,
    span: str | None = None,
    by: str | None = None,
    prices: Mapping[str, Price] | str | None = None,
    ax: Axes | None = None,
    title: str | None = None,
    label: str | None = None,
    **kwargs: Any,
) -> Axes:
    """Draw how many tokens were used in each span of time, or what they cost.

    Parameters
    ----------
    lp : LogprobTables
    span : str, optional
        As in `toolkit.usage_over_time`: ``"10s"``, ``"1min"``, ``"1h"``, ``"1D"``. Default: picked.
    by : str, optional
        A column of responses to group by, such as ``"model"``; at most six groups. Prompt and
        completion tokens are drawn together then.
    prices : mapping or "genai-prices", optional
        As in `toolkit.usage`. The cost is drawn instead of the tokens, in the currency of the
        prices; the title names the models without a price.

    Returns
    -------
    Axes
        Steps of prompt and completion tokens, or of each group; time in UTC; a gap where no
        response of a span reports usage.

    Raises
    ------
    ArgumentError
        As `toolkit.usage_over_time`, or if there are more than six groups.

    See Also
    --------
    toolkit.usage_over_time : the table that is drawn.

    Examples
    --------
    >>> import toolkit
    >>> ax = usage_over_time(toolkit.read("data/capitals_batch.jsonl"), span="1s")
    >>> [line.get_label() for line in ax.lines]
    ['prompt tokens', 'completion tokens']
    """
    drawing = Drawing(ax, title, label, kwargs)
    by = by if by is None else arguments.text("by", by, "the name of one column")
    table = table_of(lp, span=span, by=by, prices=prices)
    span = span_of(lp, span)
    n = int(table["n_responses"].sum())
    what = "tokens used" if prices is None else "cost"
    unpriced = sorted({model for models in table["unpriced_models"] for model in models})
    parts = [f"{what} per {span}", f"{n:,} responses with a time"]
    parts += [f"no price: {', '.join(unpriced)}"] if unpriced else []
    ax = drawing.begin(9, 3.4, parts)
    if not n:
        return drawing.say("no response has a time")
    names = ["prompt_tokens", "completion_tokens"] if by is None else ["total_tokens"]
    series = _series(table, by, names if prices is None else ["cost"])
    length = pd.Timedelta(pd.tseries.frequencies.to_offset(span)).to_timedelta64()
    for number, (group, rows, name) in enumerate(series):
        starts = rows["start"].dt.tz_localize(None).to_numpy()
        values = rows[name].to_numpy(float, na_value=np.nan)
        silent = np.isnan(values) & (rows["n_responses"].to_numpy() > 0)
        values = np.where(np.isnan(values) & ~silent, 0.0, values)
        line = ax.plot(
            np.append(starts, starts[-1] + length), np.append(values, values[-1]),
            drawstyle="steps-post", color=drawing.series(number), lw=1.6,
            ls=STROKES[drawing.place(number)],
            label=drawing.name(series=group if label is None or len(series) > 1 else None),
        )  # fmt: skip
        drawing.main(line, number)
    _time_axis(ax)
    ax.set_ylabel("tokens" if prices is None else "cost, in the currency of the prices")
    ax.yaxis.set_major_formatter("{x:,.0f}" if prices is None else "{x:,.3g}")
    return drawing.end()


def _series(
    table: pd.DataFrame, by: str | None, names: list[str]
) -> list[tuple[str, pd.DataFrame, str]]:
    """Return the label, the rows and the column of each line."""
    if by is None:
        return [(name.replace("_", " "), table, name) for name in names]
    grouped = table.groupby(by, dropna=False, observed=True, sort=True)
    groups = list(iter(grouped))  # without iter, list asks for its length: an error in pandas 2.2.0
    if len(groups) > MOST_SERIES:
        expected = f"a column of at most {MOST_SERIES} values"
        raise arguments.invalid("by", by, f"{expected}, it has {len(groups)} values; filter first")
    names_of = {key: "null" if pd.isna(key) else str(key) for key, _ in groups}
    return [(names_of[key], rows, name) for key, rows in groups for name in names]


def _time_axis(ax: Axes) -> None:
    """Label the x axis with times, and begin the y axis at 0."""
    ax.set_ylim(bottom=0, auto=None)  # grows with later drawings
    ax.set_xlabel("time (UTC)", loc="left")  # the axis writes the date on the right
    locator = dates.AutoDateLocator(minticks=3, maxticks=8)  # with 5, none fits 4 days
    ax.xaxis.set_major_locator(locator)
    ax.xaxis.set_major_formatter(dates.ConciseDateFormatter(locator))
