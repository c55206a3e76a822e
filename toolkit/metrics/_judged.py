"""Confidences beside whether the answers were right: checked, complete, sorted, grouped."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from toolkit import arguments
from toolkit.errors import ArgumentError
from toolkit.metrics._arrays.logprobs import ROUNDING
from toolkit.metrics._arrays.types import Array
from toolkit.metrics._groups import grouped

By = pd.Series | Sequence[pd.Series] | None

_NUMBERS = ("floating", "integer", "mixed-integer-float", "decimal", "empty")


class Judged(NamedTuple):
    """Answers of which confidence and correctness are known, sorted by both.

    Attributes
    ----------
    confidence, correct : ndarray of float64
    n_missing : int
        Answers that lack either, left out.
    """

    confidence: Array
    correct: Array
    n_missing: int


def judged(confidence: npt.ArrayLike, correct: npt.ArrayLike, *, scores: bool = False) -> Judged:
    """Return the complete answers; `scores` allows confidences outside [0, 1]."""
    return complete(*_checked(confidence, correct, scores))


def complete(confidence: Array, correct: Array) -> Judged:
    """Return the answers that lack nothing, sorted."""
    known = ~np.isnan(confidence) & ~np.isnan(correct)
    missing = len(known) - int(known.sum())
    confidence, correct = confidence[known], correct[known]
    order = np.lexsort((correct, confidence))
    return Judged(confidence[order], correct[order], missing)


def judged_groups(
    confidence: npt.ArrayLike,
    correct: npt.ArrayLike,
    by: By,
    taken: Sequence[str],
    *,
    scores: bool = False,
) -> tuple[pd.DataFrame, list[Judged]]:
    """Return the values of `by` per group, and the complete answers of each group.

    Raises
    ------
    ArgumentError
        If confidence and correct are no such columns, or a Series of `by` has no name, one in
        `taken`, or not a value for each answer.
    """
    values = _checked(confidence, correct, scores)
    n = len(values[0])
    columns = [by] if isinstance(by, pd.Series) else ([] if by is None else by)
    if isinstance(columns, str | bytes) or not isinstance(columns, Sequence):
        raise _no_series(by)
    keys: dict[str, Any] = {}
    for each in columns:
        if not isinstance(each, pd.Series):
            raise _no_series(each)
        if not isinstance(each.name, str) or each.name in taken or each.name in keys:
            raise ArgumentError(
                f"by: each Series needs a name of its own, none of {list(taken)}; "
                f"found {each.name!r}"
            )
        if len(each) != n:
            raise ArgumentError(f"by: Series {each.name!r} has {len(each)} values for {n} answers")
        _check_index("confidence", confidence, f"by ({each.name!r})", each)
        keys[each.name] = each.array
    try:
        groups = grouped(pd.DataFrame(keys, index=range(n)), list(keys))
    except TypeError as error:
        raise ArgumentError(f"by: values that cannot be grouped by ({error})") from error
    parts = zip(*(groups.split(each) for each in values), strict=True)
    return groups.keys, [complete(*part) for part in parts]


def _no_series(by: object) -> ArgumentError:
    return arguments.invalid("by", by, "a Series, or a sequence of Series")


def _checked(
    confidence: npt.ArrayLike, correct: npt.ArrayLike, scores: bool
) -> tuple[Array, Array]:
    truth = floats("correct", correct, booleans=True)
    wrong = truth[~np.isnan(truth) & (truth != 0) & (truth != 1)]
    if len(wrong):
        raise ArgumentError(
            f"correct must hold True/False or 1/0, null for unknown; found {wrong[0]:g}"
        )
    sure = floats("confidence", confidence) if scores else probabilities(confidence)
    if len(sure) != len(truth):
        raise ArgumentError(
            f"confidence has {len(sure)} values, correct {len(truth)}; give one each per answer"
        )
    _check_index("confidence", confidence, "correct", correct)
    return sure, truth


def _check_index(name: str, one: object, other_name: str, other: object) -> None:
    """Refuse two Series whose rows are labelled otherwise: they may be of another order."""
    if isinstance(one, pd.Series) and isinstance(other, pd.Series):  # noqa: SIM102
        if not one.index.equals(other.index):
            raise ArgumentError(
                f"{name} and {other_name} are Series of different index; align them, or give "
                "both .to_numpy() if their rows do belong together"
            )


def probabilities(confidence: npt.ArrayLike) -> Array:
    """Return confidences as floats in [0, 1], null as NaN."""
    values = floats("confidence", confidence)
    outside = values[(values < 0) | (values > 1 + ROUNDING)]
    if len(outside):
        raise ArgumentError(
            f"confidence must be probabilities in [0, 1]; found {outside[0]:g} "
            "(of a logprob take np.exp)"
        )
    return np.minimum(values, 1.0)


def floats(name: str, values: npt.ArrayLike, *, booleans: bool = False) -> Array:
    """Return one column of numbers as float64, null as NaN, or say why that is not possible."""
    if isinstance(values, str | bytes | dict | set | pd.DataFrame) or not hasattr(
        values, "__len__"
    ):
        raise ArgumentError(f"{name} must be an array or a Series, not {type(values).__name__}")
    if np.ndim(values) != 1:
        raise ArgumentError(f"{name} must have one dimension, not {np.ndim(values)}")
    column = values if isinstance(values, pd.Series) else pd.Series(np.asarray(values))
    if isinstance(column.dtype, pd.CategoricalDtype):
        column = column.astype(object)
    kind = pd.api.types.infer_dtype(column, skipna=True)
    if kind == "boolean" and not booleans:
        raise ArgumentError(f"{name} holds True and False; are {name} and correct swapped?")
    if kind not in (*_NUMBERS, "boolean"):
        raise ArgumentError(f"{name} must hold numbers, null for unknown; found {kind}")
    return column.to_numpy(np.float64, na_value=np.nan, copy=True)
