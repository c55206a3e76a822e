"""What else could have stood at one position."""

from __future__ import annotations

import math

import numpy as np
from matplotlib.axes import Axes

from toolkit.errors import ArgumentError
from toolkit.metrics import token_metrics
from toolkit.plot._axes import new_axes, one_choice
from toolkit.plot._style import DARK, LIGHT, bare, say, ticks, title
from toolkit.tables import LogprobTables, Selector
from toolkit.visible_text import plain, spelled, spelled_token, token_texts

_BEFORE = 40  # characters of the text in front


def alternatives(
    lp: LogprobTables,
    *,
    response: Selector = 0,
    choice: int = 0,
    channel: str = "content",
    position: int = 0,
    ax: Axes | None = None,
) -> Axes:
    """Draw the probabilities of the tokens that could have stood at one position.

    Parameters
    ----------
    lp : LogprobTables
    response : int or str
        Row number, ``response_id`` or ``custom_id``.
    choice : int
        Index of the choice, as sent.
    channel : {"content", "refusal", "reasoning"}
    position : int
        Of the token, from 0 on.
    ax : Axes, optional
        Where to draw. Default: a new figure.

    Returns
    -------
    Axes
        One bar per usable alternative, the likeliest on top; the sampled token is dark and marked
        ``▸``. The hatched bar is the probability of all that is not listed.

    Raises
    ------
    SelectionError
        If there is no such response or choice.
    ArgumentError
        If the answer has no such position, or `channel` is none of the choices.

    Examples
    --------
    >>> import toolkit
    >>> ax = alternatives(toolkit.read("data/pairs_whole.jsonl"), response=0)
    >>> bool(0 < sum(bar.get_width() for bar in ax.patches) <= 1.000001)
    True
    """
    alone, _ = one_choice(lp, response, choice, channel)
    metrics = token_metrics(alone)
    mine = np.flatnonzero(metrics["channel"] == channel)
    is_number = isinstance(position, int | np.integer) and not isinstance(position, bool)
    if not is_number or not 0 <= position < len(mine):
        raise ArgumentError(
            f"position={position!r}; the answer has {len(mine)} tokens of {channel}"
        )
    row = int(mine[position])
    counts = alone.tokens["n_alternatives"].to_numpy()
    start = int(counts[:row].sum())
    entries = alone.alternatives.slice(start, int(counts[row])).to_pylist()
    entries = [entry for entry in entries if entry["status"] == "ok"]
    entries.sort(key=lambda entry: entry["rank"])
    sent = alone.tokens.slice(int(mine[0]), position + 1).select(["token", "bytes"]).to_pylist()
    texts = list(token_texts((token["token"], token["bytes"]) for token in sent))
    bars = [
        (
            spelled_token(entry["token"], entry["bytes"], 24),
            math.exp(min(entry["logprob"], 0.0)),
            entry["is_sampled"],
        )
        for entry in entries
    ]
    own = metrics["probability"].iloc[row]
    if not any(is_sampled for _, _, is_sampled in bars) and not math.isnan(own):
        bars.append((spelled(*texts[-1]), float(own), True))
    missing = metrics["missing_mass"].iloc[row]
    height = 1.3 + 0.3 * (len(bars) + 1)
    ax = ax if ax is not None else new_axes(7, height)
    before = plain("".join(text for text, _ in texts[:-1])[-_BEFORE:], _BEFORE)
    title(ax, [f"position {position}", f"after “{before}”" if before else "at the beginning"])
    if not bars:
        return say(ax, "no usable alternatives")
    _draw(ax, bars, missing)
    return ax


def _draw(ax: Axes, bars: list[tuple[str, float, bool]], missing: float) -> None:
    for row, (_, p, is_sampled) in enumerate(bars):
        ax.barh(row, p, 0.7, color=DARK if is_sampled else LIGHT)
    names = [f"▸ {name}" if is_sampled else name for name, _, is_sampled in bars]
    values = [p for _, p, _ in bars]
    if not math.isnan(missing) and missing > 0:
        ax.barh(len(bars), missing, 0.7, color="white", edgecolor=LIGHT, hatch="////", lw=0.8)
        names.append("not listed")
        values.append(missing)
    for row, p in enumerate(values):
        ax.text(p + 0.01, row, f"{p:.3f}", va="center", fontsize=9)
    ticks(ax.yaxis, range(len(names)), names)
    ax.invert_yaxis()
    ax.set_xlim(0, max(1.0, max(values)) * 1.09)
    ax.set_xticks([0, 0.25, 0.5, 0.75, 1])
    ax.set_xlabel("probability  (▸ sampled; hatched: of all tokens that are not listed)")
    bare(ax)
