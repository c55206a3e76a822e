"""Labels, thresholds and codes: what the values of coded columns may be."""

from __future__ import annotations

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
    "too_long": "the record has more bytes than the limit; it was passed over unread",
    "too_many_alternatives": "a token has more alternatives than the limit",
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
    "changed_source": "the file changed while it was read: what was read may be of two states",
    "source_over_limit": "the source becomes larger, or many times larger, than the limit",
    "truncated_source": "the source ends before its compressed data is complete, or is corrupt",
}
"""Codes of ``rejects.reason``."""
