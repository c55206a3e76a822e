"""Compute metrics of spans of text: words, sentences, lines, or spans that a caller marks."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from toolkit import arguments, schema
from toolkit.errors import ArgumentError, SchemaError
from toolkit.metrics._alignment.spans import TextSpans, tokens_of_spans
from toolkit.metrics._alignment.texts import NO_TEXT, texts
from toolkit.metrics._arrays.types import Counts
from toolkit.metrics._results import categorical, result_frame, text_type
from toolkit.metrics._span_columns import span_columns
from toolkit.tables import require_tables

if TYPE_CHECKING:
    from toolkit.tables import LogprobTables

# Scripts written without blanks: each ideograph or kana is a word, with the marks that select its
# shape.
_SINGLE = (
    r"\u3005-\u3007\u3041-\u3096\u309d-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
    r"\uff66-\uff9d\U00020000-\U0003ffff"
)
_MARKS = r"\u3099\u309a\ufe00-\ufe0f\uff9e\uff9f\U000e0100-\U000e01ef"
# Characters that end a line, as in `str.splitlines`.
_END = r"\n\r\v\f\x1c-\x1e\x85\u2028\u2029"
_CLOSING = r"[\"'”’»)\]]*+"
_PATTERNS = {
    "word": re.compile(rf"[{_SINGLE}][{_MARKS}]*|[^\s{_SINGLE}]+"),
    # Up to full stops and the closing marks after them, or to the end of the line. A run of full
    # stops matches as a whole or not at all, so that a long run is scanned once.
    "sentence": re.compile(
        rf"(?=\S)(?:[^{_END}.!?…。！？｡]|[.!?…]++(?!{_CLOSING}(?:\s|\Z)))*+"
        rf"(?:[.!?…]++{_CLOSING}|[。！？｡]++[」』”’）]*+)?"
    ),
    "line": re.compile(rf"[^\s][^{_END}]*"),
}


def spans(
    lp: LogprobTables, *, by: str | re.Pattern[str] = "word", channel: str = "content"
) -> pd.DataFrame:
    """Split the texts of answers into words, sentences or lines, or find a pattern in them.

    A word is a run of characters other than white space, so it includes punctuation, as is usual
    for word surprisals. An ideograph or a kana is a separate word; other scripts without blanks,
    such as Thai, are not split. A sentence ends at ``. ! ? …`` and the quotes and brackets after
    it, before white space; at ``。！？``; and at the end of a line, so abbreviations end sentences
    too. A line is a line of text that is not blank. White space around a span is not part of it.

    Parameters
    ----------
    lp : LogprobTables
    by : {"word", "sentence", "line"} or compiled pattern
        With a `re.Pattern`, spans are its matches, without empty ones.
    channel : {"content", "prompt", "reasoning", "refusal"}

    Returns
    -------
    DataFrame
        One row per span, sorted, in the columns of ``schema.SPANS``. The text is the one that was
        sent; if none was sent, or the tokens differ from it, it is that of the tokens.

    Raises
    ------
    ArgumentError
        If an option is invalid.

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
    for row, text in texts(require_tables(lp), channel):
        matches = (match.span() for match in pattern.finditer(text.text) if match[0])
        at = text.char_starts.tolist()
        for number, (start, end) in enumerate(matches):
            span = text.text[start:end] if pattern is by else text.text[start:end].rstrip()
            end = start + len(span)
            rows.append((row, number, start, end, at[start], at[end], span))
    columns: list[Any] = list(zip(*rows, strict=True)) or [[]] * 7
    keys, choices = _keys(lp, np.array(columns[0], np.int64))
    names = ("span", "start", "end", "byte_start", "byte_end")
    return result_frame(
        schema.SPANS,
        {"response_key": keys, "choice": choices}
        | {"channel": _channel(channel, len(keys))}
        | {name: np.array(columns[i + 1], np.int64) for i, name in enumerate(names)}
        | {"text": pd.Series(list(columns[6]), dtype=text_type())},
    )


def span_metrics(
    lp: LogprobTables, spans: pd.DataFrame, *, unit: str = "characters"
) -> pd.DataFrame:
    """Compute surprisal and probability of spans of the text.

    A token belongs to every span of which it wrote a byte, with its whole logprob: a token that
    holds the end of one word and the start of the next counts in both, and is partial in both.
    White space at the start of a token does not make it partial, because tokenizers put the blank
    in front of a word. Tokens without text belong to no span.

    Tokens whose bytes were lost (U+FFFD for a part of a character) are placed by the text around
    them. If a span begins or ends where it remains unknown which token wrote what, its metrics are
    null, and ``is_aligned`` is false.

    Parameters
    ----------
    lp : LogprobTables
    spans : DataFrame
        With ``response_key``, ``start`` and ``end`` (half-open); optionally ``choice`` (default 0)
        and ``channel`` (default content); and any other columns.
    unit : {"characters", "bytes"}
        Of start and end, in the text that `spans` uses; bytes are those of its UTF-8.

    Returns
    -------
    DataFrame
        The rows of `spans`, in their order and with their index: first the caller's other columns,
        then those of ``schema.SPAN_METRICS``. Counts are int64. For a span without a usable token,
        positions (Int64) are NA and other metrics NaN, never 0 or 1.

    Raises
    ------
    ArgumentError
        If the answer of a span does not exist, a span lies outside of its text, or an option is
        invalid.
    SchemaError
        If `spans` lacks a column.

    Notes
    -----
    Surprisal of a word is the sum over its tokens (Misra 2022). The correction for leading blanks
    (Pimentel and Meister 2024) is not applied, because it needs the probability of a blank at each
    end.

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
    require_tables(lp)
    arguments.one_of("unit", unit, ("characters", "bytes"))
    asked = _asked(spans)
    given = [asked[name].to_numpy(np.int64) for name in ("response_key", "choice")]
    choice_rows = _choice_rows(lp, *given)
    names = asked["channel"].astype("category")
    found: list[TextSpans] = []
    span_texts = np.full(len(asked), None, object)
    for channel in names.cat.categories:
        arguments.channel(channel)
        mine = np.flatnonzero(names == channel)
        for each, own_texts in _locate(lp, channel, asked, mine, choice_rows, unit):
            found.append(each)
            span_texts[each.ids] = own_texts
    own = [name for name in spans.columns if name not in schema.SPAN_METRICS.names]
    result = result_frame(
        schema.SPAN_METRICS,
        {
            "response_key": given[0],
            "choice": given[1].astype(np.int32),
            "channel": pd.Categorical(names, categories=list(schema.CHANNELS)),
            "start": asked["start"].to_numpy(np.int64),
            "end": asked["end"].to_numpy(np.int64),
            "text": pd.Series(span_texts, dtype=text_type()),
            **span_columns(lp, tokens_of_spans(found)),
        },
    )
    result.index = spans.index
    return pd.concat([spans[own], result], axis=1)


def word_metrics(
    lp: LogprobTables, *, by: str | re.Pattern[str] = "word", channel: str = "content"
) -> pd.DataFrame:
    """Compute surprisal and probability of each word, sentence or line.

    Parameters
    ----------
    lp : LogprobTables
    by : {"word", "sentence", "line"} or compiled pattern
        As in `spans`.
    channel : {"content", "prompt", "reasoning", "refusal"}

    Returns
    -------
    DataFrame
        One row per span of `spans`, with the metrics of `span_metrics`, in the columns of
        ``schema.WORD_METRICS``. ``surprisal`` is in nats; null rule as in `span_metrics`.

    Raises
    ------
    ArgumentError
        If an option is invalid.

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
) -> Iterator[tuple[TextSpans, list[str] | None]]:
    """Yield the spans of one channel and what they say, answer by answer."""
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
        yield TextSpans(text, at, low, high), [text.text[a:b] for a, b in bounds]
    for at in of_choice.values():
        _check_range(at, starts, ends, 0)
        yield TextSpans(NO_TEXT, at, starts[at], ends[at]), None


# Arguments


def _checked_pattern(by: str | re.Pattern[str]) -> re.Pattern[str]:
    if isinstance(by, re.Pattern) and isinstance(by.pattern, str):
        return by
    if not isinstance(by, str) or by not in _PATTERNS:
        names = ", ".join(map(repr, _PATTERNS))
        raise arguments.invalid("by", by, f"one of {names}, or a compiled pattern of text")
    return _PATTERNS[by]


def _asked(spans: pd.DataFrame) -> pd.DataFrame:
    """Return the key columns of the spans, with defaults, as whole numbers."""
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
    """Return the row in `lp.choices` of the answer of each span."""
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
    return lp.choices["response_key"].to_numpy()[rows], lp.choices["choice"].to_numpy()[rows]


def _channel(channel: str, n: int) -> pd.Categorical:
    return categorical(np.full(n, schema.CHANNELS.index(channel)), schema.CHANNELS)
