"""Write the summary card that a notebook shows for `LogprobTables`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from toolkit.metrics import ecdf, token_histogram, usage
from toolkit.view.html import safe, style_sheet
from toolkit.visible_text import plain

if TYPE_CHECKING:
    import pandas as pd

    from toolkit.tables import LogprobTables

MOST_ALTERNATIVES = 5_000_000
"""Above this, the card has counts and no metrics, because a card must appear at once."""
_MODELS = 5  # models that are named
_BINS = 20  # bars of the histogram
_NEXT = (
    ("toolkit.show(lp)", "the text of an answer, coloured"),
    ("toolkit.sequence_metrics(lp)", "one row per answer: perplexity, weakest link"),
    ("toolkit.check(lp)", "oddities of the data, and what they mean"),
    ('lp.to_pandas("tokens")', "any table as a DataFrame"),
)


def summary_card(lp: LogprobTables) -> str:
    """Return the card as an element with its style sheet, without a script."""
    steps = {f'<span class="lp-code">{safe(code)}</span>': says for code, says in _NEXT}
    return (
        f'<style>{style_sheet()}</style><div class="lp"><div class="lp-title">LogprobTables</div>'
        f'{facts_html(facts_of(lp))}<div class="lp-name">next steps</div>{facts_html(steps)}</div>'
    )


def facts_html(facts: dict[str, str]) -> str:
    """Write names and values, both HTML, as rows of two columns.

    The elements are spans, because front ends of notebooks style lists, tables and code their own
    way. The blank keeps name and value apart where style sheets are removed.
    """
    rows = "".join(
        f'<div class="lp-fact"><span class="lp-key">{name}</span> '
        f'<span class="lp-value">{value}</span></div>'
        for name, value in facts.items()
    )
    return f'<div class="lp-facts">{rows}</div>'


def facts_of(lp: LogprobTables) -> dict[str, str]:
    """Return the summary of a load: names, and values as HTML."""
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
        n_with = round(n * counts["share_with_logprobs"])
        facts["logprobs"] = f"in {n_with:,} of {n:,} responses"
    if lp.rejects.num_rows:
        reasons = lp.rejects["reason"].value_counts().to_pylist()
        listed = ", ".join(f"{r['counts']:,} {r['values']}" for r in reasons)
        listed += f", {lp.n_unlisted:,} unlisted" if lp.n_unlisted else ""
        rejected = lp.rejects.num_rows + lp.n_unlisted
        facts["rejected"] = f"{rejected:,} records: {listed}; see lp.rejects"
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
    """Draw a small histogram, a span for each bar."""
    most = histogram["share"].max()
    bars = "".join(
        f'<span style="height:{max(1, round(40 * share / most))}px"></span>'
        for share in histogram["share"]
    )
    sure = histogram.loc[histogram["low"] >= 0.9 - 1e-9, "share"].sum()
    label = f"histogram of the tokens' probabilities: {100 * sure:.0f} % are 0.9 or more"
    return f'<span class="lp-bars" role="img" aria-label="{label}">{bars}</span>'
