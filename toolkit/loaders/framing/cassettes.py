"""VCR cassettes in YAML to frames: one an interaction, with its response as JSON.

YAML folds long texts, so nothing but a YAML parser can read them; PyYAML is an extra.
"""

from __future__ import annotations

import json
import re
import zlib
from collections.abc import Iterator
from typing import Any

import numpy as np

from toolkit.errors import SourceError
from toolkit.loaders.framing.frames import Batch, Frames

_MAX_DEPTH = 100
_MAX_BODY = 64 << 20
_OPENING, _CLOSING = list(b"[{"), list(b"]}")
_GZIP = b"\x1f\x8b"
HEAD = re.compile(rb"(?:(?:#[^\n]*|---[^\n]*|version:[^\n]*)?\r?\n)*interactions:[ \t]*\r?\n")


def frame_cassette(blocks: Iterator[bytes], skipped: int, most: int) -> Iterator[Frames]:
    """Frame a cassette of at most `most` bytes; `skipped` bytes came before the blocks.

    Raises
    ------
    SourceError
        If PyYAML is not installed, the text is no YAML or too long, or it has aliases, which can
        make a small file endless.
    """
    text = _whole(blocks, most)
    batch = Batch(skipped)
    batch.bytes += len(text)
    for line, offset, length, response in _responses(text):
        interaction = {"interactions": [{"response": response}]}
        batch.add(json.dumps(interaction, default=_as_json).encode(), line, offset, length)
    yield batch.flush()


def _whole(blocks: Iterator[bytes], most: int) -> bytes:
    held: list[bytes] = []
    for block in blocks:
        held.append(block)
        if sum(map(len, held)) > most:
            raise SourceError(
                f"a cassette of more than {most:,} bytes (Limits.record_bytes): it is one document"
            )
    return b"".join(held)


def _responses(text: bytes) -> Iterator[tuple[int, int, int, Any]]:
    """Yield the response of each interaction, with the place of its node."""
    try:
        import yaml
    except ImportError:
        message = "a VCR cassette in YAML needs PyYAML: pip install 'logprob-toolkit[yaml]'"
        raise SourceError(message) from None
    loader_type = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        source = text.decode()
        depth = 0
        for event in yaml.parse(source, loader_type):
            # The C library composes recursively, in some versions without a limit of its own.
            depth += isinstance(event, yaml.CollectionStartEvent)
            depth -= isinstance(event, yaml.CollectionEndEvent)
            if depth > _MAX_DEPTH:
                raise SourceError(_too_deep(event.start_mark.line + 1))
            if isinstance(event, yaml.AliasEvent):
                raise SourceError(
                    f"line {event.start_mark.line + 1}: a cassette with YAML aliases is not read"
                )
        loader = loader_type(source)
        try:
            root = loader.get_single_node()
            for node in _value(root, "interactions").value if root is not None else ():
                response = _value(node, "response")
                if response is None:
                    continue
                start, end = response.start_mark, response.end_mark
                first = len(source[: start.index].encode())
                length = len(source[start.index : end.index].encode())
                value = loader.construct_document(response)
                yield start.line + 1, first, length, value
        finally:
            loader.dispose()
    except (yaml.YAMLError, RecursionError, ValueError, AttributeError) as error:
        mark = getattr(error, "problem_mark", None)
        if mark is not None and _bracket_depth(source[: mark.index]) > _MAX_DEPTH:
            raise SourceError(_too_deep(mark.line + 1)) from error
        raise SourceError(f"a VCR cassette that is no YAML: {_of(error)}") from error


def _too_deep(line: int) -> str:
    return f"line {line}: a cassette nested deeper than {_MAX_DEPTH} levels"


def _bracket_depth(text: str) -> int:
    """Return how deep the brackets of a text nest.

    Some versions of the C library scan ahead and refuse deep brackets before their first event.
    """
    codes = np.frombuffer(text.encode(), np.uint8)
    steps = np.isin(codes, _OPENING).astype(np.int8) - np.isin(codes, _CLOSING)
    return int(np.cumsum(steps, dtype=np.int64).max(initial=0))


def _value(node: Any, key: str) -> Any:
    """Return the value node of a key of a mapping node, or None."""
    pairs = node.value if getattr(node, "id", None) == "mapping" else ()
    return next((value for name, value in pairs if name.value == key), None)


def _of(error: Exception) -> str:
    """Describe an error without quoting the file."""
    mark = getattr(error, "problem_mark", None)
    return f"line {mark.line + 1}" if mark is not None else type(error).__name__


def _as_json(value: object) -> str | None:
    """Return bytes as the text they are, compressed or not; null for what is none, as dates are."""
    if not isinstance(value, bytes):
        return None
    try:
        if value.startswith(_GZIP):
            unzip = zlib.decompressobj(wbits=31)
            value = unzip.decompress(value, _MAX_BODY)
            if not unzip.eof:
                return None
        return value.decode()
    except (zlib.error, ValueError):
        return None
