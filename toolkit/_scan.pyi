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
def lines(text: bytes, start: int, stop: int) -> tuple[bytes, bytes, bool]: ...
