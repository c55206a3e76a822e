"""Declare the table `corpus_metrics`."""

from __future__ import annotations

from toolkit.schema.base import LABEL, Column, Table, metric, total
from toolkit.schema.results.sequences import SEQUENCE_METRICS


def _pooled(first: str, last: str) -> tuple[Column, ...]:
    """Return the columns of `sequence_metrics` from one to another; here they are of a group."""
    names = [column.name for column in SEQUENCE_METRICS.columns]
    return SEQUENCE_METRICS.columns[names.index(first) : names.index(last) + 1]


CORPUS_METRICS = Table(
    "corpus_metrics",
    "One row per group of sequences, pooled token by token. Columns of `by` come first.",
    ("channel",),
    (
        Column("channel", LABEL, "Channel of the pooled tokens.", required=True),
        total("n_sequences", "Sequences: rows of sequence_metrics.", "sequences"),
        total("n_scored", "Sequences with an ok token.", "sequences"),
        *_pooled("n_tokens", "perplexity_lower"),
        metric(
            "perplexity_geometric",
            "1",
            "lower",
            "Geometric mean of the perplexities of the scored sequences, each of the same "
            "weight. Null if n_scored is 0.",
            formula="exp(mean of -mean_logprob over sequences)",
            caveat="what the perplexity of the corpus is: short answers weigh as much as long "
            "ones.",
        ),
        *_pooled("n_bytes", "bits_per_byte"),
        *_pooled("n_ranked", "off_top1_rate"),
        *_pooled("n_entropy", "mean_entropy_upper"),
        SEQUENCE_METRICS["mean_missing_mass"],
    ),
)
