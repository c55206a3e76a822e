"""Compare two runs of the same requests, answer by answer and token by token."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from toolkit import arrow, schema
from toolkit.metrics._arrays.segments import ratio, segment_count, segment_nansum
from toolkit.metrics._arrays.types import Counts
from toolkit.metrics._lists import compare_lists, jensen_shannon, kullback_leibler
from toolkit.metrics._pairing import align, keys_of_pairs, logprobs_at, pair, texts_at
from toolkit.metrics._results import integers, result_frame, text_type
from toolkit.tables.attaching import texts

if TYPE_CHECKING:
    from toolkit.tables import LogprobTables


def compare(
    a: LogprobTables, b: LogprobTables, *, on: str | None = None, channel: str = "content"
) -> pd.DataFrame:
    """Compare two runs of the same requests, answer by answer.

    Parameters
    ----------
    a, b : LogprobTables
        The runs, such as those of two models, two settings or two days.
    on : {"custom_id", "position"}, optional
        Pair responses by their custom_id, or by their order. Default: by custom_id if every
        response has one, else by order if both runs have equally many responses.
    channel : {"content", "prompt", "reasoning", "refusal"}

    Returns
    -------
    DataFrame
        One row per choice, in the order of `a`, then those of `b` alone, in the columns of
        ``schema.COMPARE``. An answer without a partner is kept: it has nulls on the other side, and
        ``is_paired`` False. ``delta_nll`` is in nats per token, above 0 where `a` is more certain.
        Counts are Int64.

    Raises
    ------
    ArgumentError
        If a custom_id occurs twice or is missing, or if it is unclear how to pair the responses.

    See Also
    --------
    compare_summary : the comparison in one row, with intervals.
    compare_tokens : the comparison token by token.

    Examples
    --------
    >>> import toolkit
    >>> def run(logprob):
    ...     entry = {"token": "Hi", "logprob": logprob}
    ...     choice = {"message": {"content": "Hi"}, "logprobs": {"content": [entry]}}
    ...     return toolkit.from_responses({"choices": [choice]})
    >>> toolkit.compare(run(-0.25), run(-1.0))[["same_text", "delta_nll"]].values.tolist()
    [[True, 0.75]]
    """
    pairs = pair(a, b, on, channel)
    found = align(a, b, pairs)
    lists = compare_lists(a, b, found, jensen_shannon)
    n = len(pairs.row_a)
    sums = [_sums(side, pairs.starts[i], pairs.counts[i]) for i, side in enumerate((a, b))]
    owner = found.owner
    both = pairs.is_paired
    compared = np.bincount(owner, lists.is_compared, minlength=n)
    text = [_texts(side, pairs.rows(i), channel) for i, side in enumerate((a, b))]
    known = text[0].notna() & text[1].notna()
    columns = {
        "is_paired": both,
        "n_common": integers(found.n_common, both),
        "first_divergence": integers(found.n_common, both & found.diverges),
        "text_a": text[0],
        "text_b": text[1],
        "same_text": pd.arrays.BooleanArray(
            (known & (text[0] == text[1])).to_numpy(bool), ~known.to_numpy()
        ),
        "delta_nll": ratio(-sums[1]["sum"], sums[1]["n"]) - ratio(-sums[0]["sum"], sums[0]["n"]),
        "n_compared": integers(compared.astype(np.int64), both),
        "n_flips": integers(np.bincount(owner, lists.is_flip, minlength=n).astype(np.int64), both),
    }
    for name, values in lists.measures.items():
        kept = np.where(lists.is_compared, values, 0.0)
        columns[name] = ratio(np.bincount(owner, kept, minlength=n), compared)
    for i, letter in enumerate("ab"):
        exists = pairs.rows(i) >= 0
        columns[f"n_tokens_{letter}"] = integers(pairs.counts[i], exists)
        columns[f"n_ok_{letter}"] = integers(sums[i]["n"], exists)
        columns[f"sum_logprob_{letter}"] = sums[i]["sum"]
    return result_frame(schema.COMPARE, keys_of_pairs(a, b, pairs, models=True) | columns)


def compare_tokens(
    a: LogprobTables, b: LogprobTables, *, on: str | None = None, channel: str = "content"
) -> pd.DataFrame:
    """Compare two runs of the same requests, token by token.

    Parameters
    ----------
    a, b, on, channel
        As in `compare`.

    Returns
    -------
    DataFrame
        One row per position that either answer of a pair has, in the columns of
        ``schema.COMPARE_TOKENS``; logprobs and divergences are in nats. Lists are compared up to
        and including the first token that differs, and nowhere after it. Answers without a partner
        have no row.

    Raises
    ------
    ArgumentError
        As `compare`.

    Notes
    -----
    Lists are truncated, so the Jensen-Shannon divergence (Lin 1991) is given by bounds; the lower
    one compares the entries of both lists, and the rest as a tail.

    Examples
    --------
    >>> import toolkit
    >>> def run(token, logprob):
    ...     entry = {"token": token, "logprob": logprob}
    ...     choice = {"message": {"content": token}, "logprobs": {"content": [entry]}}
    ...     return toolkit.from_responses({"choices": [choice]})
    >>> found = toolkit.compare_tokens(run("a", -0.25), run("b", -1.0))
    >>> found[["token_a", "token_b", "same_token", "same_prefix"]].values.tolist()
    [['a', 'b', False, True]]
    """
    pairs = pair(a, b, on, channel)
    found = align(a, b, pairs)
    lists = compare_lists(a, b, found, jensen_shannon, kullback_leibler)
    which = keys_of_pairs(a, b, pairs, models=True)
    repeated = pd.DataFrame(which).take(found.owner).reset_index(drop=True)
    columns: dict[str, Any] = dict(repeated.items())
    logprob = [logprobs_at(side, found.rows[i]) for i, side in enumerate((a, b))]
    for i, (letter, side) in enumerate((("a", a), ("b", b))):
        columns[f"token_{letter}"] = texts_at(side.tokens["token"], found.rows[i])
        columns[f"logprob_{letter}"] = logprob[i]
        columns[f"top1_{letter}"] = texts_at(side.alternatives["token"], lists.top[i])
    return result_frame(
        schema.COMPARE_TOKENS,
        columns
        | {
            "position": found.position,
            "same_token": found.is_same,
            "same_prefix": found.same_prefix,
            "delta_logprob": np.where(found.is_same, logprob[1] - logprob[0], np.nan),
            "is_flip": pd.arrays.BooleanArray(lists.is_flip, ~lists.is_compared),
        }
        | lists.measures,
    )


def _sums(lp: LogprobTables, start: Counts, count: Counts) -> dict[str, np.ndarray]:
    """Return the sum and the number of known logprobs of runs of token rows."""
    rows, offsets = arrow.run_rows(start, count), arrow.offsets(count)
    logprob = logprobs_at(lp, rows)
    return {
        "sum": segment_nansum(logprob, offsets),
        "n": segment_count(~np.isnan(logprob), offsets),
    }


def _texts(lp: LogprobTables, rows: Counts, channel: str) -> pd.Series:
    """Return the texts of rows of choices; null for -1."""
    found: list[str | None] = [None] * len(rows)
    exists = np.flatnonzero(rows >= 0)
    for i, text in zip(exists.tolist(), texts(lp, channel, rows[exists]), strict=True):
        found[i] = text
    return pd.Series(found, dtype=text_type())
