"""Frame VCR cassettes in YAML: one frame per interaction, with its response as JSON.

Python's VCR writes ``interactions``, Ruby's ``http_interactions``. Only a YAML parser can read
them, because YAML folds long texts; PyYAML is an extra. Each interaction is parsed alone and its
events are written as JSON, so that an odd one costs only itself. Of the types of YAML there are
texts, null, booleans, decimal numbers and bytes; a date or a number with colons is a text, and tags
are ignored, because they may name a class of another language.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from toolkit.errors import SourceError
from toolkit.loaders.framing.frames import FrameBuilder, Frames

_MAX_DEPTH = 100  # levels of YAML collections, those around a response included
_RESPONSE_DEPTH = 4  # the cassette, its list, the interaction, the response
_HELD_BYTES = 8 << 20  # bytes of JSON that are yielded together
_KEYS = ("interactions", "http_interactions")
HEAD = re.compile(
    rb"(?:(?:#[^\n]*|---[^\n]*|version:[^\n]*)?\r?\n)*(?:http_)?interactions:[ \t]*\r?\n"
)
_ITEM = re.compile(rb"^( *)-(?=[ \t\r\n]|\Z)", re.MULTILINE)
_INTERACTIONS = re.compile(rb"^(?:http_)?interactions:", re.MULTILINE)

_WORDS = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), "null"),
    **dict.fromkeys(("true", "True", "TRUE"), "true"),
    **dict.fromkeys(("false", "False", "FALSE"), "false"),
    **dict.fromkeys((".nan", ".NaN", ".NAN"), "NaN"),
    **dict.fromkeys((".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF"), "Infinity"),
    **dict.fromkeys(("-.inf", "-.Inf", "-.INF"), "-Infinity"),
}
"""The JSON of plain scalars that are words."""
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+(?:[eE][-+][0-9]+)?)?")  # as in JSON
_OTHER_NUMBER = re.compile(
    r"\+(?:0|[1-9][0-9]*)|[-+]?(?:[0-9]+\.[0-9]*|\.[0-9]+)(?:[eE][-+][0-9]+)?"
)
_TYPED = tuple(f"tag:yaml.org,2002:{name}" for name in ("null", "bool", "int", "float"))
_BINARY = ("tag:yaml.org,2002:binary", "!binary")  # the latter as Ruby names it


class _UnreadError(Exception):
    """An interaction cannot be read.

    Parameters
    ----------
    problem : str
        A code that `toolkit.loaders.formats.cassette` words.
    """

    def __init__(self, problem: str) -> None:
        super().__init__(problem)
        self.problem = problem


class _Piece(NamedTuple):
    """An interaction, or another entry of a cassette, with its position in the source."""

    text: bytes
    line: int
    offset: int
    is_inside: bool  # whether it is, or holds, an item of the list of interactions


def frame_cassette(blocks: Iterator[bytes], skipped: int, max_bytes: int) -> Iterator[Frames]:
    """Frame the interactions of a cassette.

    An interaction that cannot be read becomes a frame that names the problem, and is rejected.

    Parameters
    ----------
    blocks : iterator of bytes
    skipped : int
        Bytes of the source before the blocks.
    max_bytes : int
        Bytes of the whole cassette.

    Raises
    ------
    SourceError
        If PyYAML is not installed, or the text is too long.
    """
    try:
        import yaml
    except ImportError:
        message = "a VCR cassette in YAML needs PyYAML: pip install 'logprob-toolkit[yaml]'"
        raise SourceError(message) from None
    text = _whole(blocks, max_bytes)
    builder = FrameBuilder(skipped)
    builder.bytes += len(text)
    held = 0
    for piece in _pieces(text):
        for frame, line, offset, length in _framed(piece, yaml):
            builder.add(frame, line, skipped + offset, length)
            held += len(frame)
        if held > _HELD_BYTES:
            yield from builder.flush()
            held = 0
    yield from builder.flush()


def _whole(blocks: Iterator[bytes], max_bytes: int) -> bytes:
    held: list[bytes] = []
    size = 0
    for block in blocks:
        held.append(block)
        size += len(block)
        if size > max_bytes:
            raise SourceError(
                f"a cassette of more than {max_bytes:,} bytes (Limits.record_bytes), which is read "
                "as one document"
            )
    return b"".join(held)


def _pieces(text: bytes) -> Iterator[_Piece]:
    """Cut a cassette before each line that is not indented further than its interactions are."""
    item = _ITEM.search(text)
    indent = len(item[1]) if item else 0
    begins = re.compile(rb"^ {0,%d}(?![ \t\r\n#]|\Z)" % indent, re.MULTILINE)
    starts = [match.start() for match in begins.finditer(text)]
    line, inside = 1, False
    for start, stop in zip([0, *starts], [*starts, len(text)], strict=True):
        piece = text[start:stop]
        if not _ITEM.match(piece):
            inside = _INTERACTIONS.search(piece) is not None
        yield _Piece(piece, line, start, inside)
        line += piece.count(b"\n")


def _framed(piece: _Piece, yaml: Any) -> Iterator[tuple[bytes, int, int, int]]:
    """Yield the text of each frame of a piece with its line, offset and length in the source."""
    whole = (piece.line, piece.offset, len(piece.text.rstrip()))
    try:
        text = piece.text.decode()
    except UnicodeDecodeError:
        yield piece.text, *whole  # the decoder rejects it
        return
    try:
        for start, stop, frame in _interactions(text, yaml):
            if not piece.is_inside:
                continue
            before = text[:start].encode()
            length = len(text[start:stop].encode())
            place = (piece.line + before.count(b"\n"), piece.offset + len(before), length)
            yield b'{"interactions": [%b]}' % frame.encode(), *place
    except Exception as error:  # of any class: PyYAML raises many for what is not YAML
        problem = getattr(error, "problem", None)
        if not isinstance(error, _UnreadError):  # the C library limits how deep brackets nest
            problem = "depth" if "depth" in str(problem) else "syntax"
        yield b'{"interactions": [{"unread_yaml": "%b"}]}' % str(problem).encode(), *whole


# From the events of YAML to JSON


def _interactions(text: str, yaml: Any) -> Iterator[tuple[int, int, str]]:
    """Yield the interactions of a piece as JSON, each with the span of its response."""
    events = _Events(text, yaml)
    root = events.root
    if root is None:
        return
    if isinstance(root, yaml.SequenceStartEvent):
        yield from events.items()
    elif isinstance(root, yaml.MappingStartEvent):
        for name, value in events.pairs():
            if name in _KEYS and isinstance(value, yaml.SequenceStartEvent):
                yield from events.items()
            else:
                events.json(value)
    elif not isinstance(root, yaml.ScalarEvent) or root.value:
        raise _UnreadError("syntax")
    events.end()


class _Events:
    """The events of a piece of YAML, of which each node is written as JSON.

    Attributes
    ----------
    root : event or None
        The event that begins the one node of the piece.
    """

    def __init__(self, text: str, yaml: Any) -> None:
        self._yaml = yaml
        self._events = yaml.parse(text, getattr(yaml, "CSafeLoader", yaml.SafeLoader))
        self._next()  # the stream begins
        self.root = self._next() if isinstance(self._next(), yaml.DocumentStartEvent) else None

    def _next(self) -> Any:
        self._last = next(self._events)
        return self._last

    def end(self) -> None:
        """Read the events after the node, which raise if they are not YAML."""
        for _ in self._events:
            pass

    def items(self) -> Iterator[tuple[int, int, str]]:
        """Yield the interactions of the sequence that has begun."""
        while not isinstance(event := self._next(), self._yaml.SequenceEndEvent):
            if not isinstance(event, self._yaml.MappingStartEvent):
                yield event.start_mark.index, event.end_mark.index, self._without_aliases(event)
                continue
            responses = []
            for name, value in self.pairs():
                if name == "response":
                    text = self._without_aliases(value)
                    responses.append((value.start_mark.index, self._last.end_mark.index, text))
                else:
                    self.json(value)
            if responses:
                members = (f'"response": {text}' for *_, text in responses)
                yield *responses[0][:2], f"{{{', '.join(members)}}}"

    def pairs(self) -> Iterator[tuple[str | None, Any]]:
        """Yield the key of each pair of the mapping that has begun, and the event of its value."""
        while not isinstance(event := self._next(), self._yaml.MappingEndEvent):
            is_text = isinstance(event, self._yaml.ScalarEvent)
            yield (event.value if is_text else self.json(event)), self._next()

    def _without_aliases(self, event: Any) -> str:
        text = self.json(event)
        if text is None:  # aliases can make a small file expand without limit
            raise _UnreadError("alias")
        return text

    def json(self, event: Any) -> str | None:
        """Return the JSON of the node that an event begins; None if it holds an alias."""
        parts: list[str | None] = []
        self._write(event, parts, _RESPONSE_DEPTH)
        return None if None in parts else "".join(map(str, parts))

    def _write(self, event: Any, parts: list[str | None], depth: int) -> None:
        if isinstance(event, self._yaml.ScalarEvent):
            parts.append(_scalar(event))
        elif isinstance(event, self._yaml.AliasEvent):
            parts.append(None)
        elif depth > _MAX_DEPTH:
            raise _UnreadError("depth")
        elif isinstance(event, self._yaml.SequenceStartEvent):
            parts.append("[")
            while not isinstance(inner := self._next(), self._yaml.SequenceEndEvent):
                self._write(inner, parts, depth + 1)
                parts.append(",")
            _close(parts, "]")
        else:
            parts.append("{")
            for name, value in self.pairs():
                parts.append(None if name is None else f"{json.dumps(name)}:")
                self._write(value, parts, depth + 1)
                parts.append(",")
            _close(parts, "}")


def _close(parts: list[str | None], bracket: str) -> None:
    """Append a bracket, in the place of a comma if the last part is one."""
    if parts[-1] == ",":
        parts.pop()
    parts.append(bracket)


def _scalar(event: Any) -> str:
    """Return the JSON of a scalar."""
    text: str = event.value
    if event.tag in _BINARY:  # as JSON cassettes have bytes
        return json.dumps({"base64_string": text})
    if not event.implicit[0] and event.tag not in _TYPED:
        return json.dumps(text)
    if _NUMBER.fullmatch(text):
        return text
    if _OTHER_NUMBER.fullmatch(text):
        return text[1:] if text[1:].isdigit() else json.dumps(float(text))
    return _WORDS.get(text) or json.dumps(text)
