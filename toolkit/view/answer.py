"""One answer made ready to be drawn: what each token says, and how certain it is."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pyarrow.compute as pc

from toolkit import schema
from toolkit.errors import ArgumentError
from toolkit.metrics import sequence_metrics, token_metrics
from toolkit.tables import LogprobTables, Selector
from toolkit.visible_text import plain, token_texts

ORDER = ("reasoning", "content", "refusal")
"""As people read them."""
MEASURES = tuple(
    column.name
    for column in schema.TOKEN_METRICS.columns
    if column.direction and column.name not in ("off_top1", "sampled_rank", "surprisal_lower")
)
"""What tokens can be coloured by: columns of `token_metrics` that say which end is certain."""


class Entry(NamedTuple):
    """An alternative: its text and bytes, its probability, and whether it was sampled."""

    token: str
    bytes: bytes | None
    probability: float
    is_sampled: bool


class Token(NamedTuple):
    """A token and all that is told of it.

    Attributes
    ----------
    text, rest : str, bytes
        As `toolkit.visible_text.token_texts` gives them.
    raw : bytes or None
        As sent.
    value : float
        What it is coloured by, in the unit of its column; NaN: null.
    certainty : int or None
        0 to 100, from one end of the scale to the other; None where `value` is null.
    logprob, status, rank
        As in the tables; None where null.
    probability : float
        NaN where there is none.
    missing : float
        Probability of what is not listed; NaN where unknown.
    entries : list of Entry
        The likeliest alternatives, best first.
    n_alternatives : int
    """

    position: int
    text: str
    rest: bytes
    raw: bytes | None
    value: float
    certainty: int | None
    logprob: float | None
    status: str
    rank: int | None
    probability: float
    missing: float
    entries: list[Entry]
    n_alternatives: int


class Channel(NamedTuple):
    """The tokens of one channel of an answer, and how many more there are."""

    name: str
    tokens: list[Token]
    n_more: int
    text: str | None


class Answer(NamedTuple):
    """One choice of one response."""

    title: str
    channels: list[Channel]


class Scale(NamedTuple):
    """What tokens are coloured by, and the values at the two ends of the colours.

    Attributes
    ----------
    column : Column
        Of `token_metrics`.
    doubt, certain : float
        The values drawn in the first and last colour.
    """

    column: schema.Column
    doubt: float
    certain: float

    def certainty(self, value: float) -> int | None:
        """Place a value between the two ends, in percent."""
        if math.isnan(value):
            return None
        span = self.certain - self.doubt
        share = (value - self.doubt) / span if span else 1.0
        return round(100 * min(max(share, 0.0), 1.0))


class Options(NamedTuple):
    """What is drawn of an answer."""

    channel: str | None
    by: str
    alternatives: int
    max_tokens: int


def read_answers(picks: list[tuple[LogprobTables, Selector, int]], options: Options) -> tuple:
    """Read the answers that are shown together, on one scale.

    Parameters
    ----------
    picks : list of (LogprobTables, int or str, int)
        Tables, response and choice of each.
    options : Options

    Returns
    -------
    answers : list of Answer
    scale : Scale
    """
    found = []
    for lp, response, choice in picks:
        row = lp.choice_row(response, choice)
        key = lp.choices["response_key"][row].as_py()
        alone = lp.filter(response_key=key, choice=lp.choices["choice"][row].as_py())
        found.append((alone, token_metrics(alone)))
    scale = _scale_of(options.by, pd.concat([metrics[options.by] for _, metrics in found]))
    return [_read(lp, metrics, options, scale) for lp, metrics in found], scale


def _scale_of(by: str, values: pd.Series) -> Scale:
    """Give shares the ends 0 and 1, others 0 or less and the most or least that there is."""
    column = schema.TOKEN_METRICS[by]
    known = values.to_numpy(float, na_value=math.nan)
    known = known[np.isfinite(known)]
    low, high = (float(known.min()), float(known.max())) if len(known) else (0.0, 1.0)
    if column.unit == "1":
        low, high = 0.0, 1.0
    elif column.direction == "lower":
        low = 0.0
    else:
        high = max(high, 0.0)
    return Scale(column, *((high, low) if column.direction == "lower" else (low, high)))


def _read(lp: LogprobTables, metrics: pd.DataFrame, options: Options, scale: Scale) -> Answer:
    response = lp.responses.to_pylist()[0]
    choice = lp.choices.to_pylist()[0]
    channels = []
    for name in ORDER:
        if options.channel not in (None, name):
            continue
        mine = np.asarray(metrics["channel"] == name)
        text = choice[name]
        if options.channel == name or mine.any() or text:
            channels.append(_channel(lp, metrics, mine, name, text, options, scale))
    title = _title(response, choice, sequence_metrics(lp), [channel.name for channel in channels])
    return Answer(title, channels)


def _title(
    response: dict[str, Any], choice: dict[str, Any], sequences: pd.DataFrame, names: list[str]
) -> str:
    """Say what is shown: model, id, choice, perplexity, how it ended."""
    parts = [response["model"], response["custom_id"] or response["response_id"]]
    parts.append(f"choice {choice['choice']}" if response["n_choices"] > 1 else None)
    shown = sequences[sequences["channel"].isin(names)].dropna(subset="perplexity")
    for name, perplexity in zip(shown["channel"], shown["perplexity"], strict=True):
        of = "" if name == "content" else f" of {name}"
        parts.append(f"perplexity{of} {perplexity:.3g}")
    if choice["finish_reason"] not in (None, "stop"):
        parts.append(f"finish reason {choice['finish_reason']}")
    return " · ".join(plain(part) for part in parts if part)


def _channel(
    lp: LogprobTables,
    metrics: pd.DataFrame,
    mine: np.ndarray,
    name: str,
    text: str | None,
    options: Options,
    scale: Scale,
) -> Channel:
    at = np.flatnonzero(mine)
    shown = at[: options.max_tokens]
    sent = lp.tokens.take(shown).select(["token", "bytes", "logprob", "status"]).to_pylist()
    texts = token_texts((token["token"], token["bytes"]) for token in sent)
    columns = ["position", "probability", "missing_mass", "sampled_rank"]
    facts = metrics.iloc[shown][columns].astype("float64").to_numpy()
    values = metrics[options.by].iloc[shown].to_numpy(float, na_value=math.nan)
    tokens = []
    for i, (one, (chars, rest), entries) in enumerate(
        zip(sent, texts, _entries(lp, shown, options.alternatives), strict=True)
    ):
        position, probability, missing, rank = facts[i].tolist()
        tokens.append(
            Token(
                position=int(position),
                text=chars,
                rest=rest,
                raw=one["bytes"],
                value=values[i],
                certainty=scale.certainty(values[i]),
                logprob=one["logprob"],
                status=one["status"],
                rank=None if math.isnan(rank) else int(rank),
                probability=probability,
                missing=missing,
                entries=entries,
                n_alternatives=lp.tokens["n_alternatives"][shown[i]].as_py(),
            )
        )
    return Channel(name, tokens, len(at) - len(shown), text)


def _entries(lp: LogprobTables, at: np.ndarray, most: int) -> list[list[Entry]]:
    """Return the likeliest alternatives of some tokens, and the sampled one wherever it ranks."""
    if not most or not len(at):
        return [[] for _ in at]
    counts = lp.tokens["n_alternatives"].to_numpy()
    owner = np.repeat(np.arange(len(counts)), counts)
    wanted = (owner >= at[0]) & (owner <= at[-1])
    rank = pc.fill_null(lp.alternatives["rank"], most + 1).to_numpy()
    wanted &= (rank <= most) | lp.alternatives["is_sampled"].to_numpy()
    wanted &= pc.equal(lp.alternatives["status"].cast("string"), "ok").to_numpy()
    kept = np.flatnonzero(wanted)
    order = np.lexsort((rank[kept], owner[kept]))
    columns = ["token", "bytes", "logprob", "is_sampled"]
    found: list[list[Entry]] = [[] for _ in at]
    rows = lp.alternatives.take(kept[order]).select(columns).to_pylist()
    for token, row in zip(owner[kept[order]].tolist(), rows, strict=True):
        probability = math.exp(min(row["logprob"], 0.0))
        found[token - int(at[0])].append(
            Entry(row["token"], row["bytes"], probability, row["is_sampled"])
        )
    return found


def checked_options(channel: str | None, by: str, alternatives: int, max_tokens: int) -> Options:
    """Check what a caller asks to be drawn."""
    if channel is not None and channel not in schema.CHANNELS:
        raise ArgumentError(f"channel={channel!r}; choose one of {schema.CHANNELS} or None")
    if by not in MEASURES:
        raise ArgumentError(f"by={by!r}; choose one of {MEASURES}")
    for name, value, low, high in (
        ("alternatives", alternatives, 0, 10),
        ("max_tokens", max_tokens, 1, 100_000),
    ):
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            raise ArgumentError(f"{name}={value!r}; give an integer from {low} to {high}")
    return Options(channel, by, alternatives, max_tokens)
