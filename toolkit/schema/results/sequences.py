"""Declare the tables `sequence_metrics` and `corpus_metrics`."""

from __future__ import annotations

import pyarrow as pa

from toolkit.schema.base import LABEL, Column, Table, known, metric, total
from toolkit.schema.tables import CHANNEL, CHOICE, CHOICES, RESPONSE_KEY, RESPONSES, SOURCE

_PERPLEXITY = metric(
    "perplexity",
    "1",
    "lower",
    "exp(-sum_logprob / n_ok), over tokens of status ok; null if there is none. Source: Jelinek "
    "et al. 1977.",
)
_PERPLEXITY_LOWER = metric(
    "perplexity_lower",
    "1",
    "lower",
    "Lower bound of the perplexity over ok and censored tokens, where censored ones count with "
    "surprisal_lower: exp(sum_surprisal_lower / (n_ok + n_censored)); null if there is none.",
)
_BITS_PER_BYTE = metric(
    "bits_per_byte",
    "bits/byte",
    "lower",
    "-sum_logprob_bytes / (ln 2 * n_bytes): tokens without bytes are in neither sum; null "
    "without bytes. Source: Gao et al. 2020 (The Pile).",
)
_OFF_TOP1_RATE = metric(
    "off_top1_rate", "1", "lower", "n_off_top1 / n_ranked; null if n_ranked is 0."
)
_MEAN_LOGPROB = metric(
    "mean_logprob", "nats/token", "higher", "sum_logprob / n_ok; null if no token is ok."
)
_SUM_LOGPROB = metric(
    "sum_logprob",
    "nats",
    "higher",
    "Sum of logprob over tokens of status ok; null if there is none.",
)
_SUM_SURPRISAL_LOWER = metric(
    "sum_surprisal_lower",
    "nats",
    "lower",
    "Sum of surprisal_lower over ok and censored tokens; null if there is none.",
)
_SUM_LOGPROB_BYTES = metric(
    "sum_logprob_bytes",
    "nats",
    "higher",
    "Sum of logprob over the ok tokens that have bytes; null if there is none.",
)
N_INVALID = total(
    "n_invalid",
    "Tokens of status invalid. If a choice has one, all its tokens with a logprob count here, "
    "and its metrics are null: its other values are logits too.",
)
_TOKEN_TOTALS = (
    total("n_tokens", "Token rows."),
    total("n_ok", "Tokens of status ok: point values are over these."),
    total("n_censored", "Tokens of status censored: they count in the lower bounds."),
    total("n_missing", "Tokens of status missing."),
    N_INVALID,
    total("n_excess_mass", "Tokens whose list has a mass above 1, so that they have no entropy."),
)
_N_BYTES = total("n_bytes", "Bytes of the ok tokens that have bytes.", "bytes")
_N_RANKED = total("n_ranked", "Tokens for which off_top1 is known.")
_N_OFF_TOP1 = total("n_off_top1", "Tokens that are less likely than one of their alternatives.")
_N_ENTROPY = total("n_entropy", "Tokens whose entropy_lower is known.")
_MEAN_ENTROPIES = (
    metric(
        "mean_entropy_lower", "nats/token", "lower", "Mean of entropy_lower over n_entropy tokens."
    ),
    metric(
        "mean_entropy_upper",
        "nats/token",
        "lower",
        "Mean of entropy_upper over n_entropy tokens; null without a vocab_size.",
    ),
)
_MEAN_MISSING_MASS = metric(
    "mean_missing_mass", "1", "lower", "Mean of missing_mass over n_entropy tokens."
)

SEQUENCE_LABELS = (
    RESPONSE_KEY,
    CHOICE,
    CHANNEL,
    SOURCE,
    RESPONSES["response_id"],
    RESPONSES["custom_id"],
    RESPONSES["model"],
    RESPONSES["kind"],
    CHOICES["finish_reason"],
)
"""Columns that identify a sequence."""

SEQUENCE_METRICS = Table(
    "sequence_metrics",
    "One row per channel of a choice that has tokens, and one per choice without tokens.",
    ("response_key", "choice", "channel"),
    (
        *SEQUENCE_LABELS,
        *_TOKEN_TOTALS,
        _SUM_LOGPROB,
        _MEAN_LOGPROB,
        _PERPLEXITY,
        _SUM_SURPRISAL_LOWER,
        _PERPLEXITY_LOWER,
        _N_BYTES,
        _SUM_LOGPROB_BYTES,
        _BITS_PER_BYTE,
        metric("min_logprob", "nats", "higher", "Lowest logprob of an ok token; null: none."),
        metric(
            "min_probability",
            "1",
            "higher",
            "exp(min_logprob): probability of the least likely token.",
        ),
        Column(
            "weakest_position",
            pa.int32(),
            "Position of the (first) token with min_logprob; null: none.",
        ),
        metric(
            "worst_decile_logprob",
            "nats/token",
            "higher",
            "Mean of the max(1, floor(n_ok / 10)) lowest logprobs; null if no token is ok. After "
            "the bottom-10 % confidence of Fu et al. 2025 (DeepConf), over tokens.",
        ),
        known(
            "longest_run_below",
            "tokens",
            "lower",
            "Longest run of tokens with exp(-surprisal_lower) below the threshold, so a censored "
            "token counts if it is certainly below; null without an ok or censored token.",
        ),
        known("n_below", "tokens", "lower", "Number of such tokens; null likewise."),
        _N_RANKED,
        _N_OFF_TOP1,
        _OFF_TOP1_RATE,
        metric(
            "mean_margin",
            "1",
            "higher",
            "Mean of margin over the tokens that have one; null: none.",
        ),
        _N_ENTROPY,
        *_MEAN_ENTROPIES,
        metric(
            "mean_entropy_topk",
            "nats/token",
            "lower",
            "Mean of entropy_topk over n_entropy tokens.",
        ),
        _MEAN_MISSING_MASS,
    ),
)

CORPUS_METRICS = Table(
    "corpus_metrics",
    "One row per group of sequences, pooled token by token. Columns of `by` come first.",
    ("channel",),
    (
        Column("channel", LABEL, "Channel of the pooled tokens.", required=True),
        total("n_sequences", "Sequences: rows of sequence_metrics.", "sequences"),
        total("n_scored", "Sequences with an ok token.", "sequences"),
        *_TOKEN_TOTALS,
        _SUM_LOGPROB,
        _MEAN_LOGPROB,
        _PERPLEXITY,
        _SUM_SURPRISAL_LOWER,
        _PERPLEXITY_LOWER,
        metric(
            "perplexity_geometric",
            "1",
            "lower",
            "exp of the mean of -mean_logprob over the scored sequences, each of the same weight: "
            "the geometric mean of their perplexities. Null if n_scored is 0.",
        ),
        _N_BYTES,
        _SUM_LOGPROB_BYTES,
        _BITS_PER_BYTE,
        _N_RANKED,
        _N_OFF_TOP1,
        _OFF_TOP1_RATE,
        _N_ENTROPY,
        *_MEAN_ENTROPIES,
        _MEAN_MISSING_MASS,
    ),
)
