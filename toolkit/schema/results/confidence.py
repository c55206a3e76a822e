"""Declare the tables `token_confidence` and `confidence_metrics`."""

from __future__ import annotations

import pyarrow as pa

from toolkit.schema.base import Column, Table, metric, total
from toolkit.schema.results.sequences import SEQUENCE_LABELS
from toolkit.schema.tables import CHANNEL, CHOICE, RESPONSE_KEY, TOKENS

_K = Column(
    "k",
    pa.int64(),
    "Number of entries taken from each list, the likeliest first; null: no token has a list.",
    unit="alternatives",
)
TOKEN_CONFIDENCE = Table(
    "token_confidence",
    "One row per token: how peaked its list is, over the k likeliest entries.",
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
            "Minus the mean logprob of the k likeliest: in a peaked list all but the first "
            "are unlikely. Null with fewer than k entries.",
            formula="-(1/k) sum(ln p)",
            source="Fu et al. 2025 (DeepConf)",
            caveat="whether the answer is right: a model can be certain and wrong.",
        ),
        metric(
            "group_confidence",
            "nats",
            "higher",
            "Over the last `window` tokens that have one; null where there are fewer.",
            formula="mean of confidence over the window",
            source="Fu et al. 2025 (DeepConf)",
            caveat="whether the answer is right: a model can be certain and wrong.",
        ),
        metric(
            "self_certainty_topk",
            "nats",
            "higher",
            "Distance of the k likeliest, renormalised to q, from the uniform distribution.",
            formula="-(1/k) sum(ln(k q))",
            source="after Kang et al. 2025, whose self-certainty needs the whole vocabulary",
            caveat="what the self-certainty over the whole vocabulary is.",
        ),
        metric(
            "entropy_partial",
            "nats",
            "lower",
            "Over the k likeliest, not renormalised: the contribution of the token to the "
            "entropy production rate (EPR).",
            formula="-sum(p ln p)",
            source="Moslonka et al. 2025",
            caveat="what the entropy is: the mass outside the k entries counts nothing.",
        ),
        metric(
            "varentropy_topk",
            "nats^2",
            "lower",
            "Variance of the surprisal over the k likeliest, where q are renormalised and H "
            "is their entropy.",
            formula="sum(q (ln q + H)^2)",
            source="after entropix, which uses the whole vocabulary",
            caveat="what the varentropy over the whole vocabulary is.",
        ),
    ),
)
CONFIDENCE_METRICS = Table(
    "confidence_metrics",
    "One row per answer: how certain the model was, by measures that rank and filter answers.",
    ("response_key", "choice", "channel"),
    (
        *SEQUENCE_LABELS,
        total("n_tokens", "Token rows."),
        total("n_ok", "Tokens of status ok: sums of logprobs are over these."),
        _K,
        total("n_lists", "Tokens whose list has k entries: measures of lists are over these."),
        total("n_short", "Tokens whose list has fewer entries; they are omitted."),
        metric(
            "sum_logprob",
            "nats",
            "higher",
            "Over ok tokens; null if there is none.",
            formula="sum of logprob",
            caveat="how certain the model was per token: long answers have lower sums.",
        ),
        metric(
            "mean_logprob",
            "nats/token",
            "higher",
            "Mean over ok tokens.",
            formula="sum_logprob / n_ok",
            caveat="whether the answer is right: a model can be certain and wrong.",
        ),
        metric(
            "probability",
            "1",
            "higher",
            "Probability of the whole answer as it is written.",
            formula="exp(sum_logprob)",
            caveat="whether the answer is right, or how probable its meaning is in other words.",
        ),
        metric(
            "mean_probability",
            "1",
            "higher",
            "Probability normalised by length.",
            formula="exp(mean_logprob)",
            source="Malinin and Gales 2021",
            caveat="whether the answer is right: a model can be certain and wrong.",
        ),
        metric(
            "min_probability",
            "1",
            "higher",
            "Probability of the least probable ok token.",
            formula="exp(min_logprob)",
            caveat="whether that token matters for the answer.",
        ),
        metric(
            "min_k_logprob",
            "nats/token",
            "higher",
            "The least likely tokens together.",
            formula="mean of the max(1, floor(min_k n_ok)) lowest logprobs",
            source="after Shi et al. 2024 (min-k %), who take the tokens of a prompt",
            caveat="where these tokens are, or whether they matter for the answer.",
        ),
        metric(
            "confidence",
            "nats",
            "higher",
            "Over the tokens that have one.",
            formula="mean of confidence",
            source="Fu et al. 2025 (DeepConf)",
            caveat="whether the answer is right: a model can be certain and wrong.",
        ),
        metric(
            "lowest_group_confidence",
            "nats",
            "higher",
            "Lowest mean of confidence over `window` consecutive tokens; with fewer tokens, "
            "the mean of all.",
            formula="min of group_confidence",
            source="Fu et al. 2025 (DeepConf)",
            caveat="whether the answer is right: a model can be certain and wrong.",
        ),
        metric(
            "bottom_group_confidence",
            "nats",
            "higher",
            "Mean of the lowest of the W windows.",
            formula="mean of the max(1, floor(bottom W)) lowest group_confidence",
            source="Fu et al. 2025 (DeepConf)",
            caveat="whether the answer is right: a model can be certain and wrong.",
        ),
        metric(
            "tail_confidence",
            "nats",
            "higher",
            "Over the last `window` tokens.",
            formula="mean of confidence over the last window",
            source="Fu et al. 2025 (DeepConf)",
            caveat="whether the answer is right: a model can be certain and wrong.",
        ),
        metric(
            "self_certainty_topk",
            "nats",
            "higher",
            "Over the tokens that have one.",
            formula="mean of self_certainty_topk",
            source="after Kang et al. 2025",
            caveat="what the self-certainty over the whole vocabulary is.",
        ),
        metric(
            "entropy_rate",
            "nats/token",
            "lower",
            "Entropy production rate (EPR).",
            formula="mean of entropy_partial",
            source="Moslonka et al. 2025",
            caveat="what the entropy rate is: the mass outside the k entries counts nothing.",
        ),
        metric(
            "varentropy_topk",
            "nats^2",
            "lower",
            "Over the tokens that have one.",
            formula="mean of varentropy_topk",
            source="after entropix",
            caveat="what the varentropy over the whole vocabulary is.",
        ),
    ),
)
