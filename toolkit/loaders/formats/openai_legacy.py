"""Read legacy completions: ``choices[].text``, with logprobs as parallel arrays.

``logprobs`` is ``{"tokens", "token_logprobs", "top_logprobs", "text_offset"}``, where each entry of
``top_logprobs`` is an object of texts and logprobs, or null; newer servers may send the lists of
chat completions instead. Whole responses and chunks have the same shape, except that only the last
chunk has a finish reason. With ``echo``, the tokens of the prompt come first, and the first of them
has no logprob: as many as ``usage.prompt_tokens`` says are moved to the channel of the prompt.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from toolkit.loaders.formats.body import Body, Kind
from toolkit.loaders.formats.choice_lists import are_arrays, lists_of_choice
from toolkit.loaders.formats.token_lists import TokenList
from toolkit.loaders.json_values import Reject, read_once

NAME = "openai_legacy"
SHAPE = "choices[].text"
_MARKS = ("finish_reason", "logprobs")
_CHOICE_KEYS = frozenset({"index", "text", "logprobs", "finish_reason"})


def matches(obj: dict[str, Any]) -> bool:
    """Return whether an object is a legacy completion."""
    choices = obj.get("choices")
    is_marked = "model" in obj or "object" in obj
    return isinstance(choices, list) and any(
        isinstance(choice, dict)
        and "text" in choice
        and "message" not in choice
        and "delta" not in choice
        and (is_marked or any(name in choice for name in _MARKS))
        for choice in choices
    )


def normalise(obj: dict[str, Any], path: str = "$") -> Iterator[Body]:
    """Yield the body in the form of a chunk of the chat schema."""
    choices = [_choice(choice, f"{path}.choices[{i}]") for i, choice in enumerate(obj["choices"])]
    ended = all(isinstance(choice, dict) and _has_ended(choice) for choice in choices)
    found = [_arrays(choice, f"{path}.choices[{i}]") for i, choice in enumerate(choices)]
    notes: tuple[str, ...] = ()
    if any(each is not None and _begins_with_null(each) for each in found):
        n = _prompt_tokens(obj.get("usage"), [each for each in found if each is not None])
        notes = ("echo",) if n is None else ()
        choices = [
            choice if each is None or not n else _split(choice, each, n)
            for choice, each in zip(choices, found, strict=True)
        ]
    body = {**obj, "choices": choices}
    read = tuple(
        choice["logprobs"]
        for choice, each in zip(obj["choices"], found, strict=True)
        if each is not None
    )
    # Chunks say that they have no finish reason yet, and at most the last of them has usage.
    says_more = any(isinstance(each, dict) and "finish_reason" in each for each in choices)
    alone = isinstance(obj.get("usage"), dict) and not says_more
    kind: Kind = "either" if ended else "unsure"
    yield Body(body, NAME, path, notes=notes, alone=alone, kind=kind, read=read)


# Echo


def _arrays(choice: Any, path: str) -> TokenList | None:
    """Return the parallel arrays of a choice; None if it has none that the decoder accepts."""
    logprobs = choice.get("logprobs") if isinstance(choice, dict) else None
    if not are_arrays(logprobs):
        return None
    with suppress(Reject):
        return lists_of_choice(logprobs, f"{path}.logprobs")["content"]
    return None


def _begins_with_null(tokens: TokenList) -> bool:
    logprobs = tokens.columns.get("logprob", [])
    return bool(logprobs) and logprobs[0] is None


def _prompt_tokens(usage: Any, found: list[TokenList]) -> int | None:
    """Return how many tokens of each choice are those of the prompt, if all have the same prompt.

    Several prompts can be sent at once; then usage has the sum of their tokens.
    """
    prompt = usage.get("prompt_tokens") if isinstance(usage, dict) else None
    written = usage.get("completion_tokens", 0) if isinstance(usage, dict) else None
    if not isinstance(prompt, int) or not isinstance(written, int | None):
        return None
    lengths = [len(tokens.values) for tokens in found]
    is_one = len(lengths) == 1 or sum(lengths) == len(lengths) * prompt + (written or 0)
    return prompt if is_one and min(lengths) >= prompt else None


def _split(choice: dict[str, Any], tokens: TokenList, n: int) -> dict[str, Any]:
    """Return a choice with its first n tokens, and their text, as those of the prompt."""
    prompt, answer = tokens.cut(n)
    delta, texts = choice["delta"], prompt.texts()
    text = delta.get("content")
    if isinstance(text, str) and texts is not None:
        delta = {**delta, "content": text.removeprefix("".join(texts))}
    return {**choice, "delta": delta, "logprobs": {"prompt": prompt, "content": answer}}


def _has_ended(choice: dict[str, Any]) -> bool:
    """Return whether a choice has a finish reason that the decoder keeps."""
    reason = choice.get("finish_reason")
    return isinstance(reason, str) and reason != ""


def _choice(choice: Any, path: str) -> Any:
    if not isinstance(choice, dict):
        return choice  # the decoder rejects it
    read_once(choice, _CHOICE_KEYS, path)
    rest = {key: value for key, value in choice.items() if key != "text"}
    return {**rest, "delta": {"content": choice.get("text")}}
