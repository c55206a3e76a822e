"""Results of two runs compared."""

from __future__ import annotations

import pyarrow as pa

from toolkit.schema.base import TEXT, Column, Table, known, metric, total
from toolkit.schema.tables import CHOICE, RESPONSES

_WHICH = (
    known("response_key_a", "", "", "In the first tables; null: there is no such answer."),
    known("response_key_b", "", "", "In the second tables; null: there is no such answer."),
    CHOICE,
    RESPONSES["custom_id"],
)
_JS = (
    metric(
        "js_lower",
        "nats",
        "",
        "Jensen-Shannon divergence of the two distributions, at least: over the texts that both "
        "lists have and what is left. 0: alike; ln 2: nothing in common. Source: Lin 1991.",
    ),
    metric("js_upper", "nats", "", "At most: what is not in both lists has nothing in common."),
)

COMPARE = Table(
    "compare",
    "Two runs, answer by answer: one row per pair, and per answer that has no partner.",
    (),
    (
        *_WHICH,
        Column("model_a", TEXT, "Model of the first."),
        Column("model_b", TEXT, "Model of the second."),
        Column("is_paired", pa.bool_(), "Whether both have the answer.", required=True),
        known("n_tokens_a", "tokens", "", "Token rows of the first."),
        known("n_tokens_b", "tokens", "", "Token rows of the second."),
        known("n_common", "tokens", "", "Tokens that both begin with."),
        known(
            "first_divergence",
            "",
            "",
            "Position of the first token that differs; null: none does, and both are as long.",
        ),
        Column("same_text", pa.bool_(), "Whether both say the same; null where one says nothing."),
        metric("sum_logprob_a", "nats", "higher", "Over the ok tokens of the first."),
        metric("sum_logprob_b", "nats", "higher", "Over the ok tokens of the second."),
        known("n_ok_a", "tokens", "", "These tokens."),
        known("n_ok_b", "tokens", "", "These tokens."),
        metric(
            "delta_nll",
            "nats/token",
            "",
            "Mean surprisal of the second less that of the first; above 0: the first is surer.",
        ),
        known("n_compared", "tokens", "", "Positions with the same text before, and both lists."),
        known("n_flips", "tokens", "", "Those where the likeliest token is another."),
        *_JS,
    ),
)

COMPARE_TOKENS = Table(
    "compare_tokens",
    "Two runs, token by token: one row per position that either answer of a pair has.",
    (),
    (
        *_WHICH,
        total("position", "0-based.", ""),
        Column("token_a", TEXT, "Token of the first; null: it has ended."),
        Column("token_b", TEXT, "Token of the second; null: it has ended."),
        Column("same_token", pa.bool_(), "Whether both are the same bytes.", required=True),
        Column(
            "same_prefix",
            pa.bool_(),
            "Whether all tokens before are the same: only there the distributions can be compared.",
            required=True,
        ),
        metric("logprob_a", "nats", "higher", "Of the first, tiny positives as 0; null unless ok."),
        metric("logprob_b", "nats", "higher", "Of the second; null unless ok."),
        metric("delta_logprob", "nats", "", "logprob_b - logprob_a where both are the same token."),
        Column("top1_a", TEXT, "Likeliest token of the first's list."),
        Column("top1_b", TEXT, "Likeliest token of the second's list."),
        Column(
            "is_flip",
            pa.bool_(),
            "Whether these differ; null without the same text before, or without both lists.",
        ),
        *_JS,
    ),
)

COMPARE_SUMMARY = Table(
    "compare_summary",
    "Two runs in one row, with paired bootstrap intervals over the pairs.",
    (),
    (
        total("n_pairs", "Answers that both have.", "answers"),
        total("n_only_a", "Answers of the first alone.", "answers"),
        total("n_only_b", "Answers of the second alone.", "answers"),
        total("n_scored", "Pairs with ok tokens in both: differences are of these.", "answers"),
        metric(
            "delta_nll",
            "nats/token",
            "",
            "Mean over pairs of delta_nll: every answer weighs the same. Above 0: the first is "
            "surer.",
        ),
        metric("delta_nll_lower", "nats/token", "", "Percentile bootstrap over pairs."),
        metric("delta_nll_upper", "nats/token", "", "Percentile bootstrap over pairs."),
        metric(
            "delta_nll_pooled",
            "nats/token",
            "",
            "Surprisal per token of the second less that of the first, pooled: every token weighs "
            "the same.",
        ),
        metric("delta_nll_pooled_lower", "nats/token", "", "Percentile bootstrap over pairs."),
        metric("delta_nll_pooled_upper", "nats/token", "", "Percentile bootstrap over pairs."),
        metric("share_above_0", "1", "", "Share of the resamples whose delta_nll is above 0."),
        metric("same_text_share", "1", "", "Pairs that say the same, of those that both say."),
        metric("median_first_divergence", "", "", "Median position, over the pairs that diverge."),
        total("n_compared", "Positions with the same text before, and both lists.", "tokens"),
        metric("flip_rate", "1", "", "Share of these whose likeliest token is another."),
        *_JS,
    ),
)
"""The divergences are means over the n_compared positions."""
