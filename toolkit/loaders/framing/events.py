"""Server-sent events to frames."""

from __future__ import annotations

from collections.abc import Iterator

from toolkit.loaders.framing.frames import DONE, FIELD, SPACE, Batch, Frames, awaits_value, balance

_TAIL = 1 << 10  # of an event that is too long, kept to tell where it ends


def frame_events(blocks: Iterator[bytes], skipped: int, most: int) -> Iterator[Frames]:
    """Frame the data of server-sent events; `skipped` bytes came before the blocks.

    Of an event, or a line, of more than `most` bytes no more is held than is needed to find its
    end.
    """
    events = _Events(skipped, most)
    held: list[bytes] = []
    size = 0
    for block in blocks:
        events.batch.bytes += len(block)
        goes_on = bool(held) and held[-1].endswith(b"\r")
        ends_line = goes_on or b"\n" in block or b"\r" in block
        held.append(block)
        size += len(block)
        if not ends_line:
            if size > most:
                events.pass_over(b"".join(held))
                held, size = [], 0
            continue
        lines = b"".join(held).splitlines(keepends=True)
        # The last line may go on, and a return may be followed by its newline.
        held = [] if lines[-1].endswith(b"\n") else [lines.pop()]
        size = sum(map(len, held))
        for line in lines:
            events.take(line)
        yield events.batch.flush()
    for line in b"".join(held).splitlines(keepends=True):
        events.take(line)
    events.finish()
    yield events.batch.flush()


class _Events:
    """Turns the lines of an event stream into frames."""

    def __init__(self, skipped: int, most: int) -> None:
        self.batch = Batch(skipped)
        self.most = most
        self.passed = 0  # bytes of the line that were passed over
        self.line = 0
        self.offset = skipped
        self.parts: list[bytes] = []  # data lines of the open event, or lines of bare JSON
        self.bare = False
        self.has_blanks = False  # an event was ended by a blank line
        self.start = self.stop = self.start_line = 0
        self.depth: int | None = 0  # brackets open after the first `measured` parts
        self.measured = 0

    def take(self, raw: bytes) -> None:
        """Take the next line, with its end."""
        self.line += 1
        if self.passed:
            self._end_passed(raw)
            return
        start = self.offset
        self.offset += len(raw)
        line = raw.rstrip(b"\r\n")
        if len(line) > self.most:
            self.dispatch()
            self.batch.add(b"", self.line, start, len(line))
        elif line.startswith(b"data:"):
            skip = 6 if line.startswith(b" ", 5) else 5
            self._data(line[skip:], start + skip, bare=False)
        elif not line:
            if self.parts:
                self.dispatch()
                self.has_blanks = True
            else:
                self.batch.blank += 1
        elif line.startswith(b":"):
            self.batch.comments += 1
        elif line.lstrip(SPACE).startswith((b"{", b"[")) or self._bare_goes_on(line):
            self._data(line, start, bare=True)
        else:
            self.batch.control += 1

    def pass_over(self, piece: bytes) -> None:
        """Take a piece of a line that is too long to be held."""
        if not self.passed:
            self.dispatch()
        self.passed += len(piece)

    def _end_passed(self, raw: bytes) -> None:
        """Frame a line that was passed over, without its text, at its end."""
        length = self.passed + len(raw)
        ending = len(raw) - len(raw.rstrip(b"\r\n"))
        self.batch.add(b"", self.line, self.offset, length - ending)
        self.offset += length
        self.passed = 0

    def _data(self, payload: bytes, offset: int, *, bare: bool) -> None:
        text = payload.strip(SPACE)
        if text == DONE:
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
        if self.stop - self.start > self.most:
            self._pending_depth()
            self.parts = [self.parts[0].lstrip(SPACE)[:1], payload[-_TAIL:]]
            self.measured = 2
        if bare and self._pending_depth() == 0:
            self.dispatch()

    def _bare_goes_on(self, line: bytes) -> bool:
        """Tell if a line is the next of JSON that was written without ``data:``."""
        return self.bare and bool(self.parts and self._pending_depth()) and not FIELD.match(line)

    def _ends_before(self, payload: bytes) -> bool:
        """Tell if the open event is over although no blank line has come."""
        depth = self._pending_depth()
        if depth is not None and depth <= 0:
            return self.parts[0].lstrip(SPACE).startswith((b"{", b"["))
        if not payload.startswith(b"{"):
            return False
        if depth is None or not awaits_value(self.parts[-1].rstrip(SPACE)):
            return True
        return not self.has_blanks and balance(payload) == 0

    def _pending_depth(self) -> int | None:
        """Return the brackets that the open event leaves open; None: a string is broken."""
        for part in self.parts[self.measured :]:
            more = balance(part)
            self.depth = None if more is None or self.depth is None else self.depth + more
        self.measured = len(self.parts)
        return self.depth

    def finish(self) -> None:
        """End the source."""
        if self.passed:
            self.line += 1
            self._end_passed(b"")
        self.dispatch()

    def dispatch(self) -> None:
        """End the open event, if there is one."""
        if self.parts:
            text = b"\n".join(self.parts)
            self.batch.add(text, self.start_line, self.start, self.stop - self.start)
        self.parts = []
        self.depth, self.measured = 0, 0
