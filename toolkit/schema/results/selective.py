"""Columns of `toolkit.metrics.selective`, `risk_coverage` and `threshold_for`."""

from __future__ import annotations

import pyarrow as pa

from toolkit.schema.base import LABEL, Column, Table, known, metric, total
from toolkit.schema.results.calibration import ACCURACY, N_MISSING, N, with_interval

SHORTFALLS = ("no_answers", "too_few", "not_reached")
"""Why there is no threshold: no complete answer at all, too few for any bound to reach the
accuracy asked for even if all were right, or none whose bound does."""


def _by_coverage(name: str, doc: str) -> Column:
    return Column(
        name, pa.map_(pa.float64(), pa.float64()), f"{doc}, by coverage.", required=True, unit="1"
    )


SELECTIVE = Table(
    "selective",
    "One row per group of answers: how well confidence tells right answers from wrong ones; "
    "columns of `by` stand in front. Equal confidences are taken in every order. Scores are null "
    "without answers, their intervals (percentile bootstrap over answers) also without resamples.",
    (),
    (
        N,
        N_MISSING,
        total("n_wrong", "Wrong answers among n.", "answers"),
        ACCURACY,
        *with_interval(
            "auroc",
            "Probability that a right answer has a higher confidence than a wrong one, equal ones "
            "counting half; 0.5 is chance. Null if all are right or all are wrong. Source: Hanley "
            "and McNeil 1982.",
        ),
        *with_interval(
            "auprc",
            "Average precision at finding the right answers; chance is the accuracy. Null if all "
            "are right or all are wrong.",
        ),
        *with_interval(
            "auprc_errors",
            "Average precision at finding the wrong answers from low confidence; chance is 1 - "
            "accuracy. Null if all are right or all are wrong. Source: Hendrycks and Gimpel 2017.",
        ),
        *with_interval(
            "aurc",
            "Mean risk over all coverages, risk being the share of wrong ones among those "
            "accepted; less is better. Source: Geifman et al. 2019.",
        ),
        *with_interval(
            "eaurc",
            "aurc less that of the best order with the same errors; 0 is perfect. Source: Geifman "
            "et al. 2019.",
        ),
        *with_interval(
            "prr",
            "Prediction rejection ratio: (A - A_random) / (A_best - A_random), A being the mean "
            "accuracy over all coverages; 1 is perfect, 0 chance, below 0 worse. Null if all are "
            "right or all are wrong. Source: Malinin and Gales 2021.",
        ),
        _by_coverage("accuracy_at_coverage", "Expected accuracy of the most confident share"),
        _by_coverage("accuracy_at_coverage_lower", "Lower end of its bootstrap interval"),
        _by_coverage("accuracy_at_coverage_upper", "Upper end of its bootstrap interval"),
    ),
)
RISK_COVERAGE = Table(
    "risk_coverage",
    "One row per distinct confidence, highest first: what is accepted from there up, and how much "
    "of it is wrong.",
    ("n_accepted",),
    (
        total("n_accepted", "Answers of at least this confidence.", "answers"),
        metric("coverage", "1", "", "n_accepted / all answers that lack nothing."),
        metric("threshold", "", "higher", "The confidence; its unit is that of the argument."),
        total("n_wrong", "Wrong answers among those accepted.", "answers"),
        metric("risk", "1", "", "n_wrong / n_accepted."),
        metric(
            "risk_lower",
            "1",
            "",
            "Lower bound of the risk by Wilson's score interval, at this threshold alone.",
        ),
        metric("risk_upper", "1", "", "Upper bound of it. Source: Wilson 1927."),
        total(
            "n_missing",
            "Answers that lack confidence or correctness; the same in every row.",
            "answers",
        ),
    ),
)
THRESHOLD_FOR = Table(
    "threshold_for",
    "One row: the lowest confidence from which answers can be accepted so that they are right as "
    "often as wanted, shown with the certainty wanted.",
    (),
    (
        metric("target", "1", "", "Accuracy asked for."),
        metric("level", "1", "", "Certainty asked for."),
        N,
        N_MISSING,
        metric(
            "threshold",
            "",
            "higher",
            "Accept answers of at least this confidence; its unit is that of the argument. Null: "
            "there is none, see reason.",
        ),
        Column(
            "reason",
            LABEL,
            "Why there is no threshold; null if there is one. no_answers: nothing to judge by. "
            "too_few: not even if all were right. not_reached: no threshold passed.",
            labels=SHORTFALLS,
        ),
        known("n_accepted", "answers", "", "Answers accepted; null without a threshold."),
        metric("coverage", "1", "", "n_accepted / n; null without a threshold."),
        metric("accuracy", "1", "", "Share of right ones among them; null without a threshold."),
        metric(
            "accuracy_lower",
            "1",
            "",
            "What the accuracy is at least: exact one-sided bound, at a level that allows for all "
            "thresholds tried. Source: Clopper and Pearson 1934; Angelopoulos et al. 2021.",
        ),
        metric("accuracy_upper", "1", "", "What it is at most, at the same level."),
        metric(
            "observed_threshold",
            "",
            "higher",
            "The lowest threshold at which these very answers reach the target, with no promise "
            "for others. Null: none does.",
        ),
        metric("observed_coverage", "1", "", "Share of answers accepted there; null: none."),
    ),
)
