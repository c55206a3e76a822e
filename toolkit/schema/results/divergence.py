"""Declare the table `divergence`."""

from __future__ import annotations

from toolkit.schema.base import LABEL, TEXT, Column, Table, metric, total

DIVERGENCES = (
    "kl_lower",
    "tv_lower",
    "tv_upper",
    "acceptance_lower",
    "acceptance_upper",
    "same_top1",
    "delta_p",
    "ln_ppl_ratio",
)
"""What `divergence` measures at each position, in the order of its rows."""
PERCENTILES = {
    "p99_9": 0.999,
    "p99": 0.99,
    "p95": 0.95,
    "p90": 0.9,
    "p75": 0.75,
    "median": 0.5,
    "p25": 0.25,
    "p10": 0.1,
    "p5": 0.05,
    "p1": 0.01,
    "p0_1": 0.001,
}
"""The columns of its percentiles, and the share of the values that are at or below each."""

_CAVEAT = "which run is better, nor what lies outside the lists."


def _figure(name: str, doc: str, formula: str) -> Column:
    """Declare a figure of the values of a row; its unit is that of the row."""
    return metric(
        name, "", "", doc, formula=formula, source="llama.cpp, PR 5076 and 5081", caveat=_CAVEAT
    )


DIVERGENCE = Table(
    "divergence",
    "How far the distributions of two runs lie apart: one row per measure, with its mean and its "
    "percentiles over positions, in the order of llama.cpp's report.",
    (),
    (
        Column(
            "measure",
            LABEL,
            "kl_lower, tv_lower, tv_upper: as in compare_tokens, of the lists at a position. "
            "acceptance_lower, acceptance_upper: 1 - tv_upper, 1 - tv_lower, the share of draws "
            "that speculative decoding accepts. same_top1: 1 where the likeliest token is the "
            "same, else 0 (Same top p). delta_p: probability of the token in the second run less "
            "that in the first (Δp). ln_ppl_ratio: surprisal of the token in the second run less "
            "that in the first; its mean is ln(PPL(Q)/PPL(base)).",
            required=True,
            labels=DIVERGENCES,
        ),
        Column("unit", TEXT, "Unit of the row: nats or 1.", required=True),
        total("n_positions", "Positions that the row is over.", "tokens"),
        total("n_clusters", "Clusters of answers among them.", "clusters"),
        Column("cluster", TEXT, "What the clusters are: the column of their labels."),
        _figure("mean", "Mean over positions, each of the same weight.", "sum / n_positions"),
        metric(
            "mean_lower",
            "",
            "",
            "Lower end of the interval of the mean over positions like these, from the spread "
            "between clusters. Null with fewer than 2 clusters, or if all values are equal.",
            formula="mean - t s / sqrt(G) over G clusters; on a scale without "
            "the bounds of the measure; of same_top1 that of a share, for as many positions as the "
            "clusters are worth",
            source="Liang and Zeger 1986; Agresti and Coull 1998; Korn and Graubard 1998",
            caveat=_CAVEAT,
        ),
        metric(
            "mean_upper",
            "",
            "",
            "Upper end of that interval.",
            formula="mean + t s / sqrt(G), likewise",
            source="Liang and Zeger 1986; Agresti and Coull 1998; Korn and Graubard 1998",
            caveat=_CAVEAT,
        ),
        _figure("rms", "Root of the mean square (RMS Δp).", "sqrt(sum of squares / n_positions)"),
        metric(
            "correlation",
            "1",
            "",
            "Of ln_ppl_ratio alone: correlation of the surprisals of both runs over positions "
            "(Cor(ln(PPL(Q)), ln(PPL(base)))).",
            formula="Pearson's correlation of the logprobs of the same tokens",
            source="llama.cpp, PR 5076",
            caveat="how far the two lie apart.",
        ),
        _figure("maximum", "Greatest value.", "greatest value"),
        *(
            _figure(
                name,
                f"{100 * share:g} % of the values are at or below.",
                f"value at place {share:g} (n_positions - 1), between neighbours by straight line",
            )
            for name, share in PERCENTILES.items()
        ),
        _figure("minimum", "Least value.", "least value"),
    ),
)
