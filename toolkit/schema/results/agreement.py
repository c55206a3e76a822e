"""Declare the tables `agreement` and `votes`."""

from __future__ import annotations

import pyarrow as pa

from toolkit.schema.base import TEXT, Column, Table, known, metric, setting, total
from toolkit.schema.tables import CHOICE, RESPONSE_KEY, RESPONSES

VOTES = Table(
    "votes",
    "One row per choice: the answer that it votes for.",
    ("group", "response_key", "choice"),
    (
        total("group", "0-based ordinal of the question that the choice answers.", ""),
        RESPONSE_KEY,
        CHOICE,
        RESPONSES["custom_id"],
        RESPONSES["model"],
        Column("answer", TEXT, "Its answer, as text; null: it has none."),
        known(
            "cluster",
            "",
            "",
            "0-based ordinal, in the group, of the set of answers with the same meaning.",
        ),
        setting("weight", "1", "Weight of its vote; null: no weight, so it has no weighted vote."),
        Column(
            "is_kept",
            pa.bool_(),
            "Whether it takes part in the weighted vote.",
            required=True,
        ),
        Column(
            "is_majority", pa.bool_(), "Whether its answer belongs to the majority.", required=True
        ),
        metric(
            "mean_logprob",
            "nats/token",
            "higher",
            "Over the ok tokens of the choice.",
            formula="sum_logprob / n_ok",
            caveat="whether the answer is right: a model can be certain and wrong.",
        ),
    ),
)
AGREEMENT = Table(
    "agreement",
    "One row per question: how far its choices agree.",
    ("group",),
    (
        total("group", "0-based ordinal of the question.", ""),
        Column("response_key", pa.int64(), "Key of its first response.", required=True),
        RESPONSES["custom_id"],
        RESPONSES["model"],
        total("n_choices", "Choices of the question.", "choices"),
        total("n_answered", "Choices with an answer: N, the denominator of all shares.", "choices"),
        total("n_clusters", "Clusters: different meanings among the answers.", ""),
        Column("majority", TEXT, "First answer of the largest cluster; null: no answer."),
        metric(
            "majority_share",
            "1",
            "higher",
            "Share of the largest cluster.",
            formula="largest cluster / n_answered",
            source="Wang et al. 2023 (self-consistency)",
            caveat="whether the majority is right: choices can agree on an error.",
        ),
        metric(
            "margin",
            "1",
            "higher",
            "Lead of the largest cluster; 0 is a tie.",
            formula="majority_share - share of the next cluster",
            caveat="whether the majority is right.",
        ),
        metric(
            "vote_entropy",
            "nats",
            "lower",
            "Over the answers that differ as texts.",
            formula="-sum((n/N) ln(n/N)) over texts",
            source="Shannon 1948",
            caveat="whether answers that differ as texts mean the same.",
        ),
        metric(
            "semantic_entropy_discrete",
            "nats",
            "lower",
            "The same over the clusters.",
            formula="-sum((n/N) ln(n/N)) over clusters",
            source="Farquhar et al. 2024",
            caveat="whether the answers are right, or whether the clusters are well chosen.",
        ),
        metric(
            "semantic_entropy",
            "nats",
            "lower",
            "Over the clusters, weighted by the likelihood of their answers.",
            formula="-sum(w ln w), where w is a cluster's share of exp(mean_logprob)",
            source="Farquhar et al. 2024",
            caveat="whether the answers are right, or whether the clusters are well chosen.",
        ),
        total(
            "n_scored", "Answers with a mean_logprob: semantic_entropy is over these.", "choices"
        ),
        total("n_kept", "Answers in the weighted vote.", "choices"),
        Column(
            "weighted_majority",
            TEXT,
            "First answer of the cluster with the largest weight; null: no weight.",
        ),
        metric(
            "weighted_share",
            "1",
            "higher",
            "Share of that cluster in the kept weight.",
            formula="weight of the cluster / kept weight",
            caveat="whether the weights deserve trust.",
        ),
        metric(
            "weighted_margin",
            "1",
            "higher",
            "Lead of that cluster.",
            formula="weighted_share - share of the next cluster",
            caveat="whether the weights deserve trust.",
        ),
    ),
)
