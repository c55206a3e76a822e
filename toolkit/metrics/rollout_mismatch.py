"""Compare the logprobs of a rollout with the trainer's logprobs of the same tokens (RL)."""

from __future__ import annotations

from collections.abc import Sequence, Sized
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd

from toolkit import arguments, arrow, schema
from toolkit.errors import ArgumentError
from toolkit.metrics._arrays.log_ratios import summary
from toolkit.metrics._arrays.logprobs import clipped, perplexity
from toolkit.metrics._arrays.types import Array, Counts, Flags
from toolkit.metrics._clusters import ClusterLabels, clusters_of, renumbered
from toolkit.metrics._pairing import choice_requests, logprobs_at, pair, same_tokens
from toolkit.metrics._results import result_frame
from toolkit.schema.results.rollout_mismatch import WEIGHTINGS
from toolkit.tables import LogprobTables, require_tables

if TYPE_CHECKING:
    from toolkit.metrics._pairing import Pairs

TrainerLogprobs: TypeAlias = (
    "LogprobTables | pd.Series | Sequence[float | None] | npt.NDArray[np.generic]"
)
"""The trainer's logprobs: a recording of the same tokens, or one number per row of ``tokens``."""


def rollout_mismatch(
    rollout: LogprobTables,
    trainer: TrainerLogprobs,
    *,
    on: str | None = None,
    channel: str = "content",
    clusters: ClusterLabels = None,
    level: float = 0.95,
) -> pd.DataFrame:
    """Measure how far the policy that is trained is from the one that sampled (off-policy gap).

    The engine that samples and the trainer compute different logprobs for the same tokens, because
    of kernels, precision, stale weights, or because one of them scaled or cut the distribution.
    That makes the gradient biased; these are the figures by which it is watched and corrected.

    Parameters
    ----------
    rollout : LogprobTables
        The recording of the engine that sampled.
    trainer : LogprobTables or array-like
        The same tokens as the trainer scores them: a recording, or a column with one logprob for
        each row of ``rollout.tokens``, null where there is none.
    on : {"custom_id", "position"}, optional
        How two recordings are paired, as in `toolkit.compare`.
    channel : {"content", "prompt", "reasoning", "refusal"}
    clusters : array-like, optional
        A label for each row of ``rollout.choices``: answers of one label are not independent.
        Default: the request, which is the custom_id where it repeats, else the response.
    level : float
        Probability of the intervals, above 0 and below 1.

    Returns
    -------
    DataFrame
        Three rows, in the columns of ``schema.ROLLOUT_MISMATCH``: weighted by token, weighted by
        answer, and of sequences. An answer whose tokens differ in the two recordings is counted in
        ``n_left_out``. NaN where no token has both logprobs.

    Raises
    ------
    ArgumentError
        As `toolkit.compare`; if a column does not have one number per token row.

    Notes
    -----
    r = ln p(trainer) − ln p(rollout) of each sampled token. k1 = −mean r, k2 = mean r²/2 and
    k3 = mean(eʳ − 1 − r) estimate KL(rollout ‖ trainer), because tokens were sampled by the rollout
    (Schulman 2020, Approximating KL divergence). χ² = mean (eʳ − 1)² is never below 0; trainers
    that log mean e²ʳ − 1 (Liu et al. 2025) estimate the same with more noise, because the two
    differ by 2 mean(eʳ − 1), which is 0 but for chance. ESS/n = (Σ eʳ)² / (n Σ e²ʳ) ≈ 1/(1 + χ²).
    The ratio of a whole answer is e to the sum of its r. Intervals are Student's t over clusters:
    of k1 as it is; of what is never below 0, on a logarithmic scale; of ess, on a logit scale.
    Those of shares are Wilson's at the effective number of tokens. With few values and ratios that
    vary much, the mean may miss the rare large ratios, and intervals then cover too rarely.

    The estimates assume that tokens were sampled from the rollout's distribution as it was
    recorded: a temperature or a top-p that the logprobs do not contain shows as a median r below 0.
    Ratios of long answers vary so much that the mean of the row 'sequence' is that of a few
    answers: read its ``ess`` first.

    Examples
    --------
    >>> import toolkit
    >>> entries = [{"token": "a", "logprob": -0.5}, {"token": "b", "logprob": -1.0}]
    >>> body = {"choices": [{"message": {"content": "ab"}, "logprobs": {"content": entries}}]}
    >>> lp = toolkit.from_responses([body, body])
    >>> found = toolkit.metrics.rollout_mismatch(lp, [-0.6, -1.0, -0.5, -1.0])
    >>> found[["weighting", "n", "k1", "k3"]].round(4).values.tolist()
    [['token', 4, 0.025, 0.0012], ['answer', 4, 0.025, 0.0012], ['sequence', 2, 0.05, 0.0024]]
    """
    require_tables(rollout, "rollout")
    level = arguments.level("level", level)
    labels = clusters if clusters is not None else choice_requests(rollout)
    codes = clusters_of(labels, rollout.choices.num_rows).codes
    if isinstance(trainer, LogprobTables):
        pairs = pair(rollout, trainer, on, channel)
        scored = _of_recording(rollout, trainer, pairs)
    else:
        scored = _of_column(rollout, trainer, channel)
    usable = ~np.isnan(scored.rollout) & ~np.isnan(scored.trainer)
    rows = [_row(scored, usable, codes, weighting, level) for weighting in WEIGHTINGS]
    columns: dict[str, Any] = {name: [row[name] for row in rows] for name in rows[0]}
    return result_frame(schema.ROLLOUT_MISMATCH, columns)


class _Scored(NamedTuple):
    """Logprobs of the same tokens, answer after answer; NaN where not usable."""

    choice: Counts  # the row in ``rollout.choices`` of each token
    rollout: Array
    trainer: Array
    n_answers: int  # of both sides, scored or not


def _of_recording(a: LogprobTables, b: LogprobTables, pairs: Pairs) -> _Scored:
    """Return the tokens of the pairs that have the same tokens in both recordings."""
    own = np.flatnonzero(same_tokens(a, b, pairs))
    counts = pairs.counts[0][own]
    rows = [arrow.run_rows(start[own], counts) for start in pairs.starts]
    choice = np.repeat(pairs.row_a[own], counts)
    return _Scored(choice, logprobs_at(a, rows[0]), logprobs_at(b, rows[1]), len(pairs.row_a))


def _of_column(lp: LogprobTables, column: Any, channel: str) -> _Scored:
    """Return the tokens of a channel with the values of one more column."""
    at = schema.CHANNELS.index(arguments.channel(channel))
    counts = lp.choices[f"n_{channel}_tokens"].to_numpy().astype(np.int64)
    rows = np.flatnonzero(arrow.codes(lp.tokens["channel"], schema.CHANNELS) == at)
    trainer = _numbers(column, lp.tokens.num_rows)
    # As in a recording: what cannot be a logprob is not usable, tiny positives are 0.
    unusable = (trainer <= schema.CENSORED_AT_OR_BELOW) | (trainer > schema.INVALID_ABOVE)
    trainer = np.where(unusable, np.nan, clipped(trainer))
    choice = np.repeat(np.arange(len(counts)), counts)
    return _Scored(choice, logprobs_at(lp, rows), trainer[rows], len(counts))


def _numbers(column: Any, n: int) -> Array:
    """Return the column as floats, null as NaN."""
    expected = "a recording, or a column with a logprob for each row of rollout.tokens"
    if isinstance(column, str | bytes | dict | pd.DataFrame) or not isinstance(column, Sized):
        raise arguments.invalid("trainer", column, expected)
    if len(column) != n:
        raise ArgumentError(
            f"trainer has {len(column)} values for {n} rows of rollout.tokens: expected {expected}"
        )
    try:
        values = pd.Series(column).to_numpy(np.float64, na_value=np.nan)
    except (TypeError, ValueError) as error:
        raise ArgumentError(
            f"trainer has values that are not numbers: expected {expected}"
        ) from error
    return values


def _row(
    scored: _Scored, usable: Flags, codes: Counts, weighting: str, level: float
) -> dict[str, Any]:
    """Summarise the log ratios under one weighting."""
    answers, of = np.unique(scored.choice, return_inverse=True)
    n_usable = np.bincount(of, usable, minlength=len(answers))
    log_ratio = np.where(usable, scored.trainer - scored.rollout, 0.0)
    if weighting == "sequence":
        of_value = np.flatnonzero(n_usable == np.bincount(of, minlength=len(answers)))
        values = np.bincount(of, log_ratio, minlength=len(answers))[of_value].astype(np.float64)
    else:
        values, of_value = log_ratio[usable], of[usable]
    weights = 1.0 / n_usable[of_value] if weighting == "answer" else np.ones(len(values))
    own_codes = renumbered(codes[answers[of_value]])
    n_answers = len(np.unique(of_value))
    row = dict.fromkeys(schema.ROLLOUT_MISMATCH.names, np.nan) | {
        "weighting": weighting,
        "n": len(values),
        "n_answers": n_answers,
        "n_clusters": int(own_codes.max(initial=-1)) + 1,
        "n_left_out": scored.n_answers - n_answers,
    }
    if not len(values):
        return row
    row |= {
        f"{how}_log_ratio": float(function(values))
        for how, function in (("median", np.median), ("min", np.min), ("max", np.max))
    }
    for name, ends in summary(values, weights, own_codes, level).items():
        row |= dict(zip((name, f"{name}_lower", f"{name}_upper"), ends, strict=True))
    if weighting != "sequence":
        for name, logprob in (("rollout", scored.rollout), ("trainer", scored.trainer)):
            nll = float(weights @ (0.0 - logprob[usable]))
            row[f"perplexity_{name}"] = float(perplexity(nll, weights.sum()))
    return row
