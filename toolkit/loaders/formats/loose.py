"""Token logprobs that lie in a row without an answer around them, and the answer beside them.

A row holds lists of entries, parallel arrays or dicts of alternatives under some key, alone, in an
object keyed by id, or as columns: a list of such lists beside lists of texts. Whatever else of the
answer lies beside them is taken by the names that libraries give it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from toolkit.loaders.formats.body import Body
from toolkit.loaders.formats.paths import along
from toolkit.loaders.formats.row_ids import row_id
from toolkit.loaders.formats.token_lists import (
    TokenList,
    arrays,
    channels,
    first,
    list_kind,
    parsed,
    speaks_of_logprobs,
)
from toolkit.loaders.formats.usage import finish_reason, usage
from toolkit.loaders.json_values import child

NAME = "row"
_DEPTH = 6
TEXTS = (
    *("answer", "response", "output", "completion", "generation", "generated_text", "output_text"),
    *("text", "content", "message", "prediction", "model_output", "model_answer", "result"),
    *("transcript", "delta", "reply", "assistant"),
)
"""Keys of the text of an answer, for rows in which no text equals the tokens; likeliest first."""
_MODELS = ("model", "model_name", "model_id", "modelId", "engine")
_USAGES = ("usage", "token_usage", "usage_metadata", "usageMetadata")
_REASONS = ("finish_reason", "finishReason", "stop_reason", "done_reason")
_MOST_TEXTS = 1000  # strings of a row that are compared with the tokens


def find(obj: Any, path: str) -> Iterator[Body]:
    """Yield an answer for each place of a record at which token logprobs lie."""
    yield from _find(obj, path, (), _DEPTH)


def _find(obj: Any, path: str, around: tuple[dict[str, Any], ...], depth: int) -> Iterator[Body]:
    if isinstance(obj, list) and any(list_kind(each) == "entries" for each in obj):
        obj = dict(enumerate(obj))  # a row of a table, without the names of the columns
    if isinstance(obj, list):
        if depth > 0:
            for i, each in enumerate(obj):
                if isinstance(each, dict | list):
                    yield from _find(each, f"{path}[{i}]", around, depth - 1)
        return
    chain = (obj, *around)
    used: set[int] = set()
    together = arrays(obj, path)
    if together is not None:
        yield _answer({"content": together}, chain, path)
        used = together.identities()
    for key, value in obj.items():
        if speaks_of_logprobs(key):
            value = parsed(value)
        if not isinstance(value, dict | list) or id(value) in used:
            continue
        at = child(path, key)
        found = channels(value, at, key)
        if found:
            yield _answer(found, chain, at)
        elif isinstance(value, list) and (columns := _columns(value, at, key)):
            yield from _rows(columns, obj, chain)
        elif depth > 0:
            yield from _find(value, at, chain, depth - 1)


def at(record: Any, path: str) -> Iterator[Body]:
    """Yield the answer whose token logprobs are at a JSON path of a record."""
    *around, value = along(record, path)
    value = parsed(value)
    found = channels(value, path)
    together = arrays(value, path) if isinstance(value, dict) else None
    if together is not None:
        found.setdefault("content", together)
    if found:
        yield _answer(
            found, tuple(each for each in reversed(around) if isinstance(each, dict)), path
        )


def bare(obj: dict[str, Any], path: str) -> Body | None:
    """Return an object that is itself the logprobs of an answer, or one entry of them."""
    is_entry = list_kind([obj]) == "entries" and arrays(obj, path) is None
    if is_entry and "choices" not in obj:
        choice = {
            "index": 0,
            "delta": {},
            "logprobs": {"content": TokenList("entries", [obj], {}, path)},
        }
        return Body({"choices": [choice]}, NAME, path)
    found = channels(obj, path)
    if found and any(isinstance(obj.get(name), list) for name in ("content", "refusal")):
        return _answer(found, (), path)
    return None


def is_choice(obj: dict[str, Any]) -> bool:
    """Return whether an object is a choice with logprobs, dumped alone."""
    has_text = isinstance(obj.get("message"), dict) or isinstance(obj.get("text"), str)
    is_marked = "index" in obj and ("finish_reason" in obj or "finishReason" in obj)
    return has_text and is_marked and obj.get("logprobs") is not None


def _columns(values: list[Any], path: str, key: str) -> list[tuple[int, dict[str, TokenList]]]:
    """Return the token lists of a column of answers, each with its row."""
    found = []
    for i, value in enumerate(values):
        if value is None:
            continue
        each = channels(value, f"{path}[{i}]", key) if isinstance(value, list) else {}
        if not each:
            return []
        found.append((i, each))
    return found


def _rows(
    columns: list[tuple[int, dict[str, TokenList]]],
    obj: dict[str, Any],
    chain: tuple[dict[str, Any], ...],
) -> Iterator[Body]:
    n = max(i for i, _ in columns) + 1
    beside = {name: v for name, v in obj.items() if isinstance(v, list) and len(v) >= n}
    for i, found in columns:
        row = {name: values[i] for name, values in beside.items()}
        named = [(name, value) for name, value in row.items() if isinstance(name, str)]
        row |= {name.removesuffix("s"): value for name, value in named if name.endswith("s")}
        where = next(iter(found.values())).path
        yield _answer(found, (row, *chain[1:]), where)


def _answer(found: dict[str, TokenList], chain: tuple[dict[str, Any], ...], path: str) -> Body:
    choice = {
        "index": 0,
        "message": {"role": None, "content": text_beside(found, chain)},
        "logprobs": found,
        "finish_reason": finish_reason(_near(chain, _REASONS)),
    }
    model = _near(chain, _MODELS)
    body = {
        "model": model if isinstance(model, str) else None,
        "usage": usage(_near(chain, _USAGES)),
        "choices": [choice],
    }
    custom_id: str | None = None
    for obj in reversed(chain):
        custom_id = row_id(obj, custom_id)
    return Body(body, NAME, path, custom_id, alone=True)


def _near(chain: tuple[dict[str, Any], ...], names: tuple[str, ...]) -> Any:
    """Return what the nearest object around has under one of some keys."""
    found = (first(obj, names) for obj in chain)
    return next((value for value in found if value is not None), None)


def text_beside(found: dict[str, TokenList], chain: tuple[dict[str, Any], ...]) -> str | None:
    """Return the text of an answer: the text near its tokens that equals them, else by its key."""
    tokens = found.get("content")
    if tokens is not None:
        joined = "".join(tokens.texts() or ())
        if joined:
            read = set().union(*(each.identities() for each in found.values()))
            for obj in chain:
                for text in _texts(obj, 3, [_MOST_TEXTS], read):
                    if text == joined or (text and text.strip() == joined.strip()):
                        return text
    for obj in chain:
        for name in TEXTS:
            value = obj.get(name)
            if isinstance(value, str):
                return value
    return None


def _texts(obj: Any, depth: int, left: list[int], read: set[int]) -> Iterator[str]:
    values = obj.values() if isinstance(obj, dict) else obj
    for value in values:
        if left[0] <= 0:
            return
        left[0] -= 1
        if isinstance(value, str):
            yield value
        elif isinstance(value, dict | list) and depth > 0 and id(value) not in read:
            yield from _texts(value, depth - 1, left, read)


def joined(body: Body, lists: Body) -> Body:
    """Return an answer of a row with the token lists that lie beside it."""
    choices = body.obj.get("choices")
    if not isinstance(choices, list) or len(choices) != 1 or not isinstance(choices[0], dict):
        return lists
    choice = {**choices[0], "logprobs": lists.obj["choices"][0]["logprobs"]}
    return body._replace(obj={**body.obj, "choices": [choice]})
