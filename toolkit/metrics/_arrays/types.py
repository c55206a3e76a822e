"""Types of NumPy arrays: float64, int64, int8 and bool."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
Codes = npt.NDArray[np.int8]
Counts = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]
