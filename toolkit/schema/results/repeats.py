"""Declare the tables `noise_floor` and `prefix_survival`."""

from __future__ import annotations

from toolkit.schema.base import Table, known, metric, total

_DIFFERENCE = "how far other tokens or answers differ: it is of the tokens that both start with."

NOISE_FLOOR = Table(
    "noise_floor",
    "How far the same requests give different logprobs and tokens when they are sent twice.",
    (),
    (
        total("n_pairs", "Answers that both runs have.", "answers"),
        total("n_bit_equal", "Of these, answers of equal tokens and equal logprobs.", "answers"),
        metric(
            "bit_equal_share",
            "1",
            "",
            "Share of pairs that are equal to the last bit; null: no pair.",
            formula="n_bit_equal / n_pairs",
            caveat="how large the differences of the others are.",
        ),
        total("n_tokens", "Tokens that both answers start with and whose logprob is ok in both."),
        metric(
            "sigma",
            "nats",
            "",
            "Standard deviation of the noise of one logprob over n_tokens; a few large differences "
            "do not change it.",
            formula="1.4826 median(|a - b|) / sqrt(2)",
            source="Hampel 1974",
            caveat="how noisy the tokens are that are not nearly certain.",
        ),
        *(
            metric(
                f"{name}_abs_difference",
                "nats",
                "",
                f"{what} of |a - b| over n_tokens.",
                formula=f"{formula}(|logprob_a - logprob_b|)",
                caveat=_DIFFERENCE,
            )
            for name, what, formula in (
                ("p90", "90th percentile", "0.9 quantile"),
                ("p99", "99th percentile", "0.99 quantile"),
                ("max", "Greatest value", "max"),
            )
        ),
        total(
            "n_compared",
            "Positions where the texts before are equal and both answers have a list.",
        ),
        total("n_flips", "Of these, positions where the likeliest token differs."),
        metric(
            "near_tie",
            "nats",
            "",
            "Gap of the two likeliest tokens up to which noise can exchange them.",
            formula="0.99 quantile(|gap_a - gap_b|) where the likeliest token is the same; "
            "3 sigma sqrt(2) where no gap is known",
            caveat="that a larger gap cannot be noise.",
        ),
        total("n_near_ties", "Flips where this gap is at most near_tie in both runs: noise."),
        total("n_changes", "Flips where it is larger in a run: noise does not explain them."),
        total("n_unknown", "Flips where a list has a single entry, so that the gap is unknown."),
    ),
)

PREFIX_SURVIVAL = Table(
    "prefix_survival",
    "How many answers of two runs are still equal after so many tokens: one row per position at "
    "which a pair diverged or ended.",
    ("position",),
    (
        total("position", "0-based position of the token that differs, or where answers end.", ""),
        total("n_at_risk", "Pairs of answers that are equal up to here.", "answers"),
        total("n_diverged", "Of these, pairs whose token at this position differs.", "answers"),
        total("n_ended", "Of these, pairs that end here, still equal (censored).", "answers"),
        metric(
            "survival",
            "1",
            "",
            "Share of pairs that are still equal after this position, had none of them ended.",
            formula="product(1 - n_diverged / n_at_risk) over positions up to this one",
            source="Kaplan and Meier 1958",
            caveat="how much the texts differ after their first difference.",
        ),
        *(
            metric(
                f"survival_{end}",
                "1",
                "",
                f"{end.title()} end of its interval; null where survival is 0 or 1, and with a "
                "single cluster.",
                formula=f"survival ** exp({sign} t se / ln(survival)), where se is the clustered "
                "standard error of ln(survival)",
                source="Kalbfleisch and Prentice 2002",
                caveat="what holds for other requests than these.",
            )
            for end, sign in (("lower", "-"), ("upper", "+"))
        ),
        known("n_clusters", "", "", "Clusters of answers that the interval takes as independent."),
    ),
)
