"""Results about trust: calibration and selective prediction."""

from __future__ import annotations

import pyarrow as pa

from toolkit.schema.base import LABEL, Column, Table, known, metric, total

SHORTFALLS = ("no_answers", "too_few", "not_reached")
"""Why there is no threshold: no complete answer at all, too few for any bound to reach the
accuracy asked for even if all were right, or none whose bound does."""

_N = total("n", "Answers of which confidence and correctness are known.", "answers")
_N_MISSING = total("n_missing", "Answers that lack either, left out.", "answers")
_ACCURACY = metric("accuracy", "1", "", "Share of right answers; null: no answer.")
_WILSON = "bound of the accuracy by Wilson's score interval; null: no answer. Source: Wilson 1927."


def _with_interval(name: str, doc: str, unit: str = "1") -> tuple[Column, ...]:
    """Declare a score and the ends of its bootstrap interval."""
    ends = (
        metric(f"{name}_{end}", unit, "", f"{which} end of the bootstrap interval of {name}.")
        for end, which in (("lower", "Lower"), ("upper", "Upper"))
    )
    return (metric(name, unit, "", doc), *ends)


CALIBRATION = Table(
    "calibration",
    "One row per group of answers: how well confidences agree with how often the answers are "
    "right; columns of `by` stand in front. Scores are null without answers, their intervals "
    "(percentile bootstrap over answers, Efron 1979) also without resamples.",
    (),
    (
        _N,
        _N_MISSING,
        _ACCURACY,
        metric("accuracy_lower", "1", "", f"Lower {_WILSON}"),
        metric("accuracy_upper", "1", "", f"Upper {_WILSON}"),
        metric("mean_confidence", "1", "higher", "Mean confidence; null: no answer."),
        *_with_interval(
            "gap", "mean_confidence - accuracy; above 0: overconfident, below 0: underconfident."
        ),
        *_with_interval(
            "ece",
            "Expected calibration error: mean of |mean confidence - accuracy| over bins of equal "
            "width, weighted by their answers; 0 is perfect. Biased upwards: compare "
            "ece_if_calibrated. Source: Naeini et al. 2015; Guo et al. 2017.",
        ),
        metric(
            "ece_if_calibrated",
            "1",
            "",
            "Mean ECE of as many answers that are right exactly as often as these confidences "
            "say: what chance alone makes of it. Source: Broecker and Smith 2007.",
        ),
        metric(
            "p_calibrated",
            "1",
            "",
            "Share of such samples (the answers themselves counted in) whose ECE is at least as "
            "large: the p-value of perfect calibration.",
        ),
        *_with_interval(
            "ace",
            "The same over bins of equal mass (ACE), equal confidences kept together. Source: "
            "Nguyen and O'Connor 2015; Nixon et al. 2019.",
        ),
        *_with_interval(
            "mce",
            "Largest |mean confidence - accuracy| of a bin of equal width that holds any answer, "
            "be it one alone. Source: Naeini et al. 2015.",
        ),
        *_with_interval(
            "smooth_ece",
            "Calibration error smoothed by a kernel instead of bins (smECE). Source: Blasiok and "
            "Nakkiran 2023.",
        ),
        *_with_interval(
            "brier", "Mean of (confidence - correct)^2; 0 is perfect. Source: Brier 1950."
        ),
        metric(
            "brier_reliability",
            "1",
            "",
            "Part of brier: squared gap of the bins of equal width. brier = reliability - "
            "resolution + uncertainty + within. Source: Murphy 1973.",
        ),
        metric(
            "brier_resolution",
            "1",
            "",
            "Part of brier: how far the accuracies of the bins lie apart; more is better.",
        ),
        metric("brier_uncertainty", "1", "", "Part of brier: accuracy (1 - accuracy)."),
        metric(
            "brier_within",
            "1",
            "",
            "Part of brier that the bins do not see: variance of the confidence inside them less "
            "twice its covariance with correctness. Source: Stephenson et al. 2008.",
        ),
        *_with_interval(
            "log_loss",
            "Mean of -ln of the confidence put on what came true; infinite if n_certain_wrong is "
            "not 0 and nothing is clipped. Source: Good 1952.",
            "nats/answer",
        ),
        total(
            "n_certain_wrong",
            "Answers of confidence 1 that are wrong, or of 0 that are right.",
            "answers",
        ),
    ),
)

RELIABILITY = Table(
    "reliability",
    "One row per bin of confidence, empty bins included: the table under a reliability diagram.",
    ("bin",),
    (
        total("bin", "Number of the bin, from 0.", "1"),
        metric(
            "low",
            "1",
            "",
            "Lower edge. Equal width: not included, but for the first bin. Equal mass: the least "
            "confidence in the bin.",
        ),
        metric("high", "1", "", "Upper edge, included; equal mass: the greatest confidence in it."),
        total("n", "Answers in the bin.", "answers"),
        metric("mean_confidence", "1", "higher", "Their mean confidence; null: none."),
        metric("accuracy", "1", "", "Share of right ones among them; null: none."),
        metric("gap", "1", "", "mean_confidence - accuracy; above 0: overconfident; null: none."),
        metric("accuracy_lower", "1", "", f"Lower {_WILSON}"),
        metric("accuracy_upper", "1", "", f"Upper {_WILSON}"),
        total(
            "n_missing",
            "Answers that lack confidence or correctness, in no bin; the same in every row.",
            "answers",
        ),
    ),
)


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
        _N,
        _N_MISSING,
        total("n_wrong", "Wrong answers among n.", "answers"),
        _ACCURACY,
        *_with_interval(
            "auroc",
            "Probability that a right answer has a higher confidence than a wrong one, equal ones "
            "counting half; 0.5 is chance. Null if all are right or all are wrong. Source: Hanley "
            "and McNeil 1982.",
        ),
        *_with_interval(
            "auprc",
            "Average precision at finding the right answers; chance is the accuracy. Null if all "
            "are right or all are wrong.",
        ),
        *_with_interval(
            "auprc_errors",
            "Average precision at finding the wrong answers from low confidence; chance is 1 - "
            "accuracy. Null if all are right or all are wrong. Source: Hendrycks and Gimpel 2017.",
        ),
        *_with_interval(
            "aurc",
            "Mean risk over all coverages, risk being the share of wrong ones among those "
            "accepted; less is better. Source: Geifman et al. 2019.",
        ),
        *_with_interval(
            "eaurc",
            "aurc less that of the best order with the same errors; 0 is perfect. Source: Geifman "
            "et al. 2019.",
        ),
        *_with_interval(
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

THRESHOLD = Table(
    "threshold",
    "One row: the lowest confidence from which answers can be accepted so that they are right as "
    "often as wanted, shown with the certainty wanted.",
    (),
    (
        metric("target", "1", "", "Accuracy asked for."),
        metric("level", "1", "", "Certainty asked for."),
        _N,
        _N_MISSING,
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
