"""Save a model's answer to a file while the caller uses it: `tee`."""

from __future__ import annotations

import json
import os
import warnings
import weakref
from collections.abc import AsyncIterator, Iterator
from typing import Any

from toolkit.arguments import instance, target
from toolkit.errors import ArgumentError, ToolkitWarning
from toolkit.loaders.line_file import LineFile
from toolkit.loaders.plain_data import is_data, plain

_DONE = b"[DONE]"
_LAST = ("until_done", "get_final_")
"""Beginnings of the names of methods that read the rest of a stream."""
_CLOSING = ("close", "aclose")
"""Names of methods that end a stream early."""


def tee(stream: Any, path: str | os.PathLike[str], *, custom_id: str | None = None) -> Any:
    """Append a model's answer to a file while the caller iterates over it.

    Each chunk is written immediately, as a line of JSON, and the file is open only for that. So it
    is readable even if the process is killed, and several threads and processes can write to it (on
    a file system that has locks): a line that was cut, by a kill or a full disk, costs itself. A
    stream ends with a line ``[DONE]``, as servers send it, also if it is closed or left early.

    Parameters
    ----------
    stream : iterable, async iterable or object
        What a client returned: a stream of chunks (dicts, or objects of OpenAI's and other SDKs,
        LangChain or LiteLLM), the context manager of one, or a whole answer.
    path : path
        The file to append to; it is created if it does not exist. `toolkit.read` reads it.
    custom_id : str, optional
        Your id of the answer, which becomes its ``custom_id``. Each line is then
        ``{"custom_id": ..., "response": ...}``.

    Returns
    -------
    object
        For a stream, an iterator over the same chunks with the attributes of the stream (a
        context manager, an async iterator or both, if the stream is one); for a whole answer, the
        answer itself.

    Raises
    ------
    ArgumentError
        If `stream` is neither a stream nor an answer, or `custom_id` is not a text.

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
    if custom_id is not None:
        instance("custom_id", custom_id, str, "a text")
    recorder = _Recorder(os.fspath(target("path", path)), custom_id)
    can_wait = hasattr(stream, "__aiter__") or hasattr(stream, "__aenter__")
    can_iterate = hasattr(stream, "__iter__") or hasattr(stream, "__enter__")
    if (can_wait or can_iterate) and not is_data(stream):
        kind = _Tee if not can_wait else _BothTee if can_iterate else _AsyncTee
        return kind(stream, recorder)
    if not _is_answer(stream):
        name = type(stream).__name__
        raise ArgumentError(f"stream is a {name}: expected a stream of chunks or a whole answer")
    recorder.add(stream)
    return stream


def _is_answer(value: Any) -> bool:
    try:
        return isinstance(plain(value), dict)
    except Exception:  # of any class: the recorder warns of it
        return True


class _Recorder:
    """Append lines to a file, with one warning if that fails."""

    def __init__(self, path: str, custom_id: str | None) -> None:
        self._file = LineFile(path)
        self._name = os.fsdecode(path)
        self._custom_id = custom_id
        self._writer: int | None = None  # the process that has written lines of an open stream
        self._failed = False
        self._has_chunks = False

    def add(self, chunk: Any) -> None:
        """Append a chunk as one line."""
        try:
            record = self._of_event(plain(chunk))
            if record is None:
                return
            if self._custom_id is not None:
                record = {"custom_id": self._custom_id, "response": record}
            line = json.dumps(record, ensure_ascii=False, separators=(",", ":"))
            self._file.append(line.encode("utf-8", "surrogatepass"))
            self._writer = os.getpid()
        except Exception as error:  # of any class: the caller's stream goes on
            self._warn(error)

    def _of_event(self, record: Any) -> Any:
        """Return what an event of an SDK brings; None if it repeats what came before.

        ``chat.completions.stream()`` of OpenAI's SDK sends each chunk with a snapshot of the answer
        so far, and then events that the SDK derives from the chunk.
        """
        if not isinstance(record, dict) or not isinstance(record.get("type"), str):
            return record
        if record["type"] == "chunk" and isinstance(record.get("chunk"), dict):
            self._has_chunks = True
            return record["chunk"]
        if self._has_chunks:
            return None
        return {key: value for key, value in record.items() if key != "snapshot"}

    def end(self) -> None:
        """Append the end of the stream, once, in the process that has written its lines."""
        if self._writer != os.getpid():
            return
        self._writer = None
        try:
            self._file.append(_DONE)
        except Exception as error:  # of any class: the caller goes on
            self._warn(error)

    def _warn(self, error: Exception) -> None:
        if not self._failed:
            self._failed = True
            error_name = type(error).__name__
            message = f"{self._name}: the stream was not saved completely ({error_name})"
            warnings.warn(message, ToolkitWarning, stacklevel=4)


class _Passing:
    """A stream with the attributes of the stream that it wraps."""

    def __init__(self, stream: Any, recorder: _Recorder) -> None:
        self._outer = stream  # the stream, or the context manager that gives it
        self._stream = stream
        self._recorder = recorder
        self._chunks: Any = None
        weakref.finalize(self, recorder.end)  # for a stream that is left, as by `break`

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._stream, name)
        if name not in _CLOSING:
            return value

        def closing(*args: Any, **options: Any) -> Any:
            self._recorder.end()
            return value(*args, **options)

        return closing


class _Tee(_Passing):
    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        try:
            if self._chunks is None:
                self._chunks = iter(self._stream)
            chunk = next(self._chunks)
        except BaseException:
            self._recorder.end()
            raise
        self._recorder.add(chunk)
        return chunk

    def __getattr__(self, name: str) -> Any:
        value = super().__getattr__(name)
        if not name.startswith(_LAST):
            return value

        def after_the_rest(*args: Any, **options: Any) -> Any:
            for _ in self:
                pass
            return value(*args, **options)

        return after_the_rest

    def __enter__(self) -> _Tee:
        if hasattr(self._outer, "__enter__"):
            self._stream = self._outer.__enter__()
        return self

    def __exit__(self, *error: Any) -> Any:
        self._recorder.end()
        leave = getattr(self._outer, "__exit__", None)
        return leave(*error) if leave is not None else None


class _AsyncTee(_Passing):
    def __aiter__(self) -> AsyncIterator[Any]:
        return self

    async def __anext__(self) -> Any:
        try:
            if self._chunks is None:
                self._chunks = self._stream.__aiter__()
            chunk = await self._chunks.__anext__()
        except BaseException:
            self._recorder.end()
            raise
        self._recorder.add(chunk)
        return chunk

    def __getattr__(self, name: str) -> Any:
        value = super().__getattr__(name)
        if not name.startswith(_LAST):
            return value

        async def after_the_rest(*args: Any, **options: Any) -> Any:
            async for _ in self:
                pass
            return await value(*args, **options)

        return after_the_rest

    async def __aenter__(self) -> _AsyncTee:
        if hasattr(self._outer, "__aenter__"):
            self._stream = await self._outer.__aenter__()
        return self

    async def __aexit__(self, *error: Any) -> Any:
        self._recorder.end()
        leave = getattr(self._outer, "__aexit__", None)
        return await leave(*error) if leave is not None else None


class _BothTee(_Tee, _AsyncTee):
    """A stream that can be iterated both ways, as LiteLLM's."""

    __getattr__ = _Passing.__getattr__
