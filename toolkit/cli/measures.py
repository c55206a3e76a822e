"""Commands that print one measure of a load: ``usage``, ``fields``, ``labels``, ``calibrate``."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

import toolkit
from toolkit.cli.grid import Number, beside, grid, safe
from toolkit.cli.group import (
    CHANNEL,
    inputs_argument,
    json_option,
    load,
    main,
    require_responses,
    row_options,
    tables_of_runs,
)
from toolkit.cli.labels import judged_answers, label_options, label_texts, labels_option
from toolkit.cli.layout import result_table, score_lines, table_lines
from toolkit.cli.output import RowOptions, json_text, print_lines, print_rows
from toolkit.errors import ArgumentError

if TYPE_CHECKING:
    import pyarrow as pa

    from toolkit import LogprobTables

_USAGE = "n_responses prompt_tokens completion_tokens total_tokens cached_tokens cost"
_SHOWN = {  # columns of readable tables
    "field_metrics": "row custom_id choice path value probability min_probability n_tokens",
    "label_distribution": "row custom_id choice label probability_lower probability_upper "
    "is_answer reason",
}
_SCORED = {  # scores of `calibrate` in a readable page; --json has all
    "calibration": "n n_missing accuracy mean_confidence gap ece ece_if_calibrated p_calibrated "
    "brier log_loss",
    "selective": "auroc prr aurc",
    "threshold_for": "threshold coverage n_accepted accuracy reason",
}


@main.command()
@inputs_argument
@click.option(
    "--by",
    multiple=True,
    metavar="COLUMN",
    help="One row for each value of this column of responses, such as model. Can be repeated.",
)
@click.option(
    "--per",
    "span",
    metavar="SPAN",
    help="One row for each span of time, such as 1h or 1D; auto picks the length.",
)
@click.option(
    "--price",
    "prices",
    multiple=True,
    metavar="MODEL=INPUT,OUTPUT",
    help="Price of a model per million tokens of prompt and answer. Can be repeated.",
)
@click.option(
    "--list-prices",
    is_flag=True,
    help="Take the list prices of the package genai-prices (extra prices), in US dollars.",
)
@row_options
def usage(
    inputs: tuple[str, ...],
    by: tuple[str, ...],
    span: str | None,
    prices: tuple[str, ...],
    list_prices: bool,
    rows: RowOptions,
) -> None:
    """Print tokens used and their cost, by model, by day or by any column of responses.

    Models without a price are named below a readable table, and in the column unpriced_models; so
    are prices of a model that no response has, because a price is that of a whole name.
    With --per, times are in UTC, and spans without responses are omitted, in every form of output.

    \b
    Examples:
      logprobs usage logs/ --by model --list-prices
      logprobs usage logs/ --by model --per 1D --price gpt-4o=2.5,10
    """
    if prices and list_prices:
        raise ArgumentError("--price and --list-prices: expected one of them")
    lp = load(inputs)
    require_responses(lp)
    given: Any = "genai-prices" if list_prices else dict(map(_price, prices)) or None
    if span is None:
        name, found = "usage", toolkit.usage(lp, by=by, prices=given)
    else:
        name = "usage_over_time"
        length = None if span == "auto" else span
        found = toolkit.usage_over_time(lp, span=length, by=by, prices=given)
        found = found[found["n_responses"] > 0]  # those of years may be apart: a row for each day
    table = result_table(found, name)

    def lines(part: pa.Table) -> Iterator[str]:
        names = [*by, *(["start"] if span else []), *_USAGE.split()]
        names = [n for n in names if n in part.column_names and part[n].null_count < len(part)]
        cells = [list(map(_counted, row.values())) for row in part.select(names).to_pylist()]
        yield from grid([n + " $" * (n == "cost" and list_prices) for n in names], cells)
        unpriced = {model for models in found["unpriced_models"] for model in models}
        known = set(lp.responses["model"].unique().to_pylist())
        unused = set() if list_prices or given is None else set(given) - known
        for label, models in (("no price", unpriced), ("no model", unused)):
            if models:
                head = click.style(f"  {label}  ", fg="yellow", bold=True)
                yield from beside(head, map(safe, sorted(models)), 12)

    print_rows(table, rows, lines, tables_of_runs(lp) | {name: table})


def _counted(value: object) -> object:
    """Write whole numbers with separators of thousands."""
    return Number(f"{value:,}") if isinstance(value, int) else value


def _price(text: str) -> tuple[str, tuple[float, float]]:
    """Return a model and its prices from MODEL=INPUT,OUTPUT."""
    model, _, amounts = text.rpartition("=")
    try:
        low, high = map(float, amounts.split(","))
    except ValueError:
        model = ""
    if not model:
        raise ArgumentError(f"--price={text!r}: expected MODEL=INPUT,OUTPUT, such as gpt-4o=2.5,10")
    return model, (low, high)


@main.command()
@inputs_argument
@click.option(
    "--from",
    "source",
    type=click.Choice(["content", "tool_calls"]),
    default="content",
    show_default=True,
    help="Read the JSON of the content, or of the arguments of tool calls.",
)
@click.option(
    "--below",
    type=float,
    metavar="P",
    help="Print only values whose probability is below this, the least certain first.",
)
@row_options
def fields(inputs: tuple[str, ...], source: str, below: float | None, rows: RowOptions) -> None:
    """Print how certain the model was of each value of the JSON in the answers.

    \b
    Examples:
      logprobs fields extracted.jsonl --below 0.9
      logprobs fields extracted.jsonl --csv > fields.csv
    """
    lp = load(inputs)
    require_responses(lp)
    found = toolkit.field_metrics(lp, source=source)
    if below is not None:
        found = found[found["probability"] < below].sort_values("probability", kind="stable")
    table = result_table(found, "field_metrics")

    _print(lp, table, "field_metrics", rows)


@main.command()
@inputs_argument
@labels_option
@click.option("--after", metavar="TEXT", help="The label follows the last occurrence of this text.")
@click.option(
    "--channel", type=CHANNEL, default="content", show_default=True, help="Channel of the label."
)
@row_options
def labels(
    inputs: tuple[str, ...],
    label: tuple[str, ...],
    after: str | None,
    channel: str,
    rows: RowOptions,
) -> None:
    """Print how probable each label is as the answer, with bounds.

    \b
    Examples:
      logprobs labels reviews.jsonl --label positive --label negative --label neutral
      logprobs labels judged.jsonl --label yes=Yes --label yes=Y --label no=No --after "Verdict:"
    """
    if not label:
        raise ArgumentError("--label: expected at least one label")
    lp = load(inputs)
    require_responses(lp)
    found = toolkit.label_distribution(lp, label_texts(label), after=after, channel=channel)
    _print(lp, result_table(found, "label_distribution"), "label_distribution", rows)


def _print(lp: LogprobTables, table: pa.Table, name: str, rows: RowOptions) -> None:
    """Print the rows of a result that has keys, with the number or id of each answer."""
    keys = lp.responses["response_key"].to_numpy()

    def lines(part: pa.Table) -> Iterator[str]:
        hidden = () if any(part["choice"].to_pylist()) else ("choice",)
        yield from table_lines(part, _SHOWN[name], keys, hidden=hidden)

    print_rows(table, rows, lines, tables_of_runs(lp) | {name: table})


@main.command()
@inputs_argument
@label_options(required=True)
@click.option(
    "--accuracy",
    type=float,
    metavar="A",
    help="Also find the lowest confidence above which answers are at least this accurate.",
)
@json_option
def calibrate(
    inputs: tuple[str, ...],
    labels: Path,
    on: str,
    correct: str,
    right: str | None,
    confidence: str,
    accuracy: float | None,
    as_json: bool,
) -> None:
    """Compare confidence with what is known to be right: calibration, ranking, a threshold.

    \b
    Examples:
      logprobs calibrate batch.jsonl --labels truth.csv
      logprobs calibrate batch.jsonl --labels truth.csv --correct verdict --right yes
      logprobs calibrate batch.jsonl --labels truth.csv --accuracy 0.95 --json
    """
    lp = load(inputs)
    require_responses(lp)
    judged = judged_answers(lp, labels, on, correct, right, confidence)
    found = {
        "calibration": toolkit.calibration(*judged.columns, clusters=judged.clusters),
        "selective": toolkit.selective(*judged.columns, clusters=judged.clusters),
    }
    if accuracy is not None:
        found["threshold_for"] = toolkit.threshold_for(
            *judged.columns, accuracy=accuracy, clusters=judged.clusters
        )
    rows = {name: result_table(frame, name).to_pylist()[0] for name, frame in found.items()}
    for row in rows.values():
        row |= {name: dict(value) for name, value in row.items() if _is_map(value)}
    print_lines([json_text(rows, indent=2)] if as_json else score_lines(rows, _SCORED))


def _is_map(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(each, tuple) for each in value)
