"""Columns of `toolkit.metrics.agreement` and `votes`."""

from __future__ import annotations

import pyarrow as pa

from toolkit.schema.base import TEXT, Column, Table, known, metric, total
from toolkit.schema.tables import CHOICE, RESPONSE_KEY, RESPONSES

VOTES = Table(
    "votes",
    "What each choice votes for, one row per choice.",
    ("group", "response_key", "choice"),
    (
        total("group", "0-based ordinal of the question that it answers.", ""),
        RESPONSE_KEY,
        CHOICE,
        RESPONSES["custom_id"],
        RESPONSES["model"],
        Column("answer", TEXT, "What it answers, as text; null: nothing."),
        known(
            "cluster", "", "", "0-based ordinal, in its group, of the answers that mean the same."
        ),
        metric("weight", "1", "", "Its weight; null: it has none, and no weighted vote."),
        Column(
            "is_kept",
            pa.bool_(),
            "Whether its weight is among those that are kept for the weighted vote.",
            required=True,
        ),
        Column("is_majority", pa.bool_(), "Whether it is of the majority.", required=True),
        metric("mean_logprob", "nats/token", "higher", "Of the choice's ok tokens."),
    ),
)
AGREEMENT = Table(
    "agreement",
    "How far several choices agree, one row per question.",
    ("group",),
    (
        total("group", "0-based ordinal of the question.", ""),
        Column("response_key", pa.int64(), "Of its first response.", required=True),
        RESPONSES["custom_id"],
        RESPONSES["model"],
        total("n_choices", "Choices.", "choices"),
        total("n_answered", "Those with an answer: N, all shares are of these.", "choices"),
        total("n_clusters", "Different meanings among the answers.", ""),
        Column("majority", TEXT, "The first answer of the largest cluster; null without any."),
        metric("majority_share", "1", "higher", "Share of the largest cluster."),
        metric("margin", "1", "higher", "That share less the next one's; 0 is a tie."),
        metric(
            "vote_entropy",
            "nats",
            "lower",
            "-sum of (n/N) ln(n/N) over the different answers, as texts.",
        ),
        metric(
            "semantic_entropy_discrete",
            "nats",
            "lower",
            "The same over the clusters. Source: Farquhar et al. 2024.",
        ),
        metric(
            "semantic_entropy",
            "nats",
            "lower",
            "Entropy of the clusters' shares of exp(mean_logprob). Source: Farquhar et al. 2024.",
        ),
        total("n_scored", "Answers with a mean_logprob: those that this is made of.", "choices"),
        total("n_kept", "Answers in the weighted vote.", "choices"),
        Column("weighted_majority", TEXT, "First answer of the cluster with the most weight."),
        metric("weighted_share", "1", "higher", "Its share of the kept weight."),
        metric("weighted_margin", "1", "higher", "That share less the next one's."),
    ),
)
