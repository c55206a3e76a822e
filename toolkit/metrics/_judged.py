"""Check confidences and correctness of answers; drop incomplete ones, sort and group the rest."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

from toolkit import arguments, schema
from toolkit.errors import ArgumentError
from toolkit.metrics._arrays.clusters import cluster_sums
from toolkit.metrics._arrays.length import length_confounding
from toolkit.metrics._arrays.logprobs import ROUNDING
from toolkit.metrics._arrays.types import Array, Counts, Flags
from toolkit.metrics._clusters import (
    ClusterLabels,
    Clusters,
    clusters_of,
    one_of_each,
    renumbered,
    warn_if_few,
)
from toolkit.metrics._groups import grouped
from toolkit.metrics._results import categorical, result_frame, text_type

SeriesBy: TypeAlias = "pd.Series | Sequence[pd.Series] | None"
"""What judged answers can be grouped by."""

_TRUTH = {  # texts that people label answers with
    **dict.fromkeys(("yes", "y", "true", "t", "right", "correct", "pass", "passed", "1"), True),
    **dict.fromkeys(("no", "n", "false", "f", "wrong", "incorrect", "fail", "failed", "0"), False),
}
_NUMBERS = ("floating", "integer", "mixed-integer-float", "decimal", "empty")


class Judged(NamedTuple):
    """Answers with known confidence and correctness, sorted by both.

    Attributes
    ----------
    confidence, correct : ndarray of float64
    codes : ndarray of int64
        The cluster of each answer, from 0 without gaps.
    n_missing : int
        Answers that lack either; they are omitted.
    cluster : str
        What the clusters are; "answer": each answer is its own.
    length : ndarray of float64
        Tokens of each answer; NaN if unknown.
    """

    confidence: Array
    correct: Array
    codes: Counts
    n_missing: int
    cluster: str
    length: Array

    @property
    def n_clusters(self) -> int:
        """Number of clusters."""
        return int(self.codes.max()) + 1 if len(self.codes) else 0

    def counts(self) -> dict[str, Any]:
        """Return the columns that say what an interval is taken over."""
        return {
            "n": len(self.codes),
            "n_missing": self.n_missing,
            "cluster": self.cluster,
            "n_clusters": self.n_clusters,
        }

    def length_columns(self) -> dict[str, float]:
        """Return the columns that compare confidence and length; NaN if no length is known."""
        known = ~np.isnan(self.length)
        return length_confounding(self.confidence[known], self.correct[known], self.length[known])

    def n_minority(self) -> tuple[int, int]:
        """Return the number of clusters that have a wrong answer, and of those with a right one."""
        right = cluster_sums(self.correct, self.codes)
        wrong = cluster_sums(1.0 - self.correct, self.codes)
        return int((wrong > 0).sum()), int((right > 0).sum())

    def no_interval(self, few: int) -> str | None:
        """Return why there is no interval, of `schema.NO_INTERVAL`; None if there can be one."""
        if not len(self.codes):
            return "no_answers"
        if self.n_clusters < 2:
            return "one_cluster"
        n_wrong, n_right = self.n_minority()
        if min(n_wrong, n_right) >= few:
            return None
        return "few_wrong" if n_wrong <= n_right else "few_right"


def judged_frame(declared: schema.Table, rows: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """Return one row per group in the declared columns; what a row lacks is null."""
    columns: dict[str, Any] = {}
    for column in declared.columns:
        values = [row.get(column.name) for row in rows]
        if column.labels:
            places = [-1 if each is None else column.labels.index(each) for each in values]
            columns[column.name] = categorical(np.array(places, np.int8), column.labels)
        elif column.type == schema.TEXT:
            columns[column.name] = pd.Series(values, dtype=text_type())
        elif column.type == pa.float64():
            numbers = [np.nan if each is None else each for each in values]
            columns[column.name] = np.array(numbers, np.float64)
        elif column.type == pa.int64():
            kind: Any = np.int64 if column.required else "Int64"
            columns[column.name] = pd.Series(values, dtype=kind)
        else:
            columns[column.name] = pd.Series(values, dtype=object)
    return result_frame(declared, columns)


def judged(
    confidence: npt.ArrayLike,
    correct: npt.ArrayLike,
    clusters: ClusterLabels = None,
    n_tokens: npt.ArrayLike | None = None,
    *,
    as_probability: bool = True,
) -> Judged:
    """Return the complete answers; `as_probability`: refuse confidences outside [0, 1]."""
    values = _checked(confidence, correct, as_probability)
    found = _clusters(confidence, clusters, len(values[0]))
    length = _lengths(confidence, n_tokens, len(values[0]))
    answers = complete(*values, found.codes, length, found)
    warn_if_few(answers.n_clusters, len(answers.codes), found.name)
    return answers


def complete(
    confidence: Array, correct: Array, codes: Counts, length: Array, clusters: Clusters
) -> Judged:
    """Return the answers that have confidence and correctness, sorted."""
    known = _known(confidence, correct)
    missing = len(known) - int(known.sum())
    confidence, correct, codes = confidence[known], correct[known], codes[known]
    if clusters.is_given:
        order = np.lexsort((codes, correct, confidence))
        codes = renumbered(codes[order])
    else:
        order = np.lexsort((correct, confidence))
        codes = np.arange(len(order))
    length = length[known][order]
    return Judged(confidence[order], correct[order], codes, missing, clusters.name, length)


def independent(
    confidence: npt.ArrayLike, correct: npt.ArrayLike, clusters: ClusterLabels
) -> tuple[Judged, int]:
    """Return one complete answer of each cluster, and the number of all complete answers."""
    values = _checked(confidence, correct, as_probability=False)
    found = _clusters(confidence, clusters, len(values[0]))
    known = _known(*values)
    rows = one_of_each(found, known)
    length = _lengths(confidence, None, len(rows))
    chosen = complete(values[0][rows], values[1][rows], found.codes[rows], length, found)
    return chosen._replace(n_missing=int((~known).sum())), int(known.sum())


def _known(confidence: Array, correct: Array) -> Flags:
    return ~np.isnan(confidence) & ~np.isnan(correct)


def _clusters(confidence: npt.ArrayLike, labels: ClusterLabels, n: int) -> Clusters:
    found = clusters_of(labels, n)
    _check_index("confidence", confidence, "clusters", labels)
    return found


def _lengths(confidence: npt.ArrayLike, n_tokens: npt.ArrayLike | None, n: int) -> Array:
    """Return checked lengths of answers, null as NaN; all NaN without `n_tokens`."""
    if n_tokens is None:
        return np.full(n, np.nan)
    values = floats("n_tokens", n_tokens)
    if len(values) != n:
        raise ArgumentError(f"n_tokens has {len(values)} values for {n} answers: expected one each")
    _check_index("confidence", confidence, "n_tokens", n_tokens)
    if len(odd := values[(values < 0) | np.isinf(values)]):
        raise ArgumentError(f"n_tokens holds {odd[0]:g}: expected lengths, null for unknown")
    return values


def judged_groups(
    confidence: npt.ArrayLike,
    correct: npt.ArrayLike,
    by: SeriesBy,
    taken: Sequence[str],
    clusters: ClusterLabels = None,
    n_tokens: npt.ArrayLike | None = None,
    *,
    as_probability: bool = True,
) -> tuple[pd.DataFrame, list[Judged]]:
    """Return the values of `by` per group, and the complete answers of each group.

    Raises
    ------
    ArgumentError
        If `confidence`, `correct` or `n_tokens` is not a valid column, or if a Series of `by` has
        no name, a name in `taken`, or not one value per answer.
    """
    values = _checked(confidence, correct, as_probability)
    n = len(values[0])
    found = _clusters(confidence, clusters, n)
    length = _lengths(confidence, n_tokens, n)
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
    parts = zip(*map(groups.split, (*values, found.codes, length)), strict=True)
    rows = [complete(sure, right, codes, tokens, found) for sure, right, codes, tokens in parts]
    if shared := [each for each in rows if each.n_clusters < len(each.codes)]:
        fewest = min(shared, key=lambda each: each.n_clusters)
        warn_if_few(fewest.n_clusters, len(fewest.codes), found.name)
    return groups.keys, rows


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
        column = ", such as one of its columns" if isinstance(values, pd.DataFrame) else ""
        kind = type(values).__name__
        raise ArgumentError(f"{name} is a {kind}: expected an array or a Series{column}")
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
        how = f"; {_conversion(name, column)}" if booleans and kind == "string" else ""
        raise ArgumentError(f"{name} holds {kind}: expected numbers, null for unknown{how}")
    try:
        return column.to_numpy(np.float64, na_value=np.nan, copy=True)
    except OverflowError as error:
        raise ArgumentError(f"{name} holds a number that is too large for a float") from error


def _conversion(name: str, texts: pd.Series) -> str:
    """Return what to type so that texts such as "yes" and "1" become truth or numbers."""
    found = texts.dropna().unique().tolist()
    if all(re.fullmatch(r"\s*[+-]?[0-9.]+\s*", text) for text in found):
        return f"convert the texts: pandas.to_numeric({name})"
    meant = {text: _TRUTH.get(text.strip().lower()) for text in found}
    if None in meant.values():
        return f"convert the texts: {name} == TEXT, where TEXT is what right answers have"
    return f"convert the texts: pandas.Series({name}).map({meant})"
