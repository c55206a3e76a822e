"""Split a valid JSON text into tokens, with the spans of its values, for mutations.

Tokens keep their spelling, and whitespace is a token, so that the text between mutations is
unchanged.
"""

from __future__ import annotations

import re

_TOKEN = re.compile(rb'"(?:[^"\\]|\\.)*"|[{}\[\],:]|[ \t\r\n]+|[^ \t\r\n{}\[\],:"]+', re.S)
_SPACE = b" \t\r\n"

Span = tuple[int, int]


class Document:
    """One JSON text.

    Parameters
    ----------
    raw : bytes
        Valid JSON.

    Attributes
    ----------
    tokens : list of bytes
        Their concatenation is the text.
    values : list of (int, int, bytes)
        Span of every value, in tokens, and its key; an element has the key of its array.
    keys, strings, numbers : list of int
        Indices of the tokens that are keys, strings and numbers.
    objects, arrays : list of list of (int, int)
        Spans of the members of each object and of the elements of each array that is not empty.
    lists : list of (bytes, list of (int, int))
        `arrays`, each with its key.

    Raises
    ------
    ValueError, IndexError
        If the structure of the text is not that of JSON.

    Examples
    --------
    >>> document = Document(b'{"a": [1, "x"]}')
    >>> [document.text(span) for span in document.arrays[0]]
    [b'1', b'"x"']
    """

    def __init__(self, raw: bytes) -> None:
        self.tokens = _TOKEN.findall(raw)
        if b"".join(self.tokens) != raw:
            raise ValueError("expected JSON")
        self.values: list[tuple[int, int, bytes]] = []
        self.keys: list[int] = []
        self.strings: list[int] = []
        self.numbers: list[int] = []
        self.objects: list[list[Span]] = []
        self.lists: list[tuple[bytes, list[Span]]] = []
        if self._solid(self._value(self._solid(0), b"")) < len(self.tokens):
            raise ValueError("expected one JSON value")
        self.arrays = [elements for _, elements in self.lists]

    def text(self, span: Span) -> bytes:
        """Return the text of a span of tokens."""
        return b"".join(self.tokens[span[0] : span[1]])

    def edited(self, edits: list[tuple[int, int, bytes]]) -> bytes:
        """Return the text with spans of tokens replaced; of two that overlap, the first is used."""
        tokens, at, parts = self.tokens, 0, []
        for start, stop, new in sorted(edits):
            if start >= at:
                parts += tokens[at:start]
                parts.append(new)
                at = stop
        return b"".join(parts + tokens[at:])

    def _solid(self, at: int) -> int:
        while at < len(self.tokens) and self.tokens[at][0] in _SPACE:
            at += 1
        return at

    def _value(self, at: int, key: bytes) -> int:
        """Add the value at a token and return the index of the token after it."""
        token = self.tokens[at]
        if token in (b"{", b"["):
            end = self._container(at, key, token == b"{")
        elif token[0] in b"}],:":
            raise ValueError("expected a JSON value")
        else:
            end = at + 1
            if token[0] in b'"':
                self.strings.append(at)
            elif token[0] in b"-0123456789":
                self.numbers.append(at)
        self.values.append((at, end, key))
        return end

    def _container(self, at: int, key: bytes, is_object: bool) -> int:
        spans = []
        closing = b"}" if is_object else b"]"
        at = self._solid(at + 1)
        while self.tokens[at] != closing:
            start = at
            if is_object:
                self.keys.append(at)
                key = self.tokens[at][1:-1]
                at = self._solid(self._solid(at + 1) + 1)
            end = self._value(at, key)
            spans.append((start, end))
            at = self._solid(end)
            if self.tokens[at] == b",":
                at = self._solid(at + 1)
        if spans and is_object:
            self.objects.append(spans)
        elif spans:
            self.lists.append((key, spans))
        return at + 1
