"""Build result DataFrames from NumPy columns, in the declared columns and types."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from toolkit import schema
from toolkit.metrics._arrays.types import Flags


def text_type() -> Any:
    """Return pandas' default type of texts."""
    return pd.Series(["a"]).dtype


Columns = dict[str, np.ndarray]


def categorical(values: np.ndarray, labels: tuple[str, ...]) -> pd.Categorical:
    """Return codes as a categorical of all declared labels."""
    return pd.Categorical.from_codes(values, categories=list(labels))


def integers(values: np.ndarray, known: Flags) -> pd.api.extensions.ExtensionArray:
    """Return whole numbers as pandas' nullable integers of the same width, NA where not known."""
    return pd.arrays.IntegerArray(values, ~known)


def frame(declared: schema.Table, columns: dict[str, Any]) -> pd.DataFrame:
    """Return the declared columns in the declared order."""
    return pd.DataFrame({name: columns[name] for name in declared.names})
