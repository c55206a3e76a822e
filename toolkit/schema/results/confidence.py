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
            "-(1/k) sum of ln p over the k likeliest: in a peaked list all but the first are "
            "unlikely. Null with fewer than k entries. Source: Fu et al. 2025 (DeepConf).",
        ),
        metric(
            "group_confidence",
            "nats",
            "higher",
            "Mean of confidence over the last `window` tokens that have one; null where there are "
            "fewer. Source: Fu et al. 2025 (DeepConf).",
        ),
        metric(
            "self_certainty_topk",
            "nats",
            "higher",
            "-(1/k) sum of ln(k q), where q are the k likeliest renormalised: their distance from "
            "the uniform distribution. After Kang et al. 2025, whose self-certainty needs the "
            "whole vocabulary.",
        ),
        metric(
            "entropy_partial",
            "nats",
            "lower",
            "-sum of p ln p over the k likeliest, not renormalised: the contribution of the token "
            "to the entropy production rate (EPR).",
        ),
        metric(
            "varentropy_topk",
            "nats^2",
            "lower",
            "sum of q (ln q + H)^2 over the k likeliest, where q are renormalised and H is their "
            "entropy. After entropix, which uses the whole vocabulary.",
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
        metric("sum_logprob", "nats", "higher", "Sum over ok tokens; null if there is none."),
        metric("mean_logprob", "nats/token", "higher", "sum_logprob / n_ok."),
        metric("probability", "1", "higher", "exp(sum_logprob): probability of the whole answer."),
        metric(
            "mean_probability",
            "1",
            "higher",
            "exp(mean_logprob): normalised by length. Source: Malinin and Gales 2021.",
        ),
        metric("min_probability", "1", "higher", "Probability of the least probable ok token."),
        metric(
            "min_k_logprob",
            "nats/token",
            "higher",
            "Mean of the max(1, floor(min_k n_ok)) lowest logprobs. After Shi et al. 2024 "
            "(min-k %), who take the tokens of a prompt.",
        ),
        metric("confidence", "nats", "higher", "Mean of the confidence of the tokens (DeepConf)."),
        metric(
            "lowest_group_confidence",
            "nats",
            "higher",
            "Lowest mean of confidence over `window` consecutive tokens (DeepConf); with fewer "
            "tokens, the mean of all.",
        ),
        metric(
            "bottom_group_confidence",
            "nats",
            "higher",
            "Mean of the max(1, floor(bottom W)) lowest of the W windows (DeepConf).",
        ),
        metric(
            "tail_confidence",
            "nats",
            "higher",
            "Mean of confidence over the last `window` tokens (DeepConf).",
        ),
        metric(
            "self_certainty_topk", "nats", "higher", "Mean of self_certainty_topk over the tokens."
        ),
        metric(
            "entropy_rate",
            "nats/token",
            "lower",
            "Mean of entropy_partial over the tokens: entropy production rate (EPR). Source: "
            "Moslonka et al. 2025.",
        ),
        metric("varentropy_topk", "nats^2", "lower", "Mean of varentropy_topk over the tokens."),
    ),
)
