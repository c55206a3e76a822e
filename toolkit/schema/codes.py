"""Labels, thresholds and codes: the values that coded columns may hold."""

from __future__ import annotations

CHANNELS = ("content", "prompt", "reasoning", "refusal")
"""Channels of a choice, in the order of their rows (alphabetical, so any sort agrees). The model
wrote all of them but ``prompt``, whose tokens were given to it and scored."""
ANSWER_CHANNELS = tuple(name for name in CHANNELS if name != "prompt")
"""The channels that the model wrote, whose texts are columns of choices."""
KINDS = ("completion", "stream")
"""Values of ``responses.kind``."""
STATUSES = ("ok", "censored", "missing", "invalid")
"""Values of ``status``: how to read a logprob."""
LOGPROBS_STATES = ("absent", "empty", "present")
"""Values of ``choices.logprobs_state``."""
ALIGNMENTS = ("exact", "tokens_short", "tokens_extra", "mismatch", "unknown")
"""Values of ``choices.alignment``: how the tokens fit the text."""

CENSORED_AT_OR_BELOW = -9998.0
"""A logprob (nats) at or below this is a server's sentinel or clamp (-9999, -3.4e38, -inf)."""
CENSORED_AT = -1000.0
"""A logprob (nats) of exactly this is a sentinel too (TabbyAPI writes it for -inf): softmax in
float32 gives no such number, because the logits of models differ by tens, not by a thousand."""
INVALID_ABOVE = 1e-3
"""A value (nats) above this is not a logprob (raw logits); between 0 and this it is rounding."""

TEXTS_LEFT_OUT = "texts_left_out"
"""The note of responses that were exported without texts."""
NOTES = {
    "gap": "a record inside this stream was rejected, so tokens may be missing",
    "non_integer_index": "the index of a choice is not an integer; its position in the array is "
    "used instead",
    "duplicate_index": "two choices of one body have the same index; the first free number is used "
    "instead",
    "bad_bytes": "the bytes of a token or alternative are not a list of integers from 0 to 255; "
    "null is used instead",
    "bad_token_id": "a token id is not an integer of 32 bits; null is used instead",
    "bad_logprobs": "logprobs, or one of its lists, has a wrong type; it is read as absent",
    "bad_top_logprobs": "top_logprobs is not a list; it is read as empty",
    "bad_message": "message or delta is not an object; it is read as empty",
    "bad_id": "id is not a string; null is used instead",
    "bad_custom_id": "custom_id is not a string; null is used instead",
    "bad_model": "model is not a string; null is used instead",
    "bad_object": "object is not a string; null is used instead",
    "bad_system_fingerprint": "system_fingerprint is not a string; null is used instead",
    "bad_service_tier": "service_tier is not a string; null is used instead",
    "bad_created": "created is not a whole number of seconds since 1970; null is used instead",
    "bad_usage": "usage, or a count in it, has a wrong type or is out of range; null is used "
    "instead",
    "bad_role": "role is not a string; null is used instead",
    "bad_content": "content is neither text nor a list of text parts; null is used instead",
    "bad_refusal": "refusal is not a string; null is used instead",
    "bad_reasoning": "reasoning is not a string; null is used instead",
    "bad_tool_calls": "tool_calls is not a list of objects; null is used instead",
    "bad_finish_reason": "finish_reason is not a string; null is used instead",
    "bad_status_code": "the status_code of a batch line is not an integer; it is read as absent",
    "from_prob": "probabilities were sent, not logprobs; their logarithms are used",
    "echo": "the tokens of the prompt seem to come before those of the answer (echo), and usage "
    "does not say how many they are; they are kept in content",
    "unread_logprobs": "values that speak of logprobs were sent, and they are not read",
    "unequal_logprobs": "more or fewer logprobs than token ids were sent; those with both are read",
    "mean_logprob_only": "only a mean or sum of logprobs was sent, without tokens; it is not read",
    "lone_surrogate": "a text has half a surrogate pair; U+FFFD is used instead",
    "cumulative_usage": "usage was sent for single choices, but not for the whole response",
    "early_usage": "usage was sent before the last tokens of the stream, so it may be partial",
    "late_usage": "usage was sent after the stream had closed",
    "index_finished_twice": "a choice finished twice in one stream: perhaps several answers were "
    "sent under one index",
    TEXTS_LEFT_OUT: "the texts were left out of the export; tokens have pseudonyms",
    "cumulative_logprobs": "each chunk repeated the tokens of the chunks before it; each is kept "
    "once",
}
"""Codes of ``responses.notes``: oddities of a record that was kept."""

NOTE_SEVERITIES = {
    "index_finished_twice": "warning",
    "gap": "warning",
    "echo": "warning",
    "bad_logprobs": "warning",
    "bad_top_logprobs": "warning",
    "duplicate_index": "warning",
    "unequal_logprobs": "warning",
    "unread_logprobs": "warning",
    "mean_logprob_only": "warning",
}
"""Severities of notes as findings of `toolkit.check`; other notes are infos."""

LOGPROBS_REQUESTS = {
    "openai_chat": "logprobs=True, top_logprobs=20",
    "openai_legacy": "logprobs=5",
    "openai_responses": "include=['message.output_text.logprobs'] and top_logprobs=20",
    "gemini": "responseLogprobs=true and logprobs=20 in generationConfig",
    "tgi_generate": "details=true",
    "sglang_generate": "return_logprob=True",
    "llama_server": "n_probs=20",
}
"""How to ask for logprobs, by format; that of ``openai_chat`` for all others."""

REASONS = {
    "empty_record": "there is nothing between two separators",
    "bad_utf8": "the bytes are not UTF-8",
    "not_json": "the text is not JSON",
    "truncated": "the text ends inside a JSON value",
    "trailing_garbage": "a JSON value is followed by something else",
    "too_deep": "objects and arrays are nested deeper than the limit",
    "too_long": "the record has more bytes than the limit; it was skipped unread",
    "too_many_alternatives": "a token has more alternatives than the limit",
    "not_an_object": "the JSON value is not an object",
    "duplicate_key": "a key that is read occurs twice in an object",
    "no_choices": "there is no choices array",
    "choice_not_object": "an entry of choices is not an object",
    "entry_not_object": "an entry of a logprobs list is not an object",
    "unequal_lengths": "parallel arrays of logprobs have different lengths",
    "token_not_string": "the token of an entry is not a string",
    "logprob_not_number": "the logprob of an entry is not a number",
    "unknown_format": "the object does not have the shape of a known format",
    "unsupported_format": "the format is known, but it is not read; the message says what to do",
    "late_chunk": "a chunk arrived after its stream had closed",
    "unreadable_source": "the source could not be opened or read",
    "changed_source": "the file changed while it was read, so its records may be of two states",
    "source_over_limit": "the source is larger than the limit, or expands more than the limit",
    "truncated_source": "the source ends before its compressed data is complete, or is corrupt",
}
"""Codes of ``rejects.reason``."""

REASON_SEVERITIES = {
    "unreadable_source": "error",
    "truncated_source": "error",
    "changed_source": "error",
}
"""Severities of reasons as findings of `toolkit.check`; other reasons are warnings."""
