"""`Shape`: a format declared by where the parts of an answer lie, and the engine that reads it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any, Literal

from toolkit import arguments
from toolkit.loaders.formats.body import Body, Kind
from toolkit.loaders.formats.choice_lists import prompt_list
from toolkit.loaders.formats.paths import ALL, Step, find, steps_of
from toolkit.loaders.formats.row_ids import as_id
from toolkit.loaders.formats.token_lists import TokenList, channels, list_kind, parsed, with_ids
from toolkit.loaders.formats.usage import finish_reason, tool_calls, usage


@dataclass(frozen=True)
class Shape:
    """Where the parts of an answer lie in a record.

    Paths name keys and indices (``"result.steps[0].text"``); ``[]`` means every element, and
    ``[kind=text]`` the elements whose key has that value. ``"a|b"`` is the first path that leads to
    something. Keys match in snake_case and camelCase. A path that begins with ``$.`` starts at the
    record, all others at the answer.

    Parameters
    ----------
    tokens : str
        The tokens: a list of entries (objects with a text and a logprob), of texts, or of objects
        whose keys are texts or ids. An object with lists by channel will do too.
    logprobs : str
        A list of numbers, where `tokens` are texts alone.
    token_ids, alternatives : str
        Lists of the same length beside the tokens.
    prompt, prompt_ids, prompt_alternatives : str
        The scored tokens of the prompt, in one of the forms of `tokens`, and lists beside them.
    text : str
        What the tokens wrote; several texts are joined.
    reasoning, refusal, role, tool_calls, finish_reason, index : str
        As in a chat completion.
    answers : str
        Where the choices lie, if there are several: ``"outputs[]"``. Default: the record itself.
    records : str
        Where the records lie, if one object holds many: ``"request_states[]"``.
    id, model, system_fingerprint, usage, custom_id : str
        Of the record. `usage` is an object with counts; without one, `token_ids` are counted.
    marks : tuple of str
        Paths that must lead to something, ``"kind=response"`` to that value. Default: `tokens`.
    name : str
        Name of the format, for ``responses.format``.
    stream : {"no", "yes", "maybe", "final_copy"}
        Whether a record is a chunk: never, always, or unless it is finished and alone; or the end
        of a stream, which repeats all of it.
    finished : str
        A flag without which no record is a chunk.
    keys : {"text", "id"}
        What the keys are, if the tokens are objects of logprobs.

    Raises
    ------
    ArgumentError
        If a path cannot be understood, or neither `tokens` nor `text` is given.

    Examples
    --------
    >>> import toolkit
    >>> shape = toolkit.Shape(tokens="steps[].tok", logprobs="steps[].lp", text="out")
    >>> row = b'{"out": "Hi", "steps": [{"tok": "Hi", "lp": -0.5}]}'
    >>> lp = toolkit.read(row, shape=shape)
    >>> lp.text(0), lp.tokens["logprob"].to_pylist()
    ('Hi', [-0.5])
    """

    tokens: str = ""
    logprobs: str = ""
    token_ids: str = ""
    alternatives: str = ""
    prompt: str = ""
    prompt_ids: str = ""
    prompt_alternatives: str = ""
    text: str = ""
    reasoning: str = ""
    refusal: str = ""
    role: str = ""
    tool_calls: str = ""
    finish_reason: str = ""
    index: str = ""
    answers: str = ""
    records: str = ""
    id: str = ""
    model: str = ""
    system_fingerprint: str = ""
    usage: str = ""
    custom_id: str = ""
    finished: str = ""
    marks: tuple[str, ...] = ()
    name: str = "shape"
    stream: Literal["no", "yes", "maybe", "final_copy"] = "no"
    keys: Literal["text", "id"] = "text"

    def __post_init__(self) -> None:
        arguments.one_of("stream", self.stream, ("no", "yes", "maybe", "final_copy"))
        arguments.one_of("keys", self.keys, ("text", "id"))
        arguments.instance("name", self.name, str)
        marks = arguments.items("marks", self.marks, "paths such as 'kind=response'")
        object.__setattr__(self, "marks", tuple(marks))
        paths = [(name, getattr(self, name)) for name in self._path_names()]
        for name, path in (*paths, *(("marks", mark.partition("=")[0]) for mark in self.marks)):
            try:
                _parsed(arguments.text(name, path))
            except ValueError:
                raise arguments.invalid(name, path, "a path such as 'steps[].tok'") from None
        if not (self.tokens or self.text):
            raise arguments.invalid("tokens", self.tokens, "the path of the tokens, or text=")

    @classmethod
    def _path_names(cls) -> list[str]:
        others = ("marks", "name", "stream", "keys")
        return [field.name for field in fields(cls) if field.name not in others]

    @cached_property
    def _paths(self) -> dict[str, _Paths]:
        return {name: _parsed(getattr(self, name)) for name in self._path_names()}

    @cached_property
    def _marks(self) -> list[tuple[_Paths, str]]:
        marks = (mark.partition("=") for mark in self.marks)
        return [(_parsed(path), wanted) for path, _, wanted in marks]

    @property
    def NAME(self) -> str:  # noqa: N802, the name that format modules use
        """Name of the format."""
        return self.name

    @property
    def SHAPE(self) -> str:  # noqa: N802
        """The marks, for messages."""
        return " and ".join(self.marks)

    def matches(self, obj: dict[str, Any]) -> bool:
        """Return whether a record has all the marks; without marks, whether it has the tokens."""
        here = (obj, "$")
        for paths, wanted in self._marks:
            found = [value for value, _ in _found(paths, here, here) if value is not False]
            if not found or (wanted and found[0] != wanted):
                return False
        return bool(self.marks) or self._has_tokens(here)

    def _has_tokens(self, record: _Place) -> bool:
        name = "tokens" if self.tokens else "text"
        for each in self._all("records", record, record) if self.records else [record]:
            answers = self._all("answers", each, each) if self.answers else [each]
            if any(self._all(name, answer, each) for answer in answers):
                return True
        return False

    def normalise(self, obj: dict[str, Any], path: str = "$") -> Iterator[Body]:
        """Yield a canonical body for each record."""
        here = (obj, path)
        for record in self._all("records", here, here) if self.records else [here]:
            if isinstance(record[0], dict | list):
                yield self._body(record)

    def _body(self, record: _Place) -> Body:
        def value(name: str) -> Any:
            return self._value(name, record, record)

        answers = self._all("answers", record, record) if self.answers else [record]
        answers = [each for each in answers if isinstance(each[0], dict)]
        stream = self.stream if not self.finished or value("finished") is not None else "no"
        key = "message" if stream == "no" else "delta"
        choices = [self._choice(answer, record, i, key) for i, answer in enumerate(answers)]
        ended = bool(choices) and all(isinstance(each["finish_reason"], str) for each in choices)
        obj = {name: value(name) for name in ("model", "system_fingerprint")}
        obj["id"] = as_id(value("id"))
        counts = self._usage(record) if self.usage else self._counted(answers, record)
        obj |= {"usage": counts, "choices": choices, "prompt_logprobs": self._prompt(record)}
        kind: Kind = "final_copy" if stream == "final_copy" else "auto"
        if stream == "maybe" and ended:
            kind = "either"
        custom_id = as_id(value("custom_id"))
        is_uneven = any(self._is_uneven(answer, record) for answer in answers)
        notes = ("unequal_logprobs",) if is_uneven else ()
        read = tuple(each for answer in answers for each in self._read(answer, record))
        return Body(obj, self.name, record[1], custom_id, notes=notes, kind=kind, read=read)

    def _usage(self, record: _Place) -> Any:
        """Return the usage at the first place that has counts; LangChain leaves one empty."""
        places = (_found((option,), record, record) for option in self._paths["usage"])
        counts = (usage(value) for found in places for value, _ in found)
        return next((each for each in counts if each is not None), None)

    def _counted(self, answers: list[_Place], record: _Place) -> dict[str, int] | None:
        """Return the numbers of ids, as the usage of engines that send ids and no usage."""
        if not self.token_ids:
            return None
        numbers = [len(self._list("token_ids", answer, record)) for answer in answers]
        counts = {"completion_tokens": sum(numbers)}
        if self._all("prompt_ids", record, record):
            counts["prompt_tokens"] = len(self._list("prompt_ids", record, record))
        return counts

    def _is_uneven(self, answer: _Place, record: _Place) -> bool:
        """Return whether an answer has another number of logprobs than of token ids."""
        n_ids = len(self._list("token_ids", answer, record))
        found = [each for each, _ in self._all("tokens", answer, record)]
        return n_ids > 0 and any(isinstance(each, list) and len(each) != n_ids for each in found)

    def _read(self, answer: _Place, record: _Place) -> list[Any]:
        """Return the list that was read as tokens, and what says the same at another place.

        Alternatives that lie at a place of their own for each token were read too.
        """
        options = self._paths["tokens"]
        found = [each for option in options for each, _ in _found((option,), answer, record)]
        own = [each for each in found[:1] if isinstance(each, list)]
        own += [each for each in found[1:] if each == found[0]]
        tokens, tops = (
            self._list(name, answer, record) if self.logprobs else []
            for name in ("tokens", "alternatives")
        )
        return own + (tops if len(tops) == len(tokens) else [])

    def _choice(self, answer: _Place, record: _Place, i: int, key: str) -> dict[str, Any]:
        def value(name: str) -> Any:
            return self._value(name, answer, record)

        texts = {
            "content": value("text"),
            "tool_calls": tool_calls(self._list("tool_calls", answer, record)),
            **{name: value(name) for name in ("role", "reasoning", "refusal")},
        }
        if key == "delta" and self.stream == "yes" and not texts["content"]:
            texts["content"] = None  # an empty text begins an answer in the chat schema alone
        index = value("index")
        return {
            "index": i if index is None else index,
            key: texts,
            "logprobs": self._token_lists(answer, record) or None,
            "finish_reason": finish_reason(value("finish_reason")),
        }

    def _token_lists(self, answer: _Place, record: _Place) -> dict[str, TokenList]:
        """Return the token lists at the declared place, by channel."""
        found = self._all("tokens", answer, record)
        if not found:
            return {}
        value, where = found[0]
        value = parsed(value)
        if self._is_projected("tokens"):
            value, where = [each for each, _ in found], answer[1]
        elif isinstance(value, dict) and list_kind([value]) in ("entries", "spans"):
            value = [value]  # one entry, as events bring them
        beside = self._beside("token_ids", "alternatives", answer, record)
        if self.logprobs and isinstance(value, list):
            numbers = self._list("logprobs", answer, record)
            beside = {role: values for role, values in beside.items() if len(values) == len(value)}
            return {"content": TokenList("arrays", value, {"logprob": numbers, **beside}, where)}
        bare = with_ids(value, beside.get("token_id"), where)
        if bare is not None:
            return {"content": bare}
        listed = channels(value, where)
        if "content" in listed:
            main = listed["content"]
            if main.kind == "dicts" and self.keys == "id":
                main = main._replace(kind="ids")
            listed["content"] = main._replace(columns={**main.columns, **beside})
        return listed

    def _prompt(self, record: _Place) -> TokenList | None:
        """Return the token list of the prompt."""
        for value, where in self._all("prompt", record, record):
            beside = self._beside("prompt_ids", "prompt_alternatives", record, record)
            found = prompt_list({"prompt_logprobs": value}, where)
            return None if found is None else found._replace(columns=beside)
        return None

    def _beside(
        self, ids: str, alternatives: str, answer: _Place, record: _Place
    ) -> dict[str, list[Any]]:
        """Return the lists of ids and of alternatives beside some tokens."""
        columns = {"token_id": self._list(ids, answer, record)}
        columns["top"] = self._list(alternatives, answer, record)
        return {role: values for role, values in columns.items() if values}

    def _list(self, name: str, answer: _Place, record: _Place) -> list[Any]:
        """Return a list at a declared place, or the values that a path with ``[]`` leads to."""
        found = [value for value, _ in self._all(name, answer, record)]
        if len(found) == 1 and isinstance(found[0], list) and not self._is_projected(name):
            return found[0]
        return found

    def _is_projected(self, name: str) -> bool:
        return any(ALL in steps for _, steps in self._paths[name])

    def _value(self, name: str, answer: _Place, record: _Place) -> Any:
        """Return the value at a declared place; several texts are joined."""
        found = [value for value, _ in self._all(name, answer, record)]
        if len(found) > 1 or (found and self._is_projected(name)):
            texts = [each for each in found if isinstance(each, str)]
            return "".join(texts) if texts else None
        return found[0] if found else None

    def _all(self, name: str, answer: _Place, record: _Place) -> list[_Place]:
        return _found(self._paths[name], answer, record)


_Place = tuple[Any, str]
"""A value and its JSON path."""
_Paths = tuple[tuple[bool, tuple[Step, ...]], ...]
"""Paths of which the first that leads to something counts; whether each starts at the record."""


def _parsed(text: str) -> _Paths:
    options = (each for each in text.split("|") if each)
    return tuple((each.startswith("$"), steps_of(each.removeprefix("$"))) for each in options)


def _found(paths: _Paths, answer: _Place, record: _Place) -> list[_Place]:
    for is_absolute, steps in paths:
        value, path = record if is_absolute else answer
        found = list(find(value, steps, path))
        if found:
            return found
    return []
