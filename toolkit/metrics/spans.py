"""Metrics of spans of text: words, sentences, lines, or whatever a caller marks."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from toolkit import arguments, schema
from toolkit.errors import ArgumentError, SchemaError
from toolkit.metrics._alignment.spans import Cover, cover, no_cover
from toolkit.metrics._alignment.texts import texts
from toolkit.metrics._arrays.types import Counts
from toolkit.metrics._results import categorical, frame, text_type
from toolkit.metrics._span_columns import covered_columns

if TYPE_CHECKING:
    from toolkit.tables import LogprobTables

# Scripts that are written without blanks: ideographs and kana, each a word of its own, with the
# marks that choose its shape.
_SINGLE = (
    r"\u3005-\u3007\u3041-\u3096\u309d-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
    r"\uff66-\uff9d\U00020000-\U0003ffff"
)
_MARKS = r"\u3099\u309a\ufe00-\ufe0f\uff9e\uff9f\U000e0100-\U000e01ef"
# What ends a line, as `str.splitlines` has it.
_END = r"\n\r\v\f\x1c-\x1e\x85\u2028\u2029"
_CLOSING = r"[\"'”’»)\]]*+"
_PATTERNS = {
    "word": re.compile(rf"[{_SINGLE}][{_MARKS}]*|[^\s{_SINGLE}]+"),
    # Up to full stops and what closes behind them, or to the end of the line. A run of full stops
    # is taken whole or not at all, so that a long one is looked at once.
    "sentence": re.compile(
        rf"(?=\S)(?:[^{_END}.!?…。！？｡]|[.!?…]++(?!{_CLOSING}(?:\s|\Z)))*+"
        rf"(?:[.!?…]++{_CLOSING}|[。！？｡]++[」』”’）]*+)?"
    ),
    "line": re.compile(rf"[^\s][^{_END}]*"),
}


def spans(
    lp: LogprobTables, *, by: str | re.Pattern[str] = "word", channel: str = "content"
) -> pd.DataFrame:
    """Cut the texts of answers into words, sentences or lines, or find a pattern in them.

    A word is a run of characters that are no white space, so punctuation stays with it, as word
    surprisals are usually taken; an ideograph or a kana is a word of its own, and scripts such as
    Thai, which have no blanks either, are not cut. A sentence ends at ``. ! ? …`` with the quotes
    and brackets behind, before white space; at ``。！？``; and at a line end: abbreviations end
    sentences too. A line is a line of text that is not blank. White space around any of these is
    not part of it.

    Parameters
    ----------
    lp : LogprobTables
    by : {"word", "sentence", "line"} or compiled pattern
        A `re.Pattern` gives its matches, empty ones left out.
    channel : {"content", "refusal", "reasoning"}

    Returns
    -------
    DataFrame
        One row per span, sorted, in the columns of ``schema.SPANS``. The text is the one that was
        sent; where none was, or the tokens say another, it is that of the tokens.

    Raises
    ------
    ArgumentError
        If an option is none of the choices.

    Examples
    --------
    >>> import toolkit
    >>> entry = {"token": "Hi there.", "logprob": -0.5}
    >>> choice = {"message": {"content": "Hi there."}, "logprobs": {"content": [entry]}}
    >>> spans(toolkit.from_responses({"choices": [choice]}))["text"].tolist()
    ['Hi', 'there.']
    """
    pattern = _checked_pattern(by)
    arguments.channel(channel)
    rows: list[tuple[int, int, int, int, int, int, str]] = []
    for row, text in texts(lp, channel):
        places = (match.span() for match in pattern.finditer(text.text) if match[0])
        at = text.char_starts.tolist()
        for number, (start, end) in enumerate(places):
            said = text.text[start:end] if pattern is by else text.text[start:end].rstrip()
            end = start + len(said)
            rows.append((row, number, start, end, at[start], at[end], said))
    columns: list[Any] = list(zip(*rows, strict=True)) or [[]] * 7
    keys, choices = _keys(lp, np.array(columns[0], np.int64))
    names = ("span", "start", "end", "byte_start", "byte_end")
    return frame(
        schema.SPANS,
        {"response_key": keys, "choice": choices}
        | {"channel": _channel(channel, len(keys))}
        | {name: np.array(columns[i + 1], np.int64) for i, name in enumerate(names)}
        | {"text": pd.Series(list(columns[6]), dtype=text_type())},
    )


def span_metrics(
    lp: LogprobTables, spans: pd.DataFrame, *, unit: str = "characters"
) -> pd.DataFrame:
    """How sure the model was of spans of the text.

    A token belongs to every span that it wrote a byte of, with its whole logprob: a token that
    holds the end of one word and the start of the next counts in both and is partial in both.
    White space in front of a token does not make it partial, since tokenizers put the blank in
    front of a word. Tokens without text belong to no span.

    Tokens whose bytes were lost (U+FFFD for a part of a character) are placed by what stands around
    them. A span that begins or ends where that leaves it open which token wrote what has no
    metrics, and ``is_aligned`` is false.

    Parameters
    ----------
    lp : LogprobTables
    spans : DataFrame
        With ``response_key``, ``start`` and ``end`` (half-open), and perhaps ``choice`` (else 0),
        ``channel`` (else content) and columns of one's own.
    unit : {"characters", "bytes"}
        Of start and end, in the text as `spans` takes it; bytes are those of its UTF-8.

    Returns
    -------
    DataFrame
        The rows given, in their order and with their index: first the columns that are the
        caller's own, then those of ``schema.SPAN_METRICS``. Counts are int64; positions are Int64
        and NA, other metrics NaN, for a span without a usable token, never 0 or 1.

    Raises
    ------
    ArgumentError
        If a span names no answer, or does not lie in its text, or an option is none of the choices.
    SchemaError
        If `spans` lacks a column.

    Notes
    -----
    Surprisal of a word is the sum over its tokens (Misra 2022). The correction for leading blanks
    (Pimentel and Meister 2024) is not applied: it needs the probability of a blank at each end.

    Examples
    --------
    >>> import toolkit, pandas
    >>> entries = [{"token": t, "logprob": p} for t, p in [("Hel", -0.5), ("lo", -0.25)]]
    >>> choice = {"message": {"content": "Hello"}, "logprobs": {"content": entries}}
    >>> lp = toolkit.from_responses({"choices": [choice]})
    >>> key = lp.responses["response_key"][0].as_py()
    >>> marked = pandas.DataFrame({"response_key": [key] * 2, "start": [0, 3], "end": [5, 4]})
    >>> toolkit.span_metrics(lp, marked)[["n_tokens", "n_partial", "sum_logprob"]].values.tolist()
    [[2.0, 0.0, -0.75], [1.0, 1.0, -0.25]]
    """
    arguments.one_of("unit", unit, ("characters", "bytes"))
    asked = _asked(spans)
    given = [asked[name].to_numpy(np.int64) for name in ("response_key", "choice")]
    choice_rows = _choice_rows(lp, *given)
    names = asked["channel"].astype("category")
    found: list[Cover] = []
    said = np.full(len(asked), None, object)
    for channel in names.cat.categories:
        arguments.channel(channel)
        mine = np.flatnonzero(names == channel)
        for part, texts_ in _locate(lp, channel, asked, mine, choice_rows, unit):
            found.append(part)
            said[part.at] = texts_
    own = [name for name in spans.columns if name not in schema.SPAN_METRICS.names]
    result = frame(
        schema.SPAN_METRICS,
        {
            "response_key": given[0],
            "choice": given[1].astype(np.int32),
            "channel": pd.Categorical(names, categories=list(schema.CHANNELS)),
            "start": asked["start"].to_numpy(np.int64),
            "end": asked["end"].to_numpy(np.int64),
            "text": pd.Series(said, dtype=text_type()),
            **covered_columns(lp, found),
        },
    )
    result.index = spans.index
    return pd.concat([spans[own], result], axis=1)


def word_metrics(
    lp: LogprobTables, *, by: str | re.Pattern[str] = "word", channel: str = "content"
) -> pd.DataFrame:
    """How sure the model was of each word, sentence or line.

    Parameters
    ----------
    lp : LogprobTables
    by : {"word", "sentence", "line"} or compiled pattern
        As in `spans`.
    channel : {"content", "refusal", "reasoning"}

    Returns
    -------
    DataFrame
        One row per span of `spans`, with the metrics of `span_metrics`, in the columns of
        ``schema.WORD_METRICS``. ``surprisal`` is in nats; null rule as in `span_metrics`.

    Raises
    ------
    ArgumentError
        If an option is none of the choices.

    Examples
    --------
    >>> import toolkit
    >>> entries = [{"token": t, "logprob": p} for t, p in [("Good", -0.5), (" day", -0.25)]]
    >>> choice = {"message": {"content": "Good day"}, "logprobs": {"content": entries}}
    >>> words = toolkit.word_metrics(toolkit.from_responses({"choices": [choice]}))
    >>> words[["text", "surprisal"]].values.tolist()
    [['Good', 0.5], ['day', 0.25]]
    """
    found = spans(lp, by=by, channel=channel)
    return span_metrics(lp, found)[schema.WORD_METRICS.names]


def _locate(
    lp: LogprobTables,
    channel: str,
    asked: pd.DataFrame,
    mine: Counts,
    choice_rows: Counts,
    unit: str,
) -> Iterator[tuple[Cover, list[str] | None]]:
    """Yield which tokens the spans of one channel have, and what they say, answer by answer."""
    order = mine[np.argsort(choice_rows[mine], kind="stable")]
    cuts = np.flatnonzero(np.diff(choice_rows[order])) + 1
    groups = np.split(order, cuts) if len(order) else []
    of_choice = {int(choice_rows[group[0]]): group for group in groups}
    starts, ends = (asked[name].to_numpy(np.int64) for name in ("start", "end"))
    for row, text in texts(lp, channel):
        at = of_choice.pop(row, None)
        if at is None:
            continue
        limit = len(text.char_starts) - 1 if unit == "characters" else text.char_starts[-1]
        _check_range(at, starts, ends, int(limit))
        low, high = starts[at], ends[at]
        if unit == "characters":
            first, last = low, high
            low, high = text.char_starts[low], text.char_starts[high]
        else:
            first = np.searchsorted(text.char_starts, low, "right") - 1
            last = np.where(low < high, np.searchsorted(text.char_starts, high, "left"), first)
        bounds = zip(first.tolist(), last.tolist(), strict=True)
        yield cover(text, at, low, high), [text.text[a:b] for a, b in bounds]
    for at in of_choice.values():
        _check_range(at, starts, ends, 0)
        yield no_cover(at), None


# Arguments


def _checked_pattern(by: str | re.Pattern[str]) -> re.Pattern[str]:
    if isinstance(by, re.Pattern) and isinstance(by.pattern, str):
        return by
    if not isinstance(by, str) or by not in _PATTERNS:
        names = ", ".join(map(repr, _PATTERNS))
        raise arguments.invalid("by", by, f"one of {names}, or a compiled pattern of text")
    return _PATTERNS[by]


def _asked(spans: pd.DataFrame) -> pd.DataFrame:
    """Return the columns that say which spans are meant, all there and whole numbers."""
    arguments.instance("spans", spans, pd.DataFrame)
    missing = [name for name in ("response_key", "start", "end") if name not in spans]
    if missing:
        raise SchemaError(f"spans lacks column {missing[0]!r}; it has {list(spans.columns)}")
    asked = pd.DataFrame(index=range(len(spans)))
    for name in ("response_key", "choice", "start", "end"):
        values = spans[name].reset_index(drop=True) if name in spans else pd.Series(0, asked.index)
        whole = pd.api.types.is_integer_dtype(values.dtype) and not values.isna().any()
        if len(values) and not whole:
            raise ArgumentError(f"spans.{name} has {values.dtype} values: expected whole numbers")
        asked[name] = values.astype(np.int64)
    channel = spans["channel"].reset_index(drop=True) if "channel" in spans else "content"
    asked["channel"] = channel
    if asked["channel"].isna().any():
        raise ArgumentError(f"spans.channel has nulls: expected one of {schema.CHANNELS}")
    return asked


def _choice_rows(lp: LogprobTables, response_key: np.ndarray, choice: np.ndarray) -> Counts:
    """Return the row in `lp.choices` of each span's answer."""
    have = pd.MultiIndex.from_arrays(
        [lp.choices[name].to_numpy() for name in ("response_key", "choice")]
    )
    rows = have.get_indexer(pd.MultiIndex.from_arrays([response_key, choice]))
    if (rows < 0).any():
        i = int(np.argmax(rows < 0))
        raise ArgumentError(
            f"spans row {i}: there is no answer of response_key {response_key[i]}, choice "
            f"{choice[i]}"
        )
    return rows


def _check_range(at: Counts, starts: np.ndarray, ends: np.ndarray, limit: int) -> None:
    bad = (starts[at] < 0) | (ends[at] < starts[at]) | (ends[at] > limit)
    if bad.any():
        i = int(at[np.argmax(bad)])
        raise ArgumentError(
            f"spans row {i}: {starts[i]} to {ends[i]} does not lie in its text, 0 to {limit}"
        )


def _keys(lp: LogprobTables, rows: Counts) -> tuple[np.ndarray, np.ndarray]:
    return tuple(lp.choices[name].to_numpy()[rows] for name in ("response_key", "choice"))


def _channel(channel: str, n: int) -> pd.Categorical:
    return categorical(np.full(n, schema.CHANNELS.index(channel)), schema.CHANNELS)
