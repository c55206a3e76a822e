"""Measure how far a confidence only says how long the answer is."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

from toolkit import arguments, schema
from toolkit.metrics._judged import judged, judged_frame


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
        As `toolkit.selective`.

    Notes
    -----
    ``auroc_length`` is the AUROC of −n_tokens. ``auroc_within_length`` compares right and wrong
    answers within quintiles of length, and pools the pairs of all quintiles. It is 0.5 if the
    confidence says nothing but the quintile; inside a quintile, lengths still differ a little.
    Correlation: Spearman's. Santilli et al. 2025.

    It does not say that the confidence is useless where ``auroc_length`` is high: length itself may
    be a sign of trouble. Compare ``auroc_within_length`` with the AUROC of `toolkit.selective`,
    which has these columns too if it is given `n_tokens`.

    Examples
    --------
    >>> n_tokens, correct = [3, 5, 4, 60, 70, 50], [1, 1, 0, 0, 0, 1]
    >>> row = length_confounding([-0.3, -0.5, -0.4, -6.0, -7.0, -5.0], correct, n_tokens).iloc[0]
    >>> row[["auroc_length", "length_correlation"]].round(3).tolist()
    [0.778, -1.0]
    """
    if n_tokens is None:
        raise arguments.invalid("n_tokens", n_tokens, "the length of each answer")
    group = judged(confidence, correct, n_tokens=n_tokens, as_probability=False)
    missing = int(np.isnan(group.length).sum())
    counts = {"n": len(group.length) - missing, "n_missing": group.n_missing + missing}
    return judged_frame(schema.LENGTH_CONFOUNDING, [counts | group.length_columns()])
