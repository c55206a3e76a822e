"""Results of confidence: of tokens, of answers, and of choices that agree."""

from __future__ import annotations

import pyarrow as pa

from toolkit.schema.base import TEXT, Column, Table, known, metric, total
from toolkit.schema.results.sequences import SEQUENCE_LABELS
from toolkit.schema.tables import CHANNEL, CHOICE, RESPONSE_KEY, RESPONSES, TOKENS

_K = Column(
    "k",
    pa.int64(),
    "Entries that are taken of each list, the likeliest; null if there is no list at all.",
    unit="alternatives",
)

TOKEN_CONFIDENCE = Table(
    "token_confidence",
    "How peaked the list of each token is, over its k likeliest entries.",
    ("response_key", "choice", "channel", "position"),
    (
        RESPONSE_KEY,
        CHOICE,
        CHANNEL,
        TOKENS["position"],
        _K,
        metric(
            "confidence",
            "nats",
            "higher",
            "-(1/k) sum of ln p over the k likeliest: a peaked list has unlikely ones behind. Null "
            "with fewer than k. Source: Fu et al. 2025 (DeepConf).",
        ),
        metric(
            "group_confidence",
            "nats",
            "higher",
            "Mean of confidence over the last `window` tokens that have one; null before there are "
            "so many. Source: Fu et al. 2025 (DeepConf).",
        ),
        metric(
            "self_certainty_topk",
            "nats",
            "higher",
            "-(1/k) sum of ln(k q), q being the k likeliest renormalised: how far they are from "
            "alike. After Kang et al. 2025, whose self-certainty needs the whole vocabulary.",
        ),
        metric(
            "entropy_partial",
            "nats",
            "lower",
            "-sum of p ln p over the k likeliest, not renormalised: the token's share in EPR.",
        ),
        metric(
            "varentropy_topk",
            "nats^2",
            "lower",
            "sum of q (ln q + H)^2 over the k likeliest, renormalised, H being their entropy. "
            "After entropix, which has the whole vocabulary.",
        ),
    ),
)

CONFIDENCE_METRICS = Table(
    "confidence_metrics",
    "How sure the model was of each answer, by the measures that rank and filter answers.",
    ("response_key", "choice", "channel"),
    (
        *SEQUENCE_LABELS,
        total("n_tokens", "Token rows."),
        total("n_ok", "Tokens of status ok: sums of logprobs are made of them."),
        _K,
        total("n_lists", "Tokens whose list has k entries: the measures of lists are of these."),
        total("n_short", "Tokens whose list has fewer: left out."),
        metric("sum_logprob", "nats", "higher", "Sum over ok tokens; null if there is none."),
        metric("mean_logprob", "nats/token", "higher", "sum_logprob / n_ok."),
        metric("probability", "1", "higher", "exp(sum_logprob): of the whole answer."),
        metric(
            "mean_probability",
            "1",
            "higher",
            "exp(mean_logprob): normalised by length. Source: Malinin and Gales 2021.",
        ),
        metric("min_probability", "1", "higher", "Of the least probable ok token."),
        metric(
            "min_k_logprob",
            "nats/token",
            "higher",
            "Mean of the max(1, floor(min_k n_ok)) least logprobs. After Shi et al. 2024 "
            "(min-k %), who take the tokens of a prompt.",
        ),
        metric("confidence", "nats", "higher", "Mean of the tokens' confidence (DeepConf)."),
        metric(
            "lowest_group_confidence",
            "nats",
            "higher",
            "Least mean of confidence over `window` consecutive tokens (DeepConf); the mean of all "
            "where there are fewer.",
        ),
        metric(
            "bottom_group_confidence",
            "nats",
            "higher",
            "Mean of the max(1, floor(bottom W)) least of the W windows (DeepConf).",
        ),
        metric(
            "tail_confidence",
            "nats",
            "higher",
            "Mean of confidence over the last `window` tokens (DeepConf).",
        ),
        metric("self_certainty_topk", "nats", "higher", "Mean of the tokens' self_certainty_topk."),
        metric(
            "entropy_rate",
            "nats/token",
            "lower",
            "Mean of the tokens' entropy_partial: the entropy production rate (EPR) of Moslonka et "
            "al. 2025.",
        ),
        metric("varentropy_topk", "nats^2", "lower", "Mean of the tokens' varentropy_topk."),
    ),
)

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
