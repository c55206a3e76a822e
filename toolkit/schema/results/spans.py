"""Results per span of text: words, sentences, fields of JSON."""

from __future__ import annotations

import pyarrow as pa

from toolkit.schema.base import TEXT, Column, Table, known, metric, total
from toolkit.schema.tables import CHANNEL, CHOICE, RESPONSE_KEY

TEXT_SOURCES = ("sent", "tokens")
SPANS = Table(
    "spans",
    "Words, sentences, lines or matches in the text of answers, in its order.",
    ("response_key", "choice", "channel", "span"),
    (
        RESPONSE_KEY,
        CHOICE,
        CHANNEL,
        total("span", "0-based ordinal in its text.", ""),
        total("start", "First character of the text that belongs to it.", "characters"),
        total("end", "The character after the last one.", "characters"),
        total("byte_start", "First byte of the text's UTF-8.", "bytes"),
        total("byte_end", "The byte after the last one.", "bytes"),
        Column("text", TEXT, "What stands there.", required=True),
    ),
)
TEXT_OF = Column(
    "text_of",
    TEXT,
    "Which text start and end count in: sent (that of the response) or tokens (what the tokens "
    "join to, where none was sent or it is not what they say). Null: the answer has no such text.",
)
SPAN_COLUMNS = (
    Column(
        "is_covered",
        pa.bool_(),
        "Whether tokens cover all of the span; false where some of its text came without.",
        required=True,
    ),
    Column(
        "is_aligned",
        pa.bool_(),
        "Whether it is known which tokens wrote the span. False: an end of it lies among tokens "
        "whose bytes were lost (U+FFFD), or the tokens of a tool call are not there; then n_tokens "
        "is 0 and all metrics are null.",
        required=True,
    ),
    total("n_tokens", "Tokens that wrote at least one byte of the span."),
    total("n_ok", "Those of status ok: the point values are made of them."),
    total("n_censored", "Those of status censored: they count in the lower bound."),
    total("n_missing", "Those of status missing."),
    total("n_invalid", "Those of status invalid."),
    total(
        "n_partial",
        "Tokens that also wrote something outside of the span, white space in front not counted; "
        "their whole logprob is in the sums.",
    ),
    known("first_position", "", "", "Position of the first token; null without any."),
    known("last_position", "", "", "Position of the last token; null without any."),
    metric("sum_logprob", "nats", "higher", "Sum over the ok tokens; null if there is none."),
    metric("mean_logprob", "nats/token", "higher", "sum_logprob / n_ok; null if there is none."),
    metric("probability", "1", "higher", "exp(sum_logprob): of the span as a whole."),
    metric("mean_probability", "1", "higher", "exp(mean_logprob): geometric mean per token."),
    metric("min_logprob", "nats", "higher", "Least logprob of an ok token; null without any."),
    metric("min_probability", "1", "higher", "exp(min_logprob)."),
    known("weakest_position", "", "", "First position of the least logprob; null without any."),
    metric("surprisal", "nats", "lower", "-sum_logprob. Source: Misra 2022 (minicons)."),
    metric(
        "surprisal_lower",
        "nats",
        "lower",
        "What the surprisal over ok and censored tokens is at least; null if there is none.",
    ),
)
SPAN_METRICS = Table(
    "span_metrics",
    "How sure the model was of spans of text, one row for each that was given, in that order.",
    (),
    (
        RESPONSE_KEY,
        CHOICE,
        CHANNEL,
        total("start", "As given.", ""),
        total("end", "As given.", ""),
        Column(
            "text",
            TEXT,
            "What stands there; with bytes as unit, of characters that are cut the whole. Null: "
            "the answer has no such text.",
        ),
        TEXT_OF,
        *SPAN_COLUMNS,
    ),
)
"""Columns of the given frame that are not declared stay in front."""
WORD_METRICS = Table(
    "word_metrics",
    "How sure the model was of each word.",
    ("response_key", "choice", "channel", "span"),
    (*SPANS.columns, TEXT_OF, *SPAN_COLUMNS),
)
