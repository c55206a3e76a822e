"""Declare the tables `spans`, `span_metrics` and `word_metrics`, and the columns of any span."""

from __future__ import annotations

import pyarrow as pa

from toolkit.schema.base import TEXT, Column, Table, known, metric, total
from toolkit.schema.results.sequences import N_INVALID
from toolkit.schema.tables import CHANNEL, CHOICE, RESPONSE_KEY

TEXT_SOURCES = ("sent", "tokens")
"""Values of ``text_of``."""
SPANS = Table(
    "spans",
    "One row per word, sentence, line or match in the text of an answer, in order.",
    ("response_key", "choice", "channel", "span"),
    (
        RESPONSE_KEY,
        CHOICE,
        CHANNEL,
        total("span", "0-based ordinal in its text.", ""),
        total("start", "Offset of the first character of the span in its text.", "characters"),
        total("end", "Offset after its last character.", "characters"),
        total("byte_start", "Offset of the first byte of the span in the text as UTF-8.", "bytes"),
        total("byte_end", "Offset after its last byte.", "bytes"),
        Column("text", TEXT, "Text of the span.", required=True),
    ),
)
TEXT_OF = Column(
    "text_of",
    TEXT,
    "Text that start and end refer to: sent (as in the response), or tokens (the joined tokens, if "
    "no text was sent or it differs from them). Null: the answer has no such text.",
)
SPAN_COLUMNS = (
    Column(
        "is_covered",
        pa.bool_(),
        "Whether tokens cover the whole span; false if some of its text has no tokens.",
        required=True,
    ),
    Column(
        "is_aligned",
        pa.bool_(),
        "Whether the tokens of the span are known. False: an end of the span lies among tokens "
        "whose bytes were lost (U+FFFD), or the tokens of a tool call are missing; then n_tokens "
        "is 0 and all metrics are null.",
        required=True,
    ),
    total("n_tokens", "Tokens with at least one byte in the span."),
    total("n_ok", "Tokens of status ok: point values are over these."),
    total("n_censored", "Tokens of status censored: they count in the lower bound."),
    total("n_missing", "Tokens of status missing."),
    N_INVALID,
    total(
        "n_partial",
        "Tokens that also have text outside the span, other than leading white space; their whole "
        "logprob is in the sums.",
    ),
    known("first_position", "", "", "Position of the first token; null: no token."),
    known("last_position", "", "", "Position of the last token; null: no token."),
    metric(
        "sum_logprob",
        "nats",
        "higher",
        "Over the ok tokens; null: none.",
        formula="sum of logprob",
        caveat="how certain the model was per token: long spans have lower sums.",
    ),
    metric(
        "mean_logprob",
        "nats/token",
        "higher",
        "Null if n_ok is 0.",
        formula="sum_logprob / n_ok",
        caveat="whether the span is right.",
    ),
    metric(
        "probability",
        "1",
        "higher",
        "Probability of the whole span as it is written.",
        formula="exp(sum_logprob)",
        caveat="whether the span is right, or how probable its meaning is in other words.",
    ),
    metric(
        "mean_probability",
        "1",
        "higher",
        "Geometric mean per token.",
        formula="exp(mean_logprob)",
        caveat="how probable the span is.",
    ),
    metric(
        "min_logprob",
        "nats",
        "higher",
        "Of the ok tokens; null: none.",
        formula="min of logprob",
        caveat="whether that token matters for the span.",
    ),
    metric(
        "min_probability",
        "1",
        "higher",
        "Probability of the least likely token of the span.",
        formula="exp(min_logprob)",
        caveat="whether that token matters for the span.",
    ),
    known(
        "weakest_position", "", "", "Position of the (first) token with min_logprob; null: none."
    ),
    metric(
        "surprisal",
        "nats",
        "lower",
        "How unexpected the span was.",
        formula="-sum_logprob",
        source="Misra 2022 (minicons)",
        caveat="whether the span is right.",
    ),
    metric(
        "surprisal_lower",
        "nats",
        "lower",
        "Lower bound of the surprisal over ok and censored tokens; null if there is none.",
        formula="sum of surprisal_lower of its tokens",
        source="derived",
        caveat="how much more surprising the censored tokens were.",
    ),
)
SPAN_METRICS = Table(
    "span_metrics",
    "One row per given span of text, in the given order: how certain the model was of it.",
    (),
    (
        RESPONSE_KEY,
        CHOICE,
        CHANNEL,
        total("start", "Start of the span, as given.", ""),
        total("end", "End of the span, as given.", ""),
        Column(
            "text",
            TEXT,
            "Text of the span; characters that bytes as unit would cut are whole here. Null: the "
            "answer has no such text.",
        ),
        TEXT_OF,
        *SPAN_COLUMNS,
    ),
)
"""Undeclared columns of the given frame come first."""
WORD_METRICS = Table(
    "word_metrics",
    "One row per word: how certain the model was of it.",
    ("response_key", "choice", "channel", "span"),
    (*SPANS.columns, TEXT_OF, *SPAN_COLUMNS),
)
