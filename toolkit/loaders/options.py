"""The options of a load, checked once: `ReadOptions`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from toolkit import arguments
from toolkit.limits import LIMITS, Limits
from toolkit.loaders.formats.lookup import Lookup
from toolkit.loaders.formats.paths import steps_of
from toolkit.loaders.formats.shape import Shape

_EXAMPLES = {"path": "output.raw[0]", "id": "question_id", "keep": "question.text"}

OnError = Literal["reject", "raise"]
Rejects = Literal["first", "all"]
STREAM_WINDOW = 100_000
"""Records without a chunk of a stream after which the stream is closed."""
BATCH_BYTES = 32 << 20
"""Bytes of the decompressed sources that one batch is made of, about."""


@dataclass(frozen=True, kw_only=True)
class ReadOptions:
    """The options of `toolkit.read`, `toolkit.scan`, `toolkit.export` and `from_responses`.

    Attributes
    ----------
    on_error, rejects, stream_window, path, id, keep, shape, limits, threads, progress
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
    rejects: Rejects = "first"
    stream_window: int = STREAM_WINDOW
    path: str | None = None
    id: str | None = None
    keep: str | Sequence[str] = ()
    shape: Shape | None = None
    limits: Limits = LIMITS
    batch_bytes: int = BATCH_BYTES
    threads: int | None = None
    progress: bool | None = False

    def __post_init__(self) -> None:
        arguments.one_of("on_error", self.on_error, ("reject", "raise"))
        arguments.one_of("rejects", self.rejects, ("first", "all"))
        arguments.instance("limits", self.limits, Limits, "toolkit.Limits(...)")
        for name in ("stream_window", "batch_bytes"):  # as int, because NumPy's are not JSON
            object.__setattr__(self, name, arguments.whole(name, getattr(self, name)))
        keep = tuple(arguments.items("keep", self.keep, f"keys such as {_EXAMPLES['keep']!r}"))
        object.__setattr__(self, "keep", keep)
        places = [("path", self.path), ("id", self.id), *(("keep", name) for name in keep)]
        for name, value in places:
            if value is not None and not _is_path(value):
                raise arguments.invalid(name, value, f"keys such as {_EXAMPLES[name]!r}")
        if self.shape is not None:
            arguments.instance("shape", self.shape, Shape, "toolkit.Shape(tokens=..., ...)")
        arguments.threads(self.threads)
        if self.progress is not None:
            arguments.flag("progress", self.progress)

    @property
    def lookup(self) -> Lookup:
        """What to look for in each record."""
        return Lookup(self.path, self.id, tuple(self.keep), self.shape)

    @property
    def thread_count(self) -> int:
        """Number of threads that scan; at least 1."""
        return arguments.threads(self.threads)


def _is_path(value: object) -> bool:
    try:
        return bool(steps_of(arguments.text("path", value).removeprefix("$")))
    except ValueError:
        return False
