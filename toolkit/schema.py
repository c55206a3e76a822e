"""Every table and result column: name, type, null rule, unit and meaning.

The declarations here are the only ones. Loaders build tables in these types, metrics return
DataFrames in these columns, `conform` checks foreign tables against them, and the data dictionary
of the README is printed from them. Unit, direction and doc travel as Arrow field metadata and
survive Parquet.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import pyarrow as pa
import pyarrow.compute as pc

from toolkit.errors import SchemaError

SCHEMA_VERSION = "1"

CHANNELS = ("content", "reasoning", "refusal")
"""Channels of a choice, in the order of their rows (alphabetical, so any sort agrees)."""
KINDS = ("completion", "stream")
STATUSES = ("ok", "censored", "missing", "invalid")
LOGPROBS_STATES = ("absent", "empty", "present")
ALIGNMENTS = ("exact", "tokens_short", "tokens_extra", "mismatch", "unknown")

CENSORED_AT_OR_BELOW = -9998.0
"""A logprob at or below this is a server's sentinel or clamp (-9999, -3.4e38, -inf)."""
INVALID_ABOVE = 1e-3
"""A logprob above this is no logprob (raw logits); between 0 and this it is rounding."""

NOTES = {
    "gap": "a record inside this stream was rejected: tokens may be missing",
    "non_integer_index": "a choice's index is no integer; its ordinal in the array stands in",
    "duplicate_index": "two choices of one body share an index; the first free number stands in",
    "bad_bytes": "bytes of a token or alternative are no list of integers 0-255; null stands in",
    "bad_token_id": "a token id is no integer of 32 bits; null stands in",
    "bad_logprobs": "logprobs, or one of its lists, is of the wrong type; read as absent",
    "bad_top_logprobs": "top_logprobs is no list; read as empty",
    "bad_message": "message or delta is no object; read as empty",
    "bad_id": "id is no string; null stands in",
    "bad_custom_id": "custom_id is no string; null stands in",
    "bad_model": "model is no string; null stands in",
    "bad_object": "object is no string; null stands in",
    "bad_system_fingerprint": "system_fingerprint is no string; null stands in",
    "bad_service_tier": "service_tier is no string; null stands in",
    "bad_created": "created is no whole number of seconds since 1970; null stands in",
    "bad_usage": "usage, or a count in it, is of the wrong type or range; null stands in",
    "bad_role": "role is no string; null stands in",
    "bad_content": "content is neither text nor a list of text parts; null stands in",
    "bad_refusal": "refusal is no string; null stands in",
    "bad_reasoning": "reasoning is no string; null stands in",
    "bad_tool_calls": "tool_calls is no list of objects; null stands in",
    "bad_finish_reason": "finish_reason is no string; null stands in",
    "bad_status_code": "status_code of a batch line is no integer; read as absent",
    "from_prob": "probabilities were sent in place of logprobs; their logarithms stand in",
    "prompt_logprobs": "logprobs of the prompt were sent; they are not read",
    "lone_surrogate": "half a surrogate pair in a text; U+FFFD stands in",
    "cumulative_usage": "usage was sent for single choices, never for the whole response",
    "early_usage": "usage was sent before the last tokens of the stream: it may be partial",
    "late_usage": "usage was sent after the stream had closed",
}
"""Codes of ``responses.notes``: what was odd and kept."""

REASONS = {
    "empty_record": "there is nothing between two separators",
    "bad_utf8": "the bytes are not UTF-8",
    "not_json": "the text is not JSON",
    "truncated": "the text ends inside a JSON value",
    "trailing_garbage": "something that is no JSON value follows a JSON value",
    "too_deep": "objects and arrays are nested deeper than the limit",
    "not_an_object": "the JSON value is no object",
    "duplicate_key": "an object has one of the keys that are read twice",
    "no_choices": "there is no choices array",
    "choice_not_object": "an entry of choices is no object",
    "entry_not_object": "an entry of a logprobs list is no object",
    "unequal_lengths": "parallel arrays of logprobs are of different lengths",
    "token_not_string": "an entry's token is no string",
    "logprob_not_number": "an entry's logprob is no number",
    "unknown_format": "the object has the shape of no known format",
    "unsupported_format": "a format that is known and not read; the message says what to do",
    "late_chunk": "a chunk came after its stream had closed",
    "unreadable_source": "the source could not be opened or read",
    "truncated_source": "the source ends before its compressed data is complete, or is corrupt",
}
"""Codes of ``rejects.reason``."""


@dataclass(frozen=True)
class Column:
    """One declared column.

    Attributes
    ----------
    name : str
    type : pyarrow.DataType
    doc : str
        What it holds, in one sentence.
    required : bool
        True if it is never null.
    unit : str
        Unit of a number (``nats``, ``bits``, ``tokens``, ``1``), or empty.
    direction : str
        ``higher`` or ``lower``: which end means a more certain model; empty where neither does.
    labels : tuple of str
        Of a `LABEL` column: the texts that it may hold, in the order of their codes.
    """

    name: str
    type: pa.DataType
    doc: str
    required: bool = False
    unit: str = ""
    direction: str = ""
    labels: tuple[str, ...] = ()

    @property
    def field(self) -> pa.Field:
        """The Arrow field, its unit, direction and doc in the metadata."""
        metadata = {"doc": self.doc, "unit": self.unit, "more_certain": self.direction}
        return pa.field(
            self.name,
            self.type,
            nullable=not self.required,
            metadata={key: value for key, value in metadata.items() if value},
        )


@dataclass(frozen=True)
class Table:
    """A declared table: its columns and the key columns that its rows are sorted by."""

    name: str
    doc: str
    keys: tuple[str, ...]
    columns: tuple[Column, ...]

    @cached_property
    def arrow(self) -> pa.Schema:
        """The Arrow schema, with this table's name, doc and version as metadata."""
        metadata = {"toolkit.table": self.name, "toolkit.schema": SCHEMA_VERSION, "doc": self.doc}
        return pa.schema([column.field for column in self.columns], metadata=metadata)

    @property
    def names(self) -> list[str]:
        """Names of the columns, in order."""
        return [column.name for column in self.columns]

    def __getitem__(self, name: str) -> Column:
        """Return the column of that name."""
        for column in self.columns:
            if column.name == name:
                return column
        raise SchemaError(f"table {self.name} has no column {name!r}; it has {self.names}")

    def empty(self) -> pa.Table:
        """Return a table of this schema with no rows."""
        return self.arrow.empty_table()


TEXT = pa.large_string()
BINARY = pa.large_binary()
LABEL = pa.dictionary(pa.int8(), pa.string())
"""A text out of a short declared list, such as `CHANNELS`: one byte a row."""

_RESPONSE_KEY = Column(
    "response_key",
    pa.int64(),
    "Key of the response: source ordinal * 2^32 + ordinal of its first record; increasing.",
    required=True,
)
_CHOICE = Column("choice", pa.int32(), "Index of the choice, as sent.", required=True)
_CHANNEL = Column(
    "channel", LABEL, "content, reasoning or refusal.", required=True, labels=CHANNELS
)
_POSITION = Column("position", pa.int32(), "0-based place in its channel.", required=True)
_TOKEN = Column("token", TEXT, "Text of the token, as sent.", required=True)
_BYTES = Column("bytes", BINARY, "UTF-8 bytes of the token, as sent; null: not sent.")
_TOKEN_ID = Column("token_id", pa.int32(), "Number of the token in the vocabulary, if sent.")
_LOGPROB = Column(
    "logprob",
    pa.float64(),
    "Log probability, exactly as sent (never clipped or filled); see status. Null: null or NaN.",
    unit="nats",
    direction="higher",
)
_STATUS = Column(
    "status",
    LABEL,
    "How to read logprob: ok, censored (<= -9998), missing (null, NaN), invalid (> 1e-3).",
    required=True,
    labels=STATUSES,
)
_SOURCE = Column("source", TEXT, "Path, URI or name of the source.", required=True)
_RECORD = Column(
    "record", pa.int64(), "0-based ordinal of the (first) record in its source.", required=True
)
_LINE = Column("line", pa.int64(), "1-based line on which the record starts.", required=True)
_BYTE_OFFSET = Column(
    "byte_offset",
    pa.int64(),
    "Offset of the record in the decompressed source.",
    required=True,
    unit="bytes",
)


def _tokens_column(name: str, doc: str) -> Column:
    return Column(name, pa.int64(), doc, unit="tokens")


def _count(name: str, doc: str, unit: str = "tokens") -> Column:
    return Column(name, pa.int32(), doc, required=True, unit=unit)


USAGE_COLUMNS = (
    _tokens_column("prompt_tokens", "Tokens of the prompt."),
    _tokens_column("completion_tokens", "Tokens generated, over all choices."),
    _tokens_column("total_tokens", "Prompt and completion tokens, as sent."),
    _tokens_column("cached_tokens", "Prompt tokens served from a cache."),
    _tokens_column("reasoning_tokens", "Completion tokens spent on reasoning."),
    _tokens_column("prompt_audio_tokens", "Audio tokens of the prompt."),
    _tokens_column("completion_audio_tokens", "Audio tokens generated."),
    _tokens_column("accepted_prediction_tokens", "Predicted tokens that were accepted."),
    _tokens_column("rejected_prediction_tokens", "Predicted tokens that were rejected."),
)

RESPONSES = Table(
    "responses",
    "One row per response: a whole completion, or all chunks of one stream merged.",
    ("response_key",),
    (
        _RESPONSE_KEY,
        _SOURCE,
        _RECORD,
        _LINE,
        _BYTE_OFFSET,
        Column("kind", LABEL, "completion or stream.", required=True, labels=KINDS),
        Column("format", pa.string(), "Wire format that was recognised.", required=True),
        Column("response_id", TEXT, "The server's id; the first that is not empty."),
        Column("custom_id", TEXT, "The caller's id (Batch lines, from_responses)."),
        Column("created", pa.timestamp("ms", tz="UTC"), "When the server made it."),
        Column("model", TEXT, "Model that answered, as sent."),
        Column("system_fingerprint", TEXT, "Backend configuration, as sent."),
        Column("service_tier", TEXT, "Service tier, as sent."),
        Column("object", TEXT, "Object type, as sent; not relied upon."),
        _count("n_choices", "Choices in the response.", "choices"),
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
        _RESPONSE_KEY,
        _CHOICE,
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
        _count("n_content_tokens", "Token rows of the content channel."),
        _count("n_refusal_tokens", "Token rows of the refusal channel."),
        _count("n_reasoning_tokens", "Token rows of the reasoning channel."),
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
        _RESPONSE_KEY,
        _CHOICE,
        _CHANNEL,
        _POSITION,
        _TOKEN,
        _BYTES,
        _TOKEN_ID,
        _LOGPROB,
        _STATUS,
        _count("n_alternatives", "Entries of its top_logprobs.", "alternatives"),
        Column(
            "sampled_rank",
            pa.int32(),
            "1-based rank of the sampled token among its alternatives; null: not among them.",
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
        _RESPONSE_KEY,
        _CHOICE,
        _CHANNEL,
        _POSITION,
        Column("slot", pa.int32(), "1-based place in the list, as sent.", required=True),
        Column("rank", pa.int32(), "1-based by logprob, ties by slot; null: no logprob."),
        _TOKEN,
        _BYTES,
        _TOKEN_ID,
        _LOGPROB,
        _STATUS,
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
        _SOURCE,
        _RECORD,
        _LINE,
        _BYTE_OFFSET,
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
        _SOURCE,
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


def label_array(codes: object, labels: tuple[str, ...]) -> pa.DictionaryArray:
    """Build a `LABEL` array from small integer codes into one of the declared lists."""
    return pa.DictionaryArray.from_arrays(pa.array(codes, pa.int8()), pa.array(labels, pa.string()))


def conform(table: pa.Table, declared: Table) -> pa.Table:
    """Return `table` in the declared columns, types and order, or say what is wrong.

    Arrow does not enforce ``nullable=False`` and other readers bring other text types
    (``string_view``, plain strings for labels); every table that enters from outside passes here.

    Parameters
    ----------
    table : pyarrow.Table
    declared : Table

    Returns
    -------
    pyarrow.Table
        In ``declared.arrow``; columns that are not declared are dropped.

    Raises
    ------
    SchemaError
        If a column is missing, cannot be cast, or holds a null that its declaration forbids.

    Examples
    --------
    >>> from toolkit import schema
    >>> schema.conform(schema.REJECTS.empty(), schema.REJECTS).num_rows
    0
    """
    arrays = []
    for declared_column in declared.columns:
        name = declared_column.name
        if name not in table.column_names:
            raise SchemaError(
                f"table {declared.name} lacks column {name!r}; it has {table.column_names}"
            )
        column = _cast(table[name], declared_column, declared.name)
        if declared_column.required and column.null_count:
            raise SchemaError(
                f"column {declared.name}.{name} must not be null; "
                f"{column.null_count} of {len(column)} rows are"
            )
        arrays.append(column)
    return pa.Table.from_arrays(arrays, schema=declared.arrow)


def _cast(column: pa.ChunkedArray, declared: Column, table: str) -> pa.ChunkedArray:
    try:
        if declared.labels:
            return _labelled(column, declared, table)
        return column if column.type == declared.type else column.cast(declared.type)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise SchemaError(
            f"column {table}.{declared.name} is {column.type}, expected {declared.type}"
        ) from error


def _labelled(column: pa.ChunkedArray, declared: Column, table: str) -> pa.ChunkedArray:
    """Bring labels, whatever their codes, to the codes that are declared."""
    labels = pa.array(declared.labels, pa.string())
    if column.type == LABEL and all(chunk.dictionary.equals(labels) for chunk in column.chunks):
        return column
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    codes = pc.index_in(column.cast(pa.string()), value_set=labels)
    unknown = codes.null_count - column.null_count
    if unknown:
        raise SchemaError(
            f"column {table}.{declared.name} has {unknown} rows that are none of {declared.labels}"
        )
    chunks = [pa.DictionaryArray.from_arrays(c.cast(pa.int8()), labels) for c in codes.chunks]
    return pa.chunked_array(chunks, LABEL)


def _metric(name: str, unit: str, direction: str, doc: str) -> Column:
    return Column(name, pa.float64(), doc, unit=unit, direction=direction)


def _total(name: str, doc: str, unit: str = "tokens") -> Column:
    return Column(name, pa.int64(), doc, required=True, unit=unit)


def _known(name: str, unit: str, direction: str, doc: str) -> Column:
    return Column(name, pa.int64(), doc, unit=unit, direction=direction)


TOKEN_METRICS = Table(
    "token_metrics",
    "One row per token, in the order of tokens: how sure the model was there.",
    TOKENS.keys,
    (
        _RESPONSE_KEY,
        _CHOICE,
        _CHANNEL,
        _POSITION,
        _TOKEN,
        _LOGPROB,
        _STATUS,
        _metric(
            "surprisal",
            "nats",
            "lower",
            "-logprob, tiny positives as 0; null unless the status is ok. Source: Shannon 1948.",
        ),
        _metric(
            "surprisal_lower",
            "nats",
            "lower",
            "surprisal if ok. If censored, what it is at least: -ln min(p_k, m + 1e-6) by the last "
            "entry of the list and the mass outside it, 0 without a list. Null if missing or "
            "invalid. Source: derived.",
        ),
        _metric("probability", "1", "higher", "exp(-surprisal); null unless the status is ok."),
        Column(
            "sampled_rank",
            pa.int32(),
            "1-based rank of the sampled token among its alternatives; null: not among them.",
            unit="rank",
            direction="lower",
        ),
        _total(
            "n_entries",
            "Usable alternatives: status ok, second copies of the sampled token left out.",
            "alternatives",
        ),
        _metric(
            "margin",
            "1",
            "higher",
            "p1 - p2 of the two top-ranked usable alternatives; null if there are fewer. Source: "
            "Scheffer et al. 2001.",
        ),
        _metric(
            "margin_logprob",
            "nats",
            "higher",
            "l1 - l2 of the two top-ranked usable alternatives; null if there are fewer.",
        ),
        _metric(
            "top_mass",
            "1",
            "higher",
            "s: probability of the known entries, which are the usable alternatives and the "
            "sampled token, each once. Null if none is known.",
        ),
        _metric(
            "missing_mass",
            "1",
            "lower",
            "m: probability outside the known entries, max(0, 1 - s). Null if none is known or if "
            "excess_mass.",
        ),
        _metric(
            "entropy_lower",
            "nats",
            "lower",
            "Least entropy of a distribution with these entries: the missing mass packed into "
            "tokens of p_k. Null if no entry is known or if excess_mass. Source: derived from "
            "Schur concavity.",
        ),
        _metric(
            "entropy_upper",
            "nats",
            "lower",
            "Greatest such entropy: the missing mass spread over the rest of the vocabulary. Null "
            "as entropy_lower, and without a vocab_size. Source: derived from Schur concavity.",
        ),
        _metric(
            "entropy_topk",
            "nats",
            "lower",
            "Entropy of the known entries renormalised to 1; never above the whole entropy. Null "
            "as entropy_lower. Source: Shannon 1948, renormalised.",
        ),
        Column(
            "off_top1",
            pa.bool_(),
            "True if an alternative is likelier than the sampled token; a tie is no. Null without "
            "a usable alternative or if the status is not ok.",
            unit="1",
            direction="lower",
        ),
        Column(
            "excess_mass",
            pa.bool_(),
            "True if s is above 1 by more than the rounding of the logprobs explains.",
            required=True,
        ),
    ),
)

_PERPLEXITY = _metric(
    "perplexity",
    "1",
    "lower",
    "exp(-sum_logprob / n_ok), over tokens of status ok; null if there is none. Source: Jelinek "
    "et al. 1977.",
)
_PERPLEXITY_LOWER = _metric(
    "perplexity_lower",
    "1",
    "lower",
    "What the perplexity over ok and censored tokens is at least, censored ones taken at "
    "surprisal_lower: exp(sum_surprisal_lower / (n_ok + n_censored)); null if there is none.",
)
_BITS_PER_BYTE = _metric(
    "bits_per_byte",
    "bits/byte",
    "lower",
    "-sum_logprob_bytes / (ln 2 * n_bytes): tokens without bytes are left out of both; null "
    "without bytes. Source: Gao et al. 2020 (The Pile).",
)
_OFF_TOP1_RATE = _metric(
    "off_top1_rate", "1", "lower", "n_off_top1 / n_ranked; null if no token is ranked."
)
_MEAN_LOGPROB = _metric(
    "mean_logprob", "nats/token", "higher", "sum_logprob / n_ok; null if no token is ok."
)
_SUM_LOGPROB = _metric(
    "sum_logprob", "nats", "higher", "Sum over tokens of status ok; null if there is none."
)
_SUM_SURPRISAL_LOWER = _metric(
    "sum_surprisal_lower",
    "nats",
    "lower",
    "Sum of surprisal_lower over ok and censored tokens; null if there is none.",
)
_SUM_LOGPROB_BYTES = _metric(
    "sum_logprob_bytes",
    "nats",
    "higher",
    "Sum over the ok tokens that came with bytes; null if there is none.",
)
_TOKEN_TOTALS = (
    _total("n_tokens", "Token rows."),
    _total("n_ok", "Tokens of status ok: those that the point values are made of."),
    _total("n_censored", "Tokens of status censored: they count in the lower bound."),
    _total("n_missing", "Tokens of status missing."),
    _total("n_invalid", "Tokens of status invalid."),
    _total("n_excess_mass", "Tokens whose list has a mass above 1; no entropy."),
)
_N_BYTES = _total("n_bytes", "Bytes of the ok tokens that came with bytes.", "bytes")
_N_RANKED = _total("n_ranked", "Tokens for which off_top1 is known.")
_N_OFF_TOP1 = _total("n_off_top1", "Tokens that are not their list's likeliest.")
_N_ENTROPY = _total("n_entropy", "Tokens whose entropy_lower is known.")
_MEAN_ENTROPIES = (
    _metric(
        "mean_entropy_lower", "nats/token", "lower", "Mean of entropy_lower over n_entropy tokens."
    ),
    _metric(
        "mean_entropy_upper",
        "nats/token",
        "lower",
        "Mean of entropy_upper over n_entropy tokens; null without a vocab_size.",
    ),
)
_MEAN_MISSING_MASS = _metric(
    "mean_missing_mass", "1", "lower", "Mean of missing_mass over n_entropy tokens."
)

SEQUENCE_METRICS = Table(
    "sequence_metrics",
    "One row per channel of a choice that has tokens, and one for each choice without any.",
    ("response_key", "choice", "channel"),
    (
        _RESPONSE_KEY,
        _CHOICE,
        _CHANNEL,
        _SOURCE,
        RESPONSES["response_id"],
        RESPONSES["custom_id"],
        RESPONSES["model"],
        RESPONSES["kind"],
        CHOICES["finish_reason"],
        *_TOKEN_TOTALS,
        _SUM_LOGPROB,
        _MEAN_LOGPROB,
        _PERPLEXITY,
        _SUM_SURPRISAL_LOWER,
        _PERPLEXITY_LOWER,
        _N_BYTES,
        _SUM_LOGPROB_BYTES,
        _BITS_PER_BYTE,
        _metric("min_logprob", "nats", "higher", "Least logprob of an ok token; null if none."),
        _metric("min_probability", "1", "higher", "exp(min_logprob): the weakest link."),
        Column(
            "weakest_position",
            pa.int32(),
            "Position of the (first) token with min_logprob; null if there is none.",
        ),
        _metric(
            "worst_decile_logprob",
            "nats/token",
            "higher",
            "Mean of the max(1, floor(n_ok / 10)) least logprobs; null if no token is ok. Source: "
            "after the bottom-10 % confidence of Fu et al. 2025 (DeepConf), over tokens.",
        ),
        _known(
            "longest_run_below",
            "tokens",
            "lower",
            "Longest run of tokens with exp(-surprisal_lower) below the threshold, so that a "
            "censored token counts if it surely is; null without an ok or censored token.",
        ),
        _known("n_below", "tokens", "lower", "Number of such tokens; null likewise."),
        _N_RANKED,
        _N_OFF_TOP1,
        _OFF_TOP1_RATE,
        _metric("mean_margin", "1", "higher", "Mean of margin over the tokens that have one."),
        _N_ENTROPY,
        *_MEAN_ENTROPIES,
        _metric("mean_entropy_topk", "nats/token", "lower", "Mean of entropy_topk."),
        _MEAN_MISSING_MASS,
    ),
)

CORPUS_METRICS = Table(
    "corpus_metrics",
    "One row per group of sequences, pooled token by token; columns of `by` stand in front.",
    ("channel",),
    (
        Column("channel", LABEL, "Channel that was pooled.", required=True),
        _total("n_sequences", "Sequences: rows of sequence_metrics.", "sequences"),
        _total("n_scored", "Sequences with an ok token.", "sequences"),
        *_TOKEN_TOTALS,
        _SUM_LOGPROB,
        _MEAN_LOGPROB,
        _PERPLEXITY,
        _SUM_SURPRISAL_LOWER,
        _PERPLEXITY_LOWER,
        _metric(
            "perplexity_geometric",
            "1",
            "lower",
            "exp of the mean of -mean_logprob over the scored sequences, each weighing the same: "
            "the geometric mean of their perplexities. Null if none is scored.",
        ),
        _N_BYTES,
        _SUM_LOGPROB_BYTES,
        _BITS_PER_BYTE,
        _N_RANKED,
        _N_OFF_TOP1,
        _OFF_TOP1_RATE,
        _N_ENTROPY,
        *_MEAN_ENTROPIES,
        _MEAN_MISSING_MASS,
    ),
)

USAGE = Table(
    "usage",
    "One row per group of responses: tokens used, and how many of them have logprobs; columns of "
    "`by` stand in front.",
    (),
    (
        _total("n_responses", "Responses.", "responses"),
        _total("n_errors", "Responses with an error.", "responses"),
        _total("n_finished", "Responses of which every choice has a finish reason.", "responses"),
        _total("n_choices", "Choices of these responses.", "choices"),
        _total("n_with_usage", "Responses that report any of these token counts.", "responses"),
        *(
            _tokens_column(name, f"Sum of {name} over the responses that report it; null: none.")
            for name in (
                "prompt_tokens",
                "completion_tokens",
                "total_tokens",
                "cached_tokens",
                "reasoning_tokens",
            )
        ),
        *(
            _metric(f"{how}_{name}", "tokens/response", "", f"{what} of {name} over those; {rule}")
            for name in ("prompt_tokens", "completion_tokens", "total_tokens")
            for how, what, rule in (
                ("mean", "Mean", "null: none."),
                ("median", "Median", "linear between neighbours; null: none."),
                ("p95", "95th percentile", "linear between neighbours; null: none."),
            )
        ),
        _metric(
            "share_with_logprobs", "1", "", "Share of responses with logprobs; null: no response."
        ),
        _total("n_token_rows", "Token rows of these responses."),
        _metric(
            "logprob_coverage",
            "1",
            "",
            "Token rows / completion_tokens over the responses that have logprobs and report "
            "completion_tokens. Below 1: reasoning, tool or stop tokens came without logprobs. "
            "Above 1: the server counted fewer tokens than it sent.",
        ),
        Column(
            "finish_reasons",
            pa.map_(pa.string(), pa.int64()),
            "Choices by finish_reason; a choice without one is under 'null'.",
            required=True,
            unit="choices",
        ),
        _total("n_priced", "Responses whose cost is known.", "responses"),
        Column(
            "cost",
            pa.float64(),
            "Sum of their costs at the prices given, in the currency of these; null if none is "
            "known.",
            unit="currency",
        ),
    ),
)

POSITION_METRICS = Table(
    "position_metrics",
    "One row per token position, over all answers that have it.",
    ("position",),
    (
        _POSITION,
        _total("n_tokens", "Answers that have a token there."),
        *(
            _metric(
                f"entropy_{bound}_{name}",
                "nats",
                "lower",
                f"{name.capitalize()} of entropy_{bound} over the answers; null: none has one.",
            )
            for bound in ("lower", "upper")
            for name in ("q25", "median", "q75")
        ),
    ),
)

RESULTS = (TOKEN_METRICS, SEQUENCE_METRICS, CORPUS_METRICS, USAGE, POSITION_METRICS)
"""The tables that `toolkit.metrics` returns, as pandas DataFrames with NaN or NA for null."""
