"""Check a load for missing, censored, clamped or inconsistent data, and say what it affects."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pandas as pd

from toolkit import arguments, arrow, schema
from toolkit.metrics._blocks import rows_of
from toolkit.metrics._check_answers import (
    coverage,
    ids_partial,
    of_choices,
    of_responses,
    repeated,
)
from toolkit.metrics._check_messages import KINDS, message
from toolkit.metrics._check_tokens import (
    Habits,
    habits,
    habits_partial,
    is_clamp,
    odd_habits,
    of_tokens,
)
from toolkit.metrics._findings import ABSENT, CODES, PLACE, Finding, Origins, first_rows, names_of
from toolkit.metrics._partial import Partial, merged
from toolkit.metrics._results import integers, result_frame, text_type
from toolkit.schema.results.checks import SEVERITIES
from toolkit.tables import LogprobTables, require_tables

if TYPE_CHECKING:
    import pyarrow as pa

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
    ignored = ignored_codes(ignore)
    usual = habits(habits_partial(lp))
    found = [check_partial(lp, usual), repeated(ids_partial(lp.responses))]
    records = Records.of([lp.rejects], [lp.ledger])
    return check_table(usual, merged(found, REDUCERS), records, lp.responses, ignored)


def ignored_codes(ignore: str | Sequence[str]) -> set[str]:
    """Return the codes of findings to leave out."""
    return set(arguments.columns("ignore", ignore, list(KINDS)))


def check_partial(lp: LogprobTables, usual: Habits) -> Partial:
    """Return what `check_table` adds up, of some responses; but for repeated ids."""
    groups = Origins.of(lp.responses)
    of_choice, of_token = groups.at(lp, lp.choices), groups.at(lp, lp.tokens)
    flagged, n_least = of_tokens(lp, groups, of_token, usual)
    n = len(groups.keys)
    owners = {"responses": groups.of_response, "choices": of_choice, "tokens": of_token}
    first = np.full(n, ABSENT)
    # Keys rise, so that the first one is written last.
    first[groups.of_response[::-1]] = arrow.numpy(lp.responses, "response_key")[::-1]
    sizes = {name: np.bincount(own, minlength=n) for name, own in owners.items()}
    columns = {"group": np.arange(n), "first": first, "n_least": n_least, **sizes}
    tables = [of_responses(lp, groups), of_choices(lp, groups, of_choice), flagged]
    return Partial(
        groups.keys,
        {
            "flags": pd.concat(tables, ignore_index=True),
            "sizes": pd.DataFrame({**columns, **coverage(lp, groups)}),
        },
    )


def _added_sizes(table: pd.DataFrame) -> pd.DataFrame:
    how = dict.fromkeys(table.columns.drop("group"), "sum") | {"first": "min"}
    return table.groupby("group", as_index=False).agg(how)


REDUCERS = {"flags": first_rows, "sizes": _added_sizes}
"""How to reduce what several partials have."""


class Records(NamedTuple):
    """What could not be read.

    Attributes
    ----------
    rejects : dict of str to dict
        By reason: ``count``, and ``source`` and ``line`` of the first one.
    n_rejects, n_unlisted : int
        Those that have a row, and those that have none.
    n : int
        All records.
    """

    rejects: dict[str, dict[str, Any]]
    n_rejects: int
    n_unlisted: int
    n: int

    @classmethod
    def of(cls, rejects: Iterable[pa.Table], ledger: Iterable[pa.Table]) -> Records:
        """Count the rows of both tables, some at a time, in their order."""
        found: dict[str, dict[str, Any]] = {}
        n_rejects = n_unlisted = n = 0
        for table in rejects:
            n_rejects += table.num_rows
            reasons = table["reason"].to_pylist()
            for reason, count in Counter(reasons).items():
                if reason not in found:
                    first = table.slice(reasons.index(reason), 1).select(["source", "line"])
                    found[reason] = {"count": 0, **first.to_pylist()[0]}
                found[reason]["count"] += count
        for table in ledger:
            n += int(arrow.numpy(table, "records").sum())
            n_unlisted += int(arrow.numpy(table, "unlisted").sum())
        return cls(found, n_rejects, n_unlisted, n)

    def findings(self, n_responses: int) -> Iterator[Finding]:
        """Yield a finding for each reason, and what else concerns records."""
        n = self.n or self.n_rejects + n_responses
        for reason, found in self.rejects.items():
            place = {name: found[name] for name in ("source", "line")}
            n_found = max(n, self.n_rejects)
            yield Finding(f"rejected_{reason}", "records", found["count"], n_found, **place)
        if self.n_unlisted:
            yield Finding("rejects_unlisted", "records", self.n_unlisted, n)
        if not n_responses:
            yield Finding("no_responses", "responses", 0, 0)


def check_table(
    usual: Habits,
    found: Partial,
    records: Records,
    responses: pa.Table,
    ignored: Collection[str] = (),
) -> pd.DataFrame:
    """Return the result of `check` from what was added up.

    Parameters
    ----------
    usual : Habits
        Of all responses.
    found : Partial
        From `check_partial` and `repeated`, merged; it has the groups of `usual`.
    records : Records
    responses : pyarrow.Table
        Source, line and custom_id, sorted by response_key; at least of those that `found` names.
    ignored : collection of str
    """
    sizes = found.tables["sizes"].sort_values("group")  # each group once
    n_responses, n_tokens = (int(sizes[name].sum()) for name in ("responses", "tokens"))
    findings = [
        *records.findings(n_responses),
        *_of_flags(usual, found, sizes),
        *_of_coverage(found, sizes),
        *_of_mixture(found, n_responses),
        *odd_habits(usual, n_tokens),
    ]
    place = {name: i for i, name in enumerate(names_of(found.keys))}
    first = sizes["first"].to_numpy()

    def rank(row: Finding) -> tuple[int, int, int, int]:
        group = place.get((row.model, row.format))
        severity = SEVERITIES.index(KINDS[row.code].severity)
        return severity, CODES.index(row.code), -row.count, 0 if group is None else first[group]

    kept = [row for row in findings if row.code not in ignored]
    return _as_table(responses, sorted(kept, key=rank))


def _of_flags(usual: Habits, found: Partial, sizes: pd.DataFrame) -> Iterator[Finding]:
    names, is_clamped = names_of(found.keys), is_clamp(usual, sizes["n_least"].to_numpy())
    for row in found.tables["flags"].itertuples(index=False):
        code = CODES[row.code]
        if code == "clamped" and not is_clamped[row.group]:
            continue
        place = {name: getattr(row, name) for name in PLACE if getattr(row, name) != ABSENT}
        what = "tokens" if "position" in place else "choices" if "choice" in place else "responses"
        if "channel" in place:
            place["channel"] = schema.CHANNELS[place["channel"]]
        n = int(sizes[what].iloc[row.group])
        yield Finding(code, what, row.count, n, *names[row.group], **place)


def _of_coverage(found: Partial, sizes: pd.DataFrame) -> Iterator[Finding]:
    """Compare the number of token rows with the count in usage, group by group."""
    columns = (sizes[name].tolist() for name in ("covered", "reported"))
    for name, count, total in zip(names_of(found.keys), *columns, strict=True):
        if total > 0 and abs(count / total - 1.0) > _COVERAGE:
            code = "coverage_low" if count < total else "coverage_high"
            yield Finding(code, "tokens", count, total, *name)


def _of_mixture(found: Partial, n: int) -> Iterator[Finding]:
    names = names_of(found.keys)
    for code, kinds in (
        ("mixed_models", {model for model, _ in names if model is not None}),
        ("mixed_formats", {format_ for _, format_ in names}),
    ):
        if len(kinds) > 1:
            yield Finding(code, "responses", n, n)


def _as_table(responses: pa.Table, found: list[Finding]) -> pd.DataFrame:
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
    places = [_place(responses, row) for row in found]
    for name in ("source", "custom_id"):
        columns[name] = pd.Series([place.get(name) for place in places], dtype=text_type())
    columns["line"] = _whole([place.get("line") for place in places])
    return result_frame(schema.CHECK, columns)


def _whole(values: list[int | None]) -> Any:
    known = np.array([value is not None for value in values], np.bool_)
    return integers(np.array([value or 0 for value in values], np.int64), known)


def _place(responses: pa.Table, found: Finding) -> dict[str, Any]:
    """Return source, line and custom_id of the first row of a finding, as far as there are any."""
    if found.response_key is None:
        return {"source": found.source, "line": found.line}
    keys = responses["response_key"].to_numpy()
    [row] = rows_of(keys, np.array([found.response_key]), "responses")
    names = ["source", "line", "custom_id"]
    return responses.select(names).slice(int(row), 1).to_pylist()[0]
