"""The command ``evaluate``: how many answers are right, and whether another run has more."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

import toolkit
from toolkit.cli.grid import grid
from toolkit.cli.group import (
    inputs_argument,
    load,
    main,
    read_labels,
    require_responses,
    row_options,
    table_option,
    tables_of_runs,
)
from toolkit.cli.output import RowOptions, print_rows
from toolkit.errors import ArgumentError

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

_SHOWN = (  # columns of a readable table, after those of the groups
    *("n", "n_missing", "n_pairs", "n_only_a", "n_only_b", "n_clusters", "mean", "mean_lower"),
    *("mean_upper", "mean_a", "mean_b", "difference", "difference_lower", "difference_upper"),
    *("mcnemar_p", "least_detectable"),
)
_OFTEN_0 = ("n_missing", "n_only_a", "n_only_b")


@main.command()
@inputs_argument
@table_option(
    "--labels",
    help="Ground truth: a table with the column custom_id (or request, a number from 0), and "
    "correct (1 or 0) or, without it and with --against, expected: what an answer must be, but for "
    "blanks around it.",
)
@table_option(
    "--options",
    help="Options of multiple-choice questions, each scored as the end of a given text: a table "
    "with the columns custom_id, option, text, correct and, if it is not the custom_id, question.",
)
@click.option(
    "--against", metavar="INPUT", help="Compare with another run of the same questions, in pairs."
)
@click.option(
    "--by", multiple=True, metavar="COLUMN", help="Group by model or a column of the labels."
)
@click.option(
    "--clusters",
    metavar="COLUMN",
    help="Column that is the same for answers that depend on each other.  [default: the request]",
)
@row_options
def evaluate(
    inputs: tuple[str, ...],
    labels: Path | None,
    options: Path | None,
    against: str | None,
    by: tuple[str, ...],
    clusters: str | None,
    rows: RowOptions,
) -> None:
    """Print the share of right answers, with an interval; of two runs, the difference.

    Answers to one request are one cluster. Two runs are compared question by question, with
    McNemar's exact test; least_detectable is the smallest difference that so many questions can
    show.

    \b
    Examples:
      logprobs evaluate batch.jsonl --labels truth.csv --by model
      logprobs evaluate new.jsonl --against old.jsonl --labels expected.csv
      logprobs evaluate scored.jsonl --options options.csv
    """
    import pyarrow as pa

    if labels is not None and options is None:
        judge = partial(_by_labels, labels=read_labels("--labels", labels), against=against)
    elif options is not None and labels is None:
        judge = partial(_by_options, options=read_labels("--options", options))
    else:
        raise ArgumentError("expected either --labels=CSV or --options=CSV")
    loads = [load(sources) for sources in (inputs, *([] if against is None else [(against,)]))]
    for lp in loads:
        require_responses(lp)
    judged = [judge(lp) for lp in loads]
    score, key = ("correct", "custom_id") if labels else ("is_correct", "question")
    groups = [*([] if labels else ["measure"]), *by]
    if against is None:
        found = toolkit.evaluate(*judged, score=score, by=groups, clusters=clusters)
    else:
        on = "request" if "request" in judged[0] else key
        found = toolkit.compare_evaluations(
            *judged, on=on, score=score, by=groups, clusters=clusters
        )
    table = pa.Table.from_pandas(found, preserve_index=False)
    views = tables_of_runs(*loads)
    views |= {"evaluate" if against is None else "compare_evaluations": table}
    print_rows(table, rows, lambda part: _lines(part, groups), views)


def _lines(table: pa.Table, groups: list[str]) -> Iterator[str]:
    """Yield the lines of the readable table, without columns that say nothing."""
    names = groups + [
        name
        for name in _SHOWN
        if name in table.column_names
        and not {None, 0 if name in _OFTEN_0 else None}.issuperset(table[name].to_pylist())
    ]
    return grid(names, [list(row.values()) for row in table.select(names).to_pylist()])


def _by_labels(
    lp: toolkit.LogprobTables, labels: pd.DataFrame, against: str | None
) -> pd.DataFrame:
    """Return the answers with what is known of them, and whether each is correct."""
    responses = lp.to_pandas("responses")[["response_key", "custom_id", "model", "kind"]]
    choices = lp.to_pandas("choices")[["response_key", "choice", "content"]]
    on = "custom_id" if "custom_id" in labels else "request"
    answers = toolkit.join_labels(responses.merge(choices, how="left"), labels, on=on)
    # Whether the answers of one run are correct says nothing of another's.
    if "correct" in labels and against is None:
        return answers
    if "expected" in labels:
        right = answers["content"].str.strip() == answers["expected"].str.strip()
        known = answers["content"].fillna("").ne("") & answers["expected"].notna()
        return answers.assign(correct=right.astype("boolean").where(known))
    which = "'correct' or 'expected'" if against is None else "'expected', to judge both runs by"
    raise ArgumentError(f"--labels has no column {which}; it has {list(labels.columns)}")


def _by_options(lp: toolkit.LogprobTables, options: pd.DataFrame) -> pd.DataFrame:
    """Return the option that each score chooses, and whether it is correct."""
    scores = toolkit.metrics.option_scores(lp, options)
    return toolkit.metrics.multiple_choice(scores)
