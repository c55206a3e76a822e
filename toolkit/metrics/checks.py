"""Check a load for missing, censored, clamped or inconsistent data, and say what it affects."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pandas as pd
import pyarrow.compute as pc

from toolkit import arguments, arrow, schema
from toolkit.metrics import tokens
from toolkit.metrics._arrays.logprobs import decimals
from toolkit.metrics._arrays.segments import segment_count, segment_min
from toolkit.metrics._arrays.types import Array, Counts, Flags
from toolkit.metrics._blocks import Block, blocks, rows_of
from toolkit.metrics._check_messages import KINDS
from toolkit.metrics._results import integers, result_frame, text_type
from toolkit.schema.results.checks import SEVERITIES
from toolkit.tables import LogprobTables

if TYPE_CHECKING:
    import pyarrow as pa

_CLAMP, _CLAMPED = -10.0, 5  # a clamp: a round least logprob at or below it, that many times
_FEW = 20  # tokens; below this number, decimals say nothing about a server
_COVERAGE = 0.02  # share by which counts may differ because of stop tokens and rounding
_DECIMALS = 3  # of logprobs of low precision, at most


def check(lp: LogprobTables) -> pd.DataFrame:
    """Check a load for problems in the data, and say what they mean for the metrics.

    Parameters
    ----------
    lp : LogprobTables

    Returns
    -------
    DataFrame
        One row per finding, model and format, the most severe first, in the columns of
        ``schema.CHECK``; no rows without findings. ``severity`` is error (data are lost, or metrics
        of these rows are wrong), warning (some metrics are bounds or null) or info. The keys are
        those of the first row with the finding.

    Raises
    ------
    ArgumentError
        If `lp` is not a `LogprobTables`.

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
    arguments.instance("lp", lp, LogprobTables)
    groups = _Origins.of(lp)
    found = [
        *_of_records(lp),
        *_of_responses(lp, groups),
        *_of_choices(lp, groups),
        *_of_tokens(lp, groups),
    ]
    order = list(KINDS)
    severities = [SEVERITIES.index(KINDS[row.code].severity) for row in found]

    def rank(i: int) -> tuple[int, int, int]:
        return severities[i], order.index(found[i].code), -found[i].count

    return _as_table([found[i] for i in sorted(range(len(found)), key=rank)])


@dataclass(frozen=True)
class _Finding:
    code: str
    of: str
    count: int
    n: int
    model: str | None = None
    format: str | None = None
    response_key: int | None = None
    choice: int | None = None
    channel: str | None = None
    position: int | None = None


class _Origins(NamedTuple):
    """The pairs of model and format, and which of them each response has."""

    names: list[tuple[str | None, str | None]]
    of_response: Counts

    @classmethod
    def of(cls, lp: LogprobTables) -> _Origins:
        pairs = list(
            zip(lp.responses["model"].to_pylist(), lp.responses["format"].to_pylist(), strict=True)
        )
        names = list(dict.fromkeys(pairs))
        number = {name: i for i, name in enumerate(names)}
        return cls(names, np.array([number[pair] for pair in pairs], np.int64))

    def at(self, lp: LogprobTables, table: pa.Table) -> Counts:
        """Return the group of each row of a table that has a response_key."""
        keys = lp.responses["response_key"].to_numpy()
        rows = rows_of(keys, table["response_key"].to_numpy(), "responses")
        return self.of_response[rows]


class _Tally:
    """Counts of flagged rows of one table, by group, with the first such row of each."""

    def __init__(self, groups: _Origins, of: str, table: pa.Table, owners: Counts) -> None:
        self._groups, self._of, self._table = groups, of, table
        self.owners = owners
        n = len(groups.names)
        self._n = np.bincount(owners, minlength=n)
        self._counts: dict[str, np.ndarray] = {}
        self._firsts: dict[str, np.ndarray] = {}

    def add(self, code: str, flags: Flags, start: int = 0) -> None:
        """Count flags of consecutive rows that begin at `start`."""
        at = np.flatnonzero(flags) + start
        n = len(self._groups.names)
        counts = self._counts.setdefault(code, np.zeros(n, np.int64))
        firsts = self._firsts.setdefault(code, np.full(n, len(self.owners), np.int64))
        counts += np.bincount(self.owners[at], minlength=n)
        np.minimum.at(firsts, self.owners[at], at)

    def findings(self) -> list[_Finding]:
        """Return one finding for each code and group with flagged rows."""
        found = []
        for code, counts in self._counts.items():
            for group in np.flatnonzero(counts).tolist():
                row = int(self._firsts[code][group])
                keys = {
                    name: self._table[name][row].as_py()
                    for name in ("response_key", "choice", "channel", "position")
                    if name in self._table.column_names
                }
                model, format_ = self._groups.names[group]
                n = int(self._n[group])
                found.append(
                    _Finding(code, self._of, int(counts[group]), n, model, format_, **keys)
                )
        return found


def _of_records(lp: LogprobTables) -> list[_Finding]:
    reasons = lp.rejects["reason"].to_pylist()
    n = int(sum(lp.ledger["records"].to_pylist())) or len(reasons) + len(lp)
    found = [
        _Finding(f"rejected_{reason}", "records", reasons.count(reason), max(n, len(reasons)))
        for reason in dict.fromkeys(reasons)
    ]
    return [*found, *([] if len(lp) else [_Finding("no_responses", "responses", 0, 0)])]


def _of_responses(lp: LogprobTables, groups: _Origins) -> list[_Finding]:
    table = lp.responses
    tally = _Tally(groups, "responses", table, groups.of_response)
    tally.add("failed", table["error"].is_valid().to_numpy())
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


def _coverage(lp: LogprobTables, groups: _Origins) -> list[_Finding]:
    """Compare the number of token rows with the count in usage, group by group."""
    reported = arrow.floats(lp.responses["completion_tokens"])
    counted = [lp.choices[f"n_{name}_tokens"].to_numpy() for name in schema.ANSWER_CHANNELS]
    owner = rows_of(
        lp.responses["response_key"].to_numpy(),
        lp.choices["response_key"].to_numpy(),
        "responses",
    )
    tokens_of = np.bincount(owner, np.add.reduce(counted), minlength=len(lp))
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
            found.append(_Finding(code, "tokens", count, total, model, format_))
    return found


def _of_choices(lp: LogprobTables, groups: _Origins) -> list[_Finding]:
    table = lp.choices
    tally = _Tally(groups, "choices", table, groups.at(lp, table))
    has_text = np.logical_or.reduce([table[name].is_valid() for name in schema.ANSWER_CHANNELS])
    has_tokens = np.logical_or.reduce(
        [table[f"n_{name}_tokens"].to_numpy() > 0 for name in schema.ANSWER_CHANNELS]
    )
    tally.add("no_logprobs", has_text & ~has_tokens)
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


class _Habits(NamedTuple):
    """Properties of the lists and logprobs, by token and by group."""

    n_entries: Counts  # by token: usable alternatives
    k: Counts  # by token: the usual length of the lists of its group and source
    least: Array  # by group: the least usable logprob
    greatest: Array  # by group: the greatest absolute logprob
    decimals: Counts  # by group: the most decimals of a logprob
    n_ok: Counts  # by group: tokens of status ok


def _habits(lp: LogprobTables, owners: Counts, n: int) -> _Habits:
    n_entries = np.zeros(lp.tokens.num_rows, np.int64)
    least, greatest = np.full(n, np.inf), np.full(n, -np.inf)
    written, n_ok = np.zeros(n, np.int64), np.zeros(n, np.int64)
    for block in blocks(lp):
        own = owners[block.rows]
        entries = tokens.entries(block)
        n_entries[block.rows] = segment_count(entries.usable, block.offsets)
        is_ok = arrow.codes(block.tokens["status"], schema.STATUSES) == tokens.OK
        logprob = arrow.floats(block.tokens["logprob"])
        for values, group in (
            (logprob[is_ok], own[is_ok]),
            (entries.logprob[entries.usable], own[entries.ids[entries.usable]]),
        ):
            np.minimum.at(least, group, values)
            np.maximum.at(written, group, decimals(values))
        np.minimum.at(greatest, own[is_ok], 0.0)
        np.maximum.at(greatest, own[is_ok], np.abs(logprob[is_ok]))
        n_ok += np.bincount(own[is_ok], minlength=n)
    k = _usual(lp, owners, n_entries)
    return _Habits(n_entries, k, least, greatest, written, n_ok)


def _usual(lp: LogprobTables, owners: Counts, n_entries: Counts) -> Counts:
    """Return for each token the most frequent length of lists of its group and source."""
    source = lp.tokens["response_key"].to_numpy() >> 32
    of, place = np.unique((owners << 32) + source, return_inverse=True)
    listed = n_entries > 0
    pairs, counts = np.unique(
        (place[listed].astype(np.int64) << 32) + n_entries[listed], return_counts=True
    )
    k = np.zeros(len(of), np.int64)
    order = np.argsort(counts, kind="stable")  # the most frequent length is written last
    k[pairs[order] >> 32] = pairs[order] & 0xFFFFFFFF
    return k[place]


def _of_tokens(lp: LogprobTables, groups: _Origins) -> list[_Finding]:
    owners, n = groups.at(lp, lp.tokens), len(groups.names)
    tally = _Tally(groups, "tokens", lp.tokens, owners)
    habits = _habits(lp, owners, n)
    n_least = np.zeros(n, np.int64)
    for block in blocks(lp):
        own = owners[block.rows]
        flags, at_least = _flags(block, own, habits)
        for code, values in flags.items():
            tally.add(code, values, block.rows.start)
        n_least += np.bincount(own, at_least, minlength=n).astype(np.int64)
    is_round = (habits.least == np.round(habits.least)) & (habits.least <= _CLAMP)
    is_clamp = is_round & (n_least >= _CLAMPED)
    is_zero = (habits.n_ok >= 2) & (habits.greatest == 0.0)
    is_coarse = (habits.n_ok >= _FEW) & (habits.decimals <= _DECIMALS) & ~is_zero
    found = [
        row
        for row in tally.findings()
        if row.code != "clamped" or is_clamp[groups.names.index((row.model, row.format))]
    ]
    for code, wanted in (("all_zero", is_zero), ("low_precision", is_coarse)):
        for group in np.flatnonzero(wanted).tolist():
            count = int(habits.n_ok[group])
            found.append(_Finding(code, "tokens", count, count, *groups.names[group]))
    models = [model for model, _ in groups.names if model is not None]
    formats = [format_ for _, format_ in groups.names]
    for code, kinds, of, count in (
        ("mixed_models", models, "responses", len(lp)),
        ("mixed_formats", formats, "responses", len(lp)),
        ("mixed_k", habits.k[habits.k > 0].tolist(), "tokens", lp.tokens.num_rows),
    ):
        if len(set(kinds)) > 1:
            found.append(_Finding(code, of, count, count))
    return found


def _flags(block: Block, own: Counts, habits: _Habits) -> tuple[dict[str, Flags], Counts]:
    """Return the flags of each token of a block, and how often it has the least logprob."""
    table, offsets = block.tokens, block.offsets
    entries = tokens.entries(block)
    status = arrow.codes(table["status"], schema.STATUSES)
    codes = {name: status == code for code, name in enumerate(schema.STATUSES)}
    n_entries, k = habits.n_entries[block.rows], habits.k[block.rows]
    listed = arrow.flags(block.alternatives["is_sampled"])
    n_sampled = segment_count(listed, offsets)
    is_ok = arrow.codes(block.alternatives["status"], schema.STATUSES) == tokens.OK
    rises = np.zeros(len(entries.ids), np.bool_)
    rises[1:] = (
        (entries.ids[1:] == entries.ids[:-1])
        & entries.usable[1:]
        & entries.usable[:-1]
        & (entries.logprob[1:] > entries.logprob[:-1])
    )
    lowest = segment_min(np.where(entries.usable, entries.logprob, np.inf), offsets)
    least = habits.least[own]
    at_least = segment_count(entries.usable & (entries.logprob == least[entries.ids]), offsets)
    no_bytes = table["bytes"].is_null().to_numpy()
    broken = pc.match_substring(table["token"], "\ufffd").to_numpy()
    return {
        "invalid_logprobs": codes["invalid"],
        "censored_logprobs": codes["censored"],
        "missing_logprobs": codes["missing"],
        "excess_mass": tokens.block_metrics(block, None)["excess_mass"],
        "clamped": at_least > 0,
        "replacement_characters": no_bytes & broken,
        "missing_bytes": no_bytes,
        "no_alternatives": np.diff(offsets) == 0,
        "short_lists": (n_entries > 0) & (n_entries < k),
        "extra_entry": (n_entries == k + 1) & (entries.listed == lowest),
        "repeated_entry": segment_count(is_ok & ~entries.usable, offsets) > 0,
        "unsorted_lists": segment_count(rises, offsets) > 0,
        "sampled_unlisted": (np.diff(offsets) > 0) & (n_sampled == 0),
    }, at_least


def _as_table(found: list[_Finding]) -> pd.DataFrame:
    columns: dict[str, Any] = {
        "severity": pd.Categorical(
            [KINDS[row.code].severity for row in found], categories=list(SEVERITIES)
        ),
        "message": pd.Series([KINDS[row.code].message for row in found], dtype=text_type()),
        "count": np.array([row.count for row in found], np.int64),
        "n": np.array([row.n for row in found], np.int64),
        "share": np.array([row.count / row.n if row.n else np.nan for row in found], np.float64),
    }
    for name in ("code", "of", "model", "format", "channel"):
        columns[name] = pd.Series([getattr(row, name) for row in found], dtype=text_type())
    for name in ("response_key", "choice", "position"):
        values = [getattr(row, name) for row in found]
        known = np.array([value is not None for value in values], np.bool_)
        columns[name] = integers(np.array([v or 0 for v in values], np.int64), known)
    return result_frame(schema.CHECK, columns)
