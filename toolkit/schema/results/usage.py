"""Declare the table `usage`."""

from __future__ import annotations

import pyarrow as pa

from toolkit.schema.base import Column, Table, metric, tokens_column, total

USAGE = Table(
    "usage",
    "One row per group of responses: tokens used, their cost, and how many have logprobs. Columns "
    "of `by` come first.",
    (),
    (
        total("n_responses", "Responses of the group.", "responses"),
        total("n_errors", "Responses with an error.", "responses"),
        total("n_finished", "Responses in which every choice has a finish reason.", "responses"),
        total("n_choices", "Choices of these responses.", "choices"),
        total("n_with_usage", "Responses that report any of these token counts.", "responses"),
        *(
            tokens_column(name, f"Sum of {name} over the responses that report it; null: none.")
            for name in (
                "prompt_tokens",
                "completion_tokens",
                "total_tokens",
                "cached_tokens",
                "reasoning_tokens",
            )
        ),
        *(
            metric(
                f"{how}_{name}",
                "tokens/response",
                "",
                f"Over these responses; {rule}",
                formula=f"{what} of {name}",
                caveat="anything about responses that report no usage.",
            )
            for name in ("prompt_tokens", "completion_tokens", "total_tokens")
            for how, what, rule in (
                ("mean", "mean", "null: none."),
                ("median", "median", "linear between neighbours; null: none."),
                ("p95", "95th percentile", "linear between neighbours; null: none."),
            )
        ),
        metric(
            "cached_share",
            "1",
            "",
            "Over the responses that report both; null: none.",
            formula="cached_tokens / prompt_tokens",
            caveat="what the cache saved in money: prices differ.",
        ),
        *(
            metric(
                f"{name}_per_minute",
                "tokens/minute",
                "",
                "Rate by `created`, of all responses but the last. Responses that lack a time or "
                "the count are omitted. Null if all were created in the same second.",
                formula=f"{name} / minutes from the first response to the last",
                caveat="how fast the server was: answers overlap, and idle time counts.",
            )
            for name in ("completion_tokens", "total_tokens")
        ),
        metric(
            "share_with_logprobs",
            "1",
            "",
            "Null: no response.",
            formula="responses with logprobs / n_responses",
            caveat="how many of their tokens have one: see logprob_coverage.",
        ),
        total("n_token_rows", "Token rows of these responses."),
        metric(
            "logprob_coverage",
            "1",
            "",
            "Over the responses that have logprobs and report completion_tokens. Below 1: "
            "reasoning, tool or stop tokens came without logprobs. Above 1: the server "
            "counted fewer tokens than it sent.",
            formula="n_token_rows / completion_tokens",
            caveat="which tokens came without logprobs.",
        ),
        Column(
            "finish_reasons",
            pa.map_(pa.string(), pa.int64()),
            "Choices by finish_reason; choices without one are counted under 'null'.",
            required=True,
            unit="choices",
        ),
        total("n_priced", "Responses whose cost is known.", "responses"),
        Column(
            "cost",
            pa.float64(),
            "Sum of the known costs at the given prices, in their currency; null if none is known.",
            unit="currency",
            formula="sum(tokens * price)",
            caveat="what was billed: discounts, and responses without a known price, are not in "
            "it.",
        ),
        Column(
            "unpriced_models",
            pa.list_(pa.string()),
            "Models of responses that report prompt and completion tokens but have no cost, as "
            "no price is known; 'null': a response without a model. Empty without prices.",
            required=True,
        ),
    ),
)
