"""Declare the tables `text_metrics` and `text_perplexity`."""

from __future__ import annotations

import pyarrow as pa

from toolkit.schema.base import Column, Table, known, metric, total
from toolkit.schema.tables import CHANNEL, CHOICE, RESPONSE_KEY, RESPONSES

_KEYS = (RESPONSE_KEY, CHOICE, CHANNEL, RESPONSES["custom_id"], RESPONSES["model"])
_HARNESS = "lm-evaluation-harness"
_FIGURES = (
    metric(
        "sum_logprob",
        "nats",
        "higher",
        "Log likelihood of the scored tokens; null without one.",
        formula="sum of logprob over the scored tokens",
        caveat="anything about a token without a logprob, such as the first of most texts.",
    ),
    metric(
        "perplexity",
        "1",
        "lower",
        "Perplexity per token.",
        formula="exp(-sum_logprob / n_scored)",
        source="Jelinek et al. 1977",
        caveat="how a model with another tokenizer compares.",
    ),
    metric(
        "word_perplexity",
        "1",
        "lower",
        "Perplexity per word. Null where a token after the first of the text lacks a logprob.",
        formula="exp(-sum_logprob / n_words)",
        source=_HARNESS,
        caveat="anything for a script that is written without blanks.",
    ),
    metric(
        "byte_perplexity",
        "1",
        "lower",
        "Perplexity per byte. Null also where bytes were lost.",
        formula="exp(-sum_logprob / n_bytes)",
        source=_HARNESS,
        caveat="how texts in different scripts compare: a character has 1 to 4 bytes.",
    ),
    metric(
        "bits_per_byte",
        "bits/byte",
        "lower",
        "Bits per byte: the logarithm to base 2 of byte_perplexity.",
        formula="-sum_logprob / (ln(2) * n_bytes)",
        source="Gao et al. 2020 (The Pile)",
        caveat="how texts in different scripts compare: a character has 1 to 4 bytes.",
    ),
)

TEXT_METRICS = Table(
    "text_metrics",
    "Given texts: one row per text of a channel, or per part at its end.",
    ("response_key", "choice"),
    (
        *_KEYS,
        total("n_tokens", "Tokens of the part."),
        total("n_scored", "Of these, tokens with a usable logprob."),
        Column(
            "is_partial",
            pa.bool_(),
            "Whether the first token of the part also wrote text before it, other than white "
            "space; it counts with its whole logprob.",
            required=True,
        ),
        total("n_words", "Words: pieces between runs of white space.", "words"),
        known("n_bytes", "bytes", "", "UTF-8 bytes; null where a token has lost its bytes."),
        *_FIGURES,
    ),
)
TEXT_PERPLEXITY = Table(
    "text_perplexity",
    "Given texts pooled: one row for all, or one per group; columns of `by` come first.",
    (),
    (
        total("n_texts", "Texts of the group.", "texts"),
        total(
            "n_pooled",
            "Of these, texts whose bits_per_byte is known: sums are over these.",
            "texts",
        ),
        total("n_tokens", "Tokens of the pooled texts."),
        total("n_scored", "Of these, tokens with a usable logprob."),
        total("n_words", "Words.", "words"),
        total("n_bytes", "UTF-8 bytes.", "bytes"),
        *_FIGURES,
        metric(
            "document_perplexity",
            "1",
            "lower",
            "Perplexity per text, which the harness gives for targets such as a last word "
            "(LAMBADA).",
            formula="exp(-sum_logprob / n_pooled)",
            source=_HARNESS,
            caveat="anything comparable for texts of different lengths.",
        ),
    ),
)
