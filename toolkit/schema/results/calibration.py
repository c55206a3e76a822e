"""Declare the tables `calibration` and `reliability`."""

from __future__ import annotations

from typing import NamedTuple

from toolkit.schema.base import LABEL, TEXT, Column, Table, metric, setting, total

NO_INTERVAL = (
    "no_answers",
    "one_cluster",
    "few_wrong",
    "few_right",
    "few_different",
    "no_resamples",
)
"""Why there is no interval: no answer, all of one cluster, a wrong (or a right) answer in too few
clusters, a difference in too few, or none was asked for."""
N = total("n", "Answers whose confidence and correctness are known.", "answers")
N_MISSING = total("n_missing", "Answers that lack either; they are omitted.", "answers")
ACCURACY = metric(
    "accuracy",
    "1",
    "",
    "Share of correct answers; null: no answer.",
    formula="correct / n",
    caveat="how the figure would change with other labels, or for other questions than these.",
)
CLUSTERS = (
    Column(
        "cluster",
        TEXT,
        "What intervals and tests take as independent: answer (each answer, because clusters= was "
        "not given), or the name of the clusters that were given.",
        required=True,
    ),
    total("n_clusters", "Clusters of these answers; n if each is its own.", "clusters"),
)


class How(NamedTuple):
    """How an interval is found: its formula, source, and when it is null."""

    formula: str
    source: str
    null: str = ""


def ends(name: str, how: How, unit: str = "1") -> tuple[Column, ...]:
    """Declare the ends of the interval of a score."""
    null = f"; null: {how.null}." if how.null else "."
    return tuple(
        metric(
            f"{name}_{end}",
            unit,
            "",
            f"{end.capitalize()} end of the interval of {name}{null}",
            formula=f"{end} end of {how.formula}",
            source=how.source,
            caveat="what holds for other questions, or if clusters depend on each other.",
        )
        for end in ("lower", "upper")
    )


def with_interval(
    name: str, doc: str, unit: str = "1", *, how: How, formula: str, caveat: str, source: str = ""
) -> tuple[Column, ...]:
    """Declare a score and the ends of its interval."""
    score = metric(name, unit, "", doc, formula=formula, source=source, caveat=caveat)
    return (score, *ends(name, how, unit))


def no_interval(doc: str) -> Column:
    """Declare the column that says why intervals are null."""
    return Column("no_interval", LABEL, f"{doc} Null: they have one.", labels=NO_INTERVAL)


SHARE = How(
    "the interval of Agresti and Coull, for n / design effect answers",
    "Agresti and Coull 1998; Korn and Graubard 1998",
    "no answer",
)
_LOSS = How(
    "exp(ln(mean) ± t SE / mean), with the standard error over clusters",
    "Liang and Zeger 1986",
    "see no_interval, or all losses are equal",
)
_GAP = How(
    "mean ± t SE over clusters; with a wrong (or right) answer in fewer than 5, joined from the "
    "intervals of confidence and accuracy",
    "Liang and Zeger 1986; Newcombe 1998",
    "no answer, or one cluster",
)
CALIBRATION = Table(
    "calibration",
    "One row per group of answers: how well confidence agrees with the share of correct answers. "
    "Columns of `by` come first. Scores are null without answers. ece, ace, mce and smooth_ece are "
    "biased upwards, and have no interval.",
    (),
    (
        N,
        N_MISSING,
        *CLUSTERS,
        ACCURACY,
        *ends("accuracy", SHARE),
        metric(
            "mean_confidence",
            "1",
            "higher",
            "Mean confidence; null: no answer.",
            formula="mean of confidence",
            caveat="whether confidence is deserved: compare accuracy.",
        ),
        *with_interval(
            "gap",
            "Above 0: overconfident, below 0: underconfident.",
            how=_GAP,
            formula="mean_confidence - accuracy",
            caveat="whether errors in both directions cancel: see ece.",
        ),
        metric(
            "ece",
            "1",
            "",
            "Expected calibration error; 0 is perfect. Biased upwards: compare ece_if_calibrated.",
            formula="sum(n_b / n |mean confidence - accuracy|) over bins of equal width",
            source="Naeini et al. 2015; Guo et al. 2017",
            caveat="whether confidence ranks answers (see auroc), or in which direction it errs "
            "(see gap).",
        ),
        metric(
            "ece_if_calibrated",
            "1",
            "",
            "The ECE that chance alone explains: of answers with these confidences that are "
            "perfectly calibrated.",
            formula="mean of ece over simulated labels, drawn with these confidences",
            source="Broecker and Smith 2007",
            caveat="how large the error of the model is.",
        ),
        metric(
            "p_calibrated",
            "1",
            "",
            "The p-value of perfect calibration. With clusters, samples turn the sign of the gaps "
            "of whole clusters (a wild bootstrap).",
            formula="(1 + samples with at least this ece) / (1 + samples)",
            source="Broecker and Smith 2007; Cameron et al. 2008",
            caveat="how large the error is; with many answers, any error has a small p-value.",
        ),
        metric(
            "ace",
            "1",
            "",
            "Adaptive calibration error; equal confidences share a bin.",
            formula="as ece, over bins of equal mass",
            source="Nguyen and O'Connor 2015; Nixon et al. 2019",
            caveat="whether confidence ranks answers, or in which direction it errs.",
        ),
        metric(
            "mce",
            "1",
            "",
            "Maximum calibration error, over the bins that are not empty.",
            formula="max |mean confidence - accuracy| over bins of equal width",
            source="Naeini et al. 2015",
            caveat="how many answers are in the worst bin: one is enough.",
        ),
        metric(
            "smooth_ece",
            "1",
            "",
            "Calibration error smoothed by a kernel instead of bins (smECE).",
            formula="as ece, with a kernel of a bandwidth that equals the error, in place of bins",
            source="Blasiok and Nakkiran 2023",
            caveat="whether confidence ranks answers, or in which direction it errs.",
        ),
        *with_interval(
            "brier",
            "0 is perfect.",
            how=_LOSS,
            formula="mean of (confidence - correct)^2",
            source="Brier 1950",
            caveat="whether calibration or ranking is at fault: see its parts.",
        ),
        metric(
            "brier_reliability",
            "1",
            "",
            "Part of brier: squared gap of the bins of equal width. brier = reliability - "
            "resolution + uncertainty + within.",
            formula="sum(n_b / n (mean confidence - accuracy)^2)",
            source="Murphy 1973",
            caveat="in which direction confidence errs.",
        ),
        metric(
            "brier_resolution",
            "1",
            "",
            "Part of brier: how far apart the accuracies of the bins lie; more is better.",
            formula="sum(n_b / n (accuracy of the bin - accuracy)^2)",
            source="Murphy 1973",
            caveat="whether confidence is calibrated.",
        ),
        metric(
            "brier_uncertainty",
            "1",
            "",
            "Part of brier: variance of the labels.",
            formula="accuracy * (1 - accuracy)",
            source="Murphy 1973",
            caveat="anything about the confidence.",
        ),
        metric(
            "brier_within",
            "1",
            "",
            "Part of brier inside the bins: variance of the confidence less twice its "
            "covariance with correctness.",
            formula="mean of (v^2 - 2 v y) over the bins, where v and y are confidence and "
            "correctness less their means in the bin",
            source="Stephenson et al. 2008",
            caveat="what more bins would change: they move it into the other parts.",
        ),
        *with_interval(
            "log_loss",
            "Infinite if n_certain_wrong is not 0 and nothing is clipped.",
            "nats/answer",
            how=_LOSS,
            formula="mean of -ln(probability given to the outcome)",
            source="Good 1952",
            caveat="whether calibration or ranking is at fault; a single certain error can "
            "dominate it.",
        ),
        total(
            "n_certain_wrong",
            "Answers of confidence 1 that are wrong, or of confidence 0 that are correct.",
            "answers",
        ),
        no_interval(
            "Why brier and log_loss have no interval: few_wrong (fewer than 5 clusters have a "
            "wrong answer), few_right (a right one), one_cluster, no_answers."
        ),
    ),
)
RELIABILITY = Table(
    "reliability",
    "One row per bin of confidence, empty bins included: the data of a reliability diagram.",
    ("bin",),
    (
        total("bin", "0-based ordinal of the bin.", "1"),
        setting(
            "low",
            "1",
            "Lower edge. Equal width: excluded, except in the first bin. Equal mass: the lowest "
            "confidence in the bin.",
        ),
        setting("high", "1", "Upper edge, included. Equal mass: the highest confidence in it."),
        total("n", "Answers in the bin.", "answers"),
        metric(
            "mean_confidence",
            "1",
            "higher",
            "Mean confidence of these answers; null: empty bin.",
            formula="mean of confidence",
            caveat="whether confidence is deserved: compare accuracy.",
        ),
        metric(
            "accuracy",
            "1",
            "",
            "Share of correct ones among these answers; null: empty bin.",
            formula="correct / n",
            caveat="how the figure would change with other labels, or for other questions than "
            "these.",
        ),
        metric(
            "gap",
            "1",
            "",
            "Above 0: overconfident, below 0: underconfident.",
            formula="mean_confidence - accuracy",
            caveat="whether errors in both directions cancel: see ece.",
        ),
        *ends("accuracy", SHARE),
        total("n_clusters", "Clusters of these answers; n if each is its own.", "clusters"),
        total(
            "n_missing",
            "Answers that lack confidence or correctness, in no bin; the same number in each row.",
            "answers",
        ),
    ),
)
