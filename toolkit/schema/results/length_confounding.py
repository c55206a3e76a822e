"""Declare the table `length_confounding`."""

from __future__ import annotations

from toolkit.schema.base import Table, metric, total

_SANTILLI = "Santilli et al. 2025"

LENGTH = (
    metric(
        "auroc_length",
        "1",
        "",
        "AUROC of the shortest answers first; null if all are right or all are wrong.",
        formula="P(n_tokens of a wrong answer > n_tokens of a right one), ties half",
        source=_SANTILLI,
        caveat="whether the confidence uses the length.",
    ),
    metric(
        "auroc_within_length",
        "1",
        "",
        "AUROC of the confidence among answers of one quintile of length, pairs pooled; null "
        "without pairs.",
        formula="sum(pairs in the right order) / sum(pairs) over quintiles of n_tokens",
        source=_SANTILLI,
        caveat="that length has no part in it: inside a quintile, lengths differ a little.",
    ),
    metric(
        "length_correlation",
        "1",
        "",
        "Correlation of confidence and length; null if one of them does not vary.",
        formula="Pearson correlation of the ranks of confidence and n_tokens",
        source="Spearman 1904",
        caveat="whether length and correctness are related.",
    ),
)
"""Columns of a table that compare a confidence with the length of the answers."""
LENGTH_CONFOUNDING = Table(
    "length_confounding",
    "How far a confidence separates right from wrong answers only by their length: one row.",
    (),
    (
        total("n", "Answers with a confidence, a label and a length.", "answers"),
        total("n_missing", "Answers that lack one of them; they are omitted.", "answers"),
        *LENGTH,
    ),
)
