"""Declare the table `rollout_mismatch`."""

from __future__ import annotations

import pyarrow as pa

from toolkit.schema.base import Column, Table, metric, total

WEIGHTINGS = ("token", "answer", "sequence")
"""What counts the same: each token, each answer (the mean of its tokens), each answer's sum."""

_SCHULMAN = "Schulman 2020"
_SAMPLED = "the divergence, if tokens were not sampled from the rollout's distribution as recorded."
_BIAS = "in which direction the policies differ."
# Name, unit, doc, formula, source, caveat.
_MEASURES = (
    ("mean_abs_log_ratio", "nats", "Mean size of r.", "mean(|r|)", "", _BIAS),
    (
        "k1",
        "nats",
        "Estimates KL(rollout || trainer); may be below 0.",
        "-mean(r)",
        _SCHULMAN,
        _SAMPLED,
    ),
    (
        "k2",
        "nats",
        "Estimates KL(rollout || trainer), with a bias where r is large.",
        "mean(r ** 2) / 2",
        _SCHULMAN,
        _SAMPLED,
    ),
    (
        "k3",
        "nats",
        "Estimates KL(rollout || trainer), never below 0.",
        "mean(exp(r) - 1 - r)",
        _SCHULMAN,
        _SAMPLED,
    ),
    (
        "chi2",
        "1",
        "Estimates χ²(trainer || rollout), the variance of the weights exp(r); never below 0.",
        "mean((exp(r) - 1) ** 2)",
        "Liu et al. 2025",
        _SAMPLED,
    ),
    (
        "ess",
        "1",
        "Effective sample size over n: 1 if both agree.",
        "sum(w exp(r)) ** 2 / (sum(w) sum(w exp(2 r))), where w is the weight of the row",
        "Kong 1992",
        "which answers have the large weights.",
    ),
    ("share_above_2", "1", "Share of ratios above 2.", "mean(exp(r) > 2)", "", _BIAS),
    ("share_above_3", "1", "Share of ratios above 3.", "mean(exp(r) > 3)", "", _BIAS),
    ("share_below_half", "1", "Share of ratios below ½.", "mean(exp(r) < 0.5)", "", _BIAS),
)


def _measure(
    name: str, unit: str, doc: str, formula: str, source: str, caveat: str
) -> tuple[Column, ...]:
    """Declare a measure and the ends of its interval."""
    ends = (
        metric(
            f"{name}_{end}",
            unit,
            "",
            f"{end.title()} end of the interval of {name}; null with fewer than 2 clusters, and "
            "where no value differs or one overflows.",
            formula=_end_formula(name, sign),
            source="Liang and Zeger 1986; Korn and Graubard 1998",
            caveat="what holds for other requests than these.",
        )
        for end, sign in (("lower", "-"), ("upper", "+"))
    )
    own = metric(name, unit, "", doc, formula=formula, source=source, caveat=caveat)
    return own, *ends


def _end_formula(name: str, sign: str) -> str:
    """Return the formula of an end of the interval, on the scale that fits the measure."""
    if name.startswith("share"):
        return "Wilson's at the effective number of values"
    power = "-t" if sign == "-" else "t"
    scales = {
        "k1": f"k1 {sign} t se",
        "ess": f"expit(logit(ess) {sign} t se / (ess (1 - ess)))",
    }
    scale = scales.get(name, f"{name} exp({power} se / {name})")
    cut = "" if name == "k1" else f"; where the slope times se exceeds 1, {name} {sign} t se, cut"
    return f"{scale}, where se is clustered{cut}"


ROLLOUT_MISMATCH = Table(
    "rollout_mismatch",
    "How far the trainer's logprobs of sampled tokens are from those of the rollout: three rows, "
    "by what counts the same. r is the trainer's logprob less the rollout's.",
    ("weighting",),
    (
        Column(
            "weighting",
            pa.string(),
            "'token': r of each token, all of the same weight. 'answer': r of each token, all "
            "answers of the same weight. 'sequence': r is the sum over an answer.",
            required=True,
        ),
        total("n", "Values of r: tokens, or answers in the row 'sequence'.", ""),
        total("n_answers", "Answers that they belong to.", "answers"),
        total("n_clusters", "Clusters of answers that intervals take as independent.", ""),
        total(
            "n_left_out",
            "Answers that are not in this row: of other tokens in the two runs, of one run alone, "
            "without a usable token, or, in the row 'sequence', with a token that is not usable.",
            "answers",
        ),
        *(
            metric(
                f"{how}_log_ratio",
                "nats",
                "",
                f"{what} r, each value of the same weight.",
                formula=f"{how}(r)",
                caveat="how far the other values are from it.",
            )
            for how, what in (("median", "Median"), ("min", "Least"), ("max", "Greatest"))
        ),
        *(column for measure in _MEASURES for column in _measure(*measure)),
        *(
            metric(
                f"perplexity_{name}",
                "1",
                "lower",
                f"Perplexity of the tokens by the logprobs of the {name}, weighted as r; null in "
                "the row 'sequence'.",
                formula="exp(sum(w surprisal) / sum(w))",
                source="Jelinek et al. 1977",
                caveat="how far single tokens differ.",
            )
            for name in ("rollout", "trainer")
        ),
    ),
)
