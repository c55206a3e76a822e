"""Measure how far a confidence only says how long the answer is."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

from toolkit import schema
from toolkit.errors import ArgumentError
from toolkit.metrics._arrays import length
from toolkit.metrics._judged import floats, judged
from toolkit.metrics._results import result_frame


def length_confounding(
    confidence: npt.ArrayLike, correct: npt.ArrayLike, n_tokens: npt.ArrayLike
) -> pd.DataFrame:
    """Compare a confidence with the length of the answer: AUROC of length, and within length.

    Long answers are more often wrong, and a sum of logprobs falls with every token, so a confidence
    can seem to separate right from wrong although it only counts tokens.

    Parameters
    ----------
    confidence, correct : array_like of shape (n,)
        As in `toolkit.selective`.
    n_tokens : array_like of shape (n,)
        Length of each answer, such as ``n_tokens`` of `toolkit.sequence_metrics`. Answers that lack
        one of the three values are omitted and counted.

    Returns
    -------
    DataFrame
        One row, in the columns of ``schema.LENGTH_CONFOUNDING``. NaN where there is no pair of a
        right and a wrong answer, or one of the columns does not vary.

    Raises
    ------
    ArgumentError
        As `toolkit.selective`, and if there is not one length per answer.

    Notes
    -----
    ``auroc_length`` is the AUROC of −n_tokens. ``auroc_within_length`` compares right and wrong
    answers within quintiles of length, and pools the pairs of all quintiles. It is 0.5 if the
    confidence says nothing but the quintile; inside a quintile, lengths still differ a little.
    Correlation: Spearman's. Santilli et al. 2025.

    It does not say that the confidence is useless where ``auroc_length`` is high: length itself may
    be a sign of trouble. Compare ``auroc_within_length`` with the AUROC of `toolkit.selective`.

    Examples
    --------
    >>> n_tokens, correct = [3, 5, 4, 60, 70, 50], [1, 1, 0, 0, 0, 1]
    >>> row = length_confounding([-0.3, -0.5, -0.4, -6.0, -7.0, -5.0], correct, n_tokens).iloc[0]
    >>> row[["auroc_length", "length_correlation"]].round(3).tolist()
    [0.778, -1.0]
    """
    judged(confidence, correct, as_probability=False)  # checks both
    columns = [
        floats("confidence", confidence),
        floats("correct", correct, booleans=True),
        floats("n_tokens", n_tokens),
    ]
    if len(columns[2]) != len(columns[0]):
        raise ArgumentError(
            f"n_tokens has {len(columns[2])} values for {len(columns[0])} answers: expected one "
            "each"
        )
    known = ~np.isnan(columns).any(axis=0)
    found = length.length_confounding(*(each[known] for each in columns))
    row = {"n": int(known.sum()), "n_missing": int((~known).sum())} | found
    return result_frame(schema.LENGTH_CONFOUNDING, {name: [value] for name, value in row.items()})
