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


class WideFrame(pd.DataFrame):  # type: ignore[misc]
    """A result of many columns and few rows, which a notebook shows as one line for each score.

    In all else it is a DataFrame, and whatever is made from it is a plain one.
    """

    _metadata = ["declared_name"]  # kept out of the columns, and by pickle

    @property
    def _constructor(self) -> type[pd.DataFrame]:
        return pd.DataFrame

    def _repr_html_(self) -> str | None:
        """Return the table that a notebook shows."""
        from toolkit.view.wide import MOST_ROWS, wide_html

        if not 0 < len(self) <= MOST_ROWS:
            return super()._repr_html_()
        return wide_html(self, getattr(schema, self.declared_name.upper()))


def wide_frame(declared: schema.Table, frame: pd.DataFrame) -> WideFrame:
    """Return a result as a `WideFrame`."""
    found = WideFrame(frame)
    found.declared_name = declared.name
    return found


def result_frame(declared: schema.Table, columns: Mapping[str, Any]) -> pd.DataFrame:
    """Return the declared columns in the declared order."""
    return pd.DataFrame({name: columns[name] for name in declared.names})
