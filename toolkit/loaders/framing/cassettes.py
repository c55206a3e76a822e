"""Frame VCR cassettes in YAML: one frame per interaction, with its response as JSON.

Python's VCR writes ``interactions``, Ruby's ``http_interactions``. Only a YAML parser can read
them, because YAML folds long texts; PyYAML is an extra.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from toolkit.errors import SourceError
from toolkit.loaders.framing.frames import FrameBuilder, Frames

_MAX_DEPTH = 100  # levels of YAML collections
_KEYS = ("interactions", "http_interactions")
_OPENING, _CLOSING = list(b"[{"), list(b"]}")
HEAD = re.compile(
    rb"(?:(?:#[^\n]*|---[^\n]*|version:[^\n]*)?\r?\n)*(?:http_)?interactions:[ \t]*\r?\n"
)


class _Response(NamedTuple):
    """The response of an interaction, with the position of its node in the text."""

    line: int
    offset: int
    length: int
    value: Any


def frame_cassette(blocks: Iterator[bytes], skipped: int, max_bytes: int) -> Iterator[Frames]:
    """Frame the interactions of a cassette.

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
        If PyYAML is not installed, the text is not valid YAML or is too long, or it has aliases,
        because those can make a small file expand without limit.
    """
    text = _whole(blocks, max_bytes)
    builder = FrameBuilder(skipped)
    builder.bytes += len(text)
    for line, offset, length, response in _responses(text):
        interaction = {"interactions": [{"response": response}]}
        builder.add(json.dumps(interaction, default=_as_json).encode(), line, offset, length)
    yield builder.flush()


def _whole(blocks: Iterator[bytes], max_bytes: int) -> bytes:
    held: list[bytes] = []
    for block in blocks:
        held.append(block)
        if sum(map(len, held)) > max_bytes:
            raise SourceError(
                f"a cassette of more than {max_bytes:,} bytes (Limits.record_bytes), which is read "
                "as one document"
            )
    return b"".join(held)


def _responses(text: bytes) -> Iterator[_Response]:
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
            # The limit is checked here, because some versions of the C library recurse without one.
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
            loader.yaml_constructors = {
                **loader.yaml_constructors,
                "!binary": yaml.SafeLoader.construct_yaml_binary,  # as Ruby names it
                None: _untagged,
            }
            root = loader.get_single_node()
            for node in _value(root, *_KEYS).value if root is not None else ():
                response = _value(node, "response")
                if response is None:
                    continue
                start, end = response.start_mark, response.end_mark
                first = len(source[: start.index].encode())
                length = len(source[start.index : end.index].encode())
                value = loader.construct_document(response)
                yield _Response(start.line + 1, first, length, value)
        finally:
            loader.dispose()
    except (yaml.YAMLError, RecursionError, ValueError, AttributeError) as error:
        mark = getattr(error, "problem_mark", None)
        if mark is not None and _bracket_depth(source[: mark.index]) > _MAX_DEPTH:
            raise SourceError(_too_deep(mark.line + 1)) from error
        raise SourceError(f"a VCR cassette is not valid YAML: {_describe(error)}") from error


def _too_deep(line: int) -> str:
    return f"line {line}: a cassette nested deeper than {_MAX_DEPTH} levels"


def _bracket_depth(text: str) -> int:
    """Return how deep the brackets of a text nest.

    It is needed because some versions of the C library scan ahead and reject deep brackets before
    they give the first event.
    """
    codes = np.frombuffer(text.encode(), np.uint8)
    steps = np.isin(codes, _OPENING).astype(np.int8) - np.isin(codes, _CLOSING)
    return int(np.cumsum(steps, dtype=np.int64).max(initial=0))


def _value(node: Any, *keys: str) -> Any:
    """Return the node of the value under one of some keys of a mapping node, or None."""
    pairs = node.value if getattr(node, "id", None) == "mapping" else ()
    return next((value for name, value in pairs if name.value in keys), None)


def _untagged(loader: Any, node: Any) -> Any:
    """Return the value of a node without its tag, which may name a class of another language."""
    if node.id == "mapping":
        return loader.construct_mapping(node, deep=True)
    if node.id == "sequence":
        return loader.construct_sequence(node, deep=True)
    return loader.construct_scalar(node)


def _describe(error: Exception) -> str:
    """Describe an error without quoting the file."""
    mark = getattr(error, "problem_mark", None)
    return f"line {mark.line + 1}" if mark is not None else type(error).__name__


def _as_json(value: object) -> dict[str, str] | None:
    """Return bytes in base64, as JSON cassettes have them; None for others, as for a date."""
    if not isinstance(value, bytes):
        return None
    return {"base64_string": base64.b64encode(value).decode()}
