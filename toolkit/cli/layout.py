"""Lay out rows of tables, tokens of an answer and the data dictionary for a terminal."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

import toolkit
from toolkit.cli.grid import beside, clip, grid, safe, wrapped
from toolkit.visible_text import spelled_token

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    import pyarrow as pa

    from toolkit import LogprobTables
    from toolkit.schema import Column, Table

SHOWN = {  # columns of the readable tables; --columns, --json and --csv can print all
    "responses": "row source response_id custom_id kind model prompt_tokens completion_tokens "
    "finished error notes",
    "choices": "row choice role content refusal finish_reason logprobs_state n_content_tokens",
    "tokens": "row choice channel position token logprob status sampled_rank n_alternatives",
    "alternatives": "row choice channel position slot token logprob status is_sampled",
    "rejects": "place reason path message",  # by `reject_lines`
    "ledger": "source records read rejected unlisted envelopes blank done comments control bytes",
}
_TOKENS_SHOWN = (
    "row choice channel position token probability logprob sampled_rank status alternatives"
)
_LIKELY = 0.005  # least probability of an alternative; less is rounded to 0.00


def table_lines(
    table: pa.Table, names: str, keys: np.ndarray, *, hidden: tuple[str, ...] = ()
) -> Iterator[str]:
    """Yield the lines of a table with some of its columns; columns without a value are omitted.

    Parameters
    ----------
    table : pyarrow.Table
    names : str
        Columns, separated by blanks. ``row`` is the row number of the response, ``place`` is
        ``FILE:LINE``, which ``--response`` takes.
    keys : ndarray
        ``response_key`` of all responses.
    hidden : tuple of str
        Columns to omit as well.
    """
    rows = table.to_pylist()
    if "response_key" in table.column_names:
        at = keys.searchsorted(table["response_key"].to_numpy()).tolist()
        rows = [{"row": number, **row} for number, row in zip(at, rows, strict=True)]
    for row in rows:
        if "line" in row:
            row["place"] = f"{row['source']}:{row['line']}"
        if "token" in row:
            row["token"] = spelled_token(row["token"], row.get("bytes"))
    shown = [
        name
        for name in names.split()
        if name not in hidden and (not rows or any(row[name] not in (None, "", []) for row in rows))
    ]

    def tint(cells: Any) -> str | None:
        p = cells[shown.index("probability")] if "probability" in shown else None
        return None if p is None or p >= 0.5 else "yellow" if p >= 0.1 else "red"

    cells = [[row[name] for name in shown] for row in rows]
    yield from grid(shown, cells, tint, can_omit=True)


def reject_lines(table: pa.Table) -> Iterator[str]:
    """Yield the lines of rejects: place, reason and path of each, then its message.

    Places and paths are whole, so that they can be copied.
    """
    columns = ["source", "line", "reason", "path", "message"]
    for row in table.select(columns).to_pylist():
        place = click.style(safe(f"{row['source']}:{row['line']}"), bold=True)
        yield "  ".join(["", place, row["reason"], *([safe(row["path"])] if row["path"] else [])])
        yield from wrapped(safe(row["message"]), " " * 6)


def token_lines(
    lp: LogprobTables, table: pa.Table, at: np.ndarray, keys: np.ndarray
) -> Iterator[str]:
    """Yield the lines of tokens with their likeliest alternatives.

    Parameters
    ----------
    lp : LogprobTables
        The selected responses.
    table : pyarrow.Table
        The first rows of `at` in the `token_metrics` of `lp`.
    at : ndarray of int
        Rows of the selected tokens in ``lp.tokens``.
    keys : ndarray
        ``response_key`` of all responses that were read, selected or not.
    """
    import pyarrow as pa

    at = at[: table.num_rows]
    sequences = toolkit.sequence_metrics(lp)
    sequences = sequences[sequences["channel"].isin(table["channel"].unique().to_pylist())]
    hidden = [name for name in ("choice", "channel") if sequences[name].nunique() == 1]
    if sequences["response_key"].nunique() == 1:
        hidden.append("row")
    if table["status"].unique().to_pylist() == ["ok"]:
        hidden.append("status")
    if len(sequences) == 1:
        yield from _heading(sequences.iloc[0], keys)
    table = table.append_column("bytes", lp.tokens["bytes"].take(pa.array(at)))
    others = pa.array(_alternatives(lp, at), pa.string())
    table = table.append_column("alternatives", others)
    yield from table_lines(table, _TOKENS_SHOWN, keys, hidden=tuple(hidden))


def _heading(answer: pd.Series, keys: np.ndarray) -> Iterator[str]:
    """Return the lines of the heading of the one answer whose tokens follow."""
    import pandas as pd

    row = int(keys.searchsorted(answer["response_key"]))
    ids = [answer[name] for name in ("custom_id", "response_id") if not pd.isna(answer[name])]
    facts = [f"response {row}", *(clip(safe(each), 40, in_middle=True) for each in ids[:1])]
    if not pd.isna(answer["perplexity"]):
        facts.append(f"perplexity {answer['perplexity']:,.2f}")
    facts += [answer["finish_reason"], answer["model"]]
    facts += [f"choice {answer['choice']}", answer["channel"]]
    lines = beside("  ", [safe(fact) for fact in facts if not pd.isna(fact)], 4)
    return (click.style(line, bold=True) for line in lines)


def _alternatives(lp: LogprobTables, at: np.ndarray) -> list[str]:
    """Return for some tokens their likeliest alternatives with probabilities, as text."""
    counts = lp.tokens["n_alternatives"].to_numpy()
    ends = counts.cumsum(dtype="int64")
    columns = ["token", "bytes", "logprob", "status", "rank", "is_sampled"]
    texts = []
    for row in at.tolist():
        run = lp.alternatives.slice(ends[row] - counts[row], counts[row]).select(columns)
        known = [entry for entry in run.to_pylist() if entry["status"] == "ok"]
        likely = []
        for entry in sorted(known, key=lambda entry: entry["rank"]):
            probability = math.exp(min(entry["logprob"], 0.0))
            if not entry["is_sampled"] and probability >= _LIKELY:
                token = spelled_token(entry["token"], entry["bytes"])
                likely.append(f"{token} {probability:.2f}")
        texts.append(" · ".join(likely))
    return texts


def score_lines(rows: Mapping[str, Mapping[str, Any]], names: Mapping[str, str]) -> Iterator[str]:
    """Yield the lines of each score: its value, its interval and what it is.

    Parameters
    ----------
    rows : mapping of str to mapping
        The only row of each table.
    names : mapping of str to str
        Columns to show of each table, separated by blanks; those without a value are omitted.
    """
    for number, (table, row) in enumerate(rows.items()):
        yield from [""] * (number > 0)
        yield click.style(f"  {table}", bold=True)
        declared = declared_tables()[table]
        known = [name for name in names[table].split() if row[name] not in (None, [])]
        known = [name for name in known if row[name] == row[name] and not _is_end(name, known)]
        intervals = {name: _interval(row, name) for name in known}
        width, beside_value = (
            max(18, *map(len, known)),
            max(map(len, intervals.values()), default=0),
        )
        for name in known:
            value = row[name]
            shown = f"{value:,.3g}" if isinstance(value, float) else safe(value)
            head = f"  {name:<{width}}{shown:>9}  {intervals[name]:<{beside_value}}  "
            head = head if beside_value else head[:-2]
            meaning = declared[name].doc.partition(". ")[0].partition("; null")[0].rstrip(".")
            yield from wrapped(meaning, head, " " * len(head))


def _interval(row: Mapping[str, Any], name: str) -> str:
    low, high = (row.get(f"{name}_{end}") for end in ("lower", "upper"))
    return "" if low is None or low != low else f"[{low:.3g}, {high:.3g}]"


def _is_end(name: str, names: Sequence[str]) -> bool:
    """Return whether a column is an end of the interval of another one."""
    return name.endswith(("_lower", "_upper")) and name[:-6] in names


def result_table(frame: pd.DataFrame, name: str) -> pa.Table:
    """Return a result as an Arrow table; nested columns have their declared types."""
    import pyarrow as pa

    declared = {column.name: column.type for column in declared_tables()[name].columns}
    columns = {}
    for name, values in frame.items():
        kind = declared.get(name)
        if kind is not None and pa.types.is_nested(kind):
            items = (list(each.items()) if isinstance(each, dict) else each for each in values)
            columns[name] = pa.array(list(items), kind)
        else:
            columns[name] = pa.Array.from_pandas(values)
    return pa.table(columns)


def declared_tables() -> dict[str, Table]:
    """Return every declared table by name, result tables included."""
    schema = toolkit.schema
    return {table.name: table for table in (*schema.TABLES, schema.LEDGER, *schema.RESULTS)}


def schema_document(table: Table) -> dict[str, Any]:
    """Return the declaration of a table as a JSON document."""
    columns = [
        {
            "name": column.name,
            "type": _type_name(column),
            "nullable": not column.required,
            "unit": column.unit or None,
            "more_certain": column.direction or None,
            "doc": column.doc,
            "formula": column.formula or None,
            "source": column.source or None,
            "does_not_say": column.caveat or None,
        }
        for column in table.columns
    ]
    return {"name": table.name, "doc": table.doc, "keys": list(table.keys), "columns": columns}


def schema_lines(table: Table) -> Iterator[str]:
    """Yield the lines of the declaration of a table: each column, then its meaning."""
    yield click.style(table.name, bold=True)
    yield from wrapped(table.doc, "  ", most=100)
    if table.keys:
        yield f"  Key: {', '.join(table.keys)}"
    yield ""
    width = max(len(column.name) for column in table.columns)
    for column in table.columns:
        facts = [_type_name(column), *(["never null"] if column.required else []), column.unit]
        if column.direction:
            facts.append(f"{column.direction} is more certain")
        name = click.style(f"{column.name:<{width}}", bold=True)
        yield f"  {name}  {' · '.join(filter(None, facts))}"
        for text in (column.doc, *_about_metric(column)):
            yield from wrapped(text, " " * 6, most=100)
    yield ""


def _about_metric(column: Column) -> Iterator[str]:
    """Yield sentences about the formula, source and limits of a metric."""
    if column.formula:
        yield f"Formula: {column.formula}"
        yield f"Source: {column.source}" if column.source else ""
        yield f"Does not say {column.caveat}"


def _type_name(column: Column) -> str:
    """Return the short name of an Arrow type."""
    name = str(column.type).replace("large_", "").replace("double", "float64")
    return "label" if name.startswith("dictionary") else name
