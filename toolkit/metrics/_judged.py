"""Check confidences and correctness of answers; drop incomplete ones, sort and group the rest."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd

from toolkit import arguments
from toolkit.errors import ArgumentError
from toolkit.metrics._arrays.logprobs import ROUNDING
from toolkit.metrics._arrays.types import Array
from toolkit.metrics._groups import grouped

SeriesBy: TypeAlias = "pd.Series | Sequence[pd.Series] | None"
"""What judged answers can be grouped by."""

_NUMBERS = ("floating", "integer", "mixed-integer-float", "decimal", "empty")


class Judged(NamedTuple):
    """Answers with known confidence and correctness, sorted by both.

    Attributes
    ----------
    confidence, correct : ndarray of float64
    n_missing : int
        Answers that lack either; they are omitted.
    """

    confidence: Array
    correct: Array
    n_missing: int


def judged(
    confidence: npt.ArrayLike, correct: npt.ArrayLike, *, as_probability: bool = True
) -> Judged:
    """Return the complete answers; `as_probability`: refuse confidences outside [0, 1]."""
    return complete(*_checked(confidence, correct, as_probability))


def complete(confidence: Array, correct: Array) -> Judged:
    """Return the answers that have both values, sorted."""
    known = ~np.isnan(confidence) & ~np.isnan(correct)
    missing = len(known) - int(known.sum())
    confidence, correct = confidence[known], correct[known]
    order = np.lexsort((correct, confidence))
    return Judged(confidence[order], correct[order], missing)


def judged_groups(
    confidence: npt.ArrayLike,
    correct: npt.ArrayLike,
    by: SeriesBy,
    taken: Sequence[str],
    *,
    as_probability: bool = True,
) -> tuple[pd.DataFrame, list[Judged]]:
    """Return the values of `by` per group, and the complete answers of each group.

    Raises
    ------
    ArgumentError
        If `confidence` or `correct` is not a valid column, or if a Series of `by` has no name, a
        name in `taken`, or not one value per answer.
    """
    values = _checked(confidence, correct, as_probability)
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
                f"by: each Series needs a unique name, none of {list(taken)}; found {each.name!r}"
            )
        if len(each) != n:
            raise ArgumentError(f"by: Series {each.name!r} has {len(each)} values for {n} answers")
        _check_index("confidence", confidence, f"by ({each.name!r})", each)
        keys[each.name] = each.array
    try:
        groups = grouped(pd.DataFrame(keys, index=range(n)), list(keys))
    except TypeError as error:
        raise ArgumentError(f"by: values that cannot be grouped by ({error})") from error
    answers = zip(*(groups.split(each) for each in values), strict=True)
    return groups.keys, [complete(*each) for each in answers]


def _no_series(by: object) -> ArgumentError:
    return arguments.invalid("by", by, "a Series, or a sequence of Series")


def _checked(
    confidence: npt.ArrayLike, correct: npt.ArrayLike, as_probability: bool
) -> tuple[Array, Array]:
    truth = floats("correct", correct, booleans=True)
    wrong = truth[~np.isnan(truth) & (truth != 0) & (truth != 1)]
    if len(wrong):
        raise ArgumentError(
            f"correct holds {wrong[0]:g}: expected True/False or 1/0, null for unknown"
        )
    sure = probabilities(confidence) if as_probability else floats("confidence", confidence)
    if len(sure) != len(truth):
        raise ArgumentError(
            f"confidence has {len(sure)} values, correct {len(truth)}: expected one each per answer"
        )
    _check_index("confidence", confidence, "correct", correct)
    return sure, truth


def _check_index(name: str, one: object, other_name: str, other: object) -> None:
    """Refuse two Series of different index, because their rows may be in different order."""
    if isinstance(one, pd.Series) and isinstance(other, pd.Series):  # noqa: SIM102
        if not one.index.equals(other.index):
            raise ArgumentError(
                f"{name} and {other_name} are Series of different index; align them, or give "
                "both .to_numpy() if their rows are in the same order"
            )


def probabilities(confidence: npt.ArrayLike) -> Array:
    """Return confidences as floats in [0, 1], null as NaN."""
    values = floats("confidence", confidence)
    outside = values[(values < 0) | (values > 1 + ROUNDING)]
    if len(outside):
        raise ArgumentError(
            f"confidence holds {outside[0]:g}: expected probabilities in [0, 1] "
            "(np.exp of a logprob)"
        )
    return np.minimum(values, 1.0)


def floats(name: str, values: npt.ArrayLike, *, booleans: bool = False) -> Array:
    """Return a column of numbers as float64, null as NaN, or raise `ArgumentError`."""
    if isinstance(values, str | bytes | dict | set | pd.DataFrame) or not hasattr(
        values, "__len__"
    ):
        raise ArgumentError(f"{name} is a {type(values).__name__}: expected an array or a Series")
    try:
        dimensions = np.ndim(values)
    except ValueError:  # lists of different lengths
        dimensions = 2
    if dimensions != 1:
        raise ArgumentError(f"{name} has {dimensions} dimensions: expected one")
    column = values if isinstance(values, pd.Series) else pd.Series(np.asarray(values))
    if isinstance(column.dtype, pd.CategoricalDtype):
        column = column.astype(object)
    kind = pd.api.types.infer_dtype(column, skipna=True)
    if kind == "boolean" and not booleans:
        raise ArgumentError(f"{name} holds True and False; are {name} and correct swapped?")
    if kind not in (*_NUMBERS, "boolean"):
        raise ArgumentError(f"{name} holds {kind}: expected numbers, null for unknown")
    return column.to_numpy(np.float64, na_value=np.nan, copy=True)
