"""Pack tokens and their alternatives for the page of `toolkit.browse`: arrays, compressed.

The texts of all tokens and alternatives are one list without repeats; tokens and alternatives hold
numbers of it. `TOKEN` and `ALTERNATIVE` declare the columns of both. ``browse.js`` reads them by
the same declarations, which the page carries.
"""

from __future__ import annotations

import itertools
import zlib
from collections.abc import Iterator
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from toolkit import arrow, schema
from toolkit.metrics import token_metrics
from toolkit.tables import LogprobTables
from toolkit.view.html import LEAST
from toolkit.visible_text import pieces, spelled_token, token_texts

Counts = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]
Text: TypeAlias = "str | list[str]"
"""A token as it is shown: a plain text, or plain texts and marks for hidden characters in turn."""

TOKEN = {"text": 4, "logprob": 4, "status": 1, "rank": 2, "listed": 2, "missing": 2, "kept": 1}
"""Columns of a token and their width in bytes.

The number of its text, its logprob as float32, the code of its status, its rank (0: none), the
number of alternatives sent and of those kept, and the probability of all that are not listed, in
thousandths (`NONE`: unknown).
"""
ALTERNATIVE = {"text": 4, "probability": 2, "sampled": 1}
"""Columns of an alternative: the number of its text, its probability in thousandths, a flag."""
NONE = 0xFFFF
_CHUNK = 1 << 13  # tokens that are compressed together, because opening an answer unpacks them all
_LEVEL = 6  # of zlib: higher ones take three times as long for one percent


class Packed(NamedTuple):
    """The tokens of some answers.

    Attributes
    ----------
    texts : list of Text
        The distinct texts of tokens and alternatives.
    first : list of int
        The first answer of each chunk.
    tokens, alternatives : list of bytes
        Of each chunk: the columns of `TOKEN` or `ALTERNATIVE`, compressed.
    least_probability : float or None
        Tokens that are more probable lost their alternatives; None: all kept them.
    """

    texts: list[Text]
    first: list[int]
    tokens: list[bytes]
    alternatives: list[bytes]
    least_probability: float | None


class TokenPacker:
    """Tokens and alternatives of tables as arrays, which can be packed with fewer alternatives.

    Parameters
    ----------
    lp : LogprobTables
    shown : ndarray of int64, shape (n_choices, n_channels)
        Number of the first tokens of each choice and channel that are packed.
    sent : ndarray of int64, same shape
        Number of its tokens in the tables.
    most : int
        Alternatives of each token, the most probable first; a sampled one is kept at any rank.
    """

    def __init__(self, lp: LogprobTables, shown: Counts, sent: Counts, most: int) -> None:
        rows = arrow.run_rows(arrow.offsets(sent.ravel())[:-1], shown.ravel())
        entries, owner = _entries(lp, rows, most)
        contents = [_content(lp.tokens, rows), _content(lp.alternatives, entries)]
        vocabulary, codes = _vocabulary(contents)
        partial = [_is_partial(raw) for raw in vocabulary]
        self._texts = list(map(_shown, vocabulary, partial))
        own = codes[: len(rows)]
        begins = np.zeros(len(rows), np.bool_)
        begins[arrow.offsets(shown.ravel())[:-1][shown.ravel() > 0]] = True
        metrics = token_metrics(lp)
        self._probability = metrics["probability"].to_numpy()[rows]
        missing = np.rint(1000 * metrics["missing_mass"].to_numpy()[rows])
        self._tokens = {
            "text": _joined(vocabulary, self._texts, own, np.array(partial, np.bool_)[own], begins),
            "logprob": arrow.floats(lp.tokens["logprob"])[rows].astype("<f4").view("<u4"),
            "status": arrow.codes(lp.tokens["status"], schema.STATUSES)[rows],
            "rank": pc.fill_null(lp.tokens["sampled_rank"], 0).to_numpy()[rows],
            "listed": lp.tokens["n_alternatives"].to_numpy()[rows],
            "missing": np.where(np.isnan(missing), NONE, missing),
        }
        logprob = arrow.floats(lp.alternatives["logprob"])[entries]
        thousandths = np.rint(1000 * np.exp(np.minimum(logprob, 0.0)))
        self._alternatives = {
            "text": codes[len(rows) :],
            "probability": np.maximum(thousandths, 1.0),
            "sampled": arrow.flags(lp.alternatives["is_sampled"])[entries],
        }
        self._owner = owner
        self._bounds = arrow.offsets(shown.sum(axis=1))  # of the tokens of each answer

    def pack(self, share: float = 1.0) -> Packed:
        """Pack all tokens, and the alternatives of a share of them, the least probable."""
        n = len(self._probability)
        has_list, least = np.ones(n, np.bool_), None
        if share < 1.0 and n:
            order = np.argsort(self._probability, kind="stable")  # NaN last: nothing is known
            has_list[order[int(share * n) :]] = False
            known = self._probability[has_list]
            least = float(np.nanmax(known)) if np.isfinite(known).any() else 0.0
        kept = has_list[self._owner]
        counts = np.bincount(self._owner[kept], minlength=n)
        first = _chunks(self._bounds)
        cuts = self._bounds[[*first, len(self._bounds) - 1]]
        alternatives = {name: values[kept] for name, values in self._alternatives.items()}
        return Packed(
            self._texts,
            first,
            list(_columns(TOKEN, self._tokens | {"kept": counts}, cuts)),
            list(_columns(ALTERNATIVE, alternatives, arrow.offsets(counts)[cuts])),
            least,
        )


def _entries(lp: LogprobTables, rows: Counts, most: int) -> tuple[Counts, Counts]:
    """Return the rows of the alternatives that are shown, and the token of each, best first."""
    counts = lp.tokens["n_alternatives"].to_numpy()
    place = np.full(lp.tokens.num_rows, -1)
    place[rows] = np.arange(len(rows))
    owner = np.repeat(place, counts)
    table = lp.alternatives
    rank = pc.fill_null(table["rank"], most + 1).to_numpy()
    is_listed = (rank <= most) | arrow.flags(table["is_sampled"])
    is_listed &= (owner >= 0) & (arrow.codes(table["status"], schema.STATUSES) == 0)
    with np.errstate(invalid="ignore"):
        is_listed &= arrow.floats(table["logprob"]) >= np.log(LEAST)
    kept = np.flatnonzero(is_listed) if most else np.empty(0, np.int64)
    order = np.lexsort((rank[kept], owner[kept]))
    return kept[order], owner[kept[order]]


def _content(table: pa.Table, rows: Counts) -> pa.ChunkedArray:
    """Return the bytes of each token: those sent, else those of its text."""
    chosen = table.select(["token", "bytes"]).take(pa.array(rows))
    is_sent = pc.greater(pc.fill_null(pc.binary_length(chosen["bytes"]), 0), 0)
    return pc.if_else(is_sent, chosen["bytes"], chosen["token"].cast(schema.BINARY))


def _vocabulary(contents: list[pa.ChunkedArray]) -> tuple[list[bytes], Counts]:
    """Return the distinct tokens, the most frequent first, and the number of each token."""
    chunks = [chunk for content in contents for chunk in content.chunks]
    found = pa.chunked_array(chunks, schema.BINARY).combine_chunks().dictionary_encode()
    codes = found.indices.to_numpy().astype(np.int64)
    order = np.argsort(-np.bincount(codes, minlength=len(found.dictionary)), kind="stable")
    number = np.empty(len(order), np.int64)
    number[order] = np.arange(len(order))
    return found.dictionary.take(pa.array(order)).to_pylist(), number[codes]


def _shown(raw: bytes, is_partial: bool) -> Text:
    """Return a token as it is shown on its own."""
    if is_partial:
        return ["", spelled_token("", raw, len(raw) * 4 + 8)]
    found = _in_turn(raw.decode())
    return found if len(found) > 1 else found[0]


def _is_partial(raw: bytes) -> bool:
    """Return whether bytes are not whole characters, so that what they show depends on others."""
    try:
        raw.decode()
    except UnicodeDecodeError:
        return True
    return False


def _in_turn(text: str, rest: bytes = b"") -> list[str]:
    """Return the pieces of a token in turn: plain text, mark, plain text, and so on."""
    found: list[str] = []
    for piece, is_mark in pieces(text, rest):
        if is_mark == (len(found) % 2 == 0):  # it is the turn of the other kind
            found.append("")
        found.append(piece)
    return found


def _joined(
    vocabulary: list[bytes], texts: list[Text], codes: Counts, partial: Flags, begins: Flags
) -> Counts:
    """Return the texts of tokens where characters lie across several tokens.

    A character belongs to the token that completes it, as in `toolkit.show`. Only such tokens, and
    the one after them, are decoded one by one.

    Parameters
    ----------
    vocabulary : list of bytes
    texts : list
        Those of the vocabulary; those of other tokens are added.
    codes : ndarray of int64
        The number of each token.
    partial, begins : ndarray of bool
        Whether a token is not whole characters, and whether it is the first of its channel.
    """
    member = partial.copy()
    member[1:] |= partial[:-1] & ~begins[1:]
    rows = np.flatnonzero(member)
    cuts = np.flatnonzero((np.diff(rows, prepend=-2) != 1) | begins[rows])
    numbers: dict[tuple[str, bytes], int] = {}
    codes = codes.copy()
    for run in np.split(rows, cuts[1:]) if len(rows) else ():
        raws = [("", vocabulary[code]) for code in codes[run].tolist()]
        for row, key in zip(run.tolist(), token_texts(raws), strict=True):
            if key not in numbers:
                numbers[key] = len(texts)
                texts.append(_in_turn(*key))
            codes[row] = numbers[key]
    return codes


def _chunks(bounds: Counts) -> list[int]:
    """Return the first answer of each chunk; `bounds` are those of the tokens of each answer."""
    n = len(bounds) - 1
    first = np.searchsorted(bounds[:-1], np.arange(0, max(int(bounds[-1]), 1), _CHUNK))
    return np.unique(first[first < n]).tolist()


def _columns(
    widths: dict[str, int], columns: dict[str, npt.NDArray[Any]], cuts: Counts
) -> Iterator[bytes]:
    """Yield the columns of each chunk, compressed: all first bytes, all second bytes, and so on."""
    for start, stop in itertools.pairwise(cuts.tolist()):
        planes = []
        for name, width in widths.items():
            values = columns[name][start:stop].astype(np.int64)
            values = np.minimum(values, 256**width - 1).astype("<u4")
            planes.append(values.view(np.uint8).reshape(-1, 4)[:, :width].T.tobytes())
        yield zlib.compress(b"".join(planes), _LEVEL)
