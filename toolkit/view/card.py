"""The summary card that a notebook shows for a load."""

from __future__ import annotations

from typing import TYPE_CHECKING

from toolkit.metrics import ecdf, token_histogram, usage
from toolkit.view.html import safe, style_sheet
from toolkit.visible_text import plain

if TYPE_CHECKING:
    import pandas as pd

    from toolkit.tables import LogprobTables

MOST_ALTERNATIVES = 5_000_000
"""Larger loads are counted, not measured: a card has to be there at once."""
_MODELS, _BINS = 5, 20
_NEXT = (
    ("toolkit.show(lp)", "the text of an answer, coloured"),
    ("toolkit.sequence_metrics(lp)", "one row per answer: perplexity, weakest link"),
    ("toolkit.check(lp)", "what is odd in it, and what that means"),
    ('lp.to_pandas("tokens")', "any table as a DataFrame"),
)


def summary_card(lp: LogprobTables) -> str:
    """Return what a notebook shows for `lp`: an element and its style, without a script."""
    facts = "".join(f"<dt>{name}</dt><dd>{text}</dd>" for name, text in facts_of(lp).items())
    steps = "".join(f"<dt><code>{safe(code)}</code></dt><dd>{says}</dd>" for code, says in _NEXT)
    return (
        f'<style>{style_sheet()}</style><div class="lp"><div class="lp-title">LogprobTables</div>'
        f'<dl class="lp-facts">{facts}</dl><div class="lp-name">how to go on</div>'
        f'<dl class="lp-facts">{steps}</dl></div>'
    )


def facts_of(lp: LogprobTables) -> dict[str, str]:
    """Return what is to say of a load, by name, as HTML."""
    counts = usage(lp).iloc[0]
    kinds = lp.responses["kind"].to_pylist()
    n = len(lp)
    made_of = f"{n:,} ({kinds.count('completion'):,} whole, {kinds.count('stream'):,} streamed)"
    facts = {
        "responses": made_of,
        "tables": " · ".join(
            f"{lp[name].num_rows:,} {name}" for name in ("choices", "tokens", "alternatives")
        ),
    }
    models = lp.responses["model"].value_counts().to_pylist()
    models.sort(key=lambda each: -each["counts"])
    named = [f"{safe(plain(m['values'] or 'none'))} {m['counts']:,}" for m in models[:_MODELS]]
    more = [f"{len(models) - _MODELS:,} more"] if len(models) > _MODELS else []
    facts["models"] = " · ".join([*named, *more]) or "none"
    if n:
        with_ = round(n * counts["share_with_logprobs"])
        facts["logprobs"] = f"in {with_:,} of {n:,} responses"
    if lp.rejects.num_rows:
        reasons = lp.rejects["reason"].value_counts().to_pylist()
        listed = ", ".join(f"{r['counts']:,} {r['values']}" for r in reasons)
        facts["rejected"] = f"{lp.rejects.num_rows:,} records: {listed}; see lp.rejects"
    if lp.tokens.num_rows and lp.alternatives.num_rows <= MOST_ALTERNATIVES:
        facts |= _measured(lp)
    return facts


def _measured(lp: LogprobTables) -> dict[str, str]:
    facts = {}
    spread = ecdf(lp)
    if len(spread):
        middle = spread.loc[spread["share"] >= 0.5, "value"].iloc[0]
        n = int(spread["n"].iloc[0])
        facts["perplexity"] = f"{middle:.3g} in the median of {n:,} answers (lower: more certain)"
    histogram = token_histogram(lp, bins=_BINS)
    if histogram["n"].iloc[0]:
        facts["probability"] = f"{_bars(histogram)} of {histogram['n'].iloc[0]:,} tokens, 0 to 1"
    return facts


def _bars(histogram: pd.DataFrame) -> str:
    """Draw a small histogram of elements."""
    most = histogram["share"].max()
    bars = "".join(
        f'<span style="height:{max(1, round(40 * share / most))}px"></span>'
        for share in histogram["share"]
    )
    sure = histogram.loc[histogram["low"] >= 0.9 - 1e-9, "share"].sum()
    label = f"histogram of the tokens' probabilities: {100 * sure:.0f} % are 0.9 or more"
    return f'<span class="lp-bars" role="img" aria-label="{label}">{bars}</span>'
