"""Build result DataFrames in the declared columns and types."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from toolkit import schema
from toolkit.metrics._arrays.types import Flags

Columns = dict[str, np.ndarray]


def text_type() -> Any:
    """Return the type that pandas gives to texts by default; it differs between versions."""
    return pd.Series(["a"]).dtype


def categorical(codes: np.ndarray, categories: tuple[str, ...]) -> pd.Categorical:
    """Return codes as a categorical that has all declared categories."""
    return pd.Categorical.from_codes(codes, categories=list(categories))


def integers(values: np.ndarray, known: Flags) -> pd.api.extensions.ExtensionArray:
    """Return whole numbers as nullable integers of the same width; NA where not known."""
    return pd.arrays.IntegerArray(values, ~known)


def result_frame(declared: schema.Table, columns: Mapping[str, Any]) -> pd.DataFrame:
    """Return the declared columns in the declared order."""
    return pd.DataFrame({name: columns[name] for name in declared.names})
