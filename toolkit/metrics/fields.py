"""Metrics of the values in the JSON that a model wrote."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa

from toolkit import arguments, schema
from toolkit.metrics._alignment.json_leaves import Leaf, documents
from toolkit.metrics._alignment.spans import Cover, cover, no_cover
from toolkit.metrics._alignment.texts import Text, aligned, found_outside, places, texts
from toolkit.metrics._results import frame, integers, text_type
from toolkit.metrics._span_columns import covered_columns
from toolkit.metrics.tokens import token_metrics

if TYPE_CHECKING:
    from toolkit.tables import LogprobTables

_SOURCES = ("content", "tool_calls")


def field_metrics(
    lp: LogprobTables, *, source: str = "content", quotes: bool = False
) -> pd.DataFrame:
    """How sure the model was of each value of the JSON in its answer.

    Text around the JSON is passed over. JSON that was cut off or is broken gives the fields that
    are there, and ``document_state`` says so. Tokens belong to a value byte by byte, so a character
    that is split over tokens shifts nothing.
    A token that wrote a piece of the value and a piece of what stands beside it (``"}``, ``": "``)
    counts with its whole logprob, and in ``n_partial``.

    Parameters
    ----------
    lp : LogprobTables
    source : {"content", "tool_calls"}
        ``"tool_calls"``: the arguments of tool calls, where the tokens that wrote them are sent
        with those of the content, once, and outside of its text; else their fields have no tokens,
        and ``is_aligned`` is false.
    quotes : bool
        Count the quotation marks of a string as part of it. Without them an empty string has no
        token, and no metric.

    Returns
    -------
    DataFrame
        One row per value that holds no other, in the order of the text, in the columns of
        ``schema.FIELD_METRICS``. Sums are in nats, higher is more certain. ``first_…`` tell of the
        first token of the value: ``first_alternatives`` is a list of
        ``{"token", "probability"}``. Counts are int64; all metrics are NA or NaN for a value
        without a usable token, never 0 or 1. Answers without JSON have no row.

    Raises
    ------
    ArgumentError
        If an option is none of the choices.

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
    arguments.one_of("source", source, _SOURCES)
    arguments.one_of("quotes", quotes, (True, False))
    fields: list[_Field] = []
    covers: list[Cover] = []
    for each in _contents(lp) if source == "content" else _arguments(lp):
        numbered = [
            (number, document.state, field, leaf)
            for number, document in enumerate(documents(each.text.text))
            for field, leaf in enumerate(document.leaves)
        ]
        at = np.arange(len(fields), len(fields) + len(numbered))
        fields += [_Field(each.row, each.tool_call, *one) for one in numbered]
        if numbered:
            covers.append(_cover(each, [leaf for *_, leaf in numbered], at, quotes))
    columns = covered_columns(lp, covers)
    return frame(
        schema.FIELD_METRICS,
        _labels(lp, fields) | columns | _first(lp, _first_rows(covers, len(fields))),
    )


class _Source(NamedTuple):
    """A text that may hold JSON, and where it came from."""

    row: int  # in lp.choices
    tool_call: int | None
    text: Text
    has_tokens: bool


class _Field(NamedTuple):
    row: int
    tool_call: int | None
    document: int
    document_state: str
    field: int
    leaf: Leaf


def _contents(lp: LogprobTables) -> Iterator[_Source]:
    for row, text in texts(lp, "content"):
        yield _Source(row, None, text, True)


def _arguments(lp: LogprobTables) -> Iterator[_Source]:
    """Look for the arguments of tool calls in the content's tokens, outside of the content.

    What the content says of a call is not the call: its tokens are not those of the arguments.
    """
    found = places(lp)
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
            bare = aligned(arguments, found.bytes.slice(0, 0), 0)
            yield _Source(row, number, text or bare, text is not None)


def _cover(each: _Source, leaves: list[Leaf], at: np.ndarray, quotes: bool) -> Cover:
    if not each.has_tokens:
        return no_cover(at)._replace(is_aligned=np.zeros(len(at), np.bool_))
    starts, ends = [], []
    for leaf in leaves:
        inside = leaf.kind == "string" and not quotes
        starts.append(leaf.start + inside)
        ends.append(max(leaf.end - (inside and leaf.is_complete), leaf.start + inside))
    of_char = each.text.char_starts
    return cover(each.text, at, of_char[starts], of_char[ends])


def _labels(lp: LogprobTables, fields: list[_Field]) -> dict[str, Any]:
    rows = np.array([field.row for field in fields], np.int64)
    calls = [field.tool_call for field in fields]
    leaves = [field.leaf for field in fields]
    return {
        "response_key": lp.choices["response_key"].to_numpy()[rows],
        "choice": lp.choices["choice"].to_numpy()[rows],
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


def _first_rows(covers: list[Cover], n: int) -> np.ndarray:
    """Return the row in ``lp.tokens`` of the first token of each field, -1 without any."""
    first = np.full(n, -1, np.int64)
    for part in covers:
        begins = np.cumsum(part.sizes) - part.sizes
        some = part.sizes > 0
        first[part.at[some]] = part.rows[begins[some]]
    return first


def _first(lp: LogprobTables, rows: np.ndarray) -> dict[str, Any]:
    """Tell of the first token of each field, and what else was likely there."""
    some = rows >= 0
    metrics = token_metrics(lp)
    columns: dict[str, Any] = {}
    for name in ("probability", "margin", "entropy_lower"):
        values = np.full(len(rows), np.nan)
        values[some] = metrics[name].to_numpy()[rows[some]]
        columns[f"first_{name}"] = values
    counts = lp.tokens["n_alternatives"].to_numpy()
    ends = np.cumsum(counts, dtype=np.int64)
    alternatives = np.empty(len(rows), object)
    for i, row in enumerate(rows.tolist()):
        n = int(counts[row]) if row >= 0 else 0
        run = lp.alternatives.slice(int(ends[row]) - n, n) if n else None
        alternatives[i] = _listed(run) if n else []
    return columns | {"first_alternatives": alternatives}


def _listed(run: pa.Table) -> list[dict[str, Any]]:
    entries = run.select(["token", "logprob", "rank", "status"]).to_pylist()
    usable = sorted(
        (entry for entry in entries if entry["status"] == "ok"), key=lambda entry: entry["rank"]
    )
    return [
        {"token": entry["token"], "probability": math.exp(min(entry["logprob"], 0.0))}
        for entry in usable
    ]
