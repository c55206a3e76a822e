"""Estimate the mean score of an evaluation, and compare two runs of it question by question."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import NormalDist
from typing import Any

import numpy as np
import pandas as pd

from toolkit import arguments, schema
from toolkit.errors import ArgumentError, SchemaError
from toolkit.metrics._arrays.clusters import cluster_sums, mean_error, t_interval, t_p_value
from toolkit.metrics._arrays.effective import clustered_interval, of_answers
from toolkit.metrics._arrays.proportions import mcnemar, newcombe
from toolkit.metrics._arrays.types import Array, Counts
from toolkit.metrics._clusters import (
    ClusterLabels,
    Clusters,
    clusters_of,
    renumbered,
    request_labels,
    warn_if_few,
)
from toolkit.metrics._groups import Groups, grouped
from toolkit.metrics._judged import floats
from toolkit.metrics._results import result_frame, text_type

_FEW = 10  # clusters that differ, which the t of a difference needs
_POWER = 0.8  # of the test whose least detectable difference is given


def evaluate(
    table: pd.DataFrame,
    *,
    score: str = "correct",
    by: str | Sequence[str] | None = None,
    clusters: str | ClusterLabels = None,
    level: float = 0.95,
) -> pd.DataFrame:
    """Compute the mean score of an evaluation, with a clustered standard error.

    Parameters
    ----------
    table : DataFrame
        One row per answer with a score, such as the result of `join_labels` or
        `toolkit.metrics.multiple_choice`.
    score : str
        A column of numbers, or of true and false; null for unknown. The probability of the right
        label may take the place of right and wrong: it varies less.
    by : str or sequence of str, optional
        Columns to group by, such as ``"model"``. Null is a group too.
    clusters : str or sequence of labels, optional
        A column, or one label per row, that is the same for answers that depend on each other:
        answers to one question, questions about one passage. Default: the request (custom_id where
        it repeats, else the response), as far as `table` has these columns.
    level : float
        Probability of the interval, above 0 and below 1.

    Returns
    -------
    DataFrame
        The columns of `by`, then those of ``schema.EVALUATE``; groups are sorted. Without `by` one
        row, even without answers. NaN for null.

    Raises
    ------
    SchemaError
        If `table` lacks a column.
    ArgumentError
        If an option is invalid, or `score` is not a column of numbers.

    Warns
    -----
    ToolkitWarning
        If answers share fewer than 20 clusters, where intervals can be too narrow.

    See Also
    --------
    compare_evaluations : two runs of the same questions.

    Notes
    -----
    SE² = G/(G − 1) · n⁻² · Σ_g (Σ_{i in g} (s_i − s̄))² over G clusters (Miller 2024, "Adding error
    bars to evals"). The interval is about other questions like these; it does not cover that the
    questions are few kinds of what one wants to know, nor faults of the labels.

    Examples
    --------
    >>> import pandas as pd, toolkit
    >>> asked = pd.DataFrame({"question": ["a", "a", "b", "b"], "correct": [1, 1, 0, 1]})
    >>> alone = toolkit.evaluate(asked).iloc[0]
    >>> float(alone["mean"]), float(alone["error"])
    (0.75, 0.25)
    """
    _check(table, "table", score)
    keys = arguments.columns("by", by, [str(name) for name in table.columns])
    level = arguments.level("level", level)
    values = floats("score", table[score], booleans=True)
    found = _clusters(table, clusters, "answer")
    groups = grouped(table, keys)
    rows = [
        _mean_row(own, renumbered(codes[~np.isnan(own)]), level)
        for own, codes in zip(groups.split(values), groups.split(found.codes), strict=True)
    ]
    _warn(rows, "n", found)
    return _framed(schema.EVALUATE, groups, rows, found)


def _mean_row(values: Array, codes: Counts, level: float) -> dict[str, float]:
    """Return the row of one group; columns that it lacks are null."""
    scores = values[~np.isnan(values)]
    n, n_clusters = len(scores), len(np.unique(codes))
    row: dict[str, float] = {
        "n": n,
        "n_missing": len(values) - n,
        "n_clusters": n_clusters,
    }
    if not n:
        return row
    mean = float(scores.mean())
    row |= {"mean": mean} | _spread(scores, codes, level)
    if np.isin(scores, (0.0, 1.0)).all():
        low, high = clustered_interval(of_answers(scores, codes), level)
        ends = float(low), float(high)
    else:
        ends = _t(mean, row["error"], n_clusters, level)
    return row | {"mean_lower": ends[0], "mean_upper": ends[1]}


def _spread(values: Array, codes: Counts, level: float) -> dict[str, float]:
    """Return standard error, design effect and least detectable difference of a mean."""
    error, plain = mean_error(values, codes), mean_error(values, np.arange(len(values)))
    normal = NormalDist()
    reach = normal.inv_cdf((1 + level) / 2) + normal.inv_cdf(_POWER)
    return {
        "error": error,
        "design_effect": (error / plain) ** 2 if plain > 0 else math.nan,
        "least_detectable": reach * error if error > 0 else math.nan,
    }


def _t(mean: float, error: float, n_clusters: int, level: float) -> tuple[float, float]:
    """Return the interval of Student's t; NaN if values that do not vary do not show an error."""
    return t_interval(mean, error, n_clusters, level) if error > 0 else (math.nan, math.nan)


def compare_evaluations(
    a: pd.DataFrame,
    b: pd.DataFrame,
    *,
    on: str | Sequence[str] = "custom_id",
    score: str = "correct",
    by: str | Sequence[str] | None = None,
    clusters: str | None = None,
    level: float = 0.95,
) -> pd.DataFrame:
    """Compare two runs of one evaluation, question by question.

    Differences of the same question vary less than the scores of different questions do, so two
    intervals of `evaluate` may overlap where this one excludes 0.

    Parameters
    ----------
    a, b : DataFrame
        One row per answer with a score, of either run. A question with several answers counts once,
        with the mean of its scores.
    on : str or sequence of str
        Columns of both that name the question.
    score : str
        As in `evaluate`.
    by : str or sequence of str, optional
        Columns of both to group by, such as ``"measure"``.
    clusters : str, optional
        A column of `a` that is the same for questions that depend on each other, such as those
        about one passage. Default: each question is independent.
    level : float
        Probability of the intervals, above 0 and below 1.

    Returns
    -------
    DataFrame
        The columns of `by`, then those of ``schema.COMPARE_EVALUATIONS``; groups are sorted.
        Without `by` one row. NaN or NA for null. Questions without a score in both runs are
        omitted and counted.

    Raises
    ------
    SchemaError
        If a table lacks a column.
    ArgumentError
        If an option is invalid, `score` is not a column of numbers, or no question is in both.

    Warns
    -----
    ToolkitWarning
        If questions share fewer than 20 clusters, where intervals can be too narrow.

    See Also
    --------
    toolkit.compare : what the runs answered, and how surely.

    Notes
    -----
    The paired t of Miller (2024) on the differences, clustered. For right and wrong also McNemar's
    exact test (1947), and the interval of Newcombe (1998), which keeps its coverage where the t of
    few questions does not (Bowyer et al. 2025). ``least_detectable`` says which difference so many
    questions can show at all: a smaller observed one is not evidence of equality.

    Examples
    --------
    >>> import pandas as pd, toolkit
    >>> a = pd.DataFrame({"custom_id": list("abcdefgh"), "correct": [1, 0, 0, 0, 1, 0, 0, 1]})
    >>> b = a.assign(correct=[1, 1, 1, 1, 1, 1, 0, 1])
    >>> row = toolkit.compare_evaluations(a, b).iloc[0]
    >>> float(row["difference"]), float(row["mcnemar_p"])
    (0.5, 0.125)
    """
    level = arguments.level("level", level)
    for name, table in (("a", a), ("b", b)):
        _check(table, name, score)
    names = [str(name) for name in a.columns if name in b.columns]
    keys, wanted = arguments.columns("by", by, names), arguments.columns("on", on, names)
    if not wanted:
        raise arguments.invalid("on", on, "the columns that name a question")
    keys = [key for key in keys if key not in wanted]
    pairs = _paired(a, b, keys, wanted, score, clusters)
    if len(a) and len(b) and not (pairs["n_a"].notna() & pairs["n_b"].notna()).any():
        raise ArgumentError(f"no question of a is in b: on={wanted}")
    found = _clusters(pairs, None if clusters is None else "cluster", "pair")
    found = found if clusters is None else found._replace(name=clusters)
    groups = grouped(pairs, keys)
    split = [groups.split(column) for column in (pairs.index.to_numpy(), found.codes)]
    rows = [_pair_row(pairs.loc[at], codes, level) for at, codes in zip(*split, strict=True)]
    _warn(rows, "n_pairs", found)
    return _framed(schema.COMPARE_EVALUATIONS, groups, rows, found)


def _paired(
    a: pd.DataFrame,
    b: pd.DataFrame,
    keys: list[str],
    wanted: list[str],
    score: str,
    clusters: str | None,
) -> pd.DataFrame:
    """Return one row per question: its mean scores in both runs, its cluster, how often asked."""
    sides = []
    for letter, table in (("a", a), ("b", b)):
        if nameless := int(table[wanted].isna().any(axis=1).sum()):
            raise ArgumentError(f"{letter}: {nameless} rows have no {' or '.join(wanted)}")
        name = f"score_{letter}"
        own = table[keys + wanted].assign(**{name: floats("score", table[score], booleans=True)})
        how = {name: (name, "mean"), f"n_{letter}": (name, "count")}
        if letter == "a" and clusters is not None:
            own["cluster"] = table[arguments.one_of("clusters", clusters, list(a.columns))]
            how["cluster"] = ("cluster", "first")
        sides.append(own.groupby(keys + wanted, dropna=False, observed=True, sort=False).agg(**how))
    return sides[0].join(sides[1], how="outer").reset_index()


def _pair_row(pairs: pd.DataFrame, codes: Counts, level: float) -> dict[str, float]:
    """Return the row of one group of questions; columns that it lacks are null."""
    one, other = (pairs[f"score_{letter}"].to_numpy(float) for letter in "ab")
    has = [~np.isnan(x) for x in (one, other)]
    both = has[0] & has[1]
    row: dict[str, float] = {
        "n_pairs": int(both.sum()),
        "n_only_a": int((has[0] & ~both).sum()),
        "n_only_b": int((has[1] & ~both).sum()),
    }
    one, other, codes = one[both], other[both], renumbered(codes[both])
    n, n_clusters = len(one), len(np.unique(codes))
    row["n_clusters"] = n_clusters
    if not n:
        return row
    delta = other - one
    difference = float(delta.mean())
    row |= _spread(delta, codes, level)
    error = row["error"]
    few = int((cluster_sums(np.abs(delta), codes) > 0).sum()) < _FEW
    lower, upper = _t(difference, 0.0 if few else error, n_clusters, level)
    varies = min(one.std(), other.std()) > 0
    row |= {
        "mean_a": float(one.mean()),
        "mean_b": float(other.mean()),
        "difference": difference,
        "difference_lower": lower,
        "difference_upper": upper,
        "p_value": math.nan if few else t_p_value(difference / error, n_clusters - 1),
        "correlation": float(np.corrcoef(one, other)[0, 1]) if varies else math.nan,
    }
    once = (pairs.loc[both, ["n_a", "n_b"]] == 1).all(axis=None)
    if not once or not np.isin([one, other], (0.0, 1.0)).all():
        return row
    gained, lost = int((delta > 0).sum()), int((delta < 0).sum())
    row |= {"n_gained": gained, "n_lost": lost}
    if n_clusters < n:
        return row
    right = int((one * other).sum())
    ends = newcombe(right, lost, gained, n - right - gained - lost, level)
    return row | {
        "mcnemar_p": mcnemar(lost, gained),
        "newcombe_lower": ends[0],
        "newcombe_upper": ends[1],
    }


def _check(table: pd.DataFrame, name: str, score: str) -> None:
    """Raise unless the table is a DataFrame with a column of scores."""
    arguments.instance(name, table, pd.DataFrame)
    if arguments.text("score", score, "the name of a column") not in table.columns:
        raise SchemaError(f"{name} lacks column {score!r}; it has {list(table.columns)}")


def _clusters(table: pd.DataFrame, clusters: str | ClusterLabels, alone: str) -> Clusters:
    """Return the cluster of each row; `alone` names those of rows that are all independent."""
    if isinstance(clusters, str):
        if clusters not in table.columns:
            raise SchemaError(f"table lacks column {clusters!r}; it has {list(table.columns)}")
        clusters = table[clusters]
    elif clusters is None and "response_key" in table:
        clusters = request_labels(table)
    elif clusters is None and "custom_id" in table and table["custom_id"].duplicated().any():
        clusters = table["custom_id"]
    found = clusters_of(clusters, len(table))
    return found if found.is_given else found._replace(name=alone)


def _warn(rows: list[dict[str, float]], count: str, found: Clusters) -> None:
    """Warn once if the answers of a group share few clusters."""
    shared = [row for row in rows if 0 < row["n_clusters"] < row[count]]
    if shared:
        fewest = min(shared, key=lambda row: row["n_clusters"])
        warn_if_few(int(fewest["n_clusters"]), int(fewest[count]), found.name)


def _framed(
    declared: schema.Table, groups: Groups, rows: list[dict[str, float]], found: Clusters
) -> pd.DataFrame:
    """Return the rows in the declared columns, after the keys of their groups."""
    columns: dict[str, Any] = {}
    for column in declared.columns:
        values = [row.get(column.name, math.nan) for row in rows]
        if column.name == "cluster":
            columns["cluster"] = pd.Series([found.name] * len(rows), dtype=text_type())
        elif column.required:
            columns[column.name] = np.array(values, np.int64)
        elif column.type == declared["n_clusters"].type:
            columns[column.name] = pd.array([None if v != v else int(v) for v in values], "Int64")
        else:
            columns[column.name] = np.array(values, np.float64)
    return pd.concat([groups.keys, result_frame(declared, columns)], axis=1)
