"""Compute metrics of single tokens: surprisal, margin, mass of the list, bounds on entropy."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from toolkit import arguments, arrow, schema
from toolkit.metrics._arrays.entropy import (
    entropy_bounds,
    entropy_terms,
    entropy_topk,
    term_bounds,
)
from toolkit.metrics._arrays.logprobs import (
    ROUNDING,
    clipped,
    decimals,
    half_units,
    mass_exceeds_one,
)
from toolkit.metrics._arrays.segments import (
    segment_count,
    segment_ids,
    segment_max,
    segment_min,
    segment_sum,
)
from toolkit.metrics._arrays.types import Array, Codes, Counts, Flags
from toolkit.metrics._blocks import Block, fill
from toolkit.metrics._results import Columns, categorical, integers, result_frame
from toolkit.tables import require_tables

if TYPE_CHECKING:
    from toolkit.tables import LogprobTables

OK, CENSORED, MISSING, INVALID = range(len(schema.STATUSES))
_MOST_TOKENS = 1 << 32  # no vocabulary is larger

_FLOATS = (
    "surprisal",
    "surprisal_lower",
    "probability",
    "margin",
    "margin_logprob",
    "top_mass",
    "missing_mass",
    "entropy_lower",
    "entropy_upper",
    "entropy_topk",
)


def token_metrics(lp: LogprobTables, *, vocab_size: int | None = None) -> pd.DataFrame:
    """Compute surprisal, margin, entropy bounds and other metrics of each token.

    A list of alternatives is only the top of a distribution, so its entropy is an interval.
    Alternatives that are not of status ok are first removed from the list, and so is a second copy
    of the sampled token. A sampled token that is not in its list counts as one more entry.

    Parameters
    ----------
    lp : LogprobTables
    vocab_size : int, optional
        Number of tokens in the vocabulary of the model; needed for ``entropy_upper`` only.

    Returns
    -------
    DataFrame
        One row per row of ``lp.tokens``, in the same order, in the columns of
        ``schema.TOKEN_METRICS``, which states unit, direction, null rule and source of each column.
        Labels are categoricals; ``sampled_rank`` is Int32 and ``off_top1`` boolean, with NA for
        null; in float64 columns null is NaN.

    Raises
    ------
    ArgumentError
        If `vocab_size` is not a whole number of at least 1, or does not exceed the number of
        entries of every list.
    SchemaError
        If tokens and alternatives do not belong together.

    Examples
    --------
    >>> import toolkit
    >>> top = [{"token": "a", "logprob": -0.5}, {"token": "b", "logprob": -1.5}]
    >>> entry = {"token": "a", "logprob": -0.5, "top_logprobs": top}
    >>> choice = {"index": 0, "message": {"content": "a"}, "logprobs": {"content": [entry]}}
    >>> lp = toolkit.from_responses({"object": "chat.completion", "choices": [choice]})
    >>> row = token_metrics(lp, vocab_size=100).iloc[0]
    >>> row[["surprisal", "margin", "entropy_lower", "entropy_upper"]].astype(float).round(3)
    surprisal        0.500
    margin           0.383
    entropy_lower    0.939
    entropy_upper    1.720
    Name: 0, dtype: float64
    """
    if vocab_size is not None:
        vocab_size = arguments.whole("vocab_size", vocab_size)
    tokens = require_tables(lp).tokens
    columns: Columns = {name: np.empty(tokens.num_rows) for name in _FLOATS}
    columns["n_entries"] = np.empty(tokens.num_rows, np.int64)
    for name in ("off_top1", "ranked", "excess_mass"):
        columns[name] = np.empty(tokens.num_rows, np.bool_)
    fill(columns, lambda block: block_metrics(block, vocab_size), lp)
    rank = tokens["sampled_rank"]
    return result_frame(
        schema.TOKEN_METRICS,
        columns
        | {name: tokens[name].to_numpy() for name in ("response_key", "choice", "position")}
        | {
            "channel": categorical(
                arrow.codes(tokens["channel"], schema.CHANNELS), schema.CHANNELS
            ),
            "status": categorical(arrow.codes(tokens["status"], schema.STATUSES), schema.STATUSES),
            "token": tokens["token"].to_pandas(),
            "logprob": arrow.floats(tokens["logprob"]),
            "sampled_rank": integers(
                pc.fill_null(rank, 0).to_numpy(), pc.is_valid(rank).to_numpy()
            ),
            "off_top1": pd.arrays.BooleanArray(columns["off_top1"], ~columns["ranked"]),
        },
    )


def of_answers(lp: LogprobTables) -> tuple[Codes, Flags]:
    """Return the status of each token as metrics of answers count it, and which are of logits.

    An invalid logprob shows that the values of its choice are logits, and a logit below 0 looks
    like a logprob. So all tokens of such a choice that have a value count as invalid.

    Returns
    -------
    status : ndarray of int8
        Codes of ``schema.STATUSES``.
    is_logit : ndarray of bool
        Whether the choice of the token has an invalid logprob.
    """
    status = arrow.codes(lp.tokens["status"], schema.STATUSES)
    is_logit = status == INVALID
    if not is_logit.any():
        return status, is_logit
    keys = [lp.tokens[name].to_numpy() for name in ("response_key", "choice")]
    begins = np.ones(len(status), np.bool_)
    begins[1:] = (keys[0][1:] != keys[0][:-1]) | (keys[1][1:] != keys[1][:-1])
    cuts = np.append(np.flatnonzero(begins), len(status))
    is_logit = np.repeat(segment_count(is_logit, cuts) > 0, np.diff(cuts))
    return np.where(is_logit & (status != MISSING), INVALID, status), is_logit


class _Lists(NamedTuple):
    """Sums over the alternatives of each token, including the sampled token."""

    n_entries: Counts  # usable alternatives
    n_known: Counts  # the same, plus the sampled token if it is not among them
    partial: Array  # sum of -p ln p over the known entries
    partial_ends: tuple[Array, Array]  # its least and greatest value before rounding
    mass: Array  # sum of p over the known entries
    missing_ends: tuple[Array, Array]  # of the mass outside of them before rounding
    log_cap: Array  # greatest logprob that a token outside the list can have
    top: Array  # greatest logprob, -inf without entries
    second: Array  # second greatest logprob, -inf without it
    listed: Array  # logprob of the sampled token's own entry, NaN without it
    excess: Flags  # whether the mass exceeds 1


def block_metrics(block: Block, vocab_size: int | None) -> Columns:
    """Return the numeric columns of `token_metrics` for one block, and ``ranked``.

    ``ranked`` is False where ``off_top1`` is null.
    """
    status = arrow.codes(block.tokens["status"], schema.STATUSES)
    ok = status == OK
    logprob = np.where(ok, clipped(arrow.floats(block.tokens["logprob"])), np.nan)
    lists = _read_lists(block, logprob)

    surprisal = 0.0 - logprob
    scored = np.where(np.isnan(lists.listed), logprob, lists.listed)
    ranked = ok & (lists.n_entries > 0)
    single = lists.n_entries < 2
    with np.errstate(invalid="ignore"):  # -inf - -inf with fewer than two entries
        margin = np.where(single, np.nan, np.exp(lists.top) - np.exp(lists.second))
        margin_logprob = np.where(single, np.nan, lists.top - lists.second)
    mass = np.where(lists.n_known > 0, lists.mass, np.nan)
    return {
        "surprisal": surprisal,
        "surprisal_lower": np.where(status == CENSORED, _censored_surprisal(lists), surprisal),
        "probability": np.exp(logprob),
        "n_entries": lists.n_entries,
        "margin": margin,
        "margin_logprob": margin_logprob,
        "top_mass": mass,
        **_entropies(lists, vocab_size),
        "off_top1": ranked & (scored < lists.top),
        "ranked": ranked,
        "excess_mass": lists.excess,
    }


class Entries(NamedTuple):
    """The alternatives of some tokens.

    Attributes
    ----------
    ids : ndarray of int64, shape (n_entries,)
        The token that each entry belongs to.
    logprob : ndarray of float64, shape (n_entries,)
        Tiny positive values, which are rounding errors, as 0; NaN where null.
    usable : ndarray of bool, shape (n_entries,)
        Whether the status is ok, and the entry is not a second copy of the sampled token.
    own : ndarray of bool, shape (n_entries,)
        Whether the entry is that of the sampled token, and usable.
    listed : ndarray of float64, shape (n_tokens,)
        Logprob of the sampled token's own entry; NaN without it.
    unreadable : ndarray of bool, shape (n_entries,)
        Whether the status is missing or invalid.
    """

    ids: Counts
    logprob: Array
    usable: Flags
    own: Flags
    listed: Array
    unreadable: Flags


def entries(table: pa.Table, offsets: Counts) -> Entries:
    """Read alternatives; those of token i are rows ``offsets[i]:offsets[i + 1]``."""
    n_tokens, ids = len(offsets) - 1, segment_ids(offsets)
    status = arrow.codes(table["status"], schema.STATUSES)
    usable = status == OK
    logprob = clipped(arrow.floats(table["logprob"]))
    own = arrow.flags(table["is_sampled"]) & usable
    own_rows = np.flatnonzero(own)
    row_of = np.zeros(n_tokens, np.int64)
    row_of[ids[own_rows]] = own_rows
    listed = np.full(n_tokens, np.nan)
    listed[ids[own_rows]] = logprob[own_rows]
    # Some servers repeat the sampled token's entry; a copy has exactly the same logprob.
    copies = np.flatnonzero(usable & ~own & (logprob == listed[ids]))
    usable[copies] = ~is_same_token(table, copies, row_of[ids[copies]])
    return Entries(ids, logprob, usable, own, listed, status >= MISSING)


class Highest(NamedTuple):
    """The greatest and the second greatest logprob of lists, -inf without one; equal if tied."""

    top: Array
    second: Array


def highest(found: Entries, offsets: Counts) -> Highest:
    """Return the two greatest logprobs among the usable entries of each list."""
    ranking = np.where(found.usable, found.logprob, -np.inf)
    top = segment_max(ranking, offsets, empty=-np.inf)
    at_top = found.usable & (ranking == top[found.ids])
    below = segment_max(np.where(at_top, -np.inf, ranking), offsets, empty=-np.inf)
    return Highest(top, np.where(segment_count(at_top, offsets) > 1, top, below))


def _read_lists(block: Block, sampled: Array) -> _Lists:
    """Reduce the alternatives; `sampled` is the logprob of the tokens, NaN unless ok."""
    offsets = block.offsets
    found = entries(block.alternatives, offsets)
    ids, logprob, usable, own, listed, unreadable = found
    top, second = highest(found, offsets)

    logprob = np.where(usable, logprob, 0.0)
    p = np.where(usable, np.exp(logprob), 0.0)
    n_entries = segment_count(usable, offsets)
    # The sampled token may have been added below the top k, so it never sets the cap. A list with
    # an unreadable entry has no cap, because tokens outside of it may outrank its entries.
    log_cap = segment_min(np.where(usable & ~own, logprob, 0.0), offsets, empty=0.0)
    log_cap[ids[unreadable]] = 0.0

    extra = ~np.isnan(sampled) & np.isnan(listed)
    added = np.where(extra, sampled, 0.0)
    added_p = np.where(extra, np.exp(added), 0.0)
    partial = segment_sum(entropy_terms(p, logprob), offsets)
    partial = partial + entropy_terms(added_p, added)
    mass = segment_sum(p, offsets) + added_p
    known, owners = np.flatnonzero(usable), np.flatnonzero(extra)
    values, of_list = np.append(logprob[known], added[owners]), np.append(ids[known], owners)
    half = half_units(values, of_list, len(mass))
    return _Lists(
        n_entries,
        n_entries + extra,
        partial,
        _partial_ends(partial, values, of_list, half),
        mass,
        (np.maximum(0.0, 1.0 - mass * np.exp(half)), np.maximum(0.0, 1.0 - mass * np.exp(-half))),
        np.minimum(log_cap + half, 0.0),
        top,
        second,
        listed,
        _excess(mass, ids, usable, logprob, added),
    )


def _partial_ends(partial: Array, logprob: Array, ids: Counts, half: Array) -> tuple[Array, Array]:
    """Return the least and the greatest partial sum of lists whose entries were rounded."""
    if not half.any():
        return partial, partial
    rows = np.flatnonzero(half[ids] > 0)
    terms = term_bounds(logprob[rows], half[ids[rows]])
    sums = (np.bincount(ids[rows], each, minlength=len(half)) for each in terms)
    low, high = (np.where(half > 0, each, partial) for each in sums)
    return low, high


def is_same_token(table: pa.Table, left: Counts, right: Counts) -> Flags:
    """Compare rows by token id; if one has none, by bytes; if one has none, by text."""
    if not len(left):
        return np.empty(0, np.bool_)
    ours, theirs = table.take(left), table.take(right)
    keys = ("token_id", "bytes", "token")
    return arrow.flags(pc.coalesce(*(pc.equal(ours[key], theirs[key]) for key in keys)))


def _excess(mass: Array, ids: Counts, usable: Flags, logprob: Array, added: Array) -> Flags:
    excess = mass > 1.0 + ROUNDING
    if excess.any():
        digits = decimals(added)
        rows = np.flatnonzero(excess[ids] & usable)
        np.maximum.at(digits, ids[rows], decimals(logprob[rows]))
        excess[excess] = mass_exceeds_one(mass[excess], digits[excess])
    return excess


def _censored_surprisal(lists: _Lists) -> Array:
    """Return the least surprisal of a censored token: 0 if its list gives no bound."""
    outside = np.log(np.maximum(0.0, 1.0 - lists.mass) + ROUNDING)
    # If the list has the token, its probability is known.
    unlisted = np.isnan(lists.listed)
    highest = np.where(unlisted, np.minimum(lists.log_cap, outside), lists.listed)
    is_bounded = (lists.n_entries > 0) & ~lists.excess
    return np.where(is_bounded, np.maximum(0.0, 0.0 - highest), 0.0)


def _entropies(lists: _Lists, vocab_size: int | None) -> Columns:
    known = (lists.n_known > 0) & ~lists.excess
    if vocab_size is not None:
        most = int(lists.n_known.max(initial=0))
        if vocab_size <= most:
            raise arguments.invalid(
                "vocab_size", vocab_size, f"more than the entries of every list: one has {most}"
            )
    unseen = (vocab_size or _MOST_TOKENS) - lists.n_known
    lower, upper = entropy_bounds(lists.partial_ends, lists.missing_ends, lists.log_cap, unseen)
    columns = {
        "missing_mass": np.maximum(0.0, 1.0 - lists.mass),
        "entropy_lower": lower,
        "entropy_upper": np.full(len(upper), np.nan) if vocab_size is None else upper,
        "entropy_topk": entropy_topk(lists.partial, lists.mass),
    }
    return {name: np.where(known, values, np.nan) for name, values in columns.items()}
