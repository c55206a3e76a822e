"""The reference decoder: it defines what a record means.

Strict JSON by the standard library (duplicate keys seen, NaN literals read, integers exact), the
formats of `toolkit.formats`, then one walk over the canonical body into column lists. What cannot
be read raises `Reject` with a reason and a JSON path; what is odd but readable is kept with a note.
"""

from __future__ import annotations

import gc
import json
import re
from codecs import BOM_UTF8
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import pyarrow as pa

from toolkit import columns, formats
from toolkit.body import BodyReader
from toolkit.columns import Decoded
from toolkit.formats.base import Reject, Repeated
from toolkit.framing import Frames, nesting

MAX_DEPTH = 64
_HALF_PAIR = re.compile(rb"\\u[dD][89a-fA-F]")
_SPACE = re.compile(r"[ \t\n\r]*")
_LITERALS = ("true", "false", "null", "NaN", "Infinity", "-Infinity")
_CUT = re.compile(r"\.|\.?\d*[eE][+-]?|\\?u?[0-9a-fA-F]{0,4}")  # in a number, in an escape
_LONG_INTEGER = 4000  # digits; int() refuses more than 4300, and no field holds such a number


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    obj = dict(pairs)
    return obj if len(obj) == len(pairs) else Repeated(pairs)


def _long_integer(digits: str) -> int | float:
    return int(digits) if len(digits) < _LONG_INTEGER else float(digits)


_JSON = json.JSONDecoder(object_pairs_hook=_object)
_JSON_LONG = json.JSONDecoder(object_pairs_hook=_object, parse_int=_long_integer)


@contextmanager
def _collector_paused() -> Iterator[None]:
    """Parsed records are trees: the cycle collector would only walk them over and over."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


class ReferenceDecoder:
    """Decode the records of one source, in order.

    Holds what must be known from one block to the next: how many records and ``[DONE]`` markers
    came before.

    Examples
    --------
    >>> answer = {"choices": [{"message": {"content": "hi"}}]}
    >>> decoded = ReferenceDecoder().objects([([answer], None), ([7], None)])
    >>> decoded.parts["content"].to_pylist(), decoded.rejects["reason"].to_pylist()
    (['hi'], ['not_an_object'])
    """

    def __init__(self) -> None:
        self.next_record = 0
        self.epoch = 0

    def frames(self, frames: Frames) -> Decoded:
        """Decode one block of framed records."""
        batch = _Batch(self)
        breaks = frames.breaks.tolist()
        done = 0
        spans = zip(
            frames.starts.tolist(),
            frames.stops.tolist(),
            frames.lines.tolist(),
            frames.offsets.tolist(),
            frames.lengths.tolist(),
            strict=True,
        )
        with _collector_paused():
            for i, (start, stop, line, offset, length) in enumerate(spans):
                while done < len(breaks) and breaks[done] <= i:
                    done += 1
                    self.epoch += 1
                batch.text(frames.data[start:stop], line, offset, length)
        self.epoch += len(breaks) - done
        return batch.finish()

    def objects(self, units: Iterable[tuple[list[Any], Any]]) -> Decoded:
        """Decode objects that were parsed elsewhere, or JSON texts; their ordinal serves as line.

        Parameters
        ----------
        units : iterable of (list, object)
            Objects that belong together and the caller's id for their response. Several in one
            list are a stream, which closes with the list.
        """
        batch = _Batch(self)
        with _collector_paused():
            for objs, custom_id in units:
                batch.custom_id = custom_id
                for obj in objs:
                    line = self.next_record + 1
                    if isinstance(obj, str | bytes):
                        raw = obj.encode("utf-8", "surrogatepass") if isinstance(obj, str) else obj
                        batch.text(raw, line, 0, len(raw))
                    else:
                        batch.value(obj, line, 0, 0, halves=True)
                self.epoch += len(objs) > 1
        return batch.finish()


class _Batch:
    """Columns and rejects of one block."""

    def __init__(self, decoder: ReferenceDecoder) -> None:
        self.decoder = decoder
        self.reader = BodyReader()
        self.custom_id: Any = None  # stands in for the records' own, if given
        self.rejects: list[tuple[Any, ...]] = []  # rows of columns.REJECTS
        self.envelopes = 0

    def text(self, raw: bytes, line: int, offset: int, length: int) -> None:
        """Decode the JSON values of one frame, normally one."""
        try:
            values = list(_values(raw))
        except Reject as reject:
            self._reject(reject, line, offset, length)
            return
        halves = _HALF_PAIR.search(raw) is not None
        if len(values) == 1 and not isinstance(values[0][0], Reject | list):
            self.value(values[0][0], line, offset, length, halves=halves)
            return
        for value, first, size in values:
            at = (line + raw.count(b"\n", 0, first), offset + first, size)
            if isinstance(value, Reject):
                self._reject(value, *at)
            elif isinstance(value, list):
                self._array(value, at, halves)
            else:
                self.value(value, *at, halves=halves)

    def value(
        self, value: object, line: int, offset: int, length: int, *, halves: bool = False
    ) -> None:
        """Decode one parsed value: an object with one body or, in an envelope, several."""
        reader, decoder = self.reader, self.decoder
        mark = reader.mark()
        try:
            self.envelopes += formats.is_envelope(value)
            for body in formats.bodies(value):
                if self.custom_id is not None:
                    body = body._replace(custom_id=self.custom_id)
                mark = reader.mark()
                reader.read(body, decoder.next_record, line, offset, length, decoder.epoch)
                if halves:
                    reader.replace_half_pairs(mark)
                decoder.next_record += 1
        except Reject as reject:
            reader.rewind(mark)
            self._reject(reject, line, offset, length)

    def _array(self, values: list[object], at: tuple[int, int, int], halves: bool) -> None:
        """An array stands for its elements, which share its place."""
        if not values:
            self._reject(Reject("empty_record", "expected records, found an empty array"), *at)
        for value in values:
            self.value(value, *at, halves=halves)

    def _reject(self, reject: Reject, line: int, offset: int, length: int) -> None:
        decoder = self.decoder
        what = (reject.reason, reject.path, reject.message)
        self.rejects.append((decoder.next_record, line, offset, length, *what, decoder.epoch))
        decoder.next_record += 1

    def finish(self) -> Decoded:
        """Turn the lists into Arrow."""
        none: list[list[Any]] = [[] for _ in columns.REJECTS]
        rejected = zip(*self.rejects, strict=True) if self.rejects else none
        rejects = pa.Table.from_arrays(
            [
                pa.array(list(values), field.type)
                for values, field in zip(rejected, columns.REJECTS, strict=True)
            ],
            schema=columns.REJECTS,
        )
        return Decoded(*self.reader.tables(), rejects, self.envelopes)


def _values(raw: bytes) -> Iterator[tuple[Any, int, int]]:
    """Yield the JSON values of a text with their first byte and length in it.

    A value that is cut or broken comes as a `Reject` and ends the text; those before it are kept.
    """
    # Few brackets cannot nest deeply, and counting them is cheap.
    if raw.count(b"{") + raw.count(b"[") > MAX_DEPTH and nesting(raw) > MAX_DEPTH:
        raise Reject("too_deep", f"expected at most {MAX_DEPTH} levels of objects and arrays")
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        where = f"byte {error.start} of the record"
        raise Reject("bad_utf8", f"expected UTF-8, found an invalid sequence at {where}") from None
    at = _skip_space(text, 0)
    if at == len(text):
        raise Reject("empty_record", "expected a JSON value, found nothing")
    byte, counted = len(raw) - len(text) if text.isascii() else 3 * raw.startswith(BOM_UTF8), 0
    while at < len(text):
        byte += len(text[counted:at].encode())
        counted = at
        try:
            value, end = _parse(text, at)
        except Reject as reject:
            yield reject, byte, len(raw) - byte
            return
        at = _skip_space(text, end)
        if at < len(text) and text[at] not in "{[":
            found = byte + len(text[counted:at].encode())
            message = f"expected nothing after the JSON value, found more at byte {found}"
            yield Reject("trailing_garbage", message), byte, len(raw) - byte
            return
        yield value, byte, len(raw) - byte if at == len(text) else len(text[counted:end].encode())


def _parse(text: str, at: int) -> tuple[Any, int]:
    try:
        try:
            return _JSON.raw_decode(text, at)
        except json.JSONDecodeError:
            raise
        except ValueError:  # an integer of more digits than int() takes
            return _JSON_LONG.raw_decode(text, at)
    except json.JSONDecodeError as error:
        message = f"{error.msg} at character {error.pos - at} of the value"
        raise Reject("truncated" if _is_cut(text, error) else "not_json", message) from None


def _is_cut(text: str, error: json.JSONDecodeError) -> bool:
    """Tell text that goes wrong only because it ends."""
    rest = text[error.pos :].rstrip()
    return (
        not rest
        or error.msg.startswith("Unterminated string")
        or any(literal.startswith(rest) for literal in _LITERALS)
        or _CUT.fullmatch(rest) is not None
    )


def _skip_space(text: str, at: int) -> int:
    return _SPACE.match(text, at).end()  # type: ignore[union-attr]
