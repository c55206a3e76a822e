"""Declare the table `compare_summary`."""

from __future__ import annotations

from toolkit.schema.base import Table, metric, total
from toolkit.schema.results.calibration import CLUSTERS, SHARE, How, ends, no_interval
from toolkit.schema.results.compare import JS

_MEAN = How(
    "mean ± t SE, with the standard error (pooled: the jackknife) over clusters",
    "Liang and Zeger 1986; Tukey 1958",
    "see no_interval",
)
_RATE = How(
    "exp(ln(rate) ± t SE / rate) over clusters; with a flip in fewer than 10 of them, also of the "
    "share of clusters that have one, whichever is further out",
    "Tukey 1958; Agresti and Coull 1998",
    "no position",
)
COMPARE_SUMMARY = Table(
    "compare_summary",
    "Two runs in one row, with intervals over clusters of pairs: the requests, by default.",
    (),
    (
        total("n_pairs", "Answers that both runs have.", "answers"),
        total("n_only_a", "Answers of the first run only.", "answers"),
        total("n_only_b", "Answers of the second run only.", "answers"),
        *CLUSTERS,
        total(
            "n_scored",
            "Pairs with ok tokens in both answers: differences are over these.",
            "answers",
        ),
        metric(
            "delta_nll",
            "nats/token",
            "",
            "Each pair has the same weight. Above 0: the first run is more certain.",
            formula="mean of delta_nll over pairs",
            caveat="which run is right more often, or how long the answers are.",
        ),
        *ends("delta_nll", _MEAN, "nats/token"),
        metric(
            "delta_nll_pooled",
            "nats/token",
            "",
            "Surprisal per token of the second run less that of the first, pooled: each "
            "token has the same weight.",
            formula="sum surprisal_b / n_ok_b - sum surprisal_a / n_ok_a",
            caveat="which run is right more often; long answers dominate it.",
        ),
        *ends("delta_nll_pooled", _MEAN, "nats/token"),
        metric(
            "share_above_0",
            "1",
            "",
            "Share of resamples whose delta_nll is above 0.",
            formula="resamples with delta_nll > 0 / resamples",
            caveat="how large the difference is.",
        ),
        metric(
            "same_text_share",
            "1",
            "",
            "Share of pairs with equal texts, of those where both have a text.",
            formula="pairs with equal texts / pairs with two texts",
            caveat="whether texts that differ mean the same.",
        ),
        *ends("same_text_share", SHARE),
        metric(
            "median_first_divergence",
            "",
            "",
            "Median first_divergence over the pairs that diverge.",
            formula="median of first_divergence",
            caveat="how different the answers are from there on.",
        ),
        total(
            "n_compared",
            "Positions where the texts before are equal and both answers have a list.",
            "tokens",
        ),
        metric(
            "flip_rate",
            "1",
            "",
            "Share of these positions where the likeliest token differs.",
            formula="n_flips / n_compared",
            caveat="how close the likeliest tokens were: a tie can flip.",
        ),
        *ends("flip_rate", _RATE),
        *JS,
        *(
            metric(
                f"js_interval_{end}",
                "nats",
                "",
                f"{end.capitalize()} end of the interval of js_{end}; null: fewer than 5 clusters "
                "have a divergence that is not 0.",
                formula=f"{end} end of exp(ln(js_{end}) ± t SE / js_{end}) over clusters",
                source="Quenouille 1956; Tukey 1958",
                caveat="what holds for other requests than these.",
            )
            for end in ("lower", "upper")
        ),
        no_interval(
            "Why delta_nll and delta_nll_pooled have no interval: few_different (fewer than 5 "
            "clusters have a difference that is not 0), one_cluster, no_answers."
        ),
    ),
)
"""The divergences are means over n_compared positions."""
