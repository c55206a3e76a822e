"""Compute metrics of the fields of JSON answers."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pandas as pd

from toolkit import arguments, schema
from toolkit.arrow import offsets, run_rows
from toolkit.metrics._alignment.json_leaves import Leaf, documents
from toolkit.metrics._alignment.spans import SpanTokens, TextSpans, tokens_of_spans
from toolkit.metrics._alignment.texts import Text, found_outside, texts, token_runs, without_tokens
from toolkit.metrics._arrays.logprobs import probability
from toolkit.metrics._arrays.types import Counts
from toolkit.metrics._pairing import response_rows, texts_at
from toolkit.metrics._results import integers, result_frame, text_type
from toolkit.metrics._span_columns import span_columns
from toolkit.metrics.tokens import token_metrics
from toolkit.tables import require_tables

if TYPE_CHECKING:
    from toolkit.tables import LogprobTables

_SOURCES = ("content", "tool_calls")


def field_metrics(
    lp: LogprobTables, *, source: str = "content", quotes: bool = False
) -> pd.DataFrame:
    """Compute the confidence of each value of the JSON in an answer.

    Text around the JSON is ignored. JSON that was cut off or is broken yields the fields that it
    has, and ``document_state`` shows it. Tokens are assigned to values byte by byte, so a character
    that is split over several tokens does not shift the others. A token that wrote a part of the
    value and a part of the text next to it (``"}``, ``": "``) counts with its whole logprob, and in
    ``n_partial``.

    Parameters
    ----------
    lp : LogprobTables
    source : {"content", "tool_calls"}
        ``"tool_calls"``: the arguments of tool calls. They are found if their tokens were sent with
        those of the content, exactly once, and outside of its text; otherwise their fields have no
        tokens, and ``is_aligned`` is false.
    quotes : bool
        Count the quotation marks of a string as part of it. Without them an empty string has no
        token, and its metrics are null.

    Returns
    -------
    DataFrame
        One row per value that contains no other, in the order of the text, in the columns of
        ``schema.FIELD_METRICS``. Sums are in nats, higher is more certain. Columns ``first_…``
        describe the first token of the value: ``first_alternatives`` is a list of
        ``{"token", "probability"}``. Counts are int64; all metrics are NA or NaN for a value
        without a usable token, never 0 or 1. Answers without JSON have no row.

    Raises
    ------
    ArgumentError
        If an option is invalid.

    Examples
    --------
    >>> import toolkit
    >>> pieces = [('{"a":"', -0.5), ("yes", -0.25), ('"}', 0.0)]
    >>> entries = [{"token": token, "logprob": p} for token, p in pieces]
    >>> choice = {"message": {"content": '{"a":"yes"}'}, "logprobs": {"content": entries}}
    >>> fields = toolkit.field_metrics(toolkit.from_responses({"choices": [choice]}))
    >>> fields[["path", "value", "n_tokens", "sum_logprob"]].values.tolist()
    [['$.a', 'yes', 1, -0.25]]
    """
    require_tables(lp)
    arguments.one_of("source", source, _SOURCES)
    arguments.one_of("quotes", quotes, (True, False))
    fields: list[_Field] = []
    found: list[TextSpans] = []
    for each in _contents(lp) if source == "content" else _arguments(lp):
        numbered = [
            (number, document.state, field, leaf)
            for number, document in enumerate(documents(each.text.text))
            for field, leaf in enumerate(document.leaves)
        ]
        ids = np.arange(len(fields), len(fields) + len(numbered))
        fields += [_Field(each.row, each.tool_call, *one) for one in numbered]
        if numbered:
            found.append(_spans_of(each, [leaf for *_, leaf in numbered], ids, quotes))
    spans = tokens_of_spans(found)
    return result_frame(
        schema.FIELD_METRICS,
        _keys(lp, fields) | span_columns(lp, spans) | _first(lp, _first_rows(spans)),
    )


class _Source(NamedTuple):
    """A text that may contain JSON, and its origin."""

    row: int  # in lp.choices
    tool_call: int | None
    text: Text


class _Field(NamedTuple):
    row: int
    tool_call: int | None
    document: int
    document_state: str
    field: int
    leaf: Leaf


def _contents(lp: LogprobTables) -> Iterator[_Source]:
    for row, text in texts(lp, "content"):
        yield _Source(row, None, text)


def _arguments(lp: LogprobTables) -> Iterator[_Source]:
    """Find the arguments of tool calls in the tokens of the content, outside of its text.

    The text itself is excluded, because it may quote a call: those are not the tokens of the call.
    """
    found = token_runs(lp)
    content = schema.CHANNELS.index("content")
    sent = lp.choices["content"]
    for row, stored in enumerate(lp.choices["tool_calls"].to_pylist()):
        calls = json.loads(stored) if stored else []
        for number, call in enumerate(calls if isinstance(calls, list) else []):
            function = call.get("function") if isinstance(call, dict) else None
            arguments = function.get("arguments") if isinstance(function, dict) else None
            if not isinstance(arguments, str):
                continue
            start, count = int(found.starts[row, content]), int(found.counts[row, content])
            pieces = found.bytes.slice(start, count)
            text = found_outside(arguments, sent[row].as_py(), pieces, start)
            yield _Source(row, number, text or without_tokens(arguments))


def _spans_of(each: _Source, leaves: list[Leaf], ids: Counts, quotes: bool) -> TextSpans:
    """Return the bytes of some values of one text."""
    starts, ends = [], []
    for leaf in leaves:
        inside = leaf.kind == "string" and not quotes
        starts.append(leaf.start + inside)
        ends.append(max(leaf.end - (inside and leaf.is_complete), leaf.start + inside))
    of_char = each.text.char_starts
    return TextSpans(each.text, ids, of_char[starts], of_char[ends])


def _keys(lp: LogprobTables, fields: list[_Field]) -> dict[str, Any]:
    """Return the columns that say where each field lies, and what it is."""
    rows = np.array([field.row for field in fields], np.int64)
    calls = [field.tool_call for field in fields]
    leaves = [field.leaf for field in fields]
    responses = response_rows(lp)[rows]
    return {
        "response_key": lp.choices["response_key"].to_numpy()[rows],
        "choice": lp.choices["choice"].to_numpy()[rows],
        **{name: texts_at(lp.responses[name], responses) for name in ("custom_id", "model")},
        "tool_call": integers(
            np.array([call or 0 for call in calls], np.int64),
            np.array([call is not None for call in calls], np.bool_),
        ),
        "document": np.array([field.document for field in fields], np.int64),
        "document_state": pd.Series([field.document_state for field in fields], dtype=text_type()),
        "field": np.array([field.field for field in fields], np.int64),
        "path": pd.Series([leaf.path for leaf in leaves], dtype=text_type()),
        "kind": pd.Series([leaf.kind for leaf in leaves], dtype=text_type()),
        "value": pd.Series([leaf.value for leaf in leaves], dtype=text_type()),
        "is_complete": np.array([leaf.is_complete for leaf in leaves], np.bool_),
        "start": np.array([leaf.start for leaf in leaves], np.int64),
        "end": np.array([leaf.end for leaf in leaves], np.int64),
    }


def _first_rows(spans: SpanTokens) -> Counts:
    """Return the row in ``lp.tokens`` of the first token of each field, -1 without tokens."""
    first = np.full(len(spans.ids), -1, np.int64)
    some = spans.sizes > 0
    first[some] = spans.rows[(np.cumsum(spans.sizes) - spans.sizes)[some]]
    return first


def _first(lp: LogprobTables, rows: Counts) -> dict[str, Any]:
    """Return metrics and alternatives of the first token of each field."""
    some = rows >= 0
    metrics = token_metrics(lp)
    columns: dict[str, Any] = {}
    for name in ("probability", "margin", "entropy_lower"):
        values = np.full(len(rows), np.nan)
        values[some] = metrics[name].to_numpy()[rows[some]]
        columns[f"first_{name}"] = values
    counts = lp.tokens["n_alternatives"].to_numpy().astype(np.int64)
    sizes = np.where(some, counts[rows], 0) if len(counts) else np.zeros(len(rows), np.int64)
    at = run_rows(offsets(counts)[np.where(some, rows, 0)], sizes)
    entries = lp.alternatives.select(["token", "logprob", "rank", "status"]).take(at).to_pylist()
    alternatives = np.empty(len(rows), object)
    for i, (start, stop) in enumerate(pairwise(offsets(sizes).tolist())):
        alternatives[i] = _listed(entries[start:stop])
    return columns | {"first_alternatives": alternatives}


def _listed(entries: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the usable alternatives of one token with their probabilities, by rank."""
    usable = sorted(
        (entry for entry in entries if entry["status"] == "ok"), key=lambda entry: entry["rank"]
    )
    return [
        {"token": entry["token"], "probability": probability(entry["logprob"])} for entry in usable
    ]
