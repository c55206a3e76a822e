"""Keep each token once where every chunk of a stream repeats what the chunks before it brought.

Such lists are cumulative: each begins with all entries of the one before, logprobs included. That
alone proves nothing, because tokens do repeat ("ha", "haha"); the text, or the number of tokens in
the usage, must agree with the last list and not with all of them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from toolkit import schema
from toolkit.arrow import numpy
from toolkit.loaders.buffers import PART_COUNTS, PART_TEXTS, Ints

NOTE = "cumulative_logprobs"
_MANY = 3  # lists that are evidence enough if neither text nor usage speaks against it

Entry = tuple[str, Any, Any, Any]
"""Text, bytes, id and logprob of a token."""


class Runs(NamedTuple):
    """The tokens of merged parts, in their order.

    Attributes
    ----------
    tokens, alternatives : pyarrow.Table
    channel, lengths : int64 array
        For each run of tokens its part and channel, as ``part * n_channels + channel``, never
        decreasing, and the number of its tokens.
    chunk : int64 array
        For each token the ordinal of its chunk; -1 for whole responses.
    """

    tokens: pa.Table
    alternatives: pa.Table
    channel: Ints
    lengths: Ints
    chunk: Ints


class Evidence(NamedTuple):
    """What else is known of the tokens of a part.

    Attributes
    ----------
    text : str or None
        The joined texts of the channel; None: it has none, because it is the prompt.
    texts : list of str
        The texts as the chunks brought them, if they are known one by one.
    n_tokens : int or None
        The tokens of the response by its usage, if it has one choice.
    """

    text: str | None
    texts: list[str]
    n_tokens: int | None


def without_repeats(
    runs: Runs, parts: pa.Table, evidence: Callable[[int, str], Evidence]
) -> tuple[Runs, pa.Table, list[int]]:
    """Remove the tokens, and the texts, that chunks repeat.

    Parameters
    ----------
    runs : Runs
    parts : pyarrow.Table
        The merged parts, as `toolkit.loaders.buffers.PARTS`.
    evidence : callable
        Returns what else is known of a part's channel.

    Returns
    -------
    runs : Runs
        Without what is repeated; its `channel` and `lengths` are as before.
    parts : pyarrow.Table
    changed : list of int
        The parts from which something was removed.
    """
    keep = np.ones(len(runs.chunk), bool)
    changed: list[int] = []
    texts: dict[str, dict[int, str]] = {name: {} for name in PART_TEXTS}
    group = np.repeat(runs.channel, runs.lengths)
    for bounds in _candidates(runs, group):
        part, channel = divmod(int(group[bounds[0][0]]), len(PART_COUNTS))
        name = schema.CHANNELS[channel]
        known = evidence(part, name)
        lists = [_entries(runs.tokens, *each) for each in bounds]
        if not are_cumulative(lists, known):
            continue
        changed.append(part)
        seen = 0
        for start, stop in bounds:
            keep[start : start + seen] = False
            seen = stop - start
        text = last_text(lists, known)
        if text is not None:
            texts[name][part] = text
    if not changed:
        return runs, parts, []
    dropped = np.bincount(group[~keep], minlength=parts.num_rows * len(PART_COUNTS))
    for name, n in zip(PART_COUNTS, dropped.reshape(-1, len(PART_COUNTS)).T, strict=True):
        parts = _replaced(parts, name, pa.array(numpy(parts, name) - n, pa.int32()))
    for name, found in texts.items():
        if found:
            values = parts[name].to_pylist()
            values = [found.get(i, value) for i, value in enumerate(values)]
            parts = _replaced(parts, name, pa.array(values, schema.TEXT))
    of_kept = np.repeat(keep, numpy(runs.tokens, "n_alternatives"))
    kept = runs._replace(
        tokens=runs.tokens.filter(pa.array(keep)),
        alternatives=runs.alternatives.filter(pa.array(of_kept)),
        chunk=runs.chunk[keep],
    )
    return kept, parts, changed


def _replaced(table: pa.Table, name: str, values: pa.Array) -> pa.Table:
    return table.set_column(table.schema.get_field_index(name), table.schema.field(name), values)


def _candidates(runs: Runs, group_of: Ints) -> list[list[tuple[int, int]]]:
    """Return the lists of each group whose second list may repeat its first, as bounds of rows."""
    changes = np.ones(len(group_of), bool)
    changes[1:] = (np.diff(group_of) != 0) | (np.diff(runs.chunk) != 0)
    starts = np.flatnonzero(changes)
    stops = np.append(starts[1:], len(group_of))
    group = group_of[starts]
    is_first = np.ones(len(starts), bool)
    is_first[1:] = np.diff(group) != 0
    # In almost every stream the first tokens of the first two lists differ.
    first = np.flatnonzero(is_first[:-1] & ~is_first[1:])
    logprobs = runs.tokens["logprob"].to_numpy()
    one, other = logprobs[starts[first]], logprobs[starts[first + 1]]
    is_same = (one == other) | (np.isnan(one) & np.isnan(other))
    found = []
    for at in first[is_same].tolist():
        end = int(np.searchsorted(group, group[at], side="right"))
        found.append(list(zip(starts[at:end].tolist(), stops[at:end].tolist(), strict=True)))
    return found


def _entries(tokens: pa.Table, start: int, stop: int) -> list[Entry]:
    """Return what distinguishes the tokens of some rows."""
    names = ("token", "bytes", "token_id", "logprob")
    columns = (tokens[name].slice(start, stop - start).to_pylist() for name in names)
    return list(zip(*columns, strict=True))


def are_cumulative(lists: list[list[Entry]], known: Evidence) -> bool:
    """Return whether each list repeats the one before it.

    Examples
    --------
    >>> a, b = ("a", None, None, -0.5), ("b", None, None, -0.25)
    >>> are_cumulative([[a], [a, b]], Evidence("ab", [], None))
    True
    >>> are_cumulative([[a], [a, a]], Evidence("aaa", [], None))
    False
    """
    pairs = list(zip(lists, lists[1:], strict=False))
    if any(after[: len(before)] != before for before, after in pairs):
        return False
    if known.text is None:
        return True  # because no chunk continues the prompt
    if known.n_tokens == sum(map(len, lists)):
        return False
    last, every, text = _joined(lists[-1:]), _joined(lists), _utf8(known.text)
    if text == last != every:
        return True
    if len(set(lists[-1])) < 2:  # noqa: PLR2004, because one token may repeat any number of times
        return False
    if known.n_tokens == len(lists[-1]):
        return True
    return len(lists) >= _MANY and all(len(before) < len(after) for before, after in pairs)


def last_text(lists: list[list[Entry]], known: Evidence) -> str | None:
    """Return the text of the answer if the texts of the chunks are cumulative too, else None.

    Examples
    --------
    >>> a, b = ("a", None, None, -0.5), ("b", None, None, -0.25)
    >>> last_text([[a], [a, b]], Evidence("aab", [], None))
    'ab'
    """
    if known.text is None:
        return None
    said = [text for text in known.texts if text]
    pairs = zip(said, said[1:], strict=False)
    if len(said) > 1 and all(after.startswith(before) for before, after in pairs):
        return said[-1]
    if _utf8(known.text) == _joined(lists) != _joined(lists[-1:]):
        return _joined(lists[-1:]).decode("utf-8", "replace")
    return None


def _joined(lists: list[list[Entry]]) -> bytes:
    return b"".join(
        _utf8(text) if data is None else data for each in lists for text, data, *_ in each
    )


def _utf8(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")
