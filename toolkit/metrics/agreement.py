"""Compute agreement, majority votes and semantic entropy of several choices per question."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from toolkit import arguments, schema
from toolkit.errors import ArgumentError
from toolkit.metrics._blocks import rows_of
from toolkit.metrics._results import result_frame, text_type
from toolkit.metrics.confidence import confidence_metrics
from toolkit.metrics.sequences import sequence_metrics
from toolkit.tables import require_tables

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
        Takes the text of a choice and returns its answer, or None. Default: the text without white
        space around it.
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
    ballots = _ballots(lp, answer, equal, clusters, weight, keep, by)
    rows = [_tally(group) for _, group in ballots.groupby("group", sort=True)]
    first = ballots.drop_duplicates("group").sort_values("group")
    columns = {name: np.array([row[name] for row in rows]) for name in (rows[0] if rows else ())}
    if not rows:
        return result_frame(schema.AGREEMENT, dict.fromkeys(schema.AGREEMENT.names, []))
    texts = ("majority", "weighted_majority")
    return result_frame(
        schema.AGREEMENT,
        {name: first[name].reset_index(drop=True) for name in schema.AGREEMENT.names[:4]}
        | columns
        | {name: pd.Series([row[name] for row in rows], dtype=text_type()) for name in texts},
    )


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
    ballots = _ballots(lp, answer, equal, clusters, weight, keep, by)
    return result_frame(schema.VOTES, {name: ballots[name] for name in schema.VOTES.names})


def _ballots(
    lp: LogprobTables,
    answer: Any,
    equal: Any,
    clusters: Any,
    weight: Any,
    keep: float,
    by: str,
) -> pd.DataFrame:
    """Return one row per choice, in the order of the table."""
    require_tables(lp)
    _check(answer, equal, clusters, keep, by)
    choices = lp.choices.num_rows
    keys = lp.choices["response_key"].to_numpy()
    rows = rows_of(lp.responses["response_key"].to_numpy(), keys, "responses")
    named = lp.responses.select(["custom_id", "model"]).take(rows).to_pandas()
    ballots = pd.DataFrame({"response_key": keys, "choice": lp.choices["choice"].to_numpy()})
    ballots = pd.concat([ballots, named], axis=1)
    ballots["group"] = _groups(ballots, by)
    answers = _answers(lp, ballots, answer)
    given = _aligned("clusters", clusters, choices) if clusters is not None else None
    ballots["cluster"] = _clustered(ballots, answers, equal, given)
    ballots["answer"] = pd.Series(
        [None if each is None else str(each) for each in answers], dtype=text_type()
    )
    sequences = sequence_metrics(lp)
    mine = sequences[sequences["channel"] == "content"].set_index(["response_key", "choice"])
    index = pd.MultiIndex.from_frame(ballots[["response_key", "choice"]])
    ballots["mean_logprob"] = mine["mean_logprob"].reindex(index).to_numpy()
    ballots["weight"] = _weights(lp, weight, index, choices)
    ballots["is_kept"] = False
    ballots["is_majority"] = False
    for _, group in ballots.groupby("group"):
        ballots.loc[_kept(group, keep), "is_kept"] = True
        largest = _ranked(group["cluster"].dropna().value_counts(sort=False))
        if largest:
            ballots.loc[group.index[group["cluster"] == largest[0][0]], "is_majority"] = True
    return ballots


def _groups(ballots: pd.DataFrame, by: str) -> np.ndarray:
    """Number the questions in order of appearance; a response without custom_id is a question."""
    if by == "response":
        return pd.factorize(ballots["response_key"])[0]
    ids = ballots["custom_id"].astype(object)
    own = ids.isna()
    names = [
        ("key", key) if no_id else ("id", name)
        for key, name, no_id in zip(ballots["response_key"], ids, own, strict=True)
    ]
    return pd.factorize(pd.Series(names, dtype=object))[0]


def _answers(lp: LogprobTables, ballots: pd.DataFrame, answer: Any) -> list[Any]:
    """Return the answer of each choice, or None."""
    found: list[Any] = []
    for text, key, choice in zip(
        lp.choices["content"].to_pylist(), ballots["response_key"], ballots["choice"], strict=True
    ):
        if text is None:
            found.append(None)
        elif answer is None:
            found.append(text.strip() or None)
        else:
            found.append(_called("answer", answer, (text,), key, choice))
    return found


def _called(name: str, function: Any, values: tuple[Any, ...], key: int, choice: int) -> Any:
    try:
        return function(*values)
    except Exception as error:
        raise ArgumentError(
            f"{name} raised {type(error).__name__} at response_key {key}, choice {choice}"
        ) from error


def _clustered(
    ballots: pd.DataFrame, answers: list[Any], equal: Any, given: list[Any] | None
) -> pd.arrays.IntegerArray:
    """Number the clusters of each question in order of appearance; NA for no answer."""
    cluster_of = np.zeros(len(answers), np.int64)
    known = np.zeros(len(answers), np.bool_)
    firsts: dict[int, list[Any]] = {}
    values = answers if given is None else given
    for i, (group, value) in enumerate(zip(ballots["group"].tolist(), values, strict=True)):
        if value is None or answers[i] is None:
            continue
        known[i] = True
        seen = firsts.setdefault(group, [])
        place = ballots["response_key"].iat[i], ballots["choice"].iat[i]
        for number, first in enumerate(seen):
            same = (
                first == value if equal is None else _called("equal", equal, (first, value), *place)
            )
            if same:
                cluster_of[i] = number
                break
        else:
            cluster_of[i] = len(seen)
            seen.append(value)
    return pd.arrays.IntegerArray(cluster_of, ~known)


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


def _kept(group: pd.DataFrame, keep: float) -> pd.Index:
    """Return the given share of the answers, those with most weight, and ties with the last one."""
    able = group[group["cluster"].notna() & group["weight"].notna()]
    if able.empty:
        return able.index
    n = max(1, math.floor(keep * len(able) + 1e-9))
    least = np.sort(able["weight"].to_numpy())[-n]
    return able.index[able["weight"] >= least]


def _ranked(sizes: pd.Series) -> list[tuple[int, float]]:
    """Return clusters and sizes, the largest first; equal ones in order of appearance."""
    return sorted(sizes.items(), key=lambda item: (-item[1], item[0]))


def _tally(group: pd.DataFrame) -> dict[str, Any]:
    """Count the votes of one question."""
    able = group[group["cluster"].notna()]
    sizes = _ranked(able["cluster"].value_counts(sort=False))
    kept = able[able["is_kept"]]
    heavy = _ranked(kept.groupby("cluster")["weight"].agg(math.fsum)) if len(kept) else []
    scored = able.dropna(subset="mean_logprob")
    likely = scored.groupby("cluster")["mean_logprob"].agg(lambda lp: math.fsum(np.exp(lp)))
    return {
        "n_choices": len(group),
        "n_answered": len(able),
        "n_clusters": len(sizes),
        "majority": _first_of(able, sizes),
        "majority_share": _share(sizes, 0),
        "margin": _share(sizes, 0) - _share(sizes, 1),
        "vote_entropy": _entropy(able["answer"].value_counts().tolist()),
        "semantic_entropy_discrete": _entropy([size for _, size in sizes]),
        "semantic_entropy": _entropy(likely.tolist()),
        "n_scored": len(scored),
        "n_kept": len(kept),
        "weighted_majority": _first_of(kept, heavy),
        "weighted_share": _share(heavy, 0),
        "weighted_margin": _share(heavy, 0) - _share(heavy, 1),
    }


def _first_of(ballots: pd.DataFrame, ranked: list[tuple[int, float]]) -> str | None:
    """Return the first answer of the largest cluster."""
    if not ranked or not ranked[0][1]:
        return None
    return ballots[ballots["cluster"] == ranked[0][0]]["answer"].iloc[0]


def _share(ranked: list[tuple[int, float]], place: int) -> float:
    """Return the share of the cluster at a place of the ranking."""
    total = math.fsum(size for _, size in ranked)
    if not total:
        return math.nan
    return ranked[place][1] / total if place < len(ranked) else 0.0


def _entropy(sizes: list[float]) -> float:
    total = math.fsum(sizes)
    if not total:
        return math.nan
    return 0.0 - math.fsum(s / total * math.log(s / total) for s in sizes if s)


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
    return [
        None if value is None or value is pd.NA or value != value else value for value in listed
    ]
