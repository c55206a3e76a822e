"""Find the values of JSON in a text, with their places, even if the JSON was cut off.

Models write JSON inside prose and fences, leave a trailing comma, or run out of tokens. This reader
takes what is there, in one pass, and returns for each value whether it is complete, and for each
JSON text how it ended. It does not use tokens.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import NamedTuple

MAX_DEPTH = 64
"""Nested brackets up to which a value is read; deeper ones are one leaf."""

_STRING = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*("?)', re.DOTALL)
_NUMBER = re.compile(r"-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?(?![\w.+-])|-?(?:NaN|Infinity)\b")
_CUT_NUMBER = re.compile(r"-?\d*(?:\.\d*)?(?:[eE][+-]?\d*)?\Z")
_WORDS = {"true": "boolean", "false": "boolean", "null": "null"}
_SPACE = re.compile(r"[ \t\n\r]*")
_START = re.compile(r'\{(?=\s*(?:["}]|\Z))|\[(?=\s*(?:[{\["\]tfn\-\d]|\Z))')
_ONLY_TEXT = re.compile(r'\[\s*(?:[{"])')
_PLAIN_KEY = re.compile(r"[A-Za-z_]\w*", re.ASCII)
_NESTED = re.compile(r'[{\[]|[}\]]|"[^"\\]*(?:\\.[^"\\]*)*"?', re.DOTALL)
_FENCE = re.compile(r"\s*(?:```\w*\s*)?")
_decode = json.JSONDecoder(strict=False).decode


class Leaf(NamedTuple):
    """A value that holds no other.

    Attributes
    ----------
    path : str
        From the root of the JSON text, such as ``$.a[0]["odd key"]``.
    kind : str
        string, number, boolean or null; object or array for an empty one, or for one nested
        deeper than `MAX_DEPTH`, whose values are not read.
    value : str
        A string is decoded; anything else is given as written.
    start, end : int
        Its characters in the text, including the quotes of a string.
    is_complete : bool
        Whether the value was written to its end.
    """

    path: str
    kind: str
    value: str
    start: int
    end: int
    is_complete: bool


class Document(NamedTuple):
    """A JSON text.

    Attributes
    ----------
    leaves : list of Leaf
        Never empty.
    state : str
        closed; cut: the text ended first; broken: something that is not JSON ended it.
    """

    leaves: list[Leaf]
    state: str


class _Stop(Exception):
    """The JSON ends here: it is cut or broken."""


def documents(text: str) -> Iterator[Document]:
    """Yield each JSON text in a text, in order.

    Objects are found anywhere. Arrays must hold objects or strings, because prose has numbers in
    brackets. A lone string, number, boolean or null is found only if it is the whole text.

    Parameters
    ----------
    text : str

    Yields
    ------
    Document

    Examples
    --------
    >>> for leaves, state in documents('Sure: {"a": [1, "b'):
    ...     print([(leaf.path, leaf.value, leaf.is_complete) for leaf in leaves], state)
    [('$.a[0]', '1', True), ('$.a[1]', 'b', False)] cut
    """
    first = _end_of(_FENCE, text, 0)
    if first < len(text) and text[first] not in "{[":
        leaves = _lone(text, first)
        if leaves:
            yield Document(leaves, "closed" if leaves[0].is_complete else "cut")
            return
    at = 0
    while match := _START.search(text, at):
        at = match.start()
        if text[at] == "[" and at != first and not _ONLY_TEXT.match(text, at):
            at += 1
            continue
        reader = _Reader(text, at)
        state = reader.read()
        if reader.leaves:
            yield Document(reader.leaves, state)
        elif state == "cut":  # before its first value; brackets inside a key do not begin JSON
            return
        at = max(reader.at, at + 1) if reader.leaves else at + 1


def _end_of(pattern: re.Pattern[str], text: str, start: int) -> int:
    """Return where a match that begins at `start` ends; `start` without a match."""
    match = pattern.match(text, start)
    return match.end() if match else start


def _lone(text: str, first: int) -> list[Leaf]:
    """Return the one value that is the whole text, as a list; empty if it is not one value."""
    reader = _Reader(text, first)
    try:
        reader.scalar("$")
    except _Stop:
        return []
    rest = text[reader.at :].strip().removesuffix("```").strip()
    is_number = reader.leaves[0].kind != "string"
    return (
        []
        if rest
        else [reader.leaves[0]._replace(is_complete=True)]
        if is_number
        else reader.leaves
    )


class _Reader:
    """Reader of one JSON text, from its first bracket."""

    def __init__(self, text: str, at: int) -> None:
        self.text = text
        self.at = at
        self.leaves: list[Leaf] = []

    def read(self) -> str:
        """Read to the end of the JSON, or to where it is cut or broken, and return its state."""
        stack: list[tuple[str, str, int]] = []  # opening bracket, path, ordinal
        try:
            self._value("$", stack)
            while stack:
                self._next(stack)
        except _Stop:
            self._space()
            rest = _STRING.match(self.text, self.at)  # a key that was cut
            is_cut = self.at == len(self.text) or (rest is not None and not rest[1])
            return "cut" if is_cut else "broken"
        return "closed"

    def _next(self, stack: list[tuple[str, str, int]]) -> None:
        """Read the next value of the innermost bracket, or its end."""
        bracket, path, count = stack.pop()
        closing = "}" if bracket == "{" else "]"
        if count:
            self._space()
            if self._takes(closing):
                return
            if not self._takes(","):
                raise _Stop
            self._space()
            if self._takes(closing):  # a trailing comma
                return
        stack.append((bracket, path, count + 1))
        if bracket == "[":
            self._value(f"{path}[{count}]", stack)
            return
        key = self._key()
        self._space()
        if not self._takes(":"):
            raise _Stop
        plain = _PLAIN_KEY.fullmatch(key)
        tail = f".{key}" if plain else f"[{json.dumps(key, ensure_ascii=False)}]"
        self._value(path + tail, stack)

    def _value(self, path: str, stack: list[tuple[str, str, int]]) -> None:
        self._space()
        start = self.at
        bracket = self.text[start : start + 1]
        if bracket not in ("{", "["):
            self.scalar(path)
            return
        kind = "object" if bracket == "{" else "array"
        if len(stack) >= MAX_DEPTH:
            self._pass_over(path, kind)
            return
        self.at += 1
        self._space()
        if self._takes("}" if bracket == "{" else "]"):
            value = self.text[start : self.at]
            self.leaves.append(Leaf(path, kind, value, start, self.at, True))
            return
        stack.append((bracket, path, 0))

    def _pass_over(self, path: str, kind: str) -> None:
        """Take an object or array as one leaf, up to its closing bracket."""
        depth = 0
        for match in _NESTED.finditer(self.text, self.at):
            if match[0][0] != '"':
                depth += 1 if match[0] in "{[" else -1
            if not depth:
                self._add(path, kind, self.text[self.at : match.end()], match.end(), True)
                return
        self._add(path, kind, self.text[self.at :], len(self.text), False)

    def scalar(self, path: str) -> None:
        """Read a string, number, boolean or null; raise `_Stop` if there is none."""
        text, start = self.text, self.at
        if match := _STRING.match(text, start):
            is_complete = match[1] == '"'
            end = match.end() if is_complete else len(text)
            value = _decoded(text[start:end], is_complete)
            self._add(path, "string", value, end, is_complete)
            return
        for word, kind in _WORDS.items():
            rest = text[start : start + len(word)]
            if rest == word:
                self._add(path, kind, rest, start + len(word), True)
                return
            if rest and word.startswith(rest) and start + len(rest) == len(text):
                self._add(path, kind, rest, len(text), False)
                raise _Stop
        if match := _NUMBER.match(text, start):
            self._add(path, "number", match[0], match.end(), match.end() < len(text))
        elif (match := _CUT_NUMBER.match(text, start)) and match[0]:
            self._add(path, "number", match[0], len(text), False)
        else:
            raise _Stop

    def _add(self, path: str, kind: str, value: str, end: int, is_complete: bool) -> None:
        self.leaves.append(Leaf(path, kind, value, self.at, end, is_complete))
        self.at = end

    def _key(self) -> str:
        match = _STRING.match(self.text, self.at)
        if match is None or match[1] != '"':
            raise _Stop
        self.at = match.end()
        return _decoded(match[0], True)

    def _space(self) -> None:
        self.at = _end_of(_SPACE, self.text, self.at)

    def _takes(self, char: str) -> bool:
        taken = self.text.startswith(char, self.at)
        self.at += taken
        return taken


def _decoded(quoted: str, is_complete: bool) -> str:
    """Return the text of a JSON string; an incomplete escape at the end of a cut one is dropped."""
    if not is_complete:
        quoted = re.sub(r"(?<!\\)((?:\\\\)*)\\(?:u[0-9a-fA-F]{0,3})?\Z", r"\1", quoted) + '"'
    try:
        text = _decode(quoted)
    except ValueError:  # an escape that JSON does not know
        return quoted[1:-1]
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
