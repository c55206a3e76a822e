"""Read canonical bodies into column lists: metadata, usage, choices and their lists of logprobs.

A `BodyReader` fills the columns of `toolkit.loaders.buffers`. The lists grow only at their ends, so
truncating them removes a body that turns out to be unreadable. Odd values become null and earn a
note (see `toolkit.schema.NOTES`); values that cannot be read reject the body.
"""

from __future__ import annotations

import re
from itertools import count
from typing import Any

import pyarrow as pa

from toolkit import schema
from toolkit.limits import LIMITS, Limits
from toolkit.loaders import buffers
from toolkit.loaders.buffers import (
    KIND_CHUNK,
    KIND_COPY,
    KIND_EITHER,
    KIND_ERROR,
    KIND_FINAL_COPY,
    KIND_WHOLE,
    PART_COUNTS,
    STATE_ABSENT,
    STATE_EMPTY,
    STATE_PRESENT,
)
from toolkit.loaders.decoding import positions
from toolkit.loaders.decoding.entry_reader import SAMPLED, EntryReader, both_casings, lists
from toolkit.loaders.decoding.ordinals import Ordinals, Place
from toolkit.loaders.decoding.strict_json import compact
from toolkit.loaders.formats.body import Body
from toolkit.loaders.formats.choice_lists import lists_of_choice, prompt_list
from toolkit.loaders.formats.token_lists import CHANNELS, TokenList, first
from toolkit.loaders.json_values import (
    Reject,
    camel,
    kind_of,
    read_all_once,
    read_once,
    whole_number,
)

_INT32 = 2**31 - 1
_INT64 = 2**63 - 1
_YEAR_10000 = 253_402_300_800  # seconds since 1970; a larger `created` is in other units
_LONE_SURROGATE = re.compile("[\ud800-\udfff]")

_BODY_KEYS = both_casings(
    *("id", "choices", "created", "model", "object", "usage", "error"),
    *("system_fingerprint", "service_tier", "prompt_logprobs"),
)
_CHOICE_KEYS = both_casings("index", "message", "delta", "logprobs", "finish_reason")
_MESSAGE_KEYS = both_casings(
    "role", "content", "refusal", "reasoning", "reasoning_content", "tool_calls"
) | {"provider_specific_fields"}
_REFUSAL_KEYS = frozenset({"refusal"})
_PART_KEYS = frozenset({"type", "text"})
_TEXT_PARTS = ("text", "output_text", "TEXT")
_USAGE_PATHS = (
    ("prompt_tokens",),
    ("completion_tokens",),
    ("total_tokens",),
    ("prompt_tokens_details", "cached_tokens"),
    ("completion_tokens_details", "reasoning_tokens"),
    ("prompt_tokens_details", "audio_tokens"),
    ("completion_tokens_details", "audio_tokens"),
    ("completion_tokens_details", "accepted_prediction_tokens"),
    ("completion_tokens_details", "rejected_prediction_tokens"),
)
_USAGE_KEYS = both_casings(*(path[0] for path in _USAGE_PATHS))
_DETAIL_KEYS = both_casings(*(path[1] for path in _USAGE_PATHS if len(path) > 1))
_USAGE_NAMES = [column.name for column in schema.USAGE_COLUMNS]


_KINDS = {"either": KIND_EITHER, "final_copy": KIND_FINAL_COPY, "copy": KIND_COPY}
"""Codes of the kinds that are not detected."""

Mark = tuple[int, ...]


def _sent(obj: dict[str, Any], name: str) -> str:
    """Return a key in the casing in which it has a value that is not null."""
    return name if obj.get(name) is not None else camel(name)


def _get(obj: dict[str, Any], name: str) -> Any:
    """Return the value of a key, in the casing in which it is not null."""
    value = obj.get(name)
    return value if value is not None else obj.get(camel(name))


class BodyReader:
    """Append bodies to column lists.

    Parameters
    ----------
    limits : Limits
    """

    def __init__(self, limits: Limits = LIMITS) -> None:
        self._bodies = lists(buffers.BODIES)
        self._parts = lists(buffers.PARTS)
        self._entries = EntryReader(limits.alternatives)
        self._tables = (
            self._bodies,
            self._parts,
            self._entries.tokens,
            self._entries.alternatives,
        )
        self._firsts = [next(iter(table.values())) for table in self._tables]
        self._notes: list[str] = []

    def mark(self) -> Mark:
        """Return the present lengths of the lists, for `rewind`."""
        return tuple(map(len, self._firsts))

    def rewind(self, mark: Mark) -> None:
        """Truncate the lists to a mark, because the body that followed it is rejected."""
        for table, length in zip(self._tables, mark, strict=True):
            for values in table.values():
                del values[length:]

    def tables(self) -> list[pa.Table]:
        """Return the lists as Arrow tables: bodies, parts, tokens, alternatives."""
        schemas = (buffers.BODIES, buffers.PARTS, SAMPLED, buffers.ENTRIES)
        return [
            pa.Table.from_arrays(
                [pa.array(table[field.name], field.type) for field in declared], schema=declared
            )
            for table, declared in zip(self._tables, schemas, strict=True)
        ]

    def replace_lone_surrogates(self, mark: Mark) -> None:
        """Replace lone surrogates by U+FFFD in the texts since a mark, and note it."""
        found = False
        for table, length in zip(self._tables, mark, strict=True):
            for values in table.values():
                for i in range(length, len(values)):
                    if isinstance(values[i], str) and _LONE_SURROGATE.search(values[i]):
                        values[i] = _LONE_SURROGATE.sub("\ufffd", values[i])
                        found = True
        if found and "lone_surrogate" not in self._bodies["notes"][-1]:
            self._bodies["notes"][-1] = sorted([*self._bodies["notes"][-1], "lone_surrogate"])

    def read(self, body: Body, place: Place, ordinals: Ordinals) -> None:
        """Append one body; if it raises `Reject`, the caller rewinds the lists."""
        obj, path = body.obj, body.path
        read_once(obj, _BODY_KEYS, path)
        self._notes = self._entries.notes = list(body.notes)
        choices = obj.get("choices")
        error = body.error or obj.get("error") or None
        kind = KIND_ERROR if choices is None and not body.alone else KIND_WHOLE
        if choices is not None:
            kind = _KINDS.get(body.kind, _kind(choices, obj, f"{path}.choices"))
            if body.kind == "unsure" and body.alone and not obj.get("id"):
                kind = KIND_WHOLE
            prompt = prompt_list(obj, path)
            self._choices(choices, kind != KIND_WHOLE, f"{path}.choices", prompt)
        usage = self._usage(obj.get("usage"), f"{path}.usage")
        row = {
            **place._asdict(),
            "record": ordinals.record,
            "scope": ordinals.scope,
            "done": ordinals.done,
            "kind": kind,
            "format": body.format,
            "response_id": self._name(obj.get("id"), "bad_id"),
            "custom_id": self._name(body.custom_id, "bad_custom_id"),
            "created": self._created(obj.get("created")),
            "model": self._name(obj.get("model"), "bad_model"),
            "system_fingerprint": self._name(
                _get(obj, "system_fingerprint"), "bad_system_fingerprint"
            ),
            "service_tier": self._name(_get(obj, "service_tier"), "bad_service_tier"),
            "object": self._name(obj.get("object"), "bad_object"),
            "has_usage": usage is not None,
            **(usage or dict.fromkeys(_USAGE_NAMES)),
            "error": compact(error) if error and not isinstance(error, str) else error,
            "path": None if path == "$" else path,
            "kept": compact(body.kept) if body.kept else None,
            "notes": sorted(set(self._notes)),
            "item": body.item,
            "part": body.part,
            "item_id": body.item_id if isinstance(body.item_id, str) else None,
            "n_parts": len(choices) if choices else 0,
            "n_records": 1,
        }
        for name, values in self._bodies.items():
            values.append(row[name])

    # Metadata

    def _text(self, value: Any, note: str) -> str | None:
        if value is None or isinstance(value, str):
            return value
        self._notes.append(note)
        return None

    def _name(self, value: Any, note: str) -> str | None:
        """Return a text, with "" as null, because servers send "" for what they do not know."""
        return self._text(value, note) or None

    def _created(self, value: Any) -> int | None:
        seconds = whole_number(value, 0, _YEAR_10000 - 1)
        if seconds is None and value is not None:
            self._notes.append("bad_created")
        return seconds

    def _usage(self, usage: Any, path: str) -> dict[str, int | None] | None:
        """Return the counts by column name, or None if there is no usage."""
        if not isinstance(usage, dict):
            if usage is not None:
                self._notes.append("bad_usage")
            return None
        read_once(usage, _USAGE_KEYS, path)
        counts: dict[str, int | None] = {}
        for name, keys in zip(_USAGE_NAMES, _USAGE_PATHS, strict=True):
            value: Any = usage
            for depth, key in enumerate(keys):
                sent = _sent(value, key)
                value = value.get(sent)
                if depth < len(keys) - 1:
                    if not isinstance(value, dict):
                        if value is not None:
                            self._notes.append("bad_usage")
                        value = {}
                    read_once(value, _DETAIL_KEYS, f"{path}.{sent}")
            counts[name] = whole_number(value, 0, _INT64)
            if counts[name] is None and value is not None:
                self._notes.append("bad_usage")
        return counts

    # Choices

    def _choices(
        self, choices: list[Any], is_chunk: bool, path: str, prompt: TokenList | None
    ) -> None:
        taken: set[int] = set()
        numbers = count()
        for i, choice in enumerate(choices):
            at = f"{path}[{i}]"
            if not isinstance(choice, dict):
                found = kind_of(choice)
                raise Reject("choice_not_object", f"expected an object, found {found}", at)
            read_once(choice, _CHOICE_KEYS, at)
            index = self._index(choice.get("index"), i)
            if index in taken and not is_chunk:  # in a chunk it is two deltas of one choice
                self._notes.append("duplicate_index")
                index = next(number for number in numbers if number not in taken)
            taken.add(index)
            self._choice(choice, index, is_chunk, at, None if i else prompt)

    def _index(self, value: Any, ordinal: int) -> int:
        index = whole_number(value, 0, _INT32)
        if index is not None:
            return index
        if value is not None:
            self._notes.append("non_integer_index")
        return ordinal

    def _choice(
        self,
        choice: dict[str, Any],
        index: int,
        is_chunk: bool,
        path: str,
        prompt: TokenList | None,
    ) -> None:
        names = ("delta", "message") if is_chunk else ("message", "delta")
        name = names[0] if choice.get(names[0]) is not None else names[1]
        message = choice.get(name)
        if not isinstance(message, dict):
            if message is not None:
                self._notes.append("bad_message")
            message = {}
        read_once(message, _MESSAGE_KEYS, f"{path}.{name}")
        text = self._content(message.get("content"), f"{path}.{name}.content")
        own_prompt = prompt_list(choice, path)
        prompt = prompt if own_prompt is None else own_prompt
        state, counts = self._logprobs(choice.get("logprobs"), f"{path}.logprobs", text, prompt)
        reasoning = _get(message, "reasoning_content")
        if reasoning is None:
            reasoning = message.get("reasoning")
        row = {
            "choice": index,
            "role": self._name(message.get("role"), "bad_role"),
            "content": text,
            "refusal": self._text(_refusal(message, f"{path}.{name}"), "bad_refusal"),
            "reasoning": self._text(reasoning, "bad_reasoning"),
            "tool_calls": self._tool_calls(message, f"{path}.{name}"),
            "finish_reason": self._name(_get(choice, "finish_reason"), "bad_finish_reason"),
            "state": state,
            **counts,
        }
        for column, values in self._parts.items():
            values.append(row[column])

    def _content(self, value: Any, path: str) -> str | None:
        """Return a text, or the joined text of a list of parts."""
        if isinstance(value, list):
            for i, part in enumerate(value):
                if isinstance(part, dict):
                    read_once(part, _PART_KEYS, f"{path}[{i}]")
            sent = [
                part.get("text")
                for part in value
                if isinstance(part, dict) and part.get("type", "text") in _TEXT_PARTS
            ]
            texts = [text for text in sent if isinstance(text, str)]
            if len(texts) == len(sent) and (texts or not value):
                return "".join(texts)
        return self._text(value, "bad_content")

    def _tool_calls(self, message: dict[str, Any], path: str) -> str | None:
        """Return tool calls as JSON; no key may be repeated, because all keys are kept."""
        name = _sent(message, "tool_calls")
        value = message.get(name)
        if value is None or value == []:
            return None
        if isinstance(value, list) and all(isinstance(call, dict) for call in value):
            read_all_once(value, f"{path}.{name}")
            return compact(value)
        self._notes.append("bad_tool_calls")
        return None

    # Logprobs

    def _logprobs(
        self, logprobs: Any, path: str, text: str | None, prompt: TokenList | None
    ) -> tuple[int, dict[str, int]]:
        """Append the entries of a choice's lists; return their state and the number of each."""
        counts = dict.fromkeys(PART_COUNTS, 0)
        state = STATE_ABSENT
        found = lists_of_choice(logprobs, path)
        if _is_odd(logprobs, found):
            self._notes.append("bad_logprobs")
        if prompt is not None:
            found.setdefault("prompt", prompt)
        for channel in schema.CHANNELS:
            if channel in found:
                tokens = found[channel]
                entries = positions.entries(tokens, text if channel == "content" else None)
                if channel != "prompt":  # the state is that of the answer
                    state = max(state, STATE_PRESENT if entries else STATE_EMPTY)
                counts[f"n_{channel}"] = len(entries)
                self._entries.read(entries, tokens.path)
        return state, counts


def _refusal(message: dict[str, Any], path: str) -> Any:
    """Return the refusal of a message, or the one that LiteLLM writes beside it."""
    refusal = message.get("refusal")
    fields = message.get("provider_specific_fields")
    if refusal is not None or not isinstance(fields, dict):
        return refusal
    read_once(fields, _REFUSAL_KEYS, f"{path}.provider_specific_fields")
    return fields.get("refusal")


def _is_odd(logprobs: Any, found: dict[str, TokenList]) -> bool:
    """Return whether logprobs, or the list of one of their channels, are of a wrong type."""
    if not isinstance(logprobs, dict):
        return logprobs is not None and not found
    return any(
        channel not in found and first(logprobs, names) is not None
        for channel, names in CHANNELS.items()
    )


def _kind(choices: Any, obj: dict[str, Any], path: str) -> int:
    """Return whole or chunk by the keys of the choices; ``object`` is wrong on some servers."""
    if not isinstance(choices, list):
        raise Reject("no_choices", f"expected an array, found {kind_of(choices)}", path)
    objects = [choice for choice in choices if isinstance(choice, dict)]
    for key, kind in (("delta", KIND_CHUNK), ("message", KIND_WHOLE)):
        if any(choice.get(key) is not None for choice in objects):
            return kind
    for key, kind in (("message", KIND_WHOLE), ("delta", KIND_CHUNK)):
        if any(key in choice for choice in objects):
            return kind
    if not choices and obj.get("object") == "chat.completion":
        return KIND_WHOLE
    return KIND_CHUNK
