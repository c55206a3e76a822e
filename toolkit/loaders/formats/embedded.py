"""Find the answers inside the rows of an experiment, under whatever key they are.

Rows are searched only if no format and no envelope matches. An answer is a body of any known
format, a list of them (one exchange), a bare entry of ``choices``, or the text of one, at most a
few levels deep. The id of the innermost row around it becomes the ``custom_id``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from toolkit.loaders.formats.body import Body, Exchange
from toolkit.loaders.formats.row_ids import row_id
from toolkit.loaders.formats.token_lists import speaks_of_logprobs
from toolkit.loaders.json_values import child

NAME = "row"
SHAPE = "an answer under some key"
_DEPTH = 5  # levels of a row that are searched
_CHOICE = ("logprobs", "finish_reason", "finishReason", "index")
_HEAD = 1 << 16  # characters of a text that are searched
_IN_TEXT = re.compile(
    r'"choices"|"candidates"|"[A-Za-z_]*log_?prob[A-Za-z_]*"\s*:\s*[-\[{]', re.IGNORECASE
)

_WHOLE = re.compile(r'"choices"|"candidates"')

_IsAnswer = Callable[[object], bool]


def find_answers(obj: dict[str, Any], path: str, is_answer: _IsAnswer) -> Iterator[Body | Exchange]:
    """Yield the answers inside a row.

    Parameters
    ----------
    obj : dict
        A parsed JSON object that is not an answer itself.
    path : str
    is_answer : callable
        Returns whether a value is a body of a known format.
    """
    return _find(obj, path, None, _DEPTH, is_answer)


def _find(
    obj: dict[str, Any] | list[Any],
    path: str,
    custom_id: str | None,
    depth: int,
    is_answer: _IsAnswer,
) -> Iterator[Body | Exchange]:
    custom_id = row_id(obj, custom_id)
    members: Iterable[tuple[Any, Any]] = obj.items() if isinstance(obj, dict) else enumerate(obj)
    for key, value in members:
        if not isinstance(value, str | dict | list):
            continue
        inner_path = child(path, key)
        if isinstance(value, str) and speaks_of_logprobs(key) and not _WHOLE.search(value):
            continue  # the text of a list, which is not an answer
        found = answer(value, inner_path, custom_id, is_answer)
        if found is not None:
            yield found
        elif depth > 0 and isinstance(value, dict | list):
            yield from _find(value, inner_path, custom_id, depth - 1, is_answer)


def answer(
    value: object, path: str, custom_id: str | None, is_answer: _IsAnswer
) -> Body | Exchange | None:
    """Return a value as an answer of a row; None if it is not one."""
    if isinstance(value, dict):
        if is_answer(value):
            return Body(value, NAME, path, custom_id, alone=True)
        if _is_choice(value):
            return Body({"choices": [value]}, NAME, path, custom_id, alone=True)
    elif isinstance(value, list):
        if value and all(map(is_answer, value)):
            return Exchange(value, path, custom_id)
    elif isinstance(value, str) and _is_text_of_answer(value):
        return Exchange(value, path, custom_id)
    return None


def _is_choice(value: dict[str, Any]) -> bool:
    return isinstance(value.get("message"), dict) and any(key in value for key in _CHOICE)


def has_text_of_answer(value: object, depth: int = _DEPTH) -> bool:
    """Return whether there is a text of an answer in a row."""
    if isinstance(value, str):
        return _is_text_of_answer(value)
    if not isinstance(value, dict | list) or depth < 0:
        return False
    members = value.values() if isinstance(value, dict) else value
    return any(has_text_of_answer(each, depth - 1) for each in members)


def _is_text_of_answer(text: str) -> bool:
    head = text[:_HEAD].lstrip()
    return head.startswith(("{", "[", "data:")) and _IN_TEXT.search(head) is not None
