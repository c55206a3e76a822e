"""The five tables of a load, and its ledger."""

from __future__ import annotations

import pyarrow as pa

from toolkit.schema.base import BINARY, LABEL, TEXT, Column, Table, count, tokens_column
from toolkit.schema.codes import ALIGNMENTS, CHANNELS, KINDS, LOGPROBS_STATES, STATUSES

RESPONSE_KEY = Column(
    "response_key",
    pa.int64(),
    "Key of the response: source ordinal * 2^32 + ordinal of its first record; increasing.",
    required=True,
)
CHOICE = Column("choice", pa.int32(), "Index of the choice, as sent.", required=True)
CHANNEL = Column("channel", LABEL, "content, reasoning or refusal.", required=True, labels=CHANNELS)
POSITION = Column("position", pa.int32(), "0-based place in its channel.", required=True)
TOKEN = Column("token", TEXT, "Text of the token, as sent.", required=True)
BYTES = Column("bytes", BINARY, "UTF-8 bytes of the token, as sent; null: not sent.")
TOKEN_ID = Column("token_id", pa.int32(), "Number of the token in the vocabulary, if sent.")
LOGPROB = Column(
    "logprob",
    pa.float64(),
    "Log probability, exactly as sent (never clipped or filled); see status. Null: null or NaN.",
    unit="nats",
    direction="higher",
)
STATUS = Column(
    "status",
    LABEL,
    "How to read logprob: ok, censored (<= -9998), missing (null, NaN), invalid (> 1e-3).",
    required=True,
    labels=STATUSES,
)
SOURCE = Column("source", TEXT, "Path, URI or name of the source.", required=True)
RECORD = Column(
    "record", pa.int64(), "0-based ordinal of the (first) record in its source.", required=True
)
LINE = Column("line", pa.int64(), "1-based line on which the record starts.", required=True)
BYTE_OFFSET = Column(
    "byte_offset",
    pa.int64(),
    "Offset of the record in the decompressed source.",
    required=True,
    unit="bytes",
)

USAGE_COLUMNS = (
    tokens_column("prompt_tokens", "Tokens of the prompt."),
    tokens_column("completion_tokens", "Tokens generated, over all choices."),
    tokens_column("total_tokens", "Prompt and completion tokens, as sent."),
    tokens_column("cached_tokens", "Prompt tokens served from a cache."),
    tokens_column("reasoning_tokens", "Completion tokens spent on reasoning."),
    tokens_column("prompt_audio_tokens", "Audio tokens of the prompt."),
    tokens_column("completion_audio_tokens", "Audio tokens generated."),
    tokens_column("accepted_prediction_tokens", "Predicted tokens that were accepted."),
    tokens_column("rejected_prediction_tokens", "Predicted tokens that were rejected."),
)

RESPONSES = Table(
    "responses",
    "One row per response: a whole completion, or all chunks of one stream merged.",
    ("response_key",),
    (
        RESPONSE_KEY,
        SOURCE,
        RECORD,
        LINE,
        BYTE_OFFSET,
        Column("kind", LABEL, "completion or stream.", required=True, labels=KINDS),
        Column("format", pa.string(), "Wire format that was recognised.", required=True),
        Column("response_id", TEXT, "The server's id; the first that is not empty."),
        Column("custom_id", TEXT, "The caller's id (Batch lines, from_responses)."),
        Column("created", pa.timestamp("ms", tz="UTC"), "When the server made it."),
        Column("model", TEXT, "Model that answered, as sent."),
        Column("system_fingerprint", TEXT, "Backend configuration, as sent."),
        Column("service_tier", TEXT, "Service tier, as sent."),
        Column("object", TEXT, "Object type, as sent; not relied upon."),
        count("n_choices", "Choices in the response.", "choices"),
        Column("n_chunks", pa.int32(), "Chunks merged; null for completions.", unit="chunks"),
        *USAGE_COLUMNS,
        Column(
            "finished",
            pa.bool_(),
            "True if there is a choice and every choice has a finish reason.",
            required=True,
        ),
        Column("error", TEXT, "The error that the server sent, as JSON or text."),
        Column(
            "notes",
            pa.list_(pa.field("item", pa.string(), nullable=False)),
            "Codes of what was odd and kept; empty: nothing.",
            required=True,
        ),
    ),
)

CHOICES = Table(
    "choices",
    "One row per choice of a response.",
    ("response_key", "choice"),
    (
        RESPONSE_KEY,
        CHOICE,
        Column("role", TEXT, "Role of the message, as sent."),
        Column("content", TEXT, "Text of the answer; null: none (null and empty are one)."),
        Column("refusal", TEXT, "Text of the refusal; null: none."),
        Column("reasoning", TEXT, "Text of the reasoning, where the server sends it; null: none."),
        Column("tool_calls", TEXT, "Tool calls as a JSON array; null: none."),
        Column("finish_reason", TEXT, "Why the choice ended, as sent; null: it did not say."),
        Column(
            "logprobs_state",
            LABEL,
            "absent (null or no key), empty (lists without entries) or present.",
            required=True,
            labels=LOGPROBS_STATES,
        ),
        count("n_content_tokens", "Token rows of the content channel."),
        count("n_refusal_tokens", "Token rows of the refusal channel."),
        count("n_reasoning_tokens", "Token rows of the reasoning channel."),
        Column(
            "alignment",
            LABEL,
            "Joined bytes of the content tokens against content: exact, tokens_short (tokens are "
            "a prefix), tokens_extra (the text is contained in the tokens), mismatch, unknown.",
            required=True,
            labels=ALIGNMENTS,
        ),
        Column(
            "refusal_alignment",
            LABEL,
            "The same for the refusal channel.",
            required=True,
            labels=ALIGNMENTS,
        ),
    ),
)

TOKENS = Table(
    "tokens",
    "One row per token that has an entry in a logprobs list.",
    ("response_key", "choice", "channel", "position"),
    (
        RESPONSE_KEY,
        CHOICE,
        CHANNEL,
        POSITION,
        TOKEN,
        BYTES,
        TOKEN_ID,
        LOGPROB,
        STATUS,
        count("n_alternatives", "Entries of its top_logprobs.", "alternatives"),
        Column(
            "sampled_rank",
            pa.int32(),
            "1-based rank of the sampled token among its alternatives; null: not among them.",
        ),
        Column(
            "is_top1",
            pa.bool_(),
            "Whether no alternative is likelier than the sampled token (a tie counts as likeliest; "
            "logprobs of status ok alone are compared). Null: the token, or each of its "
            "alternatives, has no such logprob.",
        ),
        Column(
            "chunk",
            pa.int32(),
            "0-based ordinal of the chunk that brought it; null for completions.",
        ),
    ),
)

ALTERNATIVES = Table(
    "alternatives",
    "One row per entry of a top_logprobs list.",
    ("response_key", "choice", "channel", "position", "slot"),
    (
        RESPONSE_KEY,
        CHOICE,
        CHANNEL,
        POSITION,
        Column("slot", pa.int32(), "1-based place in the list, as sent.", required=True),
        Column("rank", pa.int32(), "1-based by logprob, ties by slot; null: no logprob."),
        TOKEN,
        BYTES,
        TOKEN_ID,
        LOGPROB,
        STATUS,
        Column(
            "is_sampled",
            pa.bool_(),
            "True for the entry of the sampled token; at most one per position.",
            required=True,
        ),
    ),
)

REJECTS = Table(
    "rejects",
    "One row per record that could not be read.",
    ("source", "record"),
    (
        SOURCE,
        RECORD,
        LINE,
        BYTE_OFFSET,
        Column("length", pa.int64(), "Bytes of the record.", required=True, unit="bytes"),
        Column("reason", pa.string(), "Code of the reason, one of schema.REASONS.", required=True),
        Column("path", TEXT, "JSON path of the fault; null: the record as a whole."),
        Column("message", TEXT, "What was found and what was expected.", required=True),
    ),
)

LEDGER = Table(
    "ledger",
    "One row per source: what was in it, so that nothing goes missing unseen.",
    ("source",),
    (
        SOURCE,
        Column("records", pa.int64(), "Records found: read and rejected.", required=True),
        Column("read", pa.int64(), "Records that are in a response.", required=True),
        Column("rejected", pa.int64(), "Records in rejects.", required=True),
        Column("envelopes", pa.int64(), "Wrappers taken off (Batch lines).", required=True),
        Column("blank", pa.int64(), "Lines with nothing on them.", required=True),
        Column("done", pa.int64(), "[DONE] markers.", required=True),
        Column("comments", pa.int64(), "SSE comment lines.", required=True),
        Column("control", pa.int64(), "SSE fields and events without data.", required=True),
        Column("bytes", pa.int64(), "Bytes read, decompressed.", required=True, unit="bytes"),
    ),
)

TABLES = (RESPONSES, CHOICES, TOKENS, ALTERNATIVES, REJECTS)
"""The five tables of `toolkit.LogprobTables`, in order."""
