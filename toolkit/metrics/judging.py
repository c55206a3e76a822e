"""Compute the probability of a yes (P(True)), and the expected score of a judge."""

from __future__ import annotations

import math
import numbers
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from toolkit import arguments, schema
from toolkit.metrics._label_answers import (
    Answer,
    answer_keys,
    checked_forms,
    matcher_of,
    read_answers,
    text_series,
)
from toolkit.metrics._label_paths import ratio_bounds
from toolkit.metrics._results import result_frame, text_type

if TYPE_CHECKING:
    from toolkit.tables import LogprobTables

_TRUE = ("true", "yes")
_FALSE = ("false", "no")


def p_true(
    lp: LogprobTables,
    *,
    true: str | Sequence[str] = _TRUE,
    false: str | Sequence[str] = _FALSE,
    channel: str = "content",
    position: int = 0,
    after: str | re.Pattern[str] | None = None,
    ignore_case: bool = True,
    ignore_space: bool = True,
) -> pd.DataFrame:
    """Compute P(True): the probability of a yes, given a yes or a no.

    Parameters
    ----------
    lp : LogprobTables
    true, false : str or sequence of str
        The texts that state a yes, and those that state a no.
    channel, position, after, ignore_case, ignore_space
        As in `label_distribution`.

    Returns
    -------
    DataFrame
        One row per answer, in the columns of ``schema.P_TRUE``. ``p_true`` is NaN where neither
        was observed, never 0.5; ``p_true_lower`` and ``p_true_upper`` bound it, whatever the
        unobserved mass is.

    Raises
    ------
    ArgumentError
        As `label_distribution`.

    Notes
    -----
    Kadavath et al. 2022, Language Models (Mostly) Know What They Know: the model is asked whether
    an answer is true.

    Examples
    --------
    >>> import toolkit
    >>> top = [{"token": "Yes", "logprob": -0.1}, {"token": "No", "logprob": -2.5}]
    >>> entry = {"token": "Yes", "logprob": -0.1, "top_logprobs": top}
    >>> choice = {"message": {"content": "Yes"}, "logprobs": {"content": [entry]}}
    >>> toolkit.p_true(toolkit.from_responses({"choices": [choice]}))["p_true"].round(3).tolist()
    [0.917]
    """
    forms = checked_forms({"true": true, "false": false})
    matcher = matcher_of(list(forms.values()), ignore_case, ignore_space)
    found = list(read_answers(lp, matcher, channel, position, after))
    columns = _means(found, [1.0, 0.0])
    answers = [None if answer.stated is None else list(forms)[answer.stated] for answer in found]
    return result_frame(
        schema.P_TRUE,
        {name: text_series(value) for name, value in answer_keys(lp, found, channel).items()}
        | {
            "p_true": columns["mean"],
            "p_true_lower": columns["lower"],
            "p_true_upper": columns["upper"],
            "answer": pd.Series(answers, dtype=text_type()),
            "coverage": columns["coverage"],
        },
    )


def expected_score(
    lp: LogprobTables,
    scale: tuple[int, int] | Mapping[str, float] = (1, 5),
    *,
    channel: str = "content",
    position: int = 0,
    after: str | re.Pattern[str] | None = None,
    ignore_case: bool = False,
    ignore_space: bool = True,
) -> pd.DataFrame:
    """Compute the expected score of a judge, over the scores that it may give.

    Scores are read at one place only. A digit that begins a longer score (1 on a scale to 10)
    counts as a score if the sampled path shows that it ends there; the probability of that end is
    unknown, so the bounds do not assume it. A digit that was not sampled is ambiguous.

    Parameters
    ----------
    lp : LogprobTables
    scale : pair of int, or mapping of str to float
        The least and the greatest whole number, or the texts of the scores with their values.
    channel, position, after, ignore_case, ignore_space
        As in `label_distribution`.

    Returns
    -------
    DataFrame
        One row per answer, in the columns of ``schema.EXPECTED_SCORE``, in units of the scale.
        ``score`` is NaN where no score was observed; ``score_lower`` and ``score_upper`` bound it,
        whatever the unobserved mass is.

    Raises
    ------
    ArgumentError
        If the scale is invalid, or as `label_distribution`.

    Notes
    -----
    G-Eval (Liu et al. 2023): the sum of scores weighted by their probabilities, over the sum of
    these. The bounds assign the unobserved mass to either end of the scale, as far as possible.

    Examples
    --------
    >>> import toolkit
    >>> top = [{"token": "4", "logprob": -0.3}, {"token": "5", "logprob": -1.4}]
    >>> entry = {"token": "4", "logprob": -0.3, "top_logprobs": top}
    >>> choice = {"message": {"content": "4"}, "logprobs": {"content": [entry]}}
    >>> scores = toolkit.expected_score(toolkit.from_responses({"choices": [choice]}))
    >>> scores[["score", "score_lower", "score_upper"]].round(2).values.tolist()
    [[4.25, 4.21, 4.26]]
    """
    worth = _checked_scale(scale)
    matcher = matcher_of([[text] for text in worth], ignore_case, ignore_space)
    found = list(read_answers(lp, matcher, channel, position, after))
    values = list(worth.values())
    columns = _means(found, values)
    answers = [math.nan if answer.stated is None else values[answer.stated] for answer in found]
    return result_frame(
        schema.EXPECTED_SCORE,
        {name: text_series(value) for name, value in answer_keys(lp, found, channel).items()}
        | {
            "score": columns["mean"],
            "score_lower": columns["lower"],
            "score_upper": columns["upper"],
            "answer": np.array(answers, np.float64),
            "coverage": columns["coverage"],
        },
    )


def _means(found: list[Answer], values: list[float]) -> dict[str, np.ndarray]:
    """Return the mean of the labels' values in each answer, and its bounds."""
    rows = []
    for answer in found:
        if answer.reason:
            rows.append((math.nan,) * 4)
            continue
        seen = answer.masses.seen
        total = math.fsum(seen)
        weighted = math.fsum(v * p for v, p in zip(values, seen, strict=True))
        mean = weighted / total if total else math.nan
        low, high = ratio_bounds(values, answer.masses) or (math.nan, math.nan)
        rows.append((mean, low, high, total))
    table = np.array(rows, np.float64).reshape(-1, 4)
    names = ("mean", "lower", "upper", "coverage")
    return {name: table[:, i] for i, name in enumerate(names)}


def _checked_scale(scale: object) -> dict[str, float]:
    """Return the value of each text of a score, or raise `ArgumentError`."""
    if isinstance(scale, Mapping):
        for text, value in scale.items():
            is_number = isinstance(value, numbers.Real) and not isinstance(value, bool)
            if not isinstance(text, str) or not is_number or not math.isfinite(value):
                raise arguments.invalid(f"scale[{text!r}]", value, "a finite number for a text")
        if scale:
            return {text: float(value) for text, value in scale.items()}
    elif isinstance(scale, tuple | list) and len(scale) == 2:
        low, high = scale
        whole = all(isinstance(end, int) and not isinstance(end, bool) for end in scale)
        if whole and low < high <= low + 1000:
            return {str(score): float(score) for score in range(low, high + 1)}
    raise arguments.invalid(
        "scale", scale, "the least and the greatest whole number, or a mapping of texts to numbers"
    )
