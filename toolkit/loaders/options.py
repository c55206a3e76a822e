"""The options of a load, checked once: `ReadOptions`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from toolkit import arguments
from toolkit.limits import LIMITS, Limits

OnError = Literal["reject", "raise"]
STREAM_WINDOW = 100_000
"""Records without a chunk of a stream after which the stream is closed."""
BATCH_BYTES = 32 << 20
"""Bytes of the decompressed sources that one batch is made of, about."""


@dataclass(frozen=True, kw_only=True)
class ReadOptions:
    """The options of `toolkit.read`, `toolkit.scan`, `toolkit.export` and `from_responses`.

    Attributes
    ----------
    on_error, stream_window, path, limits, threads, progress
        As in `toolkit.read`.
    batch_bytes : int
        As in `toolkit.scan`.

    Raises
    ------
    ArgumentError
        If an option has a wrong type or is out of range.

    Examples
    --------
    >>> ReadOptions(on_error="skip")
    Traceback (most recent call last):
    toolkit.errors.ArgumentError: on_error='skip': expected one of 'reject', 'raise'
    """

    on_error: OnError = "reject"
    stream_window: int = STREAM_WINDOW
    path: str | None = None
    limits: Limits = LIMITS
    batch_bytes: int = BATCH_BYTES
    threads: int | None = None
    progress: bool | None = False

    def __post_init__(self) -> None:
        arguments.one_of("on_error", self.on_error, ("reject", "raise"))
        arguments.instance("limits", self.limits, Limits, "toolkit.Limits(...)")
        for name in ("stream_window", "batch_bytes"):  # as int, because NumPy's are not JSON
            object.__setattr__(self, name, arguments.whole(name, getattr(self, name)))
        if self.path is not None and not (isinstance(self.path, str) and self.path):
            raise arguments.invalid("path", self.path, "keys such as 'output.raw[0]', or None")
        arguments.threads(self.threads)

    @property
    def thread_count(self) -> int:
        """Number of threads that scan; at least 1."""
        return arguments.threads(self.threads)
