"""The command ``answers``: one row per answer, sorted and filtered."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click

import toolkit
from toolkit.cli.grid import Number, grid
from toolkit.cli.group import (
    inputs_argument,
    load,
    main,
    require_responses,
    row_options,
    tables_of_runs,
)
from toolkit.cli.output import RowOptions, print_rows
from toolkit.visible_text import spelled_token

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

_OFTEN_ONE = ("model", "finish_reason", "channel", "choice")  # hidden if all answers have the same


@main.command()
@inputs_argument
@click.option(
    "--sort",
    multiple=True,
    metavar="COLUMN",
    help="Sort by this column, the least certain answers first. Can be repeated.  [default: the "
    "order of the recording]",
)
@click.option(
    "--ascending/--descending",
    default=None,
    help="Print the least, or the greatest, values first.",
)
@click.option(
    "--where",
    multiple=True,
    metavar="CONDITION",
    help="Keep the answers that meet this condition: COLUMN, one of = != < <= > >=, and a value, "
    "such as model=gpt-4o; null is the missing value. Can be repeated.",
)
@row_options
def answers(
    inputs: tuple[str, ...],
    sort: tuple[str, ...],
    ascending: bool | None,
    where: tuple[str, ...],
    rows: RowOptions,
) -> None:
    """Print one row per answer: its text, perplexity and weakest token.

    A readable table shows the most useful columns; --json and --csv have all columns of `logprobs
    schema answers`, by which answers can be sorted and filtered. Columns of the rows that --keep
    names, such as a prompt, are printed too.

    \b
    Examples:
      logprobs answers logs/ --sort perplexity --limit 10
      logprobs answers logs/ --where model=gpt-4o --where "min_probability<0.1"
      logprobs answers logs/ --sql "select model, avg(n_tokens) from answers group by model"
    """
    import pyarrow as pa

    lp = load(inputs)
    require_responses(lp)
    found = toolkit.answers(lp, sort=sort, ascending=ascending, where=where)
    table = pa.Table.from_pandas(found, preserve_index=False)
    kept = _kept_names(lp)
    table = lp.attach(table, *kept)
    keys = lp.responses["response_key"].to_numpy()
    views = tables_of_runs(lp) | {"answers": table}
    print_rows(table, rows, lambda part: _lines(part, keys, kept), views)


def _kept_names(lp: toolkit.LogprobTables) -> list[str]:
    """Return the names of the columns that --keep kept and no table has."""
    from toolkit import schema

    kept = lp.responses["kept"].drop_null().to_pylist()
    names = dict.fromkeys(name for text in kept for name in json.loads(text))
    taken = {*schema.ANSWERS.names, *schema.RESPONSES.names, *schema.CHOICES.names}
    return [name for name in names if name not in taken]


def _lines(table: pa.Table, keys: np.ndarray, kept: list[str]) -> Iterator[str]:
    """Yield the lines of a table of answers.

    Parameters
    ----------
    table : pyarrow.Table
    keys : array of int
        The response_key of all responses.
    kept : list of str
        Columns of the rows that were kept.
    """
    rows = table.to_pylist()
    at = keys.searchsorted(table["response_key"].to_numpy()).tolist()
    columns: dict[str, list[Any]] = {
        "row": [Number(number) for number in at],
        _id_name(rows): [row["custom_id"] or row["response_id"] for row in rows],
        **{name: [row[name] for row in rows] for name in _OFTEN_ONE},
        **{name: [row[name] for row in rows] for name in kept},
        "text": [row["text"] for row in rows],
        "perplexity": [_number(row["perplexity"], ",.2f") for row in rows],
        "weakest_token": [
            None if row["weakest_token"] is None else spelled_token(row["weakest_token"], None)
            for row in rows
        ],
        "min_probability": [_number(row["min_probability"], ".2g") for row in rows],
        "n_tokens": [Number(f"{row['n_tokens']:,}") for row in rows],
    }
    for name in _OFTEN_ONE:
        if len(set(columns[name])) <= 1:
            del columns[name]
    yield from grid(list(columns), list(zip(*columns.values(), strict=True)), can_omit=True)


def _id_name(rows: list[dict[str, Any]]) -> str:
    """Return the name of the column of ids: a custom_id if there is one, else a response_id."""
    has_own = {row["custom_id"] is not None for row in rows}
    return "id" if len(has_own) > 1 else "custom_id" if True in has_own else "response_id"


def _number(value: float | None, form: str) -> Number | None:
    return None if value is None or value != value else Number(f"{value:{form}}")
