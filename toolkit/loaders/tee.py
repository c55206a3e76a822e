"""Save a model's answer to a file while the caller uses it: `tee`."""

from __future__ import annotations

import json
import os
import warnings
from collections.abc import AsyncIterator, Iterator
from typing import Any

from toolkit.errors import ArgumentError, ToolkitWarning

_DONE = b"[DONE]\n"


def tee(stream: Any, path: str | os.PathLike[str]) -> Any:
    """Append a model's answer to a file while the caller iterates over it.

    Each chunk is written immediately, as a line of JSON. So the file is readable even if the
    process is killed, and several processes can write to it. A stream ends with a line ``[DONE]``,
    as servers send it.

    Parameters
    ----------
    stream : iterable, async iterable or object
        What a client returned: a stream of chunks (dicts, or objects with ``model_dump``), or a
        whole answer.
    path : path
        The file to append to; it is created if it does not exist. `toolkit.read` reads it.

    Returns
    -------
    object
        For a stream, an iterator over the same chunks with the attributes of the stream; for a
        whole answer, the answer itself.

    Raises
    ------
    ArgumentError
        If `stream` is neither a stream nor an answer.

    Warns
    -----
    ToolkitWarning
        Once, if something cannot be written; the stream continues.

    Examples
    --------
    >>> import tempfile, toolkit
    >>> chunks = [{"id": "a", "choices": [{"delta": {"content": text}}]} for text in ("He", "llo")]
    >>> with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings(action="ignore"):
    ...     texts = [chunk["choices"][0]["delta"]["content"]
    ...              for chunk in toolkit.tee(iter(chunks), f"{folder}/log.jsonl")]
    ...     texts, toolkit.read(f"{folder}/log.jsonl").text(0)
    (['He', 'llo'], 'Hello')
    """
    recorder = _Recorder(os.fspath(path))
    if _is_answer(stream):
        recorder.add(stream)
        return stream
    if hasattr(stream, "__aiter__"):
        return _AsyncTee(stream, recorder)
    if hasattr(stream, "__iter__") and not isinstance(stream, str | bytes):
        return _Tee(stream, recorder)
    name = type(stream).__name__
    raise ArgumentError(f"stream is a {name}: expected a stream of chunks or a whole answer")


def _is_answer(value: Any) -> bool:
    return isinstance(value, dict) or (
        hasattr(value, "model_dump") and not hasattr(value, "__next__")
    )


class _Recorder:
    """Append lines to a file, with one warning if that fails."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._file: int | None = None
        self._failed = False

    def add(self, chunk: Any) -> None:
        """Append a chunk as one line."""
        try:
            plain = chunk.model_dump() if hasattr(chunk, "model_dump") else chunk
            line = json.dumps(plain, ensure_ascii=False, separators=(",", ":"))
            self._write(line.encode("utf-8", "surrogatepass") + b"\n")
        except (OSError, TypeError, ValueError, RecursionError) as error:
            self._warn(error)

    def end(self) -> None:
        """Append the end of the stream and close the file."""
        try:
            if self._file is not None:
                self._write(_DONE)
                os.close(self._file)
        except OSError as error:
            self._warn(error)
        self._file = None

    def _write(self, line: bytes) -> None:
        if self._file is None:
            flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | getattr(os, "O_CLOEXEC", 0)
            self._file = os.open(self._path, flags, 0o666)
        while line:  # as a rule one call, so that lines of several writers do not mix
            line = line[os.write(self._file, line) :]

    def _warn(self, error: Exception) -> None:
        if not self._failed:
            self._failed = True
            error_name = type(error).__name__
            message = f"{self._path}: the stream was not saved completely ({error_name})"
            warnings.warn(message, ToolkitWarning, stacklevel=4)


class _Passing:
    """A stream with the attributes of the stream that it wraps."""

    def __init__(self, stream: Any, recorder: _Recorder) -> None:
        self._stream = stream
        self._recorder = recorder
        self._chunks: Any = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


class _Tee(_Passing):
    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        if self._chunks is None:
            self._chunks = iter(self._stream)
        try:
            chunk = next(self._chunks)
        except BaseException:
            self._recorder.end()
            raise
        self._recorder.add(chunk)
        return chunk

    def __enter__(self) -> _Tee:
        if hasattr(self._stream, "__enter__"):
            self._stream.__enter__()
        return self

    def __exit__(self, *error: Any) -> Any:
        self._recorder.end()
        leave = getattr(self._stream, "__exit__", None)
        return leave(*error) if leave is not None else None


class _AsyncTee(_Passing):
    def __aiter__(self) -> AsyncIterator[Any]:
        return self

    async def __anext__(self) -> Any:
        if self._chunks is None:
            self._chunks = self._stream.__aiter__()
        try:
            chunk = await self._chunks.__anext__()
        except BaseException:
            self._recorder.end()
            raise
        self._recorder.add(chunk)
        return chunk

    async def __aenter__(self) -> _AsyncTee:
        if hasattr(self._stream, "__aenter__"):
            await self._stream.__aenter__()
        return self

    async def __aexit__(self, *error: Any) -> Any:
        self._recorder.end()
        leave = getattr(self._stream, "__aexit__", None)
        return await leave(*error) if leave is not None else None
