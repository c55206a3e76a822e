"""Declare the tables `selective`, `risk_coverage` and `threshold_for`."""

from __future__ import annotations

import pyarrow as pa

from toolkit.schema.base import LABEL, Column, Table, known, metric, total
from toolkit.schema.results.calibration import ACCURACY, N_MISSING, N, with_interval

SHORTFALLS = ("no_answers", "too_few", "not_reached")
"""Why there is no threshold: no complete answer, too few answers for a bound to reach the target
even if all were correct, or no threshold whose bound reaches it."""


def _by_coverage(name: str, doc: str) -> Column:
    return Column(
        name, pa.map_(pa.float64(), pa.float64()), f"{doc}, by coverage.", required=True, unit="1"
    )


SELECTIVE = Table(
    "selective",
    "One row per group of answers: how well confidence separates correct answers from wrong ones. "
    "Columns of `by` come first. Scores are means over all orders of equal confidences. They are "
    "null without answers; their intervals (percentile bootstrap over answers) are also null "
    "without resamples.",
    (),
    (
        N,
        N_MISSING,
        total("n_wrong", "Wrong answers among n.", "answers"),
        ACCURACY,
        *with_interval(
            "auroc",
            "Probability that a correct answer has a higher confidence than a wrong one; equal "
            "ones count half; 0.5 is chance. Null if all answers are correct, or all are wrong. "
            "Source: Hanley and McNeil 1982.",
        ),
        *with_interval(
            "auprc",
            "Average precision at finding the correct answers; chance is the accuracy. Null if all "
            "answers are correct, or all are wrong.",
        ),
        *with_interval(
            "auprc_errors",
            "Average precision at finding the wrong answers by low confidence; chance is 1 - "
            "accuracy. Null if all answers are correct, or all are wrong. Source: Hendrycks and "
            "Gimpel 2017.",
        ),
        *with_interval(
            "aurc",
            "Mean risk over all coverages, where risk is the share of wrong answers among the "
            "accepted ones; less is better. Source: Geifman et al. 2019.",
        ),
        *with_interval(
            "eaurc",
            "aurc less the aurc of the best order of the same answers; 0 is perfect. Source: "
            "Geifman et al. 2019.",
        ),
        *with_interval(
            "prr",
            "Prediction rejection ratio: (A - A_random) / (A_best - A_random), where A is the mean "
            "accuracy over all coverages; 1 is perfect, 0 is chance, below 0 is worse. Null if all "
            "answers are correct, or all are wrong. Source: Malinin and Gales 2021.",
        ),
        _by_coverage("accuracy_at_coverage", "Expected accuracy of the most confident share"),
        _by_coverage("accuracy_at_coverage_lower", "Lower end of its bootstrap interval"),
        _by_coverage("accuracy_at_coverage_upper", "Upper end of its bootstrap interval"),
    ),
)
RISK_COVERAGE = Table(
    "risk_coverage",
    "One row per distinct confidence, highest first: how many answers are accepted from there up, "
    "and how many of them are wrong.",
    ("n_accepted",),
    (
        total("n_accepted", "Answers with at least this confidence.", "answers"),
        metric(
            "coverage", "1", "", "n_accepted / answers whose confidence and correctness are known."
        ),
        metric("threshold", "", "higher", "The confidence, in the unit of the argument."),
        total("n_wrong", "Wrong answers among the accepted ones.", "answers"),
        metric("risk", "1", "", "n_wrong / n_accepted."),
        metric(
            "risk_lower",
            "1",
            "",
            "Lower bound of the risk by Wilson's score interval, for this threshold alone.",
        ),
        metric("risk_upper", "1", "", "Upper bound of the risk, likewise. Source: Wilson 1927."),
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
        metric("target", "1", "", "Requested accuracy."),
        metric("level", "1", "", "Requested certainty."),
        N,
        N_MISSING,
        metric(
            "threshold",
            "",
            "higher",
            "Accept answers with at least this confidence, in the unit of the argument. Null: "
            "there is no such threshold, see reason.",
        ),
        Column(
            "reason",
            LABEL,
            "Why there is no threshold: no_answers, too_few (the target could not be shown even if "
            "all were correct), not_reached (no threshold passed). Null: there is one.",
            labels=SHORTFALLS,
        ),
        known("n_accepted", "answers", "", "Accepted answers; null without a threshold."),
        metric("coverage", "1", "", "n_accepted / n; null without a threshold."),
        metric(
            "accuracy",
            "1",
            "",
            "Share of correct ones among the accepted; null without a threshold.",
        ),
        metric(
            "accuracy_lower",
            "1",
            "",
            "Lower bound of the accuracy: exact and one-sided, at a level that allows for all "
            "tested thresholds. Source: Clopper and Pearson 1934; Angelopoulos et al. 2021.",
        ),
        metric("accuracy_upper", "1", "", "Upper bound of the accuracy, at the same level."),
        metric(
            "observed_threshold",
            "",
            "higher",
            "Lowest threshold at which these answers reach the target, without a guarantee for "
            "other answers. Null: none.",
        ),
        metric(
            "observed_coverage",
            "1",
            "",
            "Share of answers accepted at observed_threshold; null: none.",
        ),
    ),
)
