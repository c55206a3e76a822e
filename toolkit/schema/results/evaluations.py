"""Declare the tables `evaluate` and `compare_evaluations`."""

from __future__ import annotations

from toolkit.schema.base import TEXT, Column, Table, known, metric, total

_CLUSTERS = (
    total("n_clusters", "Clusters of answers: these are taken as independent.", "clusters"),
    Column("cluster", TEXT, "What the clusters are: a column; answer or pair: each is its own."),
)
_SAMPLE = "how the model does on other kinds of questions, nor whether the labels are right."
_MILLER = "Liang and Zeger 1986; Miller 2024"
_DESIGN_EFFECT = metric(
    "design_effect",
    "1",
    "",
    "Above 1: answers of one cluster are alike. Null where scores do not vary.",
    formula="(error / error without clusters)^2",
    source="Kish 1965",
    caveat="why answers are alike.",
)


def _least(of: str) -> Column:
    return metric(
        "least_detectable",
        "",
        "",
        f"{of} that a two-sided test at 1 - level finds with a probability of 0.8.",
        formula="(z of the level + z of 0.8) error",
        source="Bloom 1995; Miller 2024",
        caveat="that a smaller difference does not exist.",
    )


def _end(name: str, doc: str, formula: str, source: str = _MILLER) -> Column:
    return metric(name, "", "", doc, formula=formula, source=source, caveat=_SAMPLE)


EVALUATE = Table(
    "evaluate",
    "Mean score of an evaluation, with a clustered interval: one row for all, or one per group; "
    "columns of `by` come first.",
    (),
    (
        total("n", "Answers with a score.", "answers"),
        total("n_missing", "Answers without a score; they are omitted.", "answers"),
        *_CLUSTERS,
        _end("mean", "Mean score.", "sum of scores / n", ""),
        _end(
            "error",
            "Standard error of the mean over G clusters; null with fewer than 2.",
            "sqrt(G/(G-1) sum over clusters of (sum of (score - mean))^2) / n",
        ),
        _end(
            "mean_lower",
            "Lower end of its interval. Null if scores other than 0 and 1 do not vary.",
            "mean - t error, G - 1 degrees of freedom; of scores 0 and 1 that of a share, for as "
            "many answers as the clusters are worth",
            "Miller 2024; Agresti and Coull 1998; Korn and Graubard 1998",
        ),
        _end(
            "mean_upper",
            "Upper end of its interval.",
            "mean + t error, likewise",
            "Miller 2024; Agresti and Coull 1998; Korn and Graubard 1998",
        ),
        _DESIGN_EFFECT,
        _least("The least true distance from a fixed value"),
    ),
)
COMPARE_EVALUATIONS = Table(
    "compare_evaluations",
    "Two runs of one evaluation, question by question: one row for all, or one per group; columns "
    "of `by` come first.",
    (),
    (
        total("n_pairs", "Questions with a score in both runs.", "questions"),
        total("n_only_a", "Questions with a score in the first run alone.", "questions"),
        total("n_only_b", "Questions with a score in the second run alone.", "questions"),
        *_CLUSTERS,
        _end("mean_a", "Mean score of the first run over pairs.", "sum of scores / n_pairs", ""),
        _end("mean_b", "Mean score of the second run, likewise.", "sum of scores / n_pairs", ""),
        _end("difference", "Above 0: the second run is better.", "mean_b - mean_a", ""),
        _end(
            "error",
            "Standard error of the difference over G clusters of pairs.",
            "sqrt(G/(G-1) sum over clusters of (sum of (difference - mean))^2) / n_pairs",
        ),
        _end(
            "difference_lower",
            "Lower end of its interval; null with fewer than 10 clusters that differ.",
            "difference - t error, with G - 1 degrees of freedom",
        ),
        _end("difference_upper", "Upper end of that interval.", "difference + t error, likewise"),
        metric(
            "p_value",
            "1",
            "",
            "Two-sided p value of the same t; null where the interval is.",
            formula="P(|t| >= |difference / error|)",
            source=_MILLER,
            caveat="how great the difference is, nor that there is none.",
        ),
        metric(
            "correlation",
            "1",
            "",
            "Of the scores of both runs over questions: the higher, the more the pairing gains.",
            formula="Pearson's correlation",
            caveat="which run is better.",
        ),
        _DESIGN_EFFECT,
        _least("The least true difference"),
        known(
            "n_gained",
            "questions",
            "",
            "Questions that the second run alone gets right. Null unless every question has one "
            "answer of score 0 or 1 in both runs.",
        ),
        known("n_lost", "questions", "", "Questions that the first run alone gets right."),
        metric(
            "mcnemar_p",
            "1",
            "",
            "Exact two-sided p value that n_gained and n_lost differ by chance. Null where "
            "n_gained is, or with shared clusters.",
            formula="2 P(B >= max(n_gained, n_lost)), B binomial of n_gained + n_lost and 1/2",
            source="McNemar 1947",
            caveat="how great the difference is, nor that there is none.",
        ),
        _end(
            "newcombe_lower",
            "Lower end of the score interval of the difference, better than t for few questions. "
            "Null as mcnemar_p.",
            "Wilson's intervals of mean_a and mean_b, joined by their correlation (method 10)",
            "Newcombe 1998",
        ),
        _end("newcombe_upper", "Upper end of that interval.", "likewise", "Newcombe 1998"),
    ),
)
