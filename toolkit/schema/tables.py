"""Declare the five tables of a load, and its ledger."""

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
CHANNEL = Column(
    "channel", LABEL, "content, prompt, reasoning or refusal.", required=True, labels=CHANNELS
)
POSITION = Column("position", pa.int32(), "0-based position in its channel.", required=True)
TOKEN = Column(
    "token",
    TEXT,
    "Text of the token, as sent; a pseudonym if texts were left out (note texts_left_out).",
    required=True,
)
BYTES = Column("bytes", BINARY, "UTF-8 bytes of the token, as sent; null: not sent, or left out.")
TOKEN_ID = Column(
    "token_id",
    pa.int32(),
    "Id of the token in the vocabulary, or its pseudonym; null: not sent.",
)
LOGPROB = Column(
    "logprob",
    pa.float64(),
    "Log probability, exactly as sent (never clipped or filled); see status. Null: sent as null "
    "or NaN.",
    unit="nats",
    direction="higher",
)
STATUS = Column(
    "status",
    LABEL,
    "How to read logprob: ok, censored (<= -9998, or exactly -1000), missing (null, NaN), "
    "invalid (> 1e-3).",
    required=True,
    labels=STATUSES,
)
SOURCE = Column("source", TEXT, "Path, URI or other name of the source.", required=True)
RECORD = Column(
    "record", pa.int64(), "0-based ordinal in its source of the (first) record.", required=True
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
    tokens_column("prompt_tokens", "Tokens of the prompt, as reported."),
    tokens_column("completion_tokens", "Generated tokens of all choices, as reported."),
    tokens_column("total_tokens", "Prompt and completion tokens together, as reported."),
    tokens_column("cached_tokens", "Prompt tokens that were read from a cache."),
    tokens_column("reasoning_tokens", "Completion tokens used for reasoning."),
    tokens_column("prompt_audio_tokens", "Audio tokens of the prompt."),
    tokens_column("completion_audio_tokens", "Generated audio tokens."),
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
        Column("format", pa.string(), "Wire format that was detected.", required=True),
        Column("response_id", TEXT, "Id given by the server; the first that is not empty."),
        Column(
            "custom_id",
            TEXT,
            "Id given by the caller: of a Batch line, of a row, or the name of a file.",
        ),
        Column("created", pa.timestamp("ms", tz="UTC"), "Time of creation, as sent."),
        Column("model", TEXT, "Name of the model, as sent."),
        Column("system_fingerprint", TEXT, "Backend configuration, as sent."),
        Column("service_tier", TEXT, "Service tier, as sent."),
        Column("object", TEXT, "Object type, as sent; the toolkit does not rely on it."),
        count("n_choices", "Choices of the response.", "choices"),
        Column(
            "n_chunks", pa.int32(), "Chunks that were merged; null for completions.", unit="chunks"
        ),
        *USAGE_COLUMNS,
        Column(
            "finished",
            pa.bool_(),
            "Whether there is a choice and every choice has a finish reason.",
            required=True,
        ),
        Column("error", TEXT, "Error that the server sent, as JSON or text."),
        Column(
            "path",
            TEXT,
            "JSON path of the body in its record, such as $.response.body; null: the record.",
        ),
        Column("kept", TEXT, "Columns of the row that keep= named, as a JSON object; null: none."),
        Column(
            "notes",
            pa.list_(pa.field("item", pa.string(), nullable=False)),
            "Codes of schema.NOTES: oddities of a record that was kept; empty: none.",
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
        Column("content", TEXT, "Text of the answer; null: none; empty: left out."),
        Column("refusal", TEXT, "Text of the refusal; null: none."),
        Column("reasoning", TEXT, "Text of the reasoning; null: none was sent."),
        Column("tool_calls", TEXT, "Tool calls as a JSON array; null: none."),
        Column("finish_reason", TEXT, "Why the choice ended, as sent; null: not sent."),
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
        count(
            "n_prompt_tokens",
            "Token rows of the prompt channel: what was given to the model and scored, not "
            "generated. A prompt that several choices share is with the first of them.",
        ),
        Column(
            "alignment",
            LABEL,
            "Joined bytes of the content tokens compared with content: exact, tokens_short (they "
            "are a prefix), tokens_extra (they contain the text), mismatch, unknown.",
            required=True,
            labels=ALIGNMENTS,
        ),
        Column(
            "refusal_alignment",
            LABEL,
            "The same comparison for the refusal channel.",
            required=True,
            labels=ALIGNMENTS,
        ),
    ),
)

TOKENS = Table(
    "tokens",
    "One row per token: an entry of a logprobs list.",
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
        count("n_alternatives", "Entries of its top_logprobs list.", "alternatives"),
        Column(
            "sampled_rank",
            pa.int32(),
            "1-based rank of the sampled token among its alternatives; null: not among them.",
        ),
        Column(
            "is_top1",
            pa.bool_(),
            "Whether the sampled token was the likeliest: no alternative is likelier (a tie counts "
            "as likeliest; only logprobs of status ok are compared). Null: the token, or each of "
            "its alternatives, has no such logprob.",
        ),
        Column(
            "chunk",
            pa.int32(),
            "0-based ordinal of the chunk that it came in; null for completions.",
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
        Column("slot", pa.int32(), "1-based position in the list, as sent.", required=True),
        Column("rank", pa.int32(), "1-based rank by logprob, ties by slot; null: no logprob."),
        TOKEN,
        BYTES,
        TOKEN_ID,
        LOGPROB,
        STATUS,
        Column(
            "is_sampled",
            pa.bool_(),
            "Whether the entry is the sampled token, by token_id, else bytes, else text; else the "
            "only one with the same logprob and no other token_id whose text differs by blanks "
            "around it, or is empty. At most one per position.",
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
        Column(
            "reason", pa.string(), "Why it was rejected: a code of schema.REASONS.", required=True
        ),
        Column("path", TEXT, "JSON path of the fault; null: the whole record."),
        Column("message", TEXT, "What was found and what was expected.", required=True),
    ),
)

LEDGER = Table(
    "ledger",
    "One row per source: counts of everything that was found in it.",
    ("source",),
    (
        SOURCE,
        Column(
            "records", pa.int64(), "Records found: those read and those rejected.", required=True
        ),
        Column("read", pa.int64(), "Records that are part of a response.", required=True),
        Column("rejected", pa.int64(), "Records that could not be read.", required=True),
        Column(
            "unlisted",
            pa.int64(),
            "Those of them beyond the first 100,000 of a reason, which have no row in rejects.",
            required=True,
        ),
        Column("envelopes", pa.int64(), "Envelopes removed (Batch lines).", required=True),
        Column("blank", pa.int64(), "Empty lines.", required=True),
        Column("done", pa.int64(), "[DONE] markers.", required=True),
        Column("comments", pa.int64(), "SSE comment lines.", required=True),
        Column(
            "control",
            pa.int64(),
            "SSE fields, events without data, copies of an answer, and records of something else.",
            required=True,
        ),
        Column(
            "skipped",
            pa.int64(),
            "Files of a folder that were not taken, because they hold no answers.",
            required=True,
            unit="files",
        ),
        Column(
            "bytes", pa.int64(), "Bytes read, after decompression.", required=True, unit="bytes"
        ),
    ),
)

TABLES = (RESPONSES, CHOICES, TOKENS, ALTERNATIVES, REJECTS)
"""The five tables of `toolkit.LogprobTables`, in order."""
