"""Compute agreement, majority votes and semantic entropy of several choices per question."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from toolkit import arguments, schema
from toolkit.errors import ArgumentError
from toolkit.metrics._arrays import ballots
from toolkit.metrics._arrays.types import Counts
from toolkit.metrics._blocks import rows_of
from toolkit.metrics._results import integers, result_frame, text_type
from toolkit.metrics.confidence import confidence_metrics
from toolkit.metrics.sequences import sequence_metrics
from toolkit.tables import require_tables, require_texts

if TYPE_CHECKING:
    from toolkit.tables import LogprobTables

_BY = ("response", "custom_id")


def agreement(
    lp: LogprobTables,
    *,
    answer: Callable[[str], Any] | None = None,
    equal: Callable[[Any, Any], bool] | None = None,
    clusters: Sequence[Any] | npt.NDArray[Any] | pd.Series | None = None,
    weight: str | Sequence[float] | npt.NDArray[Any] | pd.Series | None = None,
    keep: float = 1.0,
    by: str = "response",
) -> pd.DataFrame:
    """Compute agreement, majority vote and entropy of the choices per question.

    Parameters
    ----------
    lp : LogprobTables
    answer : callable, optional
        Takes the text of a choice and returns its answer; None or NaN: it has none. Default: the
        text without white space around it.
    equal : callable, optional
        Takes two answers and returns whether they mean the same. An answer joins the first cluster
        whose first answer equals it, in the order of the choices. Default: ``==``.
    clusters : array-like, optional
        Instead of `equal`: a cluster for each row of ``lp.choices``; null: no answer.
    weight : str or array-like, optional
        A column of `confidence_metrics` or `sequence_metrics` that is never below 0 (such as
        ``"tail_confidence"`` or ``"mean_probability"``), or a number for each row of
        ``lp.choices``. Default: equal weights.
    keep : float
        Share of the answers that take part in the weighted vote, those with the most weight; above
        0 and up to 1. At least one is kept, and every answer that ties with the last one.
    by : {"response", "custom_id"}
        A question is one response with its choices, or all responses of a custom_id.

    Returns
    -------
    DataFrame
        One row per question, in the columns of ``schema.AGREEMENT``. Shares are of the choices
        that have an answer; entropies are in nats, lower is more certain. NaN without answers,
        never 0.

    Raises
    ------
    ArgumentError
        If an option is invalid, or `answer` or `equal` raises.

    Notes
    -----
    Majority vote: Wang et al. 2023 (self-consistency). Weights and `keep`: Fu et al. 2025
    (DeepConf). Semantic entropy: Kuhn et al. 2023, Farquhar et al. 2024, with `equal` instead of
    their entailment model.

    Examples
    --------
    >>> import toolkit
    >>> def choice(text, logprob):
    ...     logprobs = {"content": [{"token": text, "logprob": logprob}]}
    ...     return {"message": {"content": text}, "logprobs": logprobs}
    >>> body = {"choices": [choice("4", -0.1), choice("4.", -0.5), choice("5", -1.0)]}
    >>> found = toolkit.agreement(toolkit.from_responses(body), answer=lambda text: text.strip("."))
    >>> found[["majority", "majority_share", "vote_entropy"]].round(3).values.tolist()
    [['4', 0.667, 0.637]]
    """
    table, rows = _ballots(lp, answer, equal, clusters, weight, keep, by)
    first = table.drop_duplicates("group").sort_values("group").reset_index(drop=True)
    named = {name: first[name] for name in schema.AGREEMENT.names[:4]}
    return result_frame(schema.AGREEMENT, named | _tally(table, rows, len(first)))


def votes(
    lp: LogprobTables,
    *,
    answer: Callable[[str], Any] | None = None,
    equal: Callable[[Any, Any], bool] | None = None,
    clusters: Sequence[Any] | npt.NDArray[Any] | pd.Series | None = None,
    weight: str | Sequence[float] | npt.NDArray[Any] | pd.Series | None = None,
    keep: float = 1.0,
    by: str = "response",
) -> pd.DataFrame:
    """Return the vote of each choice: the rows that `agreement` summarises.

    Parameters
    ----------
    lp : LogprobTables
    answer, equal, clusters, weight, keep, by
        As in `agreement`.

    Returns
    -------
    DataFrame
        One row per choice, in the order of ``lp.choices``, in the columns of ``schema.VOTES``.

    Raises
    ------
    ArgumentError
        As `agreement`.

    Examples
    --------
    >>> import toolkit
    >>> body = {"choices": [{"message": {"content": text}, "logprobs": {"content": [
    ...     {"token": text, "logprob": -0.1}]}} for text in ("yes", "no", "yes")]}
    >>> toolkit.votes(toolkit.from_responses(body))[["answer", "is_majority"]].values.tolist()
    [['yes', True], ['no', False], ['yes', True]]
    """
    table, _ = _ballots(lp, answer, equal, clusters, weight, keep, by)
    return result_frame(schema.VOTES, {name: table[name] for name in schema.VOTES.names})


class _Able(NamedTuple):
    """The choices that have an answer, and what they vote for."""

    rows: Counts  # in ``lp.choices``
    groups: Counts
    cells: ballots.Cells  # by meaning
    texts: ballots.Cells  # by text
    votes: ballots.Ranking


def _ballots(
    lp: LogprobTables,
    answer: Any,
    equal: Any,
    clusters: Any,
    weight: Any,
    keep: float,
    by: str,
) -> tuple[pd.DataFrame, _Able]:
    """Return one row per choice, in the order of the table, and those with an answer."""
    require_tables(lp)
    _check(answer, equal, clusters, keep, by)
    n = lp.choices.num_rows
    keys = lp.choices["response_key"].to_numpy()
    rows = rows_of(lp.responses["response_key"].to_numpy(), keys, "responses")
    named = lp.responses.select(["custom_id", "model"]).take(rows).to_pandas()
    table = pd.DataFrame({"response_key": keys, "choice": lp.choices["choice"].to_numpy()})
    table = pd.concat([table, named], axis=1)
    table["group"] = group = _groups(table, by)
    answers = _answers(lp, table, answer)
    given = _aligned("clusters", clusters, n) if clusters is not None else answers
    texts = [None if each is None else str(each) for each in answers]
    table["answer"] = pd.Series(texts, dtype=text_type())
    is_able = np.array([None not in pair for pair in zip(answers, given, strict=True)], np.bool_)
    own = np.flatnonzero(is_able)
    cluster = np.zeros(n, np.int64)
    cluster[own] = _clustered([given[i] for i in own], group[own], equal, table.iloc[own])
    table["cluster"] = integers(cluster, is_able)
    sequences = sequence_metrics(lp)
    mine = sequences[sequences["channel"] == "content"].set_index(["response_key", "choice"])
    index = pd.MultiIndex.from_frame(table[["response_key", "choice"]])
    table["mean_logprob"] = mine["mean_logprob"].reindex(index).to_numpy()
    table["weight"] = weights = _weights(lp, weight, index, n)
    n_groups = int(group.max(initial=-1)) + 1
    table["is_kept"] = table["is_majority"] = False
    weighed = own[~np.isnan(weights[own])]
    table.loc[weighed, "is_kept"] = ballots.kept(weights[weighed], group[weighed], keep, n_groups)
    found = ballots.cells(group[own], cluster[own])
    sizes = np.bincount(found.of, minlength=len(found.groups)).astype(np.float64)
    ranks = ballots.ranking(sizes, found, n_groups)
    table.loc[own, "is_majority"] = found.of == ranks.cell[group[own]]
    written = ballots.cells(group[own], _hashed([texts[i] for i in own]))
    return table, _Able(own, group[own], found, written, ranks)


def _groups(table: pd.DataFrame, by: str) -> np.ndarray:
    """Number the questions in order of appearance; a response without custom_id is a question."""
    keys = pd.factorize(table["response_key"])[0]
    if by == "response":
        return keys
    ids, _ = pd.factorize(table["custom_id"])
    return pd.factorize(np.where(ids < 0, ids.max(initial=-1) + 1 + keys, ids))[0]


def _answers(lp: LogprobTables, table: pd.DataFrame, answer: Any) -> list[Any]:
    """Return the answer of each choice; None without one, or if it is NaN."""
    require_texts(lp)
    found: list[Any] = []
    for text, key, choice in zip(
        lp.choices["content"].to_pylist(), table["response_key"], table["choice"], strict=True
    ):
        if text is None:
            found.append(None)
        elif answer is None:
            found.append(text.strip() or None)
        else:
            found.append(_called("answer", answer, (text,), key, choice))
    return [None if _is_null(each) else each for each in found]


def _called(name: str, function: Any, values: tuple[Any, ...], key: int, choice: int) -> Any:
    try:
        return function(*values)
    except Exception as error:
        raise ArgumentError(
            f"{name} raised {type(error).__name__} at response_key {key}, choice {choice}"
        ) from error


def _clustered(values: list[Any], groups: Counts, equal: Any, table: pd.DataFrame) -> Counts:
    """Number the clusters of each question in order of appearance."""
    if equal is None:
        try:
            return ballots.appearance(groups, _hashed(values))
        except TypeError:  # an answer that cannot be hashed, such as a list
            equal = operator.eq
    numbers = np.zeros(len(values), np.int64)
    firsts: dict[int, list[Any]] = {}
    places = zip(table["response_key"].tolist(), table["choice"].tolist(), strict=True)
    for i, (group, value, place) in enumerate(zip(groups.tolist(), values, places, strict=True)):
        seen = firsts.setdefault(group, [])
        for number, first in enumerate(seen):
            if _called("equal", lambda a, b: bool(equal(a, b)), (first, value), *place):
                numbers[i] = number
                break
        else:
            numbers[i] = len(seen)
            seen.append(value)
    return numbers


def _hashed(values: list[Any]) -> Counts:
    """Number values in order of appearance; equal ones have the same number."""
    seen: dict[Any, int] = {}
    return np.array([seen.setdefault(value, len(seen)) for value in values], np.int64)


def _weights(lp: LogprobTables, weight: Any, index: pd.MultiIndex, n: int) -> np.ndarray:
    """Return the weight of each choice; NaN where it is null."""
    if weight is None:
        return np.ones(n)
    if isinstance(weight, str):
        for table in (confidence_metrics, sequence_metrics):
            metrics = table(lp)
            if weight in metrics.select_dtypes("number"):
                mine = metrics[metrics["channel"] == "content"]
                mine = mine.set_index(["response_key", "choice"])[weight]
                values = mine.reindex(index).to_numpy(float, na_value=math.nan)
                break
        else:
            expected = "a numeric column of confidence_metrics or sequence_metrics"
            raise arguments.invalid("weight", weight, expected)
    else:
        try:
            values = np.array(_aligned("weight", weight, n), np.float64)
        except (TypeError, ValueError) as error:
            raise ArgumentError("weight has values that are not numbers") from error
    if (values < 0).any() or np.isinf(values).any():
        name = f"weight={weight!r}" if isinstance(weight, str) else "weight"
        raise ArgumentError(f"{name} has values below 0 or infinite: expected finite ones from 0")
    return values


def _tally(table: pd.DataFrame, able: _Able, n: int) -> dict[str, Any]:
    """Count the votes of each of `n` questions."""
    group, answer = table["group"].to_numpy(), table["answer"].to_numpy()[able.rows]
    is_kept = table["is_kept"].to_numpy()[able.rows]
    n_cells = len(able.cells.groups)
    sizes = np.bincount(able.cells.of, minlength=n_cells).astype(np.float64)
    said = np.bincount(able.texts.of, minlength=len(able.texts.groups)).astype(np.float64)
    logprob = table["mean_logprob"].to_numpy(float)[able.rows]
    scored = ~np.isnan(logprob)
    likely = ballots.sums(np.exp(logprob[scored]), able.cells.of[scored], n_cells)
    weighed = able._replace(rows=able.rows[is_kept], groups=able.groups[is_kept])
    heavy = ballots.cells(weighed.groups, table["cluster"].to_numpy()[weighed.rows].astype("i8"))
    weight = table["weight"].to_numpy(float)[weighed.rows]
    ranks = ballots.ranking(ballots.sums(weight, heavy.of, len(heavy.groups)), heavy, n)
    return {
        "n_choices": np.bincount(group, minlength=n),
        "n_answered": np.bincount(able.groups, minlength=n),
        "n_clusters": np.bincount(able.cells.groups, minlength=n),
        "majority": _first_of(answer, able.cells, able.votes),
        "majority_share": able.votes.share,
        "margin": able.votes.margin,
        "vote_entropy": ballots.entropies(said, able.texts, n),
        "semantic_entropy_discrete": ballots.entropies(sizes, able.cells, n),
        "semantic_entropy": ballots.entropies(likely, able.cells, n),
        "n_scored": np.bincount(able.groups[scored], minlength=n),
        "n_kept": np.bincount(weighed.groups, minlength=n),
        "weighted_majority": _first_of(answer[is_kept], heavy, ranks),
        "weighted_share": ranks.share,
        "weighted_margin": ranks.margin,
    }


def _first_of(answers: Any, cells: ballots.Cells, ranks: ballots.Ranking) -> pd.Series:
    """Return the first answer of the largest cell of each question; null where all weigh 0."""
    found = np.full(len(ranks.cell), None, object)
    exists = ranks.first > 0
    found[exists] = np.asarray(answers, object)[cells.first[ranks.cell[exists]]]
    return pd.Series(found, dtype=text_type())


# Arguments


def _check(answer: Any, equal: Any, clusters: Any, keep: Any, by: Any) -> None:
    for name, function in (("answer", answer), ("equal", equal)):
        if function is not None and not callable(function):
            raise arguments.invalid(name, function, "a function or None")
    if equal is not None and clusters is not None:
        raise ArgumentError("equal and clusters exclude each other: expected one of them")
    arguments.share("keep", keep)
    arguments.one_of("by", by, _BY)


def _aligned(name: str, values: Any, n: int) -> list[Any]:
    """Return one value per choice, null as None."""
    if isinstance(values, str) or not isinstance(values, Sequence | np.ndarray | pd.Series):
        found = type(values).__name__
        raise ArgumentError(f"{name} is a {found}: expected a value for each choice")
    listed = list(values)
    if len(listed) != n:
        raise ArgumentError(
            f"{name} has {len(listed)} values: expected one for each of {n} choices"
        )
    return [None if _is_null(value) else value for value in listed]


def _is_null(value: Any) -> bool:
    return value is None or bool(pd.api.types.is_scalar(value) and pd.isna(value))
