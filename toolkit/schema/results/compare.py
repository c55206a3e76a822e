"""Declare the tables `compare` and `compare_tokens`."""

from __future__ import annotations

import pyarrow as pa

from toolkit.schema.base import TEXT, Column, Table, known, metric, total
from toolkit.schema.tables import CHOICE, RESPONSES

_WHICH = (
    known("response_key_a", "", "", "Key in the first run; null: it has no such answer."),
    known("response_key_b", "", "", "Key in the second run; null: it has no such answer."),
    CHOICE,
    RESPONSES["custom_id"],
)
_MODELS = (
    Column("model_a", TEXT, "Model of the first run."),
    Column("model_b", TEXT, "Model of the second run."),
)
JS = (
    metric(
        "js_lower",
        "nats",
        "",
        "Lower bound of the Jensen-Shannon divergence of the two distributions: over "
        "the texts in both lists and the rest as one. 0: equal; ln 2: nothing in "
        "common.",
        formula="sum(p ln(p/m) + q ln(q/m)) / 2, where m = (p + q) / 2",
        source="Lin 1991; bound derived",
        caveat="which of the two is better.",
    ),
    metric(
        "js_upper",
        "nats",
        "",
        "Upper bound: texts that are not in both lists have nothing in common.",
        formula="the same, with nothing in common outside both lists",
        source="Lin 1991; bound derived",
        caveat="which of the two is better.",
    ),
)

_KL_TV = (
    metric(
        "kl_lower",
        "nats",
        "",
        "Lower bound of KL(P‖Q), the Kullback-Leibler divergence of the second run's distribution "
        "Q from the first one's P: what the entries of both lists and the rests as one show, also "
        "if logprobs were rounded.",
        formula="at least sum(p ln(p/q)) over shared entries + m_p ln(m_p/m_q), m: what they lack",
        source="Kullback and Leibler 1951; bound: Donsker and Varadhan 1975",
        caveat="how great the divergence is: a cut list has no finite upper bound.",
    ),
    metric(
        "tv_lower",
        "1",
        "",
        "Lower bound of the total variation: 0 equal, 1 nothing in common. 1 - tv is the "
        "acceptance of speculative decoding, whichever run drafts.",
        formula="1 - sum(min(p, q)), with the greatest overlap possible outside the lists",
        source="Leviathan et al. 2023; bound derived",
        caveat="which of the two is better.",
    ),
    metric(
        "tv_upper",
        "1",
        "",
        "Upper bound of the total variation: texts that are not in both lists have nothing in "
        "common.",
        formula="1 - sum(min(p, q)) over shared entries",
        source="Leviathan et al. 2023; bound derived",
        caveat="which of the two is better.",
    ),
)

COMPARE = Table(
    "compare",
    "Two runs, answer by answer: one row per pair, and one per answer without a partner.",
    (),
    (
        *_WHICH,
        *_MODELS,
        Column("is_paired", pa.bool_(), "Whether both runs have the answer.", required=True),
        known("n_tokens_a", "tokens", "", "Token rows of the first answer."),
        known("n_tokens_b", "tokens", "", "Token rows of the second answer."),
        known("n_common", "tokens", "", "Tokens that both answers start with."),
        known(
            "first_divergence",
            "",
            "",
            "Position of the first token that differs; null: no token differs, and both have the "
            "same length.",
        ),
        Column("text_a", TEXT, "Text of the first answer, as LogprobTables.text gives it."),
        Column("text_b", TEXT, "Text of the second answer."),
        Column("same_text", pa.bool_(), "Whether both texts are equal; null: one has no text."),
        metric(
            "sum_logprob_a",
            "nats",
            "higher",
            "Sum over the ok tokens of the first answer.",
            formula="sum of logprob",
            caveat="how certain the model was per token: long answers have lower sums.",
        ),
        metric(
            "sum_logprob_b",
            "nats",
            "higher",
            "Sum over the ok tokens of the second answer.",
            formula="sum of logprob",
            caveat="how certain the model was per token: long answers have lower sums.",
        ),
        known("n_ok_a", "tokens", "", "Ok tokens of the first answer."),
        known("n_ok_b", "tokens", "", "Ok tokens of the second answer."),
        metric(
            "delta_nll",
            "nats/token",
            "",
            "Above 0: the first answer is more certain.",
            formula="mean surprisal of b - mean surprisal of a",
            caveat="which run is right more often, or how long the answers are.",
        ),
        known(
            "n_compared",
            "tokens",
            "",
            "Positions where the texts before are equal and both answers have a list.",
        ),
        known("n_flips", "tokens", "", "Of these, positions where the likeliest token differs."),
        *JS,
    ),
)

COMPARE_TOKENS = Table(
    "compare_tokens",
    "Two runs, token by token: one row per position of either answer of a pair.",
    (),
    (
        *_WHICH,
        *_MODELS,
        total("position", "0-based position in the channel.", ""),
        Column("token_a", TEXT, "Token of the first answer; null: it has ended."),
        Column("token_b", TEXT, "Token of the second answer; null: it has ended."),
        Column("same_token", pa.bool_(), "Whether both tokens have the same bytes.", required=True),
        Column(
            "same_prefix",
            pa.bool_(),
            "Whether all tokens before are equal: only there can the distributions be compared.",
            required=True,
        ),
        metric(
            "logprob_a",
            "nats",
            "higher",
            "Logprob of token_a, tiny positives as 0; null unless ok.",
            formula="min(logprob, 0)",
            caveat="whether the token is right.",
        ),
        metric(
            "logprob_b",
            "nats",
            "higher",
            "Logprob of token_b, tiny positives as 0; null unless ok.",
            formula="min(logprob, 0)",
            caveat="whether the token is right.",
        ),
        metric(
            "delta_logprob",
            "nats",
            "",
            "How much likelier the second run found the token; null unless both tokens are equal.",
            formula="logprob_b - logprob_a",
            caveat="anything about tokens after the texts have parted: see same_prefix.",
        ),
        Column("top1_a", TEXT, "Likeliest token in the list of the first."),
        Column("top1_b", TEXT, "Likeliest token in the list of the second."),
        Column(
            "is_flip",
            pa.bool_(),
            "Whether top1_a and top1_b differ; null unless the texts before are equal and both "
            "answers have a list.",
        ),
        *JS,
        *_KL_TV,
    ),
)
