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
    most: int,
    is_worth: Callable[[Item], bool] = lambda _: True,
) -> Iterator[tuple[Item, Result]]:
    """Apply a function to items, and yield each with its result, in order.

    Parameters
    ----------
    function : callable
    items : iterable
        May raise: what came before is yielded first.
    pool : concurrent.futures.Executor or None
        Where the function runs; None: here, when the result is asked for.
    most : int
        Items that may be taken before the first of them is yielded.
    is_worth : callable
        Tells which items are worth another thread; for the others the function runs here.

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
    goes_on = True
    while goes_on or waiting:
        while goes_on and len(waiting) < most:
            try:
                item = next(source)
            except StopIteration:
                goes_on = False
            except Exception as error:
                goes_on, fault = False, error
            else:
                future = pool.submit(function, item) if is_worth(item) else None
                waiting.append((item, future))
        if waiting:
            item, future = waiting.popleft()
            yield item, function(item) if future is None else future.result()
    if fault is not None:
        raise fault
