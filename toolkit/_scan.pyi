"""The native scanner (``_scan.cpp``), which only `toolkit.loaders.scanner` imports."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

def scan(
    data: bytes,
    starts: NDArray[np.int64],
    stops: NDArray[np.int64],
    breaks: NDArray[np.int64],
    window: int,
) -> tuple[bytes, *tuple[tuple[Any, Any], ...]]: ...
def line_ends(data: bytes) -> int: ...
def events(
    data: bytes, start: int, stop: int, line: int, max_bytes: int
) -> tuple[bytes, bytes, bytes, bytes, int, int, int, int, int, bool]: ...
def documents(
    data: bytes,
    start: int,
    stop: int,
    line: int,
    depth: int,
    in_array: bool,
    is_open: bool,
    follows_value: bool,
    quoted: bool,
    ends_line: bool,
    max_bytes: int,
    most: int,
) -> tuple[bytes, bytes, bytes, int, int, int, int, int, bool, bool, bool, bool, int, int, int]: ...
def lines(text: bytes, start: int, stop: int) -> tuple[bytes, bytes, bool]: ...
