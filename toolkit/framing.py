"""From byte blocks to framed records: JSON lines, JSON documents and arrays, server-sent events.

A frame is the text of (normally) one JSON value with its place in the source. Framing parses
nothing, rejects nothing and drops nothing: what it cannot make sense of becomes a frame, so that
the decoder rejects it with its place. Every byte is in a frame, in a line that is counted by
class, or is whitespace or a separator. How the blocks are cut makes no difference.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from itertools import chain, pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from toolkit.errors import SourceError

HEAD_BYTES = 1 << 16
"""Bytes of a source that are looked at to tell its container."""

_WINDOW = 1 << 16  # scanned at a time: small enough for the cache, and to be scanned again
_BOM = b"\xef\xbb\xbf"
_SPACE = b" \t\r\n"
_DONE = b"[DONE]"
_NEWLINE, _RETURN, _QUOTE, _BACKSLASH = b'\n\r"\\'
_OPEN_BRACKET, _OPEN_BRACE, _CLOSE_BRACE = b"[{}"
_LEAD = re.compile(rb"(?:[ \t\r\n]*\[DONE\](?=[ \t\r\n]|\Z))*[ \t\r\n]*")
_FIELD = re.compile(rb"data:|event:|id:|retry:|:")
_HTTP = re.compile(rb"HTTP/[^\r\n]*[\r\n](?:.*[\r\n])?(?:data|event|id|retry):", re.S)
_KEY_ON_NEXT_LINE = re.compile(rb'^\{[ \t\r]*\n[ \t\r\n]*"', re.M)


class Counts(NamedTuple):
    """What was seen in a block and is in no frame, and how many bytes there were.

    Attributes
    ----------
    blank : int
        Lines with nothing on them; in events, only those that end no event.
    done : int
        ``[DONE]`` markers.
    comments : int
        Lines that begin with a colon.
    control : int
        Other lines of an event stream that bring no data: ``event:``, ``id:``, ``retry:``, an
        empty ``data:``, HTTP headers.
    bytes : int
        Bytes of the source.
    """

    blank: int
    done: int
    comments: int
    control: int
    bytes: int


class Frames(NamedTuple):
    """The frames that a block brought.

    Attributes
    ----------
    data : bytes
        Holds the text of every frame.
    starts, stops : ndarray of int64, shape (n_frames,)
        Frame ``i`` is ``data[starts[i]:stops[i]]``.
    lines : ndarray of int64, shape (n_frames,)
        1-based line of the source on which the text of the frame starts.
    offsets : ndarray of int64, shape (n_frames,)
        Offset of its first byte in the (decompressed) source.
    lengths : ndarray of int64, shape (n_frames,)
        Bytes of the source from its first to its last; more than its text has where an event
        spreads over several lines.
    breaks : ndarray of int64, shape (n_done,)
        For each ``[DONE]``, the number of frames of this block before it; never decreasing.
    counts : Counts
    """

    data: bytes
    starts: NDArray[np.int64]
    stops: NDArray[np.int64]
    lines: NDArray[np.int64]
    offsets: NDArray[np.int64]
    lengths: NDArray[np.int64]
    breaks: NDArray[np.int64]
    counts: Counts


_Framer = Callable[[Iterator[bytes], int], Iterator[Frames]]


def frame(blocks: Iterable[bytes]) -> Iterator[Frames]:
    r"""Split a source into frames, one per JSON value as a rule.

    The container is told from the first 64 KiB:

    - *events* (SSE) if the first line is a field or a comment. Lines end in ``\n``, ``\r\n`` or
      ``\r``; the data lines of an event are joined with ``\n``; what is pending at the end is an
      event too. Dumps without blank lines: an event ends before a data line if it is complete,
      or if the line begins with ``{`` where no JSON value can. Bare JSON is a frame.
    - *documents* for JSON that spreads over lines, one document after the other, and for
      top-level arrays, which are opened: each element is a frame. An array that is never closed
      ends in a frame without text, so that the cut is told.
    - *lines* (JSONL) else: a frame a line, whatever is on it.

    A document that never closes swallows what follows, unless there is proof that it is broken: a
    newline inside a string, or a line that begins with ``{`` in column 0 where no JSON value can
    begin. Then framing takes up again at the next line that begins with ``{``, in column 0 or
    indented as the broken document was.

    Parameters
    ----------
    blocks : iterable of bytes
        The decompressed source, cut anywhere.

    Yields
    ------
    Frames
        One or none per block; in bounded memory, but for the longest frame.

    Raises
    ------
    SourceError
        When `blocks` raises it, after everything before it was yielded.

    Examples
    --------
    >>> [frames] = frame([b'{"a": 1}\n\n{"b": 2}\n'])
    >>> frames.lines.tolist(), frames.offsets.tolist(), frames.counts.blank
    ([1, 3], [0, 10], 1)
    """
    feed = _Feed(blocks)
    head, whole = feed.head()
    skipped = len(_BOM) if head.startswith(_BOM) else 0
    framer = _container(head[skipped:HEAD_BYTES], whole)
    if head:
        yield from framer(chain([head[skipped:]], feed), skipped)
    if feed.fault is not None:
        raise feed.fault


class _Feed:
    """Blocks that end at an error, which is kept."""

    def __init__(self, blocks: Iterable[bytes]) -> None:
        self._blocks = iter(blocks)
        self.fault: SourceError | None = None

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        try:
            return next(self._blocks)
        except SourceError as error:
            self.fault = error
            raise StopIteration from None

    def head(self) -> tuple[bytes, bool]:
        """Return at least `HEAD_BYTES`, or all there is and True."""
        held: list[bytes] = []
        size = 0
        for block in self:
            held.append(block)
            size += len(block)
            if size >= HEAD_BYTES:
                return b"".join(held), False
        return b"".join(held), True


class _Batch:
    """Frames that are copied together, for containers whose frames are not in one piece."""

    def __init__(self, skipped: int) -> None:
        self.bytes = skipped
        self._clear()

    def _clear(self) -> None:
        self.texts: list[bytes] = []
        self.places: list[tuple[int, int, int]] = []
        self.breaks: list[int] = []
        self.blank = self.comments = self.control = 0

    def add(self, text: bytes, line: int, offset: int, length: int) -> None:
        self.texts.append(text)
        self.places.append((line, offset, length))

    def mark(self) -> None:
        self.breaks.append(len(self.texts))

    def flush(self) -> Frames:
        stops = np.cumsum([0, *map(len, self.texts)], dtype=np.int64)
        lines, offsets, lengths = np.array(self.places, np.int64).reshape(-1, 3).T.copy()
        counts = Counts(self.blank, len(self.breaks), self.comments, self.control, self.bytes)
        breaks = np.array(self.breaks, np.int64)
        data = b"".join(self.texts)
        self._clear()
        self.bytes = 0
        return Frames(data, stops[:-1], stops[1:], lines, offsets, lengths, breaks, counts)


# Which container


def _container(head: bytes, whole: bool) -> _Framer:
    """Tell the container from the head of a source; `whole` if there is no more of it."""
    at = _LEAD.match(head).end()
    text = head[at:]
    in_margin = at == 0 or head[at - 1] in b"\r\n"
    if (in_margin and _FIELD.match(text)) or _HTTP.match(text):
        return _events
    lines = text.split(b"\n")
    if text.startswith(b"{"):
        return _documents if _spread_objects(text, lines, whole) else _lines
    if text.startswith(b"["):
        following = b"\n".join(lines[1:]).lstrip(_SPACE)
        opener = following.partition(b"\n")[0].rstrip(_SPACE)
        array_per_line = following.startswith((b"[", b"{")) and opener not in (b"[", b"{")
        return _lines if array_per_line and _balance(lines[0]) == 0 else _documents
    return _lines


def _spread_objects(text: bytes, lines: list[bytes], whole: bool) -> bool:
    """Tell if objects spread over lines; else there is one a line, of which some are broken."""
    if _KEY_ON_NEXT_LINE.search(text):
        return True
    full = lines if whole else lines[:-1]
    depth = 0
    before = b""
    for i, line in enumerate(full):
        balance = _balance(line)
        if balance is None or (line.startswith(b"{") and before and not _awaits_value(before)):
            break
        depth += balance
        if depth <= 0:
            return i > 0
        before = line.rstrip(_SPACE) or before
    # The first object is broken, or longer than the head. One a line shows in the next lines.
    others = [line for line in full[1:] if line.startswith(b"{")]
    cut_off = not whole and lines[-1].startswith(b"{")
    return not (cut_off or any(_balance(line) == 0 for line in others))


def _awaits_value(text: bytes) -> bool:
    """Tell if, in JSON, an object can follow this text inside another one."""
    return text[-1:] in (b"[", b",", b":")


def _masked(text: bytes) -> bytes:
    """Return the text with escaped quotes and backslashes overwritten, byte for byte."""
    if b"\\" not in text:
        return text
    return text.replace(b"\\\\", b"__").replace(b'\\"', b"__")


def _balance(line: bytes) -> int | None:
    """Return how many more brackets a line opens than it closes; None if a string stays open."""
    segments = _masked(line).split(b'"')
    if len(segments) % 2 == 0:
        return None
    text = b"".join(segments[::2])
    return text.count(b"{") + text.count(b"[") - text.count(b"}") - text.count(b"]")


# JSON lines


def _lines(blocks: Iterator[bytes], skipped: int) -> Iterator[Frames]:
    held: list[bytes] = []
    line, offset, seen = 1, skipped, skipped
    for block in blocks:
        seen += len(block)
        end = block.rfind(b"\n") + 1
        if not end:
            held.append(block)
            continue
        text = b"".join([*held, memoryview(block)[:end]])
        held = [block[end:]]
        frames, n = _framed_lines(text, line, offset, seen)
        yield frames
        line, offset, seen = line + n, offset + len(text), 0
    rest = b"".join(held)
    if rest or seen:
        yield _framed_lines(rest, line, offset, seen)[0]


def _framed_lines(text: bytes, line: int, offset: int, seen: int) -> tuple[Frames, int]:
    """Frame whole lines (the last may lack its end); also return how many there are."""
    array = np.frombuffer(text, np.uint8)
    ends = np.flatnonzero(array == _NEWLINE)
    if text and not text.endswith(b"\n"):
        ends = np.append(ends, len(text))
    starts = np.concatenate([[0], ends[:-1] + 1])[: len(ends)]
    stops = ends - ((ends > starts) & (array[ends - 1] == _RETURN))
    lines = np.arange(line, line + len(ends))
    first, second = array[starts], array[np.minimum(starts + 1, len(text) - 1)]
    usual = (first == _OPEN_BRACE) | ((first == _OPEN_BRACKET) & (second != _DONE[1]))
    if usual.all():
        counts = Counts(0, 0, 0, 0, seen)
        none = np.empty(0, np.int64)
        spans = (lines, starts + offset, stops - starts, none, counts)
        return Frames(text, starts, stops, *spans), len(ends)
    keep = usual.copy()
    kinds: dict[str, list[int]] = {"blank": [], "done": [], "comment": [], "control": []}
    for i in np.flatnonzero(~usual).tolist():
        kind, skip = _classified(text[starts[i] : stops[i]])
        if kind == "frame":
            keep[i] = True
            starts[i] += skip
        else:
            kinds[kind].append(i)
    breaks = np.cumsum(keep)[np.array(kinds["done"], np.int64)]
    counts = Counts(*(len(found) for found in kinds.values()), seen)
    starts, stops, lines = starts[keep], stops[keep], lines[keep]
    spans = (lines, starts + offset, stops - starts, breaks, counts)
    return Frames(text, starts, stops, *spans), len(ends)


def _classified(line: bytes) -> tuple[str, int]:
    """Return what a line among JSON lines is and, of a frame, how many bytes precede it."""
    text = line.strip(_SPACE)
    if not text:
        return "blank", 0
    if text.startswith(b"data:"):
        payload = text[5:].strip(_SPACE)
        if payload == _DONE:
            return "done", 0
        colon = line.index(b":")
        skip = colon + 2 if line[colon + 1 : colon + 2] == b" " else colon + 1
        return ("frame", skip) if payload else ("control", 0)
    if text == _DONE:
        return "done", 0
    if text.startswith(b":"):
        return "comment", 0
    return ("control", 0) if _FIELD.match(text) else ("frame", 0)


# Server-sent events


def _events(blocks: Iterator[bytes], skipped: int) -> Iterator[Frames]:
    events = _Events(skipped)
    held: list[bytes] = []
    for block in blocks:
        events.batch.bytes += len(block)
        ends_line = b"\n" in block or b"\r" in block or (held and held[-1].endswith(b"\r"))
        held.append(block)
        if not ends_line:
            continue
        lines = b"".join(held).splitlines(keepends=True)
        # The last line may go on, and a return may be followed by its newline.
        held = [] if lines[-1].endswith(b"\n") else [lines.pop()]
        for line in lines:
            events.take(line)
        yield events.batch.flush()
    for line in b"".join(held).splitlines(keepends=True):
        events.take(line)
    events.dispatch()
    yield events.batch.flush()


class _Events:
    """Turns the lines of an event stream into frames."""

    def __init__(self, skipped: int) -> None:
        self.batch = _Batch(skipped)
        self.line = 0
        self.offset = skipped
        self.parts: list[bytes] = []  # data lines of the open event, or lines of bare JSON
        self.bare = False
        self.start = self.stop = self.start_line = 0
        self.depth: int | None = 0  # brackets open after the first `measured` parts
        self.measured = 0

    def take(self, raw: bytes) -> None:
        """Take the next line, with its end."""
        self.line += 1
        start = self.offset
        self.offset += len(raw)
        line = raw.rstrip(b"\r\n")
        if line.startswith(b"data:"):
            skip = 6 if line.startswith(b" ", 5) else 5
            self._data(line[skip:], start + skip, bare=False)
        elif not line:
            if self.parts:
                self.dispatch()
            else:
                self.batch.blank += 1
        elif line.startswith(b":"):
            self.batch.comments += 1
        elif line.lstrip(_SPACE).startswith((b"{", b"[")) or self._bare_goes_on(line):
            self._data(line, start, bare=True)
        else:
            self.batch.control += 1

    def _data(self, payload: bytes, offset: int, *, bare: bool) -> None:
        text = payload.strip(_SPACE)
        if text == _DONE:
            self.dispatch()
            self.batch.mark()
            return
        if not text:
            self.batch.control += 1
            return
        if self.parts and (bare != self.bare or self._ends_before(payload)):
            self.dispatch()
        if not self.parts:
            self.start, self.start_line, self.bare = offset, self.line, bare
        self.parts.append(payload)
        self.stop = offset + len(payload)
        if bare and self._pending_depth() == 0:
            self.dispatch()

    def _bare_goes_on(self, line: bytes) -> bool:
        """Tell if a line is the next of JSON that was written without ``data:``."""
        return self.bare and bool(self.parts and self._pending_depth()) and not _FIELD.match(line)

    def _ends_before(self, payload: bytes) -> bool:
        """Tell if the open event is over although no blank line has come."""
        depth = self._pending_depth()
        if depth is not None and depth <= 0:
            return self.parts[0].lstrip(_SPACE).startswith((b"{", b"["))
        starts_object = payload.startswith(b"{")
        return starts_object and (depth is None or not _awaits_value(self.parts[-1].rstrip(_SPACE)))

    def _pending_depth(self) -> int | None:
        """Return the brackets that the open event leaves open; None: a string is broken."""
        for part in self.parts[self.measured :]:
            balance = _balance(part)
            self.depth = None if balance is None or self.depth is None else self.depth + balance
        self.measured = len(self.parts)
        return self.depth

    def dispatch(self) -> None:
        """End the open event, if there is one."""
        if self.parts:
            text = b"\n".join(self.parts)
            self.batch.add(text, self.start_line, self.start, self.stop - self.start)
        self.parts = []
        self.depth, self.measured = 0, 0


# JSON documents and arrays


class _Structure(NamedTuple):
    """Brackets outside strings in a text, with the depth before and after each."""

    at: NDArray[np.int64]
    before: NDArray[np.int64]
    after: NDArray[np.int64]
    quoted: bool  # the text ends inside a string
    broken: int  # place of the first newline inside a string, or the length of the text


def _structure(text: bytes, depth: int, quoted: bool) -> _Structure:
    """Find the structure of a text that begins at `depth`, inside a string if `quoted`."""
    array = np.frombuffer(text, np.uint8)
    inside = _inside_strings(array, quoted)
    folded = array | 0x20  # maps [ to { and ] to }
    opens = folded == _OPEN_BRACE
    at = np.flatnonzero((opens | (folded == _CLOSE_BRACE)) & ~inside)
    after = depth + np.cumsum(np.where(opens[at], 1, -1))
    # A bracket too many closes nothing: the depth never sinks below 0.
    after -= np.minimum(np.minimum.accumulate(after), 0)
    before = np.concatenate([[depth], after[:-1]])[: len(after)]
    newlines = (array == _NEWLINE) & inside
    broken = int(newlines.argmax()) if newlines.any() else len(text)
    return _Structure(at, before, after, bool(inside[-1]), broken)


def _inside_strings(array: NDArray[np.uint8], quoted: bool) -> NDArray[np.bool_]:
    """Tell for each byte if the number of quotes up to it is odd; escaped ones do not count."""
    quotes = array == _QUOTE
    slashes = np.flatnonzero(array == _BACKSLASH)
    if len(slashes):
        starts_run = np.diff(slashes, prepend=-2) != 1
        place_in_run = slashes - np.maximum.accumulate(np.where(starts_run, slashes, 0))
        escaped = slashes[place_in_run % 2 == 0] + 1
        quotes[escaped[escaped < len(array)]] = False
    # Eight bytes at a time: the parity within a byte of bits, then that of all bytes before it.
    bits = np.packbits(quotes)
    for shift in (1, 2, 4):
        bits ^= bits >> shift
    odd = bits & 1
    odd_before = np.bitwise_xor.accumulate(odd) ^ odd ^ quoted
    bits ^= np.negative(odd_before)  # 0 or 255
    return np.unpackbits(bits, count=len(array)).view(np.bool_)


def _windows(data: bytes) -> Iterator[bytes]:
    """Cut a text into windows none of which ends inside an escape, but for the last."""
    start = 0
    while start < len(data):
        window = data[start : start + _WINDOW]
        if start + _WINDOW < len(data) and _ends_in_escape(window):
            window = data[start : start + _WINDOW + 1]
        yield window
        start += len(window)


def _ends_in_escape(text: bytes) -> bool:
    return (len(text) - len(text.rstrip(b"\\"))) % 2 == 1


def nesting(data: bytes) -> int:
    """Return how deep objects and arrays are nested in a text.

    Parameters
    ----------
    data : bytes
        JSON, or something like it: brackets in strings do not count, and brackets that close
        nothing are ignored.

    Returns
    -------
    int
        0 for a text without objects and arrays.

    Examples
    --------
    >>> nesting(b'{"a": [{"b": "[[["}]}')
    3
    """
    deepest, depth, quoted = 0, 0, False
    for window in _windows(data):
        found = _structure(window, depth, quoted)
        quoted = found.quoted
        if len(found.after):
            deepest = max(deepest, int(found.after.max()))
            depth = int(found.after[-1])
    return deepest


def _documents(blocks: Iterator[bytes], skipped: int) -> Iterator[Frames]:
    documents = _Documents(skipped)
    for block in blocks:
        documents.batch.bytes += len(block)
        for window in _windows(block):
            documents.take(window)
        yield documents.batch.flush()
    documents.finish()
    yield documents.batch.flush()


class _Documents:
    """Turns JSON documents, and the elements of top-level arrays, into frames.

    Text is taken on piece by piece: `parts` holds the open value or, between values, the gap
    since the last one. `base` is the depth at which values are frames: 1 in a top-level array.
    """

    def __init__(self, skipped: int) -> None:
        self.batch = _Batch(skipped)
        self.held = b""  # must be seen together with what follows
        self.offset, self.line = skipped, 1  # of the next byte to take
        self.parts: list[bytes] = []
        self.start, self.start_line = skipped, 1  # of parts
        self.long_gap = _WINDOW  # bytes from which on a gap is framed in part
        self.array: tuple[int, int] | None = None  # offset and line of an open top-level array
        self.depth = 0
        self.quoted = False  # inside a string
        self.is_open = False  # inside a value
        self.is_lost = False  # in broken text, until the next line that begins like the last value
        self.follows_value = False  # in an array: a value came before the gap
        self.indent = b""  # what precedes the value on its line
        self.last = b""  # last byte taken that is not whitespace
        self.ends_line = True  # the last byte taken is a newline

    @property
    def base(self) -> int:
        return 0 if self.array is None else 1

    def take(self, text: bytes, *, final: bool = False) -> None:
        """Take on more of the source."""
        text = self.held + text
        while text:
            n = self._resync(text, final) if self.is_lost else self._scan(text, final)
            if n is None:
                break
            text = text[n:]
        self.held = text

    def finish(self) -> None:
        """Frame what is pending."""
        self.take(b"", final=True)
        if self.is_lost or self.is_open:
            self._cut_off()
        else:
            self._end_gap("source")

    def _advance(self, piece: bytes) -> None:
        if piece:
            self.parts.append(piece)
            self.offset += len(piece)
            self.line += piece.count(b"\n")
            self.ends_line = piece.endswith(b"\n")
            self.last = piece.rstrip(_SPACE)[-1:] or self.last

    def _begin(self) -> None:
        self.parts = []
        self.start, self.start_line = self.offset, self.line
        self.long_gap = _WINDOW

    def _scan(self, text: bytes, final: bool) -> int | None:
        """Take on text up to a fault or its end; return how much, None: more is needed."""
        if not final and _ends_in_escape(text):
            text = text[:-1]
            if not text:
                return None
        found = _structure(text, self.depth, self.quoted)
        taken = 0
        for at, before, after in self._turns(text, found):
            if before > self.base + (after < before):
                if self._is_impossible(text, at, opens=after > before):
                    self._advance(text[taken:at])
                    self._cut_off()
                    self.indent = b""
                    return at
                continue
            if before == after:  # closes nothing: part of the gap
                continue
            self._advance(text[taken:at])
            self._turn(text[at : at + 1], opens=after > before, leaves=before == self.base)
            taken = at + 1
        self._advance(text[taken : found.broken])
        self.is_lost = found.broken < len(text)
        self.quoted = found.quoted
        if len(found.after):
            self.depth = int(found.after[-1])
        if self.array and not self.is_open:
            if self.is_lost or self.offset - self.start > self.long_gap:
                self._drain_gap()
        return found.broken

    def _turns(self, text: bytes, found: _Structure) -> Iterator[tuple[int, int, int]]:
        """Yield brackets near the base, and those that begin a line, with their depths."""
        array = np.frombuffer(text, np.uint8)
        begins_line = np.where(found.at > 0, array[found.at - 1] == _NEWLINE, self.ends_line)
        chosen = np.minimum(found.before, found.after) <= 1
        chosen |= begins_line & (array[found.at] == _OPEN_BRACE)
        chosen &= found.at < found.broken
        columns = (column[chosen].tolist() for column in found[:3])
        return zip(*columns, strict=True)

    def _is_impossible(self, text: bytes, at: int, *, opens: bool) -> bool:
        """Tell if a bracket inside a value begins an object, in column 0, where none can be."""
        if not opens or text[at] != _OPEN_BRACE:
            return False
        if not (text.startswith(b"\n", at - 1) if at else self.ends_line):
            return False
        return not _awaits_value(text[:at].rstrip(_SPACE)[-1:] or self.last)

    def _turn(self, bracket: bytes, *, opens: bool, leaves: bool) -> None:
        """Take on a bracket that opens a value or array, closes a value, or leaves the array."""
        if opens:
            self._end_gap("value")
            self._begin()
            if bracket == b"[" and self.array is None:
                self.array = (self.offset, self.line)
                self._advance(bracket)
                self._begin_gap(follows_value=False)
            else:
                self.is_open = True
                self._advance(bracket)
        elif leaves:
            gap = b"".join(self.parts)
            if not self.follows_value and not gap.strip(_SPACE):
                self._add(b"[" + gap + bracket, *self.array, b"")
            else:
                self._end_gap("array")
                if bracket != b"]":  # one too many, of a value before: the decoder shall say so
                    self.batch.add(bracket, self.line, self.offset, 1)
            self.array = None
            self._advance(bracket)
            self._begin_gap(follows_value=False)
        else:
            self._advance(bracket)
            self._add(b"".join(self.parts), self.start, self.start_line, b"")
            self.is_open = False
            self._begin_gap(follows_value=True)

    def _begin_gap(self, *, follows_value: bool) -> None:
        self._begin()
        self.follows_value = follows_value
        if not follows_value:
            self.indent = b""

    def _add(self, text: bytes, offset: int, line: int, strip: bytes) -> None:
        """Frame a text that begins at a place, without the bytes to strip."""
        lead = len(text) - len(text.lstrip(strip))
        body = text.strip(strip)
        self.batch.add(body, line + text.count(b"\n", 0, lead), offset + lead, len(body))

    def _end_gap(self, ending: str) -> None:
        """Frame what stands between values: scalars, garbage, and nothing between commas.

        The gap ends at a value, or at the end of the array or of the source.
        """
        text = b"".join(self.parts)
        bare = text.strip(_SPACE)
        if ending == "value" and b"\n" in text:
            before = text[text.rindex(b"\n") + 1 :]
            self.indent = b"" if before.strip(_SPACE + b",") else before
        if self.array is None:
            if bare.strip(_SPACE + b","):
                self._add(text, self.start, self.start_line, _SPACE + b",")
        elif ending == "array" and text == b"DONE" and not self.follows_value:
            self.batch.mark()
        elif ending != "value" or bare != (b"," if self.follows_value else b""):
            self._end_pieces(text, ending)

    def _end_pieces(self, text: bytes, ending: str) -> None:
        """Frame what stands between the commas of a gap in an array."""
        pieces = _split_at_commas(text)
        offset, line = self.start, self.start_line
        for i, piece in enumerate(pieces):
            may_be_empty = i == len(pieces) - 1 and ending == "value"
            if i == 0 and self.follows_value and (len(pieces) > 1 or ending != "source"):
                may_be_empty = True
            if not may_be_empty or piece.strip(_SPACE):
                self._add(piece, offset, line, _SPACE)
            offset += len(piece) + 1
            line += piece.count(b"\n")

    def _drain_gap(self) -> None:
        """Frame the scalars of an unfinished gap up to its last comma."""
        text = b"".join(self.parts)
        rest = len(_split_at_commas(text)[-1]) + 1
        if rest <= len(text):
            self._end_pieces(text[:-rest], "comma")
            self.parts = [text[-rest:]]
            self.start = self.offset - rest
            self.start_line = self.line - self.parts[0].count(b"\n")
            self.follows_value = True
        self.long_gap = _WINDOW + 2 * rest  # a long scalar shall not be joined at each window

    def _resync(self, text: bytes, final: bool) -> int | None:
        """Take on broken text up to the next line that begins as its value did."""
        pattern = b"\n" + self.indent + b"{"
        found = text.find(pattern)
        if found < 0:
            n = len(text) if final else len(text) - len(pattern) + 1
            self._advance(text[: max(n, 0)])
            return n if n > 0 else None
        at = found + len(pattern) - 1
        self._advance(text[:at])
        self._cut_off()
        return at

    def _cut_off(self) -> None:
        """Frame a value that did not close, and go on as behind it."""
        self._add(b"".join(self.parts), self.start, self.start_line, _SPACE + b",")
        self._begin()
        self.depth, self.quoted = self.base, False
        self.is_open = self.is_lost = self.follows_value = False


def _split_at_commas(text: bytes) -> list[bytes]:
    """Split a text at its commas outside strings."""
    segments = _masked(text).split(b'"')
    segments[1::2] = [segment.replace(b",", b"_") for segment in segments[1::2]]
    commas = re.finditer(b",", b'"'.join(segments))
    bounds = [-1, *(comma.start() for comma in commas), len(text)]
    return [text[start + 1 : stop] for start, stop in pairwise(bounds)]
