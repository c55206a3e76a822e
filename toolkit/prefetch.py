"""Ordered parallel map with bounded look-ahead."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, Future
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def ordered_map(
    function: Callable[[Item], Result],
    items: Iterable[Item],
    pool: Executor | None,
    limit: int,
    is_worth: Callable[[Item], bool] = lambda _: True,
) -> Iterator[tuple[Item, Result]]:
    """Apply a function to items and yield each item with its result, in order.

    Parameters
    ----------
    function : callable
    items : iterable
        If it raises, the items before are yielded first.
    pool : concurrent.futures.Executor or None
        Where the function runs; None: on this thread, when the result is needed.
    limit : int
        Number of items that may be taken before the first of them is yielded.
    is_worth : callable
        Returns whether an item is worth another thread; for others the function runs on this one.

    Examples
    --------
    >>> list(ordered_map(len, ["a", "bc"], None, 4))
    [('a', 1), ('bc', 2)]
    """
    if pool is None:
        for item in items:
            yield item, function(item)
        return
    waiting: deque[tuple[Item, Future[Result] | None]] = deque()
    source = iter(items)
    fault: Exception | None = None
    has_more = True
    while has_more or waiting:
        while has_more and len(waiting) < limit:
            try:
                item = next(source)
            except StopIteration:
                has_more = False
            except Exception as error:
                has_more, fault = False, error
            else:
                future = pool.submit(function, item) if is_worth(item) else None
                waiting.append((item, future))
        if waiting:
            item, future = waiting.popleft()
            yield item, function(item) if future is None else future.result()
    if fault is not None:
        raise fault
