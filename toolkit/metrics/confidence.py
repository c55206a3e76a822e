"""Compute the confidence of tokens and answers, for ranking and filtering answers (DeepConf)."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pandas as pd

from toolkit import arguments, arrow, schema
from toolkit.metrics import tokens
from toolkit.metrics._arrays import windows
from toolkit.metrics._arrays.entropy import entropy_terms
from toolkit.metrics._arrays.logprobs import clipped
from toolkit.metrics._arrays.segments import (
    ratio,
    segment_count,
    segment_mean,
    segment_min,
    segment_nansum,
    segment_sum,
    worst_mean,
)
from toolkit.metrics._arrays.types import Array, Codes, Counts, Flags
from toolkit.metrics._blocks import Block, fill
from toolkit.metrics._results import Columns, categorical, integers, result_frame
from toolkit.metrics.sequences import find_sequences, sequence_keys
from toolkit.tables import require_tables

if TYPE_CHECKING:
    from toolkit.tables import LogprobTables

_LISTED = ("confidence", "self_certainty_topk", "entropy_partial", "varentropy_topk")


def token_confidence(
    lp: LogprobTables, *, k: int | None = None, window: int = 2048
) -> pd.DataFrame:
    """Compute the confidence of each token: how peaked the k likeliest entries of its list are.

    Parameters
    ----------
    lp : LogprobTables
    k : int, optional
        Entries used of each list. Default: the most frequent length of a list, which excludes an
        entry that a server added for the sampled token; it depends on all tokens in `lp`.
    window : int
        Number of tokens whose mean is ``group_confidence``.

    Returns
    -------
    DataFrame
        One row per token, in the columns of ``schema.TOKEN_CONFIDENCE``, in nats; NaN where a list
        has fewer than `k` usable entries. **Higher confidence is more certain**, because
        alternatives that are less likely add more.

    Raises
    ------
    ArgumentError
        If `k` or `window` is not a whole number of at least 1.

    Notes
    -----
    Fu et al. 2025, Deep Think with Confidence. Values for different k cannot be compared.

    Examples
    --------
    >>> import toolkit
    >>> top = [{"token": "a", "logprob": -0.5}, {"token": "b", "logprob": -1.5}]
    >>> entry = {"token": "a", "logprob": -0.5, "top_logprobs": top}
    >>> choice = {"message": {"content": "a"}, "logprobs": {"content": [entry]}}
    >>> lp = toolkit.from_responses({"choices": [choice]})
    >>> toolkit.metrics.token_confidence(lp)[["k", "confidence"]].values.tolist()
    [[2, 1.0]]
    """
    window = arguments.whole("window", window)
    lists = _read(lp, k)
    found = find_sequences(lp)
    group = np.full(lp.tokens.num_rows, np.nan)
    known, offsets = _known(lists.columns["confidence"], found.offsets)
    place = np.arange(len(known)) - np.repeat(offsets[:-1], np.diff(offsets))
    group[known[place >= window - 1]] = windows.means(
        lists.columns["confidence"][known], offsets, window
    )
    table = lp.tokens
    return result_frame(
        schema.TOKEN_CONFIDENCE,
        lists.columns
        | {name: table[name].to_numpy() for name in ("response_key", "choice", "position")}
        | {
            "channel": categorical(arrow.codes(table["channel"], schema.CHANNELS), schema.CHANNELS),
            "k": lists.k_column(table.num_rows),
            "group_confidence": group,
        },
    )


def confidence_metrics(
    lp: LogprobTables,
    *,
    k: int | None = None,
    window: int = 2048,
    bottom: float = 0.1,
    min_k: float = 0.2,
) -> pd.DataFrame:
    """Compute the confidence of each answer, by measures that rank and filter.

    Parameters
    ----------
    lp : LogprobTables
    k, window
        As in `token_confidence`. If an answer is shorter than the window, every group measure is
        its mean.
    bottom : float
        Share of the windows whose mean is ``bottom_group_confidence``, above 0 and up to 1.
    min_k : float
        Share of the tokens whose mean is ``min_k_logprob``, above 0 and up to 1.

    Returns
    -------
    DataFrame
        The rows of `sequence_metrics`, in the columns of ``schema.CONFIDENCE_METRICS``; higher is
        more certain, except for ``entropy_rate`` and ``varentropy_topk``. NaN where no token has
        the values, never 0 or 1, and for an answer with an invalid logprob, as in
        `sequence_metrics`.

    Raises
    ------
    ArgumentError
        If an option is out of range.

    Notes
    -----
    DeepConf: Fu et al. 2025. Normalised by length: Malinin and Gales 2021. The sources of the other
    measures are in ``schema.CONFIDENCE_METRICS``.

    Examples
    --------
    >>> import toolkit
    >>> top = [{"token": "a", "logprob": -0.5}, {"token": "b", "logprob": -1.5}]
    >>> entry = {"token": "a", "logprob": -0.5, "top_logprobs": top}
    >>> choice = {"message": {"content": "aa"}, "logprobs": {"content": [entry, entry]}}
    >>> lp = toolkit.from_responses({"choices": [choice]})
    >>> row = toolkit.confidence_metrics(lp).iloc[0]
    >>> row[["confidence", "tail_confidence", "mean_logprob"]].astype(float).tolist()
    [1.0, 1.0, -0.5]
    """
    window = arguments.whole("window", window)
    bottom, min_k = arguments.share("bottom", bottom), arguments.share("min_k", min_k)
    lists, found = _read(lp, k), find_sequences(lp)
    status, is_logit = tokens.of_answers(lp)
    columns = _sums(lp, status, found.offsets, min_k)
    columns |= _list_sums(lists.without(is_logit), found.offsets, window, bottom)
    n_rows = len(found.choice_row)
    filled = {}
    for name, values in columns.items():
        is_count = values.dtype.kind == "i"
        filled[name] = np.full(n_rows, 0 if is_count else np.nan, values.dtype)
        filled[name][found.filled] = values
    return result_frame(
        schema.CONFIDENCE_METRICS,
        sequence_keys(lp, found) | filled | {"k": lists.k_column(n_rows)},
    )


def _sums(lp: LogprobTables, status: Codes, offsets: Counts, min_k: float) -> Columns:
    """Reduce the logprobs of the sampled tokens, sequence by sequence."""
    is_ok = status == tokens.OK
    logprob = np.where(is_ok, clipped(arrow.floats(lp.tokens["logprob"])), np.nan)
    n_ok = segment_count(is_ok, offsets)
    total = segment_nansum(logprob, offsets)
    mean = ratio(total, n_ok)
    lowest = segment_min(np.where(is_ok, logprob, np.inf), offsets)
    return {
        "n_tokens": np.diff(offsets),
        "n_ok": n_ok,
        "sum_logprob": total,
        "mean_logprob": mean,
        "probability": np.exp(total),
        "mean_probability": np.exp(mean),
        "min_probability": np.exp(np.where(n_ok > 0, lowest, np.nan)),
        "min_k_logprob": worst_mean(logprob, offsets, share=min_k),
    }


def _list_sums(lists: _Lists, offsets: Counts, window: int, bottom: float) -> Columns:
    """Reduce the measures of the tokens' lists, sequence by sequence."""
    confidence = lists.columns["confidence"]
    n_lists = segment_count(~np.isnan(confidence), offsets)
    means = {name: segment_mean(lists.columns[name], offsets) for name in _LISTED}
    return {
        "n_lists": n_lists,
        "n_short": segment_count(lists.n_entries > 0, offsets) - n_lists,
        "confidence": means["confidence"],
        **_groups(confidence, offsets, window, bottom),
        "self_certainty_topk": means["self_certainty_topk"],
        "entropy_rate": means["entropy_partial"],
        "varentropy_topk": means["varentropy_topk"],
    }


class _Lists(NamedTuple):
    """Measures of the k likeliest entries of each token."""

    k: int | None
    n_entries: Counts
    columns: Columns

    def without(self, rows: Flags) -> _Lists:
        """Return the measures with null in some rows."""
        columns = {name: np.where(rows, np.nan, each) for name, each in self.columns.items()}
        return self._replace(n_entries=np.where(rows, 0, self.n_entries), columns=columns)

    def k_column(self, n: int) -> Any:
        return integers(np.full(n, self.k or 0, np.int64), np.full(n, self.k is not None))


def _read(lp: LogprobTables, k: int | None) -> _Lists:
    """Compute the measures of every token; `k` None: the most frequent length of a list."""
    require_tables(lp)
    if k is not None:
        k = arguments.whole("k", k)
    n_tokens = lp.tokens.num_rows
    n_entries = np.zeros(n_tokens, np.int64)
    fill({"n_entries": n_entries}, _n_usable, lp)
    if k is None:
        some = n_entries[n_entries > 0]
        k = int(np.bincount(some).argmax()) if len(some) else None
    columns = {name: np.full(n_tokens, np.nan) for name in _LISTED}
    if k is not None:
        fill(columns, lambda block: _reduce(block, k), lp)
    return _Lists(k, n_entries, columns)


def _n_usable(block: Block) -> Columns:
    usable = tokens.entries(block.alternatives, block.offsets).usable
    return {"n_entries": segment_count(usable, block.offsets)}


def _reduce(block: Block, k: int) -> Columns:
    """Reduce the k likeliest entries of each token of a block."""
    offsets = block.offsets
    found = tokens.entries(block.alternatives, offsets)
    ranking = np.where(found.usable, found.logprob, -np.inf)
    falls = (ranking[1:] <= ranking[:-1]) | (found.ids[1:] != found.ids[:-1])
    order = np.arange(len(ranking)) if falls.all() else np.lexsort((-ranking, found.ids))
    logprob = ranking[order]
    place = np.arange(len(ranking)) - np.repeat(offsets[:-1], np.diff(offsets))
    taken = (place < k) & (logprob > -np.inf)
    logprob = np.where(taken, logprob, 0.0)
    p = np.where(taken, np.exp(logprob), 0.0)
    enough = segment_count(taken, offsets) == k
    total = segment_sum(logprob, offsets)
    mass = segment_sum(p, offsets)
    partial = segment_sum(entropy_terms(p, logprob), offsets)
    with np.errstate(divide="ignore", invalid="ignore"):  # of lists that are too short
        log_mass = np.log(mass)
        q = p / mass[found.ids]
        log_q = np.where(taken, logprob - log_mass[found.ids], 0.0)
        entropy = segment_sum(entropy_terms(q, log_q), offsets)
        spread = np.where(taken, q * (log_q + entropy[found.ids]) ** 2, 0.0)
        columns = {
            "confidence": 0.0 - total / k,
            "self_certainty_topk": np.maximum(0.0, log_mass - math.log(k) - total / k),
            "entropy_partial": partial,
            "varentropy_topk": segment_sum(spread, offsets),
        }
    return {name: np.where(enough, values, np.nan) for name, values in columns.items()}


def _groups(confidence: Array, offsets: Counts, window: int, bottom: float) -> Columns:
    """Reduce the tokens' confidences over windows, sequence by sequence."""
    known, offsets = _known(confidence, offsets)
    values, sizes = confidence[known], np.diff(offsets)
    whole = segment_mean(values, offsets)
    means = windows.means(values, offsets, window)
    of_windows = arrow.offsets(np.maximum(sizes - window + 1, 0))
    tail = np.append(means, np.nan)[of_windows[1:] - 1]
    columns = {
        "lowest_group_confidence": segment_min(means, of_windows),
        "bottom_group_confidence": worst_mean(means, of_windows, share=bottom),
        "tail_confidence": tail,
    }
    # An answer that is shorter than the window is one group.
    return {name: np.where(sizes < window, whole, each) for name, each in columns.items()}


def _known(values: Array, offsets: Counts) -> tuple[Counts, Counts]:
    """Return the indices of the values that are not NaN, and the segments that they form."""
    known = np.flatnonzero(~np.isnan(values))
    return known, np.searchsorted(known, offsets)
