"""Report how far the distributions of two runs lie apart: KL divergence, total variation, Δp."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd

from toolkit import arguments, schema
from toolkit.metrics._arrays.clusters import bounded_t_interval, mean_error
from toolkit.metrics._arrays.effective import clustered_interval, of_answers
from toolkit.metrics._arrays.types import Array, Counts
from toolkit.metrics._clusters import ClusterLabels, clusters_of, renumbered, request_labels
from toolkit.metrics._lists import compare_lists, kullback_leibler
from toolkit.metrics._pairing import Pairs, align, keys_of_pairs, logprobs_at, pair
from toolkit.metrics._results import categorical, result_frame, text_type

if TYPE_CHECKING:
    from toolkit.tables import LogprobTables

_NATS = ("kl_lower", "ln_ppl_ratio")
_RANGES = {"kl_lower": (0.0, math.inf), "delta_p": (-1.0, 1.0)} | dict.fromkeys(
    ("tv_lower", "tv_upper", "acceptance_lower", "acceptance_upper"), (0.0, 1.0)
)  # least and greatest value


def divergence(
    a: LogprobTables,
    b: LogprobTables,
    *,
    on: str | None = None,
    channel: str = "content",
    clusters: ClusterLabels = None,
    level: float = 0.95,
) -> pd.DataFrame:
    """Report the KL divergence and related measures of two runs, like llama.cpp's report.

    ``llama-perplexity --kl-divergence`` needs the whole distributions of both models. This report
    uses the lists of alternatives that two recordings have, at each position whose tokens before
    are the same in both. The fair comparison is that of a text that both models were given:
    ``channel="prompt"``. Of generated answers only the beginning that both have in common is
    compared, which is where the models agree most.

    Parameters
    ----------
    a, b : LogprobTables
        The base (P) and the run that is compared with it (Q), such as a quantised model.
    on : {"custom_id", "position"}, optional
        As in `toolkit.compare`.
    channel : {"content", "prompt", "reasoning", "refusal"}
    clusters : sequence of labels, optional
        One label per row of `toolkit.compare`, the same for pairs that depend on each other.
        Default: the request, that is the custom_id where it repeats, else the response.
    level : float
        Probability of the intervals, above 0 and below 1.

    Returns
    -------
    DataFrame
        One row per measure, in the columns of ``schema.DIVERGENCE``; NaN where no position has the
        measure. The mean of ``kl_lower`` is a lower bound of the mean divergence, and no upper one
        exists, because a token outside both lists may have any ratio of probabilities. The true
        mean of the total variation lies between the means of ``tv_lower`` and ``tv_upper``.

    Raises
    ------
    ArgumentError
        As `toolkit.compare`; or if `clusters` or `level` is invalid.

    See Also
    --------
    toolkit.compare_tokens : the same measures, position by position.

    Notes
    -----
    The measure of the Kullback-Leibler divergence is named KLD in llama.cpp's report; Δp is there
    in percent. The divergence shows how far the second run is from the first, not which is better.
    The bound is close where the lists hold most of the mass: with 20 of 2000 entries of a flat
    distribution it saw about half of the divergence.

    Examples
    --------
    >>> import toolkit
    >>> lp = toolkit.read("data/pairs_whole.jsonl")
    >>> report = toolkit.metrics.divergence(lp, lp).set_index("measure")
    >>> report.loc[["kl_lower", "same_top1"], "mean"].tolist()
    [0.0, 1.0]
    """
    level = arguments.level("level", level)
    pairs = pair(a, b, on, channel)
    keys = keys_of_pairs(a, b, pairs, models=False)
    if clusters is None:
        clusters = request_labels(pd.DataFrame(keys), "_a")
    of_pair = clusters_of(clusters, len(pairs.row_a))
    rows = [_row(values, of_pair.codes[owner], level) for values, owner in _measured(a, b, pairs)]
    table = pd.DataFrame(rows)
    names = schema.DIVERGENCES
    return result_frame(
        schema.DIVERGENCE,
        {name: table[name] for name in table}
        | {
            "measure": categorical(np.arange(len(names)), names),
            "unit": pd.Series(["nats" if n in _NATS else "1" for n in names], dtype=text_type()),
            "cluster": pd.Series([of_pair.name] * len(names), dtype=text_type()),
        },
    )


class _Values(NamedTuple):
    """One measure at the positions that have it."""

    name: str
    values: Array
    correlation: float = math.nan


def _measured(a: LogprobTables, b: LogprobTables, pairs: Pairs) -> Iterator[tuple[_Values, Counts]]:
    """Yield each measure, in the order of its rows, and the pair that each value belongs to."""
    found = align(a, b, pairs)
    lists = compare_lists(a, b, found, kullback_leibler)
    at = lists.is_compared
    owner = found.owner[at]
    kl, *tv = (lists.measures[name][at] for name in ("kl_lower", "tv_lower", "tv_upper"))
    yield _Values("kl_lower", kl), owner
    yield _Values("tv_lower", tv[0]), owner
    yield _Values("tv_upper", tv[1]), owner
    yield _Values("acceptance_lower", 1.0 - tv[1]), owner
    yield _Values("acceptance_upper", 1.0 - tv[0]), owner
    yield _Values("same_top1", (~lists.is_flip[at]).astype(np.float64)), owner
    given = found.is_same & found.same_prefix
    one, other = (logprobs_at(side, found.rows[i][given]) for i, side in enumerate((a, b)))
    known = ~(np.isnan(one) | np.isnan(other))
    one, other, owner = one[known], other[known], found.owner[given][known]
    yield _Values("delta_p", np.exp(other) - np.exp(one)), owner
    yield _Values("ln_ppl_ratio", one - other, _correlation(one, other)), owner


def _row(measured: _Values, codes: Counts, level: float) -> dict[str, object]:
    """Return the row of one measure."""
    name, values, correlation = measured
    codes, n = renumbered(codes), len(values)
    n_clusters = int(codes.max(initial=-1)) + 1
    row: dict[str, object] = {"n_positions": n, "n_clusters": n_clusters}
    shares = list(schema.PERCENTILES.values())
    percentiles = np.quantile(values, shares) if n else np.full(len(shares), np.nan)
    mean = values.mean() if n else math.nan
    ends = _interval(name, values, codes, level) if n else (math.nan, math.nan)
    return row | {
        "mean": mean,
        "mean_lower": ends[0],
        "mean_upper": ends[1],
        "rms": math.sqrt(np.mean(values * values)) if n else math.nan,
        "correlation": correlation,
        "maximum": values.max() if n else math.nan,
        **dict(zip(schema.PERCENTILES, percentiles, strict=True)),
        "minimum": values.min() if n else math.nan,
    }


def _interval(name: str, values: Array, codes: Counts, level: float) -> tuple[float, float]:
    """Return the interval of the mean of clustered values."""
    if name == "same_top1":  # an interval also if it is 1 everywhere
        low, high = clustered_interval(of_answers(values, codes), level)
        return float(low), float(high)
    mean, error = float(values.mean()), mean_error(values, codes)
    if error == 0.0:  # equal values do not show how much they vary
        return math.nan, math.nan
    bounds = _RANGES.get(name, (-math.inf, math.inf))
    return bounded_t_interval(mean, error, int(codes.max()) + 1, level, bounds)


def _correlation(one: Array, other: Array) -> float:
    """Return Pearson's correlation; NaN if one side does not vary."""
    if not len(one):
        return math.nan
    x, y = one - one.mean(), other - other.mean()
    scale = math.sqrt(float(x @ x) * float(y @ y))
    return float(x @ y) / scale if scale > 0 else math.nan
