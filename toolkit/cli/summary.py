"""Build and lay out the document of ``logprobs summary``: what was read, usage, certainty."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import click

import toolkit
from toolkit.cli.grid import Number, beside, clip, grid, safe, terminal_columns
from toolkit.visible_text import spelled_token

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

    from toolkit import LogprobTables

_LEAST_CERTAIN = 5  # answers
_BINS = 10  # of the histogram of probabilities
_PLACES = 3  # records listed for each reason of rejects
_REASONS = 5  # reasons of rejects listed
_NAMES = 8  # models, finish reasons or notes listed
_LEAD = 11  # terminal columns of the labels on the left


def summarise(lp: LogprobTables, by: str | None, vocab_size: int | None) -> dict[str, Any]:
    """Return the document that ``logprobs summary --json`` prints.

    Every statistic comes from a function of the library; only rows and values are counted here.
    """
    sequences = toolkit.sequence_metrics(lp, vocab_size=vocab_size)
    ledger = lp.ledger.to_pylist()
    return {
        "records": {
            name: sum(row[name] for row in ledger)
            for name in ("records", "read", "rejected", "unlisted", "bytes")
        },
        "tables": {
            name: lp[name].num_rows for name in ("responses", "choices", "tokens", "alternatives")
        },
        "kinds": _counts(lp.responses["kind"]),
        "models": _counts(lp.responses["model"]),
        "finish_reasons": _counts(lp.choices["finish_reason"]),
        "notes": _counts(lp.responses["notes"].combine_chunks().flatten()),
        "rejects": _rejects(lp.rejects),
        "usage": _usage(lp, None)[0],
        "statuses": _counts(lp.tokens["status"]),
        "confidence": _records(toolkit.corpus_metrics(sequences, channel=None)),
        "probabilities": _probabilities(lp),
        "least_certain": _least_certain(lp, sequences),
        "by": by,
        "groups": _groups(lp, sequences, by) if by else [],
        "ledger": ledger,
    }


def _records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    import pyarrow as pa

    return pa.Table.from_pandas(frame, preserve_index=False).to_pylist()


def _counts(column: pa.ChunkedArray | pa.Array) -> dict[str, int]:
    """Count values, the most frequent first; null counts as 'null', as in `usage`."""
    values = (value if value is not None else "null" for value in column.to_pylist())
    return dict(Counter(values).most_common())


def _rejects(table: pa.Table) -> list[dict[str, Any]]:
    """Count the reasons of rejects, the most frequent first, each with its first records."""
    rows = table.select(["reason", "source", "line"]).to_pylist()
    return [
        {
            "reason": reason,
            "count": count,
            "first": [
                {"source": row["source"], "line": row["line"]}
                for row in rows
                if row["reason"] == reason
            ][:_PLACES],
        }
        for reason, count in _counts(table["reason"]).items()
    ]


def _usage(lp: LogprobTables, by: str | None) -> list[dict[str, Any]]:
    frame = toolkit.usage(lp, by=by)
    finish = frame["finish_reasons"].tolist()  # dicts, to which Arrow would add keys of other rows
    rows = _records(frame.drop(columns="finish_reasons"))
    return [{**row, "finish_reasons": reasons} for row, reasons in zip(rows, finish, strict=True)]


def _probabilities(lp: LogprobTables) -> dict[str, list[Any]]:
    """Return the histogram of the probabilities of all tokens that the models wrote."""
    counts = [0] * _BINS
    for channel in set(lp.tokens["channel"].unique().to_pylist()) & set(
        toolkit.schema.ANSWER_CHANNELS
    ):
        histogram = toolkit.metrics.token_histogram(lp, bins=_BINS, channel=channel)
        counts = [a + b for a, b in zip(counts, histogram["count"].tolist(), strict=True)]
    return {"edges": [i / _BINS for i in range(_BINS + 1)], "counts": counts}


def _groups(lp: LogprobTables, sequences: pd.DataFrame, by: str) -> list[dict[str, Any]]:
    pooled = {row[by]: row for row in _records(toolkit.corpus_metrics(sequences, by=by))}
    return [
        {by: row[by], "usage": row, "confidence": pooled.get(row[by])} for row in _usage(lp, by)
    ]


def _least_certain(lp: LogprobTables, sequences: pd.DataFrame) -> list[dict[str, Any]]:
    """Return the answers of the highest perplexity, each with its least certain token."""
    answers = sequences[(sequences["n_ok"] > 0) & (sequences["channel"] != "prompt")]
    worst = answers.nlargest(_LEAST_CERTAIN, "perplexity")
    few = lp.filter(response_key=worst["response_key"].tolist())
    place = ["response_key", "choice", "channel", "position"]
    token_of = {
        tuple(row[name] for name in place): (row["token"], row["bytes"])
        for row in few.tokens.select([*place, "token", "bytes"]).to_pylist()
    }
    row_of = lp.responses["response_key"].to_numpy().searchsorted(worst["response_key"])
    columns = "response_id custom_id model choice channel n_tokens perplexity min_probability"
    found = []
    for at, row in zip(row_of.tolist(), _records(worst), strict=True):
        key = (row["response_key"], row["choice"], row["channel"], row["weakest_position"])
        token, raw = token_of[key]
        weakest = {"weakest_position": key[-1], "weakest_token": token, "weakest_bytes": raw}
        found.append({"row": at} | {name: row[name] for name in columns.split()} | weakest)
    return found


def summary_lines(doc: dict[str, Any]) -> Iterator[str]:
    """Yield the lines of the readable summary."""
    yield from _read_lines(doc)
    yield ""
    yield from _usage_lines(doc["usage"])
    yield ""
    yield from _status_lines(doc)
    sections = [_confidence_lines(doc)] if doc["tables"]["tokens"] else []
    if doc["by"]:
        sections.append(_group_lines(doc["by"], doc["groups"]))
    if doc["least_certain"]:
        sections.append(_histogram_lines(doc["probabilities"]))
        sections.append(_least_certain_lines(doc["least_certain"]))
    for section in sections:
        yield ""
        yield from section


def _labelled(label: str, items: Sequence[str], fg: str | None = None) -> Iterator[str]:
    """Yield a label with items beside it, which are safe to print."""
    head = f"  {click.style(f'{label:<{_LEAD}}', bold=True)}  "
    if fg:
        items = [click.style(item, fg=fg) for item in items]
    yield from beside(head, items, _LEAD + 4)


def _listed(counts: dict[str, int]) -> list[str]:
    shown = [f"{safe(name)} {count:,}" for name, count in list(counts.items())[:_NAMES]]
    return shown + ([f"{len(counts) - _NAMES} more"] if len(counts) > _NAMES else [])


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun if number == 1 else noun + 's'}"


def _decimal(value: float | None) -> Number | None:
    return None if value is None else Number(f"{value:,.2f}")


def _share(part: float, whole: float) -> str:
    return f"{100 * part / whole:.1f} %"


def _read_lines(doc: dict[str, Any]) -> Iterator[str]:
    records, tables, kinds = doc["records"], doc["tables"], doc["kinds"]
    found = [
        _count(len(doc["ledger"]), "source"),
        f"{records['bytes'] / 1e6:,.1f} MB",
        _count(records["records"], "record"),
    ]
    yield from _labelled("read", found)
    whole, streamed = (f"{kinds.get(kind, 0):,}" for kind in ("completion", "stream"))
    errors = doc["usage"]["n_errors"]
    failed = f", {errors:,} with an error" if errors else ""
    made_of = f"{tables['responses']:,} ({whole} whole, {streamed} streamed{failed})"
    parts = [_count(tables[name], name[:-1]) for name in ("choices", "tokens")]
    yield from _labelled("responses", [made_of, *parts])
    if records["rejected"]:
        yield from _reject_lines(doc["rejects"], records)
    if doc["notes"]:
        yield from _labelled("notes", _listed(doc["notes"]))
    yield from _labelled("models", _listed(doc["models"]))
    yield from _labelled("finished", _listed(doc["finish_reasons"]))


def _reject_lines(rejects: list[dict[str, Any]], records: dict[str, int]) -> Iterator[str]:
    count = _count(records["rejected"], "record")
    share = _share(records["rejected"], records["records"])
    yield from _labelled("rejected", [f"{count} ({share})"], "red")
    most = _REASONS if len(rejects) > _REASONS + 1 else len(rejects)  # "1 more" saves no line
    size = max(len(f"{reject['count']:,}") for reject in rejects)
    for reject in rejects[:most]:
        places = [safe(f"{at['source']}:{at['line']}") for at in reject["first"]]
        line = f"  {reject['count']:>{size},} {reject['reason']:<19} "
        room = terminal_columns() - _LEAD - 4 - len(line)
        fitting = [", ".join(places[:n]) for n in range(len(places), 0, -1)]
        text = next((text for text in fitting if len(text) <= room), fitting[-1])
        yield from _labelled("", [line + clip(text, room, at_start=True)])
    if records["unlisted"]:
        counted = f"  {records['unlisted']:>{size},} more, beyond the first of a reason"
        yield from _labelled("", [f"{counted}: logprobs read --table rejects --rejects all"])
    if more := len(rejects) - most:
        yield from _labelled("", [f"  {more} more reasons: logprobs read --table rejects"])


def _usage_lines(usage: dict[str, Any]) -> Iterator[str]:
    """Yield the table of tokens by kind: their sum, and the distribution over responses."""
    rows = []
    for kind in ("prompt", "completion", "cached", "reasoning", "total"):
        sum_ = usage[f"{kind}_tokens"]
        each = [usage.get(f"{how}_{kind}_tokens") for how in ("mean", "median", "p95")]
        numbers = [None if n is None else Number(f"{n:,.1f}") for n in each]
        rows.append([kind, None if sum_ is None else Number(f"{sum_:,}"), *numbers])
    names = ["usage", "tokens", "mean/response", "median", "p95"]
    yield from grid(names, rows, lead=_LEAD)
    if usage["n_with_usage"] < usage["n_responses"]:
        reported = f"{usage['n_with_usage']:,} of {_count(usage['n_responses'], 'response')}"
        yield _aside(f"{reported} report usage")


def _status_lines(doc: dict[str, Any]) -> Iterator[str]:
    usage = doc["usage"]
    n, share = usage["n_responses"], usage["share_with_logprobs"]
    items = [f"in {round(n * share):,} of {_count(n, 'response')}"]
    if (coverage := usage["logprob_coverage"]) is not None:
        items.append(f"for {_share(coverage, 1)} of their completion tokens")
    yield from _labelled("logprobs", items)
    statuses = {name: doc["statuses"].get(name, 0) for name in toolkit.schema.STATUSES}
    yield from _labelled("status", _listed(statuses))


def _confidence(row: dict[str, Any] | None) -> list[Any]:
    """Return cells of a row of `corpus_metrics`: tokens, perplexity, entropy, off top-1."""
    if row is None:
        return [None] * 4
    low, high = row["mean_entropy_lower"], row["mean_entropy_upper"]
    entropy = f"≥ {_decimal(low)}" if high is None else f"{_decimal(low)} – {_decimal(high)}"
    return [
        Number(f"{row['n_ok']:,}"),
        _decimal(row["perplexity"]),
        None if low is None else Number(entropy),
        None if row["off_top1_rate"] is None else Number(_share(row["off_top1_rate"], 1)),
    ]


def _confidence_lines(doc: dict[str, Any]) -> Iterator[str]:
    names = ["confidence", "tokens", "perplexity ↓", "entropy ↓", "off top-1 ↓"]
    rows = [[row["channel"], *_confidence(row)] for row in doc["confidence"]]
    if doc["statuses"].get("censored"):
        names.insert(3, "with censored ↓")
        for row, pooled in zip(rows, doc["confidence"], strict=True):
            bound = _decimal(pooled["perplexity_lower"])
            row.insert(3, bound and Number(f"≥ {bound}"))
    yield from grid(names, rows, lead=_LEAD)
    yield _aside("↓ lower is more certain; entropy in nats per token")


def _group_lines(by: str, groups: list[dict[str, Any]]) -> Iterator[str]:
    """Yield the table of usage and confidence, one row per group."""
    rows = []
    for group in groups:
        usage = group["usage"]
        counts = [usage[name] for name in ("n_responses", "prompt_tokens", "completion_tokens")]
        numbers = [None if n is None else Number(f"{n:,}") for n in counts]
        rows.append([group[by] or "null", *numbers, *_confidence(group["confidence"])[1:]])
    names = [f"by {by}", "responses", "prompt_tokens", "completion_tokens"]
    names += ["perplexity_↓", "entropy_↓", "off top-1_↓"]
    yield from grid(names, rows, lead=_LEAD)


def _histogram_lines(histogram: dict[str, list[Any]]) -> Iterator[str]:
    edges, counts = histogram["edges"], histogram["counts"]
    most, total = max(counts), sum(counts)
    room = max(10, terminal_columns() - 40)
    rows = []
    for low, high, count in zip(edges, edges[1:], counts, strict=False):
        bar = "█" * round(room * count / most) if most else ""
        share = Number(f"{100 * count / total:.1f} %")
        rows.append(
            [f"{low:.1f} – {high:.1f}", Number(f"{count:,}"), share, bar or "▏" * (count > 0)]
        )
    yield from grid(["probability", "tokens", "share", ""], rows, lead=_LEAD)


def _least_certain_lines(answers: list[dict[str, Any]]) -> Iterator[str]:
    columns: dict[str, list[Any]] = {
        "least certain": [answer["custom_id"] or answer["response_id"] for answer in answers],
        "row": [Number(answer["row"]) for answer in answers],
        "choice": [Number(answer["choice"]) for answer in answers],
        "channel": [answer["channel"] for answer in answers],
        "tokens": [Number(f"{answer['n_tokens']:,}") for answer in answers],
        "perplexity": [_decimal(answer["perplexity"]) for answer in answers],
        "weakest token": [
            spelled_token(answer["weakest_token"], answer["weakest_bytes"]) for answer in answers
        ],
        "its p": [Number(f"{answer['min_probability']:.2g}") for answer in answers],
    }
    for name, usual in (("choice", "0"), ("channel", "content")):
        if set(columns[name]) == {usual}:
            del columns[name]
    yield from grid(list(columns), list(zip(*columns.values(), strict=True)), lead=_LEAD)


def _aside(text: str) -> str:
    return click.style(f"  {text}", dim=True)
