"""Show on stderr how far a call has come: one bar, in a terminal or a notebook."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Lock

_DELAY = 0.5  # seconds after which a bar is shown
_one = Lock()  # held while a bar is shown: what a call calls shows none of its own


@contextmanager
def progress_bar(
    what: str,
    total: Callable[[], int | None],
    *,
    unit: str = "B",
    show: bool | None = None,
    at_once: bool = False,
) -> Iterator[Callable[[int], object]]:
    """Show a bar while a block runs, with percent where the total is known.

    Parameters
    ----------
    what : str
        What is done, such as "reading".
    total : callable
        Returns the amount to do, or None if it is unknown; called only if the bar may be seen.
    unit : str
        Unit of the amount.
    show : bool, optional
        None: in a notebook or if stderr is a terminal, after half a second. The environment
        variable ``TQDM_DISABLE=1`` hides these bars.
    at_once : bool
        Whether to show the bar before half a second has passed.

    Yields
    ------
    callable
        Takes how much more is done, on any thread.

    Examples
    --------
    >>> with progress_bar("reading", lambda: 2) as advance:  # no terminal: nothing is shown
    ...     advance(2)
    """
    in_notebook = _in_notebook()
    is_seen = in_notebook or _in_terminal() if show is None else show
    if not is_seen or not _one.acquire(blocking=False):
        yield _ignore
        return
    try:
        if in_notebook:
            with warnings.catch_warnings(action="ignore"):  # one, if there are no widgets
                from tqdm.auto import tqdm
        else:
            from tqdm import tqdm
        delay = 0.0 if show or at_once else _DELAY
        scale = unit == "B"
        with tqdm(
            desc=what, total=total(), unit=unit, unit_scale=scale, leave=False, delay=delay
        ) as bar:
            lock = Lock()

            def advance(n: int) -> None:
                with lock:
                    bar.update(n)

            yield advance
    finally:
        _one.release()


@contextmanager
def no_progress() -> Iterator[None]:
    """Show no bar while a block runs."""
    is_mine = _one.acquire(blocking=False)
    try:
        yield
    finally:
        if is_mine:
            _one.release()


def _ignore(n: int) -> None:
    """Do nothing."""


def _in_terminal() -> bool:
    return sys.stderr is not None and not sys.stderr.closed and sys.stderr.isatty()


def _in_notebook() -> bool:
    """Return whether this process is the kernel of a notebook."""
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    return hasattr(shell, "kernel")
