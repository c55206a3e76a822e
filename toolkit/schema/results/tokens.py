"""Declare the table `token_metrics`."""

from __future__ import annotations

import pyarrow as pa

from toolkit.schema.base import Column, Table, metric, total
from toolkit.schema.tables import (
    CHANNEL,
    CHOICE,
    LOGPROB,
    POSITION,
    RESPONSE_KEY,
    STATUS,
    TOKEN,
    TOKENS,
)

TOKEN_METRICS = Table(
    "token_metrics",
    "One row per token, in the order of tokens: how certain the model was of it.",
    TOKENS.keys,
    (
        RESPONSE_KEY,
        CHOICE,
        CHANNEL,
        POSITION,
        TOKEN,
        LOGPROB,
        STATUS,
        metric(
            "surprisal",
            "nats",
            "lower",
            "-logprob, tiny positives as 0; null unless the status is ok. Source: Shannon 1948.",
        ),
        metric(
            "surprisal_lower",
            "nats",
            "lower",
            "surprisal if ok. If censored, its lower bound: -ln min(p_k, m + 1e-6) from the last "
            "entry of the list and the mass outside it; 0 without a list. Null if missing or "
            "invalid. Source: derived.",
        ),
        metric("probability", "1", "higher", "exp(-surprisal); null unless the status is ok."),
        Column(
            "sampled_rank",
            pa.int32(),
            "1-based rank of the sampled token among its alternatives; null: not among them.",
            unit="rank",
            direction="lower",
        ),
        total(
            "n_entries",
            "Usable alternatives: of status ok, without second copies of the sampled token.",
            "alternatives",
        ),
        metric(
            "margin",
            "1",
            "higher",
            "p1 - p2 of the two top-ranked usable alternatives; null if there are fewer. Source: "
            "Scheffer et al. 2001.",
        ),
        metric(
            "margin_logprob",
            "nats",
            "higher",
            "l1 - l2 of the two top-ranked usable alternatives; null if there are fewer.",
        ),
        metric(
            "top_mass",
            "1",
            "higher",
            "s: probability of the known entries, which are the usable alternatives and the "
            "sampled token, each counted once. Null if none is known.",
        ),
        metric(
            "missing_mass",
            "1",
            "lower",
            "m: probability outside the known entries, max(0, 1 - s). Null if none is known or if "
            "excess_mass.",
        ),
        metric(
            "entropy_lower",
            "nats",
            "lower",
            "Lowest entropy of a distribution with these entries: the missing mass is packed into "
            "tokens of p_k. Null if no entry is known or if excess_mass. Source: derived from "
            "Schur concavity.",
        ),
        metric(
            "entropy_upper",
            "nats",
            "lower",
            "Highest entropy of such a distribution: the missing mass is spread over the rest of "
            "the vocabulary. Null as entropy_lower, and without a vocab_size. Source: derived from "
            "Schur concavity.",
        ),
        metric(
            "entropy_topk",
            "nats",
            "lower",
            "Entropy of the known entries renormalised to 1; never above the whole entropy. Null "
            "as entropy_lower. Source: Shannon 1948, renormalised.",
        ),
        Column(
            "off_top1",
            pa.bool_(),
            "Whether an alternative is likelier than the sampled token; false for a tie. Null "
            "without a usable alternative or if the status is not ok.",
            unit="1",
            direction="lower",
        ),
        Column(
            "excess_mass",
            pa.bool_(),
            "Whether s is above 1 by more than the rounding of the logprobs explains.",
            required=True,
        ),
    ),
)
