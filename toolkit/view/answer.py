"""Read an answer for the token view: the text, certainty and alternatives of each token."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow.compute as pc

from toolkit import arguments, schema
from toolkit.metrics import sequence_metrics, token_metrics
from toolkit.tables import LogprobTables, require_texts
from toolkit.tables.rows import Pick
from toolkit.visible_text import plain, token_texts

ORDER = ("prompt", "reasoning", "content", "refusal")
"""Channels in the order in which people read them."""
FORK = "⟨the answers differ from here⟩"
MEASURES = tuple(
    column.name
    for column in schema.TOKEN_METRICS.columns
    if column.direction and column.name not in ("off_top1", "sampled_rank", "surprisal_lower")
)
"""Columns of `token_metrics` that tokens can be coloured by: those with a direction."""


class Entry(NamedTuple):
    """An alternative: its text and bytes, its probability, and whether it was sampled."""

    token: str
    bytes: bytes | None
    probability: float
    is_sampled: bool


class Token(NamedTuple):
    """A token and its details.

    Attributes
    ----------
    text, rest : str, bytes
        As `toolkit.visible_text.token_texts` returns them.
    raw : bytes or None
        Its bytes, as sent.
    value : float
        The measure that it is coloured by, in the unit of its column; NaN: null.
    certainty : int or None
        The place of `value` on the scale, in percent; None where it is null.
    logprob, status, rank
        As in the tables; None where null.
    probability : float
        NaN where there is none.
    missing : float
        Probability of all tokens that are not listed; NaN where unknown.
    entries : list of Entry
        The most probable alternatives, best first.
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

    @property
    def is_off_top1(self) -> bool:
        """Whether another token was more probable."""
        return self.rank is not None and self.rank > 1


class Channel(NamedTuple):
    """The tokens of one channel of an answer, the number of those not shown, and its text."""

    name: str
    tokens: list[Token]
    n_more: int
    text: str | None


class Answer(NamedTuple):
    """One choice of one response, as it is shown."""

    title: str
    channels: list[Channel]


class Scale(NamedTuple):
    """The measure that tokens are coloured by, and the values at the two ends of the colours.

    Attributes
    ----------
    column : Column
        The column of `token_metrics`.
    doubt, certain : float
        The values that have the first and the last colour, in the unit of the column.
    """

    column: schema.Column
    doubt: float
    certain: float

    def certainty(self, value: float) -> int | None:
        """Return the place of a value between the two ends, in percent; None for NaN."""
        if math.isnan(value):
            return None
        span = self.certain - self.doubt
        share = (value - self.doubt) / span if span else 1.0
        return round(100 * min(max(share, 0.0), 1.0))


class Options(NamedTuple):
    """What is shown of an answer; None as the channel means all that the model wrote."""

    channel: str | None
    by: str
    alternatives: int
    max_tokens: int


def read_answers(
    tables: list[LogprobTables], picks: list[Pick], options: Options
) -> tuple[list[Answer], Scale]:
    """Read the answers that are shown together, on one scale of colours.

    A channel that all rows name is the only one that is shown, unless the options name one.
    """
    alone = [lp.only(pick.response, pick.choice) for lp, pick in zip(tables, picks, strict=True)]
    for lp in alone:
        require_texts(lp)
    metrics = [token_metrics(lp) for lp in alone]
    named = {pick.channel for pick in picks}
    if options.channel is None and len(named) == 1:
        options = options._replace(channel=named.pop())
    scale = _scale_of(options.by, pd.concat([own[options.by] for own in metrics]))
    return [_read(lp, own, options, scale) for lp, own in zip(alone, metrics, strict=True)], scale


def _scale_of(by: str, values: pd.Series) -> Scale:
    """Return the scale of a measure: from 0 to 1 for shares, else up to the extreme value."""
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
        if name != options.channel and (name == "prompt" or options.channel is not None):
            continue
        mine = np.asarray(metrics["channel"] == name)
        text = choice.get(name)  # of a prompt there are only tokens
        if options.channel == name or mine.any() or text:
            channels.append(_channel(lp, metrics, mine, name, text, options, scale))
    title = _title(response, choice, sequence_metrics(lp), [channel.name for channel in channels])
    return Answer(title, channels)


def _title(
    response: dict[str, Any], choice: dict[str, Any], sequences: pd.DataFrame, names: list[str]
) -> str:
    """Return the title of an answer: model, id, choice, perplexities and finish reason."""
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
    mine: npt.NDArray[np.bool_],
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


def _entries(lp: LogprobTables, at: npt.NDArray[np.intp], most: int) -> list[list[Entry]]:
    """Return the most probable alternatives of some tokens, and the sampled one at any rank."""
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
    """Check the options of `toolkit.show` that choose what is shown."""
    return Options(
        arguments.one_of("channel", channel, (None, *schema.CHANNELS)),
        arguments.one_of("by", by, MEASURES),
        arguments.whole("alternatives", alternatives, 0, 10),
        arguments.whole("max_tokens", max_tokens, 1, 100_000),
    )
