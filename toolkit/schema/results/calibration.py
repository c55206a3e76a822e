"""Declare the tables `calibration` and `reliability`."""

from __future__ import annotations

from toolkit.schema.base import Column, Table, metric, total

N = total("n", "Answers whose confidence and correctness are known.", "answers")
N_MISSING = total("n_missing", "Answers that lack either; they are omitted.", "answers")
ACCURACY = metric("accuracy", "1", "", "Share of correct answers; null: no answer.")
_WILSON = "bound of the accuracy by Wilson's score interval; null: no answer. Source: Wilson 1927."


def with_interval(name: str, doc: str, unit: str = "1") -> tuple[Column, ...]:
    """Declare a score and the ends of its bootstrap interval."""
    ends = (
        metric(f"{name}_{end}", unit, "", f"{which} end of the bootstrap interval of {name}.")
        for end, which in (("lower", "Lower"), ("upper", "Upper"))
    )
    return (metric(name, unit, "", doc), *ends)


CALIBRATION = Table(
    "calibration",
    "One row per group of answers: how well confidence agrees with the share of correct answers. "
    "Columns of `by` come first. Scores are null without answers; their intervals (percentile "
    "bootstrap over answers, Efron 1979) are also null without resamples.",
    (),
    (
        N,
        N_MISSING,
        ACCURACY,
        metric("accuracy_lower", "1", "", f"Lower {_WILSON}"),
        metric("accuracy_upper", "1", "", f"Upper {_WILSON}"),
        metric("mean_confidence", "1", "higher", "Mean confidence; null: no answer."),
        *with_interval(
            "gap", "mean_confidence - accuracy; above 0: overconfident, below 0: underconfident."
        ),
        *with_interval(
            "ece",
            "Expected calibration error: mean of |mean confidence - accuracy| over bins of equal "
            "width, weighted by their answers; 0 is perfect. Biased upwards: compare "
            "ece_if_calibrated. Source: Naeini et al. 2015; Guo et al. 2017.",
        ),
        metric(
            "ece_if_calibrated",
            "1",
            "",
            "Mean ECE of simulated answers with these confidences that are perfectly calibrated: "
            "the ECE that chance alone explains. Source: Broecker and Smith 2007.",
        ),
        metric(
            "p_calibrated",
            "1",
            "",
            "Share of these samples (the answers themselves counted as one) whose ECE is at least "
            "as large: the p-value of perfect calibration.",
        ),
        *with_interval(
            "ace",
            "The same over bins of equal mass (ACE); equal confidences share a bin. Source: "
            "Nguyen and O'Connor 2015; Nixon et al. 2019.",
        ),
        *with_interval(
            "mce",
            "Largest |mean confidence - accuracy| of the bins of equal width that are not empty, "
            "even if such a bin has only one answer. Source: Naeini et al. 2015.",
        ),
        *with_interval(
            "smooth_ece",
            "Calibration error smoothed by a kernel instead of bins (smECE). Source: Blasiok and "
            "Nakkiran 2023.",
        ),
        *with_interval(
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
            "Part of brier: how far apart the accuracies of the bins lie; more is better.",
        ),
        metric("brier_uncertainty", "1", "", "Part of brier: accuracy (1 - accuracy)."),
        metric(
            "brier_within",
            "1",
            "",
            "Part of brier inside the bins: variance of the confidence less twice its covariance "
            "with correctness. Source: Stephenson et al. 2008.",
        ),
        *with_interval(
            "log_loss",
            "Mean of -ln of the probability that the confidence gives to the true outcome; "
            "infinite if n_certain_wrong is not 0 and nothing is clipped. Source: Good 1952.",
            "nats/answer",
        ),
        total(
            "n_certain_wrong",
            "Answers of confidence 1 that are wrong, or of confidence 0 that are correct.",
            "answers",
        ),
    ),
)
RELIABILITY = Table(
    "reliability",
    "One row per bin of confidence, empty bins included: the data of a reliability diagram.",
    ("bin",),
    (
        total("bin", "0-based ordinal of the bin.", "1"),
        metric(
            "low",
            "1",
            "",
            "Lower edge. Equal width: excluded, except in the first bin. Equal mass: the lowest "
            "confidence in the bin.",
        ),
        metric("high", "1", "", "Upper edge, included. Equal mass: the highest confidence in it."),
        total("n", "Answers in the bin.", "answers"),
        metric(
            "mean_confidence", "1", "higher", "Mean confidence of these answers; null: empty bin."
        ),
        metric("accuracy", "1", "", "Share of correct ones among these answers; null: empty bin."),
        metric(
            "gap", "1", "", "mean_confidence - accuracy; above 0: overconfident; null: empty bin."
        ),
        metric("accuracy_lower", "1", "", f"Lower {_WILSON}"),
        metric("accuracy_upper", "1", "", f"Upper {_WILSON}"),
        total(
            "n_missing",
            "Answers that lack confidence or correctness, in no bin; the same number in each row.",
            "answers",
        ),
    ),
)
