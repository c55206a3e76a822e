"""Declare the tables `selective`, `risk_coverage` and `threshold_for`."""

from __future__ import annotations

import pyarrow as pa

from toolkit.schema.base import LABEL, Column, Table, known, metric, setting, total
from toolkit.schema.results.calibration import (
    ACCURACY,
    CLUSTERS,
    N_MISSING,
    SHARE,
    How,
    N,
    ends,
    no_interval,
    with_interval,
)
from toolkit.schema.results.length_confounding import LENGTH

SHORTFALLS = ("no_answers", "too_few", "not_reached")
"""Why there is no threshold: no complete answer, too few answers for a bound to reach the target
even if all were correct, or no threshold whose bound reaches it."""


def _by_coverage(end: str, doc: str, formula: str, source: str = "") -> Column:
    return Column(
        f"accuracy_at_coverage{end}",
        pa.map_(pa.float64(), pa.float64()),
        f"{doc}, by coverage.",
        required=True,
        unit="1",
        formula=formula,
        source=source,
        caveat="which threshold gives that coverage for other answers: see threshold_for.",
    )


_BOOTSTRAP = How(
    "the percentiles of a bootstrap over clusters, or of Student's t around the score less its "
    "bias, whichever is further out",
    "Efron 1979",
    "see no_interval",
)
_AUROC = How(
    "method 5, for as many answers of each kind as clustered ones are worth",
    "Newcombe 2006; Obuchowski 1997",
    "all answers are correct, or all are wrong",
)
SELECTIVE = Table(
    "selective",
    "One row per group of answers: how well confidence separates correct answers from wrong ones. "
    "Columns of `by` come first. Scores are means over all orders of equal confidences. They are "
    "null without answers. Those that compare with length omit answers of unknown length, and are "
    "null without n_tokens=.",
    (),
    (
        N,
        N_MISSING,
        *CLUSTERS,
        total("n_wrong", "Wrong answers among n.", "answers"),
        ACCURACY,
        *with_interval(
            "auroc",
            "Probability that a correct answer has a higher confidence than a wrong one; "
            "equal ones count half; 0.5 is chance. Null if all answers are correct, or all "
            "are wrong.",
            how=_AUROC,
            formula="P(confidence of a correct answer > that of a wrong one) + P(equal) / 2",
            source="Hanley and McNeil 1982",
            caveat="whether confidence is calibrated.",
        ),
        *LENGTH,
        *with_interval(
            "auprc",
            "Average precision at finding the correct answers; chance is the accuracy. Null "
            "if all answers are correct, or all are wrong.",
            how=_BOOTSTRAP,
            formula="sum((R_i - R_(i-1)) P_i) of precision P and recall R",
            caveat="whether confidence is calibrated; it depends on the accuracy.",
        ),
        *with_interval(
            "auprc_errors",
            "Average precision at finding the wrong answers by low confidence; chance is 1 "
            "- accuracy. Null if all answers are correct, or all are wrong.",
            how=_BOOTSTRAP,
            formula="as auprc, for wrong answers by low confidence",
            source="Hendrycks and Gimpel 2017",
            caveat="whether confidence is calibrated; it depends on the accuracy.",
        ),
        *with_interval(
            "aurc",
            "Mean risk over all coverages, where risk is the share of wrong answers among "
            "the accepted ones; less is better.",
            how=_BOOTSTRAP,
            formula="mean of risk over coverages 1/n … n/n",
            source="Geifman et al. 2019",
            caveat="whether confidence ranks well: a model that is always right has 0 with any "
            "order (see eaurc).",
        ),
        *with_interval(
            "eaurc",
            "Excess of aurc over that of the best order of the same answers; 0 is perfect.",
            how=_BOOTSTRAP,
            formula="aurc - aurc of the best order",
            source="Geifman et al. 2019",
            caveat="how many answers are wrong.",
        ),
        *with_interval(
            "prr",
            "Prediction rejection ratio: 1 is perfect, 0 is chance, below 0 is worse. Null "
            "if all answers are correct, or all are wrong.",
            how=_BOOTSTRAP,
            formula="(A - A_random) / (A_best - A_random), where A is the mean accuracy over all "
            "coverages",
            source="Malinin and Gales 2021",
            caveat="how many answers are wrong, or whether confidence is calibrated.",
        ),
        _by_coverage(
            "",
            "Expected accuracy of the most confident share",
            "correct / accepted, mean over all orders of equal confidences",
        ),
        *(
            _by_coverage(
                f"_{end}",
                f"{end.capitalize()} end of its interval",
                f"{end} end of {SHARE.formula}",
                SHARE.source,
            )
            for end in ("lower", "upper")
        ),
        no_interval(
            "Why auprc, auprc_errors, aurc, eaurc and prr have no interval: few_wrong (fewer than "
            "10 clusters have a wrong answer), few_right (a right one), one_cluster, no_answers, "
            "no_resamples."
        ),
    ),
)
RISK_COVERAGE = Table(
    "risk_coverage",
    "One row per distinct confidence, highest first: how many answers are accepted from there up, "
    "and how many of them are wrong.",
    ("n_accepted",),
    (
        total("n_accepted", "Answers with at least this confidence.", "answers"),
        total(
            "n_clusters", "Clusters of these answers; n_accepted if each is its own.", "clusters"
        ),
        metric(
            "coverage",
            "1",
            "",
            "Share of the answers with known confidence and correctness that are accepted; "
            "null without a threshold.",
            formula="n_accepted / n",
            caveat="how many of the accepted answers are wrong.",
        ),
        metric(
            "threshold",
            "",
            "higher",
            "The confidence, in the unit of the argument.",
            formula="a confidence of the answers",
            caveat="what holds for answers of another kind than these.",
        ),
        total("n_wrong", "Wrong answers among the accepted ones.", "answers"),
        metric(
            "risk",
            "1",
            "",
            "Share of wrong answers among the accepted ones.",
            formula="n_wrong / n_accepted",
            source="Geifman and El-Yaniv 2017",
            caveat="what holds for other answers: the threshold was seen with these.",
        ),
        *ends("risk", SHARE),
        total(
            "n_missing",
            "Answers that lack confidence or correctness; the same number in each row.",
            "answers",
        ),
    ),
)
THRESHOLD_FOR = Table(
    "threshold_for",
    "One row: the lowest confidence from which answers can be accepted so that the target accuracy "
    "is reached with the requested certainty.",
    (),
    (
        setting("target", "1", "Requested accuracy."),
        setting("level", "1", "Requested certainty."),
        N,
        N_MISSING,
        CLUSTERS[0],
        total(
            "n_clusters",
            "Clusters of these answers, and answers that are tested: one of each, chosen by a hash "
            "of its label and of the place in its cluster.",
            "clusters",
        ),
        metric(
            "threshold",
            "",
            "higher",
            "Accept answers with at least this confidence, in the unit of the argument. "
            "Null: there is no such threshold, see reason.",
            formula="a confidence of the answers",
            caveat="what holds for answers of another kind than these.",
        ),
        Column(
            "reason",
            LABEL,
            "Why there is no threshold: no_answers, too_few (the target could not be shown even if "
            "all were correct), not_reached (no threshold passed). Null: there is one.",
            labels=SHORTFALLS,
        ),
        known("n_accepted", "answers", "", "Accepted ones of these; null without a threshold."),
        metric(
            "coverage",
            "1",
            "",
            "Share of the tested answers that are accepted; null without a threshold.",
            formula="n_accepted / n_clusters",
            caveat="how many of the accepted answers are wrong.",
        ),
        metric(
            "accuracy",
            "1",
            "",
            "Share of correct ones among the accepted; null without a threshold.",
            formula="correct / n_accepted",
            caveat="what holds for other answers: see accuracy_lower.",
        ),
        metric(
            "accuracy_lower",
            "1",
            "",
            "Lower bound of the accuracy: exact and one-sided, at a level that allows for "
            "all tested thresholds.",
            formula="exact one-sided limit at (1 - level) / number of starts of a fixed sequence",
            source="Clopper and Pearson 1934; Angelopoulos et al. 2021",
            caveat="what holds for answers of another kind than these.",
        ),
        metric(
            "accuracy_upper",
            "1",
            "",
            "Upper bound of the accuracy, at the same level.",
            formula="exact one-sided limit, at the same level",
            source="Clopper and Pearson 1934",
            caveat="what holds for answers of another kind than these.",
        ),
        metric(
            "observed_threshold",
            "",
            "higher",
            "Lowest threshold at which the tested answers reach the target, without a guarantee "
            "for other answers. Null: none.",
            formula="lowest confidence with accuracy >= target",
            caveat="what holds for other answers: it has no guarantee.",
        ),
        metric(
            "observed_coverage",
            "1",
            "",
            "Share of them accepted at observed_threshold; null: none.",
            formula="accepted at observed_threshold / n",
            caveat="what holds for other answers.",
        ),
    ),
)
