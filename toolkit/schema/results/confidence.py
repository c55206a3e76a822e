"""Results of confidence: of tokens, of answers, and of choices that agree."""

from __future__ import annotations

import pyarrow as pa

from toolkit.schema.base import Column, Table, metric, total
from toolkit.schema.results.sequences import SEQUENCE_LABELS
from toolkit.schema.tables import CHANNEL, CHOICE, RESPONSE_KEY, TOKENS

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
