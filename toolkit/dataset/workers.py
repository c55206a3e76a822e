"""Run the shards of an export on other processes: `Workers`, and `run_shards` for any executor."""

from __future__ import annotations

import threading
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import CancelledError, Executor, Future, ThreadPoolExecutor
from contextlib import suppress
from types import TracebackType
from typing import Any

from toolkit.dataset.shards import Shard, ShardReport
from toolkit.errors import ExportError, ToolkitError, warn

_TRIES = 3  # of each shard


class _Process:
    """What a process of `Workers` says of the bytes that it reads; others say nothing."""

    on_stored: Callable[[int], object] = staticmethod(lambda n: None)


_in_worker = _Process()


class WorkerDiedError(Exception):
    """A worker process ended before it answered."""


class Workers(Executor):
    """Run calls on a few processes; one that dies takes only its own call with it.

    Processes are spawned, so they inherit neither threads nor locks. (The pool of the standard
    library breaks as a whole if one of its processes dies.)

    Parameters
    ----------
    n : int
        Number of processes.

    Attributes
    ----------
    on_stored : callable
        Called, on any thread, with the bytes of sources that a process has read, as they are
        stored; with a negative number, if they will be read again.
    """

    def __init__(self, n: int) -> None:
        self.on_stored: Callable[[int], object] = lambda n: None
        self._threads = ThreadPoolExecutor(n)
        self._own = threading.local()  # the process of each thread
        self._all: list[_Worker] = []

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Call a function of a module on one of the processes."""
        return self._threads.submit(self._call, fn, args, kwargs)

    def _call(self, *call: Any) -> Any:
        worker = getattr(self._own, "worker", None)
        if worker is None:
            worker = self._own.worker = _Worker()
            self._all.append(worker)
        try:
            return worker.call(self.on_stored, *call)
        except WorkerDiedError:
            self._own.worker = None
            raise

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool | None:
        self._threads.shutdown(wait=False, cancel_futures=True)
        for worker in self._all:
            worker.end(at_once=error is not None)
        self._threads.shutdown()
        return None


class _Worker:
    """A process that answers one call after the other."""

    def __init__(self) -> None:
        import multiprocessing  # needed by few exports

        context = multiprocessing.get_context("spawn")
        self._connection, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs,), daemon=True)
        self._process.start()
        theirs.close()

    def call(self, on_stored: Callable[[int], object], *call: Any) -> Any:
        n_stored = 0
        try:
            self._connection.send(call)
            while (message := self._connection.recv())[0] is None:
                on_stored(message[1])
                n_stored += message[1]
            is_result, found = message
        except (EOFError, OSError) as error:
            on_stored(-n_stored)
            self._process.join()
            code = self._process.exitcode
            raise WorkerDiedError(
                f"a worker process ended with exit code {code}"
                + (f" (signal {-code}; it may need more memory)" if code and code < 0 else "")
                + ("; does the script guard its calls with __main__?" if code == 1 else "")
            ) from error
        if is_result:
            return found
        raise found

    def end(self, *, at_once: bool) -> None:
        if at_once:
            self._process.terminate()
        self._connection.close()
        self._process.join()


def _serve(connection: Any) -> None:
    """Answer calls until the other side closes or ends; before an answer, say what was read."""
    _in_worker.on_stored = lambda n: connection.send((None, n))
    while True:
        try:
            function, args, kwargs = connection.recv()
        except EOFError:
            return
        try:
            answer = True, function(*args, **kwargs)
        except Exception as error:
            answer = False, error
        connection.send(answer)


def run_shards(
    shards: Sequence[Shard],
    write: Callable[..., ShardReport],
    executor: Executor | None,
    here: Callable[[Shard], ShardReport],
) -> Iterator[ShardReport]:
    """Write shards on an executor, or one after the other, and yield their reports in order.

    What fails is tried three times, unless the toolkit itself says why it failed. No part of a file
    is yielded after one that was refused.

    Parameters
    ----------
    shards : list of Shard
    write : callable
        Writes a shard in any process, in the working directory of that process.
    executor : concurrent.futures.Executor or None
        Each future needs `result`, and may have `cancel`.
    here : callable
        Writes a shard in this process: if there is no executor, or no other process can open its
        sources.

    Warns
    -----
    ToolkitWarning
        If a shard was tried again.
    """
    tries: Counter[int] = Counter()
    refused: set[int | None] = set()
    reasons: list[str] = []

    def submit(shard: Shard) -> Future[ShardReport] | None:
        if executor is None or not shard.is_portable:
            return None
        tries[shard.ordinal] += 1
        # The number of the try, because some engines answer equal calls from memory.
        return executor.submit(_work, shard, write, tries[shard.ordinal])

    waiting = deque((shard, submit(shard)) for shard in shards)
    try:
        while waiting:
            shard, future = waiting[0]
            if shard.part_of in refused:
                _cancel(future)
                waiting.popleft()
                continue
            try:
                report = here(shard) if future is None else future.result()
            except Exception as error:
                if future is None or isinstance(error, ToolkitError):
                    raise
                if tries[shard.ordinal] == _TRIES:
                    raise _failed(shard, error) from error
                reasons.append(f"shard {shard.ordinal}: {_described(error)}")
                waiting[0] = shard, submit(shard)
                continue
            if report.refused:
                refused.add(shard.part_of)
            yield report
            waiting.popleft()
    except BaseException as error:
        for _, future in waiting:
            _cancel(future)
        if isinstance(error, Exception):  # an interrupt does not wait
            for _, future in waiting:
                _await(future)  # else a shard that runs would write after the export has ended
        raise
    if reasons:
        n = f"{len(reasons)} {'try' if len(reasons) == 1 else 'tries'}"
        warn(f"{n} of shards failed and were repeated with success ({'; '.join(reasons[:3])})")


def _work(shard: Shard, write: Callable[..., ShardReport], attempt: int) -> ShardReport:
    del attempt
    return write(shard, on_stored=_in_worker.on_stored)


def _cancel(future: Future[ShardReport] | None) -> None:
    if future is not None and hasattr(future, "cancel"):
        future.cancel()


def _await(future: Future[ShardReport] | None) -> None:
    if future is not None:
        with suppress(Exception, CancelledError):
            future.result()


def _described(error: Exception) -> str:
    """Describe an error, without what an error of unknown class might quote."""
    if isinstance(error, WorkerDiedError):
        return str(error)
    name = type(error).__name__
    return f"{name}: {error}" if isinstance(error, OSError) else name


def _failed(shard: Shard, error: Exception) -> ExportError:
    names = ", ".join(source.name for _, source in shard.sources[:3])
    more = f" and {len(shard.sources) - 3} more" if len(shard.sources) > 3 else ""
    return ExportError(
        f"shard {shard.ordinal} ({names}{more}) failed {_TRIES} times, the last time with: "
        f"{_described(error)}"
    )
