"""Compute the status, the rank and the sampled flag of the entries at each position."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from toolkit.arrow import numpy, offsets
from toolkit.loaders import buffers
from toolkit.loaders.buffers import Flags, Ints
from toolkit.schema import INVALID_ABOVE, STATUSES
from toolkit.schema.derived import is_censored, is_top1

_OK, _CENSORED, _MISSING, _INVALID = range(len(STATUSES))


def add_ranks(tokens: pa.Table, alternatives: pa.Table) -> tuple[pa.Table, pa.Table]:
    """Add status, rank and sampled flag to the entries of each position.

    Parameters
    ----------
    tokens : pyarrow.Table
        As `buffers.ENTRIES`, and ``n_alternatives``.
    alternatives : pyarrow.Table
        As `buffers.ENTRIES`, in the order of the tokens.

    Returns
    -------
    tokens, alternatives : pyarrow.Table
        As `buffers.TOKENS` and `buffers.ALTERNATIVES`.
    """
    sizes = numpy(tokens, "n_alternatives")
    owner = np.repeat(np.arange(len(sizes)), sizes)
    slot = np.arange(len(owner)) - np.repeat(offsets(sizes)[:-1], sizes) + 1
    status = _status(tokens["logprob"])
    is_sampled = _sampled(tokens, status, alternatives, owner)
    rank = _ranks(alternatives, owner, slot)
    sampled_rank = np.zeros(len(sizes), np.int32)
    sampled_rank[owner[is_sampled]] = rank[is_sampled]
    more_tokens = {
        "status": pa.array(status),
        "sampled_rank": pa.array(sampled_rank, mask=sampled_rank == 0),
        "chunk": pa.array(np.zeros(len(sizes), np.int32)),
    }
    more_alternatives = {
        "status": pa.array(_status(alternatives["logprob"])),
        "slot": pa.array(slot.astype(np.int32)),
        "rank": pa.array(rank, mask=rank == 0),
        "is_sampled": pa.array(is_sampled),
    }
    alternatives = _with(alternatives, more_alternatives, buffers.ALTERNATIVES)
    more_tokens["is_top1"] = is_top1(tokens, alternatives)
    return _with(tokens, more_tokens, buffers.TOKENS), alternatives


def _with(table: pa.Table, more: dict[str, pa.Array], fields: pa.Schema) -> pa.Table:
    values = {name: table[name] for name in table.column_names} | more
    return pa.Table.from_arrays([values[name] for name in fields.names], schema=fields)


def _status(logprob: pa.ChunkedArray) -> NDArray[np.int8]:
    """Return the status of each logprob as int8 codes of `STATUSES`."""
    values = logprob.to_numpy()  # null becomes NaN
    status = np.full(len(values), _OK, np.int8)
    status[is_censored(values)] = _CENSORED
    status[values > INVALID_ABOVE] = _INVALID
    status[np.isnan(values)] = _MISSING
    return status


def _ranks(entries: pa.Table, owner: Ints, slot: Ints) -> NDArray[np.int32]:
    """Rank the alternatives of each position by logprob, ties by slot; 0: no logprob."""
    logprob = entries["logprob"].to_numpy()
    rank = slot.astype(np.int32)
    same = owner[1:] == owner[:-1]
    is_sorted = not np.any(same & ~(logprob[1:] <= logprob[:-1]))
    if not is_sorted:
        order = np.lexsort((-logprob, owner))  # NaN sorts last
        by_rank = rank.copy()
        rank[order] = by_rank
    rank[np.isnan(logprob)] = 0
    return rank


def _sampled(tokens: pa.Table, status: NDArray[np.int8], entries: pa.Table, owner: Ints) -> Flags:
    """Return which alternatives are the sampled token, as a boolean array.

    Two entries are compared by the best evidence that both have: token id, else bytes, else text.
    If several alternatives match, the one with the best evidence is taken, then one with the very
    logprob of the token, then the first.
    """
    rows = pa.array(owner)
    logprob = np.where(status == _OK, tokens["logprob"].to_numpy(), np.nan)[owner]
    is_same = logprob == entries["logprob"].to_numpy()
    evidence = np.zeros(len(owner), np.int8)
    undecided = np.ones(len(owner), bool)
    for strength, name in ((6, "token_id"), (4, "bytes"), (2, "token")):
        equal = pc.equal(entries[name], tokens[name].take(rows)).combine_chunks()
        known = equal.is_valid().to_numpy(zero_copy_only=False) & undecided
        matches = pc.fill_null(equal, False).to_numpy(zero_copy_only=False)
        evidence[known & matches] = strength
        undecided &= ~known
    found = _first_best(evidence + ((evidence > 0) & is_same), owner)
    is_open = np.ones(len(status), bool)
    is_open[owner[found]] = False
    found[_alike(tokens, entries, owner, np.flatnonzero(is_same & is_open[owner]))] = True
    return found


def _alike(tokens: pa.Table, entries: pa.Table, owner: Ints, rows: Ints) -> Ints:
    """Return which alternatives with the logprob of the token may be it, if one of a position may.

    Servers cut the blanks around the text of alternatives, or send them without text.
    """
    if not len(rows):
        return rows
    names = ["token_id", "bytes", "token"]
    own = tokens.select(names).take(pa.array(owner[rows])).to_pylist()
    listed = entries.select(names).take(pa.array(rows)).to_pylist()
    rows = rows[[_may_be(*pair) for pair in zip(own, listed, strict=True)]]
    return rows[np.bincount(owner[rows], minlength=1)[owner[rows]] == 1]


def _may_be(own: dict[str, Any], listed: dict[str, Any]) -> bool:
    """Return whether two entries are alike but for ASCII blanks, or one has no text."""
    if own["token_id"] is not None and listed["token_id"] is not None:
        return False  # they differ
    texts = own["bytes"], listed["bytes"]
    if None in texts:
        texts = own["token"].encode(), listed["token"].encode()
    return b"" in texts or texts[0].strip() == texts[1].strip()


def _first_best(evidence: NDArray[np.int8], owner: Ints) -> Flags:
    """Mark in each group the first of the highest non-zero values."""
    marked = np.zeros(len(evidence), bool)
    rows = np.flatnonzero(evidence)
    order = np.lexsort((rows, -evidence[rows], owner[rows]))
    rows = rows[order]
    first = np.ones(len(rows), bool)
    first[1:] = owner[rows][1:] != owner[rows][:-1]
    marked[rows[first]] = True
    return marked
