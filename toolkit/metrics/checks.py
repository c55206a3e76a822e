"""Check a load for missing, censored, clamped or inconsistent data, and say what it affects."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.compute as pc

from toolkit import arguments, arrow, schema
from toolkit.metrics import tokens
from toolkit.metrics._arrays.types import Counts, Flags
from toolkit.metrics._blocks import rows_of
from toolkit.metrics._check_messages import KINDS, message
from toolkit.metrics._check_tokens import of_tokens
from toolkit.metrics._findings import Finding, Origins, Tally
from toolkit.metrics._results import integers, result_frame, text_type
from toolkit.metrics.sequences import choice_rows
from toolkit.schema.results.checks import SEVERITIES
from toolkit.tables import LogprobTables, require_tables

_COVERAGE = 0.02  # share by which counts may differ because of stop tokens and rounding


def check(lp: LogprobTables, *, ignore: str | Sequence[str] = ()) -> pd.DataFrame:
    """Check a load for problems, and say what they mean for the metrics.

    Parameters
    ----------
    lp : LogprobTables
    ignore : str or sequence of str
        Codes of findings to leave out, such as ``"unfinished"``.

    Returns
    -------
    DataFrame
        One row per finding, model and format, the most severe first, in the columns of
        ``schema.CHECK``; no rows without findings. ``severity`` is error (data are lost, or metrics
        of these rows are wrong), warning (some metrics are bounds or null) or info. The keys, the
        source and the line are those of the first row with the finding, so that the row selects
        its response wherever one is asked for.

    Raises
    ------
    ArgumentError
        If `lp` is not a `LogprobTables`, or a code to ignore does not exist.

    Notes
    -----
    Responses do not show whether logprobs are those of the distribution before or after
    temperature and other sampling settings, so this is not checked.

    Examples
    --------
    >>> import toolkit
    >>> entry = {"token": "Hi", "logprob": -9999.0}
    >>> choice = {"message": {"content": "Hi"}, "logprobs": {"content": [entry]}}
    >>> found = toolkit.check(toolkit.from_responses({"choices": [choice]}))
    >>> found[["severity", "code", "count"]].values.tolist()[:2]
    [['warning', 'censored_logprobs', 1], ['warning', 'unfinished', 1]]
    """
    require_tables(lp)
    ignored = set(arguments.columns("ignore", ignore, list(KINDS)))
    groups = Origins.of(lp)
    found = [
        *_of_records(lp),
        *_of_responses(lp, groups),
        *_of_choices(lp, groups),
        *of_tokens(lp, groups),
    ]
    found = [each for each in found if each.code not in ignored]
    order = list(KINDS)
    severities = [SEVERITIES.index(KINDS[row.code].severity) for row in found]

    def rank(i: int) -> tuple[int, int, int]:
        return severities[i], order.index(found[i].code), -found[i].count

    return _as_table(lp, [found[i] for i in sorted(range(len(found)), key=rank)])


def _of_records(lp: LogprobTables) -> Iterator[Finding]:
    reasons = lp.rejects["reason"].to_pylist()
    n = int(sum(lp.ledger["records"].to_pylist())) or len(reasons) + len(lp)
    for reason in dict.fromkeys(reasons):
        first = lp.rejects.slice(reasons.index(reason), 1).select(["source", "line"])
        count = reasons.count(reason)
        place = first.to_pylist()[0]
        yield Finding(f"rejected_{reason}", "records", count, max(n, len(reasons)), **place)
    if lp.n_unlisted:
        yield Finding("rejects_unlisted", "records", lp.n_unlisted, n)
    if not len(lp):
        yield Finding("no_responses", "responses", 0, 0)


def _of_responses(lp: LogprobTables, groups: Origins) -> list[Finding]:
    table = lp.responses
    tally = Tally(groups, "responses", table, groups.of_response)
    failed = table["error"].is_valid().to_numpy()
    tally.add("failed", failed)
    tally.add("no_choices", ~failed & (table["n_choices"].to_numpy() == 0))
    for name in ("response_id", "custom_id"):
        values = pd.Series(table[name].to_pylist(), dtype=object)
        tally.add(
            f"duplicate_{name}", (values.notna() & values.duplicated(keep=False)).to_numpy(bool)
        )
    notes = table["notes"].combine_chunks()
    owners, codes = notes.value_parent_indices().to_numpy(), notes.flatten().to_pylist()
    for code in dict.fromkeys(codes):
        flags = np.zeros(len(table), np.bool_)
        flags[owners[[i for i, own in enumerate(codes) if own == code]]] = True
        tally.add(f"note_{code}", flags)
    return [*tally.findings(), *_coverage(lp, groups)]


def _coverage(lp: LogprobTables, groups: Origins) -> list[Finding]:
    """Compare the number of token rows with the count in usage, group by group."""
    reported = arrow.floats(lp.responses["completion_tokens"])
    n_tokens = sum(lp.choices[f"n_{name}_tokens"].to_numpy() for name in schema.ANSWER_CHANNELS)
    owner = _response_rows(lp, lp.choices["response_key"].to_numpy())
    tokens_of = np.bincount(owner, n_tokens, minlength=len(lp))
    both = (reported > 0) & (tokens_of > 0)
    n = len(groups.names)
    owners = groups.of_response[both]
    expected = np.bincount(owners, reported[both], minlength=n)
    found_tokens = np.bincount(owners, tokens_of[both], minlength=n)
    found = []
    for group in np.flatnonzero(expected > 0).tolist():
        count, total = int(found_tokens[group]), int(expected[group])
        share = count / total
        if abs(share - 1.0) > _COVERAGE:
            code = "coverage_low" if share < 1.0 else "coverage_high"
            model, format_ = groups.names[group]
            found.append(Finding(code, "tokens", count, total, model, format_))
    return found


def _of_choices(lp: LogprobTables, groups: Origins) -> list[Finding]:
    table = lp.choices
    tally = Tally(groups, "choices", table, groups.at(lp, table))
    has_text = np.logical_or.reduce(
        [
            pc.fill_null(pc.not_equal(table[name], ""), False).to_numpy()
            for name in schema.ANSWER_CHANNELS
        ]
    )
    has_tokens = np.logical_or.reduce(
        [table[f"n_{name}_tokens"].to_numpy() > 0 for name in schema.ANSWER_CHANNELS]
    )
    is_call = table["tool_calls"].is_valid().to_numpy()
    tally.add("mixed_signs", _mixed_signs(lp))
    tally.add("no_logprobs", has_text & ~has_tokens)
    tally.add("no_answer", ~has_text & ~has_tokens & ~is_call)
    tally.add("bare_tool_call", ~has_text & ~has_tokens & is_call)
    aligned = [
        arrow.codes(table[name], schema.ALIGNMENTS) for name in ("alignment", "refusal_alignment")
    ]
    for code in ("tokens_short", "mismatch", "tokens_extra"):
        at = schema.ALIGNMENTS.index(code)
        tally.add(code, ((aligned[0] == at) | (aligned[1] == at)) & has_tokens)
    reason = pd.Series(table["finish_reason"].to_pylist(), dtype=object)
    tally.add("unfinished", reason.isna().to_numpy() & (has_text | has_tokens))
    tally.add("cut_by_length", (reason == "length").to_numpy(bool))
    tally.add("content_filter", (reason == "content_filter").to_numpy(bool))
    return tally.findings()


def _mixed_signs(lp: LogprobTables) -> Flags:
    """Return which choices have logprobs above 0 and usable ones."""
    status = arrow.codes(lp.tokens["status"], schema.STATUSES)
    rows = np.flatnonzero(tokens.of_answers(lp)[1] & (status <= tokens.CENSORED))
    keys = (lp.tokens[name].to_numpy()[rows] for name in ("response_key", "choice"))
    flags = np.zeros(lp.choices.num_rows, np.bool_)
    flags[choice_rows(lp, *keys)] = True
    return flags


def _response_rows(lp: LogprobTables, keys: Counts) -> Counts:
    return rows_of(lp.responses["response_key"].to_numpy(), keys, "responses")


def _as_table(lp: LogprobTables, found: list[Finding]) -> pd.DataFrame:
    columns: dict[str, Any] = {
        "severity": pd.Categorical(
            [KINDS[row.code].severity for row in found], categories=list(SEVERITIES)
        ),
        "message": pd.Series([message(row.code, row.format) for row in found], dtype=text_type()),
        "count": np.array([row.count for row in found], np.int64),
        "n": np.array([row.n for row in found], np.int64),
        "share": np.array([row.count / row.n if row.n else np.nan for row in found], np.float64),
    }
    for name in ("code", "of", "model", "format", "channel"):
        columns[name] = pd.Series([getattr(row, name) for row in found], dtype=text_type())
    for name in ("response_key", "choice", "position"):
        columns[name] = _whole([getattr(row, name) for row in found])
    places = [_place(lp, row) for row in found]
    for name in ("source", "custom_id"):
        columns[name] = pd.Series([place.get(name) for place in places], dtype=text_type())
    columns["line"] = _whole([place.get("line") for place in places])
    return result_frame(schema.CHECK, columns)


def _whole(values: list[int | None]) -> Any:
    known = np.array([value is not None for value in values], np.bool_)
    return integers(np.array([value or 0 for value in values], np.int64), known)


def _place(lp: LogprobTables, found: Finding) -> dict[str, Any]:
    """Return source, line and custom_id of the first row of a finding, as far as there are any."""
    if found.response_key is None:
        return {"source": found.source, "line": found.line}
    [row] = _response_rows(lp, np.array([found.response_key]))
    names = ["source", "line", "custom_id"]
    return lp.responses.select(names).slice(int(row), 1).to_pylist()[0]
