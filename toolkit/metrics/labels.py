"""Compute the distribution over labels: classification from token probabilities."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from toolkit import arguments, schema
from toolkit.metrics._label_answers import (
    answer_keys,
    checked_forms,
    matcher_of,
    read_answers,
    text_series,
)
from toolkit.metrics._results import result_frame, text_type

if TYPE_CHECKING:
    from toolkit.tables import LogprobTables


def label_distribution(
    lp: LogprobTables,
    labels: Sequence[str] | Mapping[str, str | Sequence[str]],
    *,
    channel: str = "content",
    position: int = 0,
    after: str | re.Pattern[str] | None = None,
    ignore_case: bool = False,
    ignore_space: bool = True,
    renormalise: bool = False,
) -> pd.DataFrame:
    """Compute the probability of each label as the answer.

    An answer states the longest label at its place that ends where a token ends: the tokens ``1``
    and ``0`` state 10 if both 1 and 10 are labels; the one token ``positively`` does not state
    positive. Tokens are matched byte by byte along exact paths. The distribution is known at each
    step of the sampled path, so a label of several tokens is known along that path alone. An
    alternative that begins a label and was not sampled is ambiguous, and mass outside of the
    alternatives is unobserved; both widen the interval.

    Parameters
    ----------
    lp : LogprobTables
    labels : sequence of str, or mapping of str to str or sequence of str
        The labels, or each with the texts that state it.
    channel : {"content", "prompt", "reasoning", "refusal"}
    position : int
        Position of the token at which the label begins, from 0.
    after : str or compiled pattern, optional
        Read the label after the last occurrence of this, instead of at `position`.
    ignore_case : bool
        Treat texts that differ only in case as equal.
    ignore_space : bool
        Ignore white space around the label: most tokenizers put the blank in front of a word.
    renormalise : bool
        Fill ``share``: the probability among the labels alone, which is not one of the model.

    Returns
    -------
    DataFrame
        One row per answer and label, in the columns of ``schema.LABEL_DISTRIBUTION``. Probabilities
        are from 0 to 1; ``probability_lower`` and ``probability_upper`` bound the true one. For
        each answer, the lower bounds, ``other``, ``ambiguous`` and ``unobserved`` add up to 1.
        Where nothing is known, ``reason`` says why, and the metrics are NaN, never 0.

    Raises
    ------
    ArgumentError
        If two labels share a text, a text is empty, or an option is invalid.

    Notes
    -----
    The unobserved mass could belong to any label, so every upper bound includes it; the bounds are
    valid rather than tight. If an answer ends where a longer label could have followed (1, of 1 and
    10), the probability of that end is unknown, and the whole mass of its path is ambiguous.

    Examples
    --------
    >>> import toolkit
    >>> top = [{"token": " yes", "logprob": -0.5}, {"token": " no", "logprob": -1.5}]
    >>> entry = {"token": " yes", "logprob": -0.5, "top_logprobs": top}
    >>> choice = {"message": {"content": " yes"}, "logprobs": {"content": [entry]}}
    >>> lp = toolkit.from_responses({"choices": [choice]})
    >>> found = toolkit.label_distribution(lp, ["yes", "no"])
    >>> found[["label", "probability_lower", "probability_upper", "is_answer"]].round(3)
      label  probability_lower  probability_upper  is_answer
    0   yes              0.607              0.777       True
    1    no              0.223              0.393      False

    One row per answer: ``found.pivot(index=["response_key", "choice"], columns="label")``.
    """
    forms = checked_forms(labels)
    arguments.one_of("renormalise", renormalise, (True, False))
    matcher = matcher_of(list(forms.values()), ignore_case, ignore_space)
    found = list(read_answers(lp, matcher, channel, position, after))
    n = len(forms)
    rows = {name: np.repeat(value, n) for name, value in answer_keys(lp, found, channel).items()}
    lower = np.array([answer.masses.lower for answer in found]).reshape(-1, n)
    seen = np.array([answer.masses.seen for answer in found]).reshape(-1, n)
    sums = seen.sum(axis=1, keepdims=True)
    share = np.divide(seen, sums, out=np.full_like(seen, np.nan), where=sums > 0)
    return result_frame(
        schema.LABEL_DISTRIBUTION,
        {name: text_series(value) for name, value in rows.items()}
        | {
            "label": pd.Series(list(forms) * len(found), dtype=text_type()),
            "probability_lower": lower.ravel(),
            "probability_upper": np.array([a.masses.upper for a in found]).reshape(-1, n).ravel(),
            "share": (share if renormalise else np.full_like(share, np.nan)).ravel(),
            "is_answer": np.array(
                [answer.stated == label for answer in found for label in range(n)], np.bool_
            ),
        },
    )
