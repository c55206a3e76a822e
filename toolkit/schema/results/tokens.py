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
            "How unexpected the token was, tiny positive logprobs counted as 0; null unless "
            "the status is ok.",
            formula="-logprob",
            source="Shannon 1948",
            caveat="whether the token is right, or whether its alternatives mean the same.",
        ),
        metric(
            "surprisal_lower",
            "nats",
            "lower",
            "surprisal if ok. If censored, its lower bound, from p_k, the probability of "
            "the last entry of the list, and m, the mass outside the list; 0 without a "
            "list. Null if missing or invalid.",
            formula="-ln min(p_k, m + 1e-6) if censored",
            source="derived",
            caveat="how much more surprising a censored token was.",
        ),
        metric(
            "probability",
            "1",
            "higher",
            "Probability of the sampled token; null unless the status is ok.",
            formula="exp(-surprisal)",
            caveat="whether the server took it before or after temperature and other settings of "
            "sampling.",
        ),
        Column(
            "sampled_rank",
            pa.int32(),
            "1-based rank of the sampled token among its alternatives; null: not among them.",
            unit="rank",
            direction="lower",
            formula="1 + number of alternatives before it, sorted by logprob",
            caveat="how far apart the alternatives are.",
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
            "Lead of the likeliest usable alternative over the next; null if there are "
            "fewer than two.",
            formula="p1 - p2",
            source="Scheffer et al. 2001",
            caveat='whether the two alternatives differ in meaning: "Paris" and " Paris" compete '
            "too.",
        ),
        metric(
            "margin_logprob",
            "nats",
            "higher",
            "The same lead in logprobs; null if there are fewer than two usable alternatives.",
            formula="l1 - l2",
            caveat="how probable the two alternatives are.",
        ),
        metric(
            "top_mass",
            "1",
            "higher",
            "Probability of the known entries, which are the usable alternatives and the "
            "sampled token, each counted once. Null if none is known.",
            formula="s = sum of p over the known entries",
            caveat="how the rest of the probability is spread.",
        ),
        metric(
            "missing_mass",
            "1",
            "lower",
            "Probability outside the known entries. Null if none is known or if excess_mass.",
            formula="m = max(0, 1 - s)",
            caveat="whether the rest lies on few tokens or on many.",
        ),
        metric(
            "entropy_lower",
            "nats",
            "lower",
            "Lowest entropy of a distribution with these entries: the missing mass is "
            "packed into tokens of p_k, the probability of the last entry. Logprobs sent with up "
            "to 6 decimals were rounded: it is the lowest of all lists that round to this one. "
            "Null if no entry is known or if excess_mass.",
            formula="-sum(p ln p) - j p_k ln p_k - r ln r, where j = floor(m / p_k) and r = m - j "
            "p_k",
            source="derived from Schur concavity",
            caveat="what the entropy is: it lies between entropy_lower and entropy_upper.",
        ),
        metric(
            "entropy_upper",
            "nats",
            "lower",
            "Highest entropy of such a distribution: the missing mass is spread over the "
            "rest of the vocabulary. Rounding as in entropy_lower, which never exceeds it. Null "
            "as entropy_lower, and without a vocab_size.",
            formula="-sum(p ln p) - m ln(m / (V - k)), where V is vocab_size and k the number of "
            "known entries",
            source="derived from Schur concavity",
            caveat="what the entropy is: if much mass is missing, the bound is far above it.",
        ),
        metric(
            "entropy_topk",
            "nats",
            "lower",
            "Entropy of the known entries renormalised to 1. Null as entropy_lower.",
            formula="-sum(q ln q), where q = p / s",
            source="Shannon 1948, renormalised",
            caveat="what the entropy over the whole vocabulary is: it is at least as high.",
        ),
        Column(
            "off_top1",
            pa.bool_(),
            "Whether an alternative is likelier than the sampled token; false for a tie. "
            "Null without a usable alternative or if the status is not ok.",
            unit="1",
            direction="lower",
            formula="l1 > logprob",
            caveat="whether the token is wrong: sampling with a temperature takes other tokens "
            "on purpose.",
        ),
        Column(
            "excess_mass",
            pa.bool_(),
            "Whether s is above 1 by more than the rounding of the logprobs explains.",
            required=True,
        ),
    ),
)
