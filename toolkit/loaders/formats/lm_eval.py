"""Read a row of lm-eval's ``--log_samples``: the answers to one document.

A request for the likelihood of given options has ``[sum of logprobs, is greedy]`` for each of them
in ``resps``: a choice each, with the text of the option and no tokens. A request to generate has
texts.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from toolkit.loaders.formats.body import Body
from toolkit.loaders.formats.row_ids import as_id
from toolkit.loaders.formats.token_lists import is_logprob

NAME = "lm_eval"
SHAPE = "doc_id with resps, and arguments or filtered_resps"


def matches(obj: dict[str, Any]) -> bool:
    """Return whether an object is such a row."""
    is_marked = "arguments" in obj or "filtered_resps" in obj
    return "doc_id" in obj and isinstance(obj.get("resps"), list) and is_marked


def normalise(obj: dict[str, Any], path: str = "$") -> Iterator[Body]:
    """Yield a body with a choice for each option, or for each text that was generated."""
    options = _options(obj.get("arguments"))
    answers = [each for each in obj["resps"] if isinstance(each, list) and each]
    choices = [
        {"index": i, "message": {"content": text}, "finish_reason": None}
        for i, text in enumerate(_text(each, i, options) for i, each in enumerate(answers))
    ]
    notes = ("mean_logprob_only",) if any(map(_is_sum, (each[0] for each in answers))) else ()
    yield Body({"choices": choices}, NAME, path, as_id(obj["doc_id"]), notes=notes, alone=True)


def _is_sum(answer: Any) -> bool:
    return isinstance(answer, list) and len(answer) == 2 and is_logprob(answer[0])


def _text(answers: list[Any], i: int, options: list[Any]) -> Any:
    if _is_sum(answers[0]):
        return options[i] if i < len(options) else None
    return answers[0] if isinstance(answers[0], str) else None


def _options(arguments: Any) -> list[Any]:
    """Return the second argument of each request, which is the option that was scored."""
    if isinstance(arguments, dict):  # of later versions, {"gen_args_0": {"arg_0": ..., "arg_1"}}
        arguments = [
            [each.get("arg_0"), each.get("arg_1")] if isinstance(each, dict) else None
            for each in arguments.values()
        ]
    rows = arguments if isinstance(arguments, list) else []
    return [
        row[1] if isinstance(row, list) and len(row) > 1 and isinstance(row[1], str) else None
        for row in rows
    ]
