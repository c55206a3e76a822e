"""Declare the table `sequence_metrics`."""

from __future__ import annotations

import pyarrow as pa

from toolkit.schema.base import Column, Table, known, metric, total
from toolkit.schema.tables import CHANNEL, CHOICE, CHOICES, RESPONSE_KEY, RESPONSES, SOURCE

_PERPLEXITY = metric(
    "perplexity",
    "1",
    "lower",
    "Geometric mean of the inverse probabilities of the tokens of status ok; null "
    "if there is none.",
    formula="exp(-sum_logprob / n_ok)",
    source="Jelinek et al. 1977",
    caveat="whether the answer is right. Models with different tokenisers cannot be compared by "
    "it; bits_per_byte can.",
)
_PERPLEXITY_LOWER = metric(
    "perplexity_lower",
    "1",
    "lower",
    "Lower bound of the perplexity over ok and censored tokens, where censored ones "
    "count with surprisal_lower; null if there is none.",
    formula="exp(sum_surprisal_lower / (n_ok + n_censored))",
    source="derived",
    caveat="how far the perplexity lies above it, if tokens are censored.",
)
_BITS_PER_BYTE = metric(
    "bits_per_byte",
    "bits/byte",
    "lower",
    "Surprisal per byte of text: it does not depend on the tokeniser. Tokens "
    "without bytes are in neither sum; null without bytes.",
    formula="-sum_logprob_bytes / (ln(2) * n_bytes)",
    source="Gao et al. 2020 (The Pile)",
    caveat="whether the answer is right: a model can be certain and wrong.",
)
_OFF_TOP1_RATE = metric(
    "off_top1_rate",
    "1",
    "lower",
    "Share of the tokens that are less likely than one of their alternatives; null "
    "if n_ranked is 0.",
    formula="n_off_top1 / n_ranked",
    caveat="whether such tokens are wrong: sampling with a temperature takes other tokens on "
    "purpose.",
)
_MEAN_LOGPROB = metric(
    "mean_logprob",
    "nats/token",
    "higher",
    "Mean over the tokens of status ok; null if there is none.",
    formula="sum_logprob / n_ok",
    caveat="whether the answer is right: a model can be certain and wrong.",
)
_SUM_LOGPROB = metric(
    "sum_logprob",
    "nats",
    "higher",
    "Log probability of the tokens of status ok together; null if there is none.",
    formula="sum of logprob",
    caveat="how certain the model was per token: long answers have lower sums.",
)
_SUM_SURPRISAL_LOWER = metric(
    "sum_surprisal_lower",
    "nats",
    "lower",
    "Over ok and censored tokens; null if there is none.",
    formula="sum of surprisal_lower",
    caveat="how much more surprising the censored tokens were.",
)
_SUM_LOGPROB_BYTES = metric(
    "sum_logprob_bytes",
    "nats",
    "higher",
    "Log probability of the ok tokens that have bytes; null if there is none.",
    formula="sum of logprob",
    caveat="anything about tokens without bytes, which are omitted.",
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
        "mean_entropy_lower",
        "nats/token",
        "lower",
        "Over n_entropy tokens.",
        formula="mean of entropy_lower",
        caveat="what the mean entropy is: it lies between the means of the bounds.",
    ),
    metric(
        "mean_entropy_upper",
        "nats/token",
        "lower",
        "Over n_entropy tokens; null without a vocab_size.",
        formula="mean of entropy_upper",
        caveat="what the mean entropy is: it lies between the means of the bounds.",
    ),
)
_MEAN_MISSING_MASS = metric(
    "mean_missing_mass",
    "1",
    "lower",
    "Over n_entropy tokens.",
    formula="mean of missing_mass",
    caveat="whether the rest lies on few tokens or on many.",
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
        metric(
            "min_logprob",
            "nats",
            "higher",
            "Of the ok tokens; null: none.",
            formula="min of logprob",
            caveat="whether that token matters for the answer.",
        ),
        metric(
            "min_probability",
            "1",
            "higher",
            "Probability of the least likely token, the weakest link.",
            formula="exp(min_logprob)",
            caveat="whether that token matters for the answer: a rare word or a comma can be the "
            "least likely.",
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
            "The least likely tokens together; null if no token is ok.",
            formula="mean of the max(1, floor(n_ok / 10)) lowest logprobs",
            source="after Fu et al. 2025 (DeepConf), whose bottom-10 % confidence is over lists",
            caveat="where these tokens are, or whether they matter for the answer.",
        ),
        known(
            "longest_run_below",
            "tokens",
            "lower",
            "Longest run of tokens that are certainly below the threshold, censored ones "
            "included; null without an ok or censored token.",
            formula="max length of a run with exp(-surprisal_lower) < threshold",
            caveat="how far below the threshold the tokens are.",
        ),
        known(
            "n_below",
            "tokens",
            "lower",
            "Number of such tokens; null likewise.",
            formula="count of exp(-surprisal_lower) < threshold",
            caveat="how far below the threshold the tokens are: long answers have more.",
        ),
        _N_RANKED,
        _N_OFF_TOP1,
        _OFF_TOP1_RATE,
        metric(
            "mean_margin",
            "1",
            "higher",
            "Over the tokens that have one; null: none.",
            formula="mean of margin",
            caveat="whether the alternatives differ in meaning.",
        ),
        _N_ENTROPY,
        *_MEAN_ENTROPIES,
        metric(
            "mean_entropy_topk",
            "nats/token",
            "lower",
            "Over n_entropy tokens.",
            formula="mean of entropy_topk",
            caveat="what the mean entropy over the whole vocabulary is: at least as high.",
        ),
        _MEAN_MISSING_MASS,
    ),
)
