"""Seeded pools of logprob entries, as a server would have written them.

An answer is drawn from a pool of *units*. A unit is one token, or the tokens of one character that
the tokenizer split, so that any sequence of units decodes to valid text.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

ENTRIES = 160_000
"""Alternatives in a pool; with k of them a unit."""


def _words(text: str, between: str | None = None) -> list[str]:
    return text.split(between)


_COMMON = _words(
    "the of and to in is that it was for on are as with his they at be this from have or by one "
    "had not but what all were when we there can an your which their said if do will each about "
    "how up out them then she many some so these would other into has more her two like him see "
    "time could no make than first been its who now people my made over did down only way find "
    "use may water long little very after words called just where most know get through back"
)
_SYLLABLES = _words(
    "al an ar be ca con da de di do en er es fi ga ge ha in ing ist ka la le ly ma me ment mi mo "
    "na ne ni no on or pa pe per po pre qua ra re ri ro sa se si so sta sub ta te ter ti tion tra "
    "un va ve vi vo wa wi xo yo za"
)
_MARKS = _words(
    ". , , , : ; ! ? ( ) ) \n \n\n \n\n\n .\n ,\n :\n\n - -- ** ' \" \\ / ' 's 't 'll [ ] { } < > "
    ' = == => += != () (): [] {} \t \r\n # ## ### ``` ```\n `, ", ": \\n \\\\ $ % & * + | ~ ^ @ _',
    " ",
)
_DIGITS = tuple(str(n) for n in range(200)) + ("2023", "2024", "1999", "000", "3.14")
_FOREIGN = _words(
    "é è ü ö ä ñ ß œ ş å über café año niño garçon Straße déjà naïve Ελλάδα λόγος привет мир не "
    "это слово 中文 世界 你好 的 是 在 人 日本 です ます の に 한국 안녕 שלום مرحبا "
    "नमस्ते ไทย – — … “ ” ‘ ’ « » € £ ° × → ≤ ≥ ≈ ∑ π"
)
_EMOJI = _words("😀 😂 🎉 🚀 ❤️ 👍 🔥 ✅ 🤔 🌍")


class Token(NamedTuple):
    """A token: its text as sent, its bytes, and what a stream shows of it."""

    text: str
    raw: bytes
    shown: str


class Unit(NamedTuple):
    """Neighbouring tokens that go together, as JSON texts.

    Attributes
    ----------
    entries : tuple of str
        One JSON object per token.
    deltas : tuple of str
        What the chunk of each token adds to the text, as a JSON string.
    raw : bytes
        The bytes of all of them.
    """

    entries: tuple[str, ...]
    deltas: tuple[str, ...]
    raw: bytes


@dataclass(frozen=True)
class Style:
    """How entries are written."""

    top: str = "top_logprobs"
    spaced: bool = False

    def dumps(self, value: Any, *, ascii_only: bool = False) -> str:
        """Return JSON with the separators of this style."""
        separators = (", ", ": ") if self.spaced else (",", ":")
        return json.dumps(value, separators=separators, ensure_ascii=ascii_only)


def _plain(text: str) -> tuple[Token]:
    return (Token(text, text.encode(), text),)


def _split(character: str) -> tuple[Token, ...]:
    """Cut a character into tokens of partial bytes, whose text spells them as OpenAI does."""
    raw = character.encode()
    parts = (raw[:-1], raw[-1:])
    shown = ("", character)
    return tuple(
        Token("".join(f"\\x{byte:02x}" for byte in part), part, text)
        for part, text in zip(parts, shown, strict=True)
    )


def _vocabulary(rng: np.random.Generator) -> tuple[list[tuple[Token, ...]], np.ndarray]:
    """Return groups of tokens, commonest first, with their Zipf weights."""
    made = ["".join(rng.choice(_SYLLABLES, rng.integers(1, 5))) for _ in range(6000)]
    words = [f" {word}" for word in dict.fromkeys(made)]
    texts = [f" {word}" for word in _COMMON] + list(_MARKS)
    rest = (
        words[:4000]
        + [word.title() for word in words[:800]]
        + [word.strip() for word in words[800:1800]]
        + list(_DIGITS)
        + [*_FOREIGN, *(f" {word}" for word in _FOREIGN), *_EMOJI, *(f" {mark}" for mark in _MARKS)]
    )
    rng.shuffle(rest)
    groups = [_plain(text) for text in dict.fromkeys(texts + rest) if text]
    for emoji in _EMOJI:  # also in pieces, and not too rare
        groups.insert(int(rng.integers(150, 700)), _split(emoji))
    weights = 1.0 / (np.arange(len(groups)) + 8.0)
    return groups, weights / weights.sum()


def _logprobs(rng: np.random.Generator, n: int, k: int) -> np.ndarray:
    """Return sorted logprobs of shape (n, k): some nearly certain, some flat."""
    sharpness = rng.gamma(1.2, 2.5, (n, 1))
    logits = -np.cumsum(rng.exponential(1.0, (n, k)) * sharpness / np.sqrt(np.arange(1, k + 1)), 1)
    logits -= logits[:, :1]
    tail = np.exp(logits[:, -1:]) * rng.uniform(0.2, 3.0, (n, 1))
    found = logits - np.log(np.exp(logits).sum(1, keepdims=True) + tail)
    found[rng.random(n) < 0.04, 0] = 0.0  # the server's rounding of a certain token
    floor = rng.random((n, k)) < 0.01
    floor[:, 0] = False
    floor = np.logical_or.accumulate(floor, 1) & (rng.random((n, 1)) < 0.3)
    return np.where(floor, -9999.0, found).astype(np.float32)


def _number(value: np.float32, *, wide: bool) -> float:
    # Servers print single precision either as it is (8 digits) or widened first (up to 17).
    return float(value) if wide else float(str(value))


@lru_cache(maxsize=2)
def pool(seed: int, k: int, style: Style) -> list[Unit]:
    """Return units with k alternatives each.

    The tokens and logprobs depend on the seed and k alone, not on the style.

    Parameters
    ----------
    seed : int
    k : int
        Alternatives of each token.
    style : Style

    Returns
    -------
    list of Unit
    """
    rng = np.random.default_rng([seed, k])
    groups, weights = _vocabulary(rng)
    n = ENTRIES // k
    drawn = rng.choice(len(groups), (n, 2 * k + 8), p=weights)
    logprobs = _logprobs(rng, 2 * n, k).reshape(n, 2, k)
    place = rng.random(n)
    wide, ascii_only = rng.random(n) < 0.5, rng.random(n) < 0.2
    ranks = np.where(place < 0.9, 0, np.where(place < 0.98, rng.integers(0, k, n), k))
    units = []
    for i in range(n):
        sampled, *others = (groups[j] for j in dict.fromkeys(drawn[i].tolist()))
        entries = [
            _entry(token, others, logprobs[i, part], int(ranks[i]), bool(wide[i]), style.top)
            for part, token in enumerate(sampled)
        ]
        units.append(
            Unit(
                tuple(style.dumps(entry, ascii_only=bool(ascii_only[i])) for entry in entries),
                tuple(style.dumps(token.shown) for token in sampled),
                b"".join(token.raw for token in sampled),
            )
        )
    return units


def _entry(
    token: Token,
    others: list[tuple[Token, ...]],
    logprobs: np.ndarray,
    rank: int,
    wide: bool,
    top: str,
) -> dict[str, Any]:
    """Return one entry; the sampled token is at `rank` of its list, or absent if that is k."""
    k = len(logprobs)
    listed = [other[0] for other in others][: k - (rank < k)]
    if rank < k:
        listed.insert(rank, token)
    values = [_number(value, wide=wide) for value in logprobs]
    own = values[rank] if rank < len(listed) else values[-1] - 2.5
    return {
        "token": token.text,
        "logprob": max(own, -9999.0),
        "bytes": list(token.raw),
        top: [
            {"token": other.text, "logprob": value, "bytes": list(other.raw)}
            for other, value in zip(listed, values, strict=False)
        ],
    }
