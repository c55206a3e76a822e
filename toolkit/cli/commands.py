"""Commands that print or write tables; pandas and Arrow are imported when a command runs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

import toolkit
from toolkit.cli.grid import safe
from toolkit.cli.group import (
    CHANNEL,
    RESPONSE_HELP,
    inputs_argument,
    json_option,
    load,
    main,
    read_options,
    require_responses,
    row_options,
    selector,
    sources_of,
    tables_of_runs,
)
from toolkit.cli.layout import (
    SHOWN,
    declared_tables,
    reject_lines,
    schema_document,
    schema_lines,
    table_lines,
    token_lines,
)
from toolkit.cli.output import RowOptions, json_text, print_lines, print_rows
from toolkit.cli.summary import summarise, summary_lines
from toolkit.errors import ArgumentError, SelectionError

if TYPE_CHECKING:
    import pyarrow as pa

_RARE = ("unlisted", "envelopes", "blank", "done", "comments", "control")  # often all 0


@main.command()
@inputs_argument
@click.option(
    "--table",
    type=click.Choice(list(SHOWN)),
    default="responses",
    show_default=True,
    help="Table to print.",
)
@row_options
def read(
    inputs: tuple[str, ...],
    table: str,
    rows: RowOptions,
) -> None:
    """Print the rows of one table; by default, one row per response.

    \b
    Examples:
      logprobs read logs/*.jsonl
      logprobs read logs/ --table rejects
      logprobs read batch.jsonl --table tokens --columns token,logprob --csv
      logprobs read logs/ --sql "select model, count(*) from responses group by all"
    """
    lp = load(inputs)
    keys = lp.responses["response_key"].to_numpy()
    hidden: tuple[str, ...] = ()
    if table == "responses" and lp.ledger.num_rows == 1:  # its name would be in every row
        hidden = ("source",)
    if table == "ledger":  # leave room for the names of the sources
        hidden = tuple(name for name in _RARE if not any(lp.ledger[name].to_pylist()))

    def lines(part: pa.Table) -> Iterator[str]:
        if table == "rejects":
            return reject_lines(part)
        return table_lines(part, SHOWN[table], keys, hidden=hidden)

    print_rows(lp[table], rows, lines, tables_of_runs(lp))
    require_responses(lp)


@main.command()
@inputs_argument
@click.option(
    "--by",
    type=click.Choice(["model", "source", "kind"]),
    help="Also print one row for each of these.",
)
@click.option(
    "--vocab-size",
    type=click.IntRange(min=1),
    help="Size of the vocabulary: gives an upper bound of the entropy.",
)
@json_option
def summary(inputs: tuple[str, ...], by: str | None, vocab_size: int | None, as_json: bool) -> None:
    """Print an overview of records, usage and certainty.

    \b
    Examples:
      logprobs summary logs/
      logprobs summary logs/ --by model
      logprobs summary batch.jsonl --json | jq .confidence
    """
    lp = load(inputs)
    require_responses(lp)
    document = summarise(lp, by, vocab_size)
    print_lines([json_text(document, indent=2)] if as_json else summary_lines(document))


@main.command()
@inputs_argument
@click.option("--response", metavar="ROW|ID", help=f"Only one response. {RESPONSE_HELP}")
@click.option("--choice", type=int, metavar="N", help="Only one choice, by its index.")
@click.option("--channel", type=CHANNEL, help="Only one channel.")
@row_options
def tokens(
    inputs: tuple[str, ...],
    response: str | None,
    choice: int | None,
    channel: str | None,
    rows: RowOptions,
) -> None:
    """Print how certain the model was of each token.

    A readable table shows the token (␣ is a blank), its probability and the likeliest alternatives;
    --json and --csv have all columns of `logprobs schema token_metrics`.

    \b
    Examples:
      logprobs tokens batch.jsonl --response request-7
      logprobs tokens logs/ --csv > tokens.csv
    """
    import numpy as np
    import pyarrow as pa

    lp = load(inputs)
    require_responses(lp)
    keys = lp.responses["response_key"].to_numpy()
    if response is not None:
        lp = lp.filter(response_key=int(keys[lp.locate(selector(response))]))
    if choice is not None:
        lp = lp.filter(choice=choice)
        if not len(lp):
            raise SelectionError(f"no selected response has a choice {choice}")
    metrics = toolkit.token_metrics(lp)
    at = np.flatnonzero((channel is None) | (metrics["channel"] == channel).to_numpy())
    table = pa.Table.from_pandas(metrics.iloc[at], preserve_index=False)
    views = tables_of_runs(lp) | {"token_metrics": table}
    print_rows(table, rows, lambda part: token_lines(lp, part, at, keys), views)


@main.command()
@inputs_argument
@click.option(
    "-o",
    "--output",
    required=True,
    metavar="DIR",
    help="Directory, or URI in an object store; created by the command.",
)
@click.option("--overwrite", is_flag=True, help="Replace an earlier export of that name.")
@click.option("--append", is_flag=True, help="Add what an earlier export of that name lacks.")
@click.option(
    "--resume",
    is_flag=True,
    help="Keep finished work if the export is interrupted, and start from work kept earlier.",
)
@click.option(
    "--no-texts",
    is_flag=True,
    help="Leave out what people and models wrote; tokens get pseudonyms.",
)
@click.option(
    "--workers",
    type=click.IntRange(min=1),
    metavar="N",
    help="Run on N processes, each with one thread; the files are the same.",
)
def export(
    inputs: tuple[str, ...],
    output: str,
    overwrite: bool,
    append: bool,
    resume: bool,
    no_texts: bool,
    workers: int | None,
) -> None:
    """Write the tables as Parquet files.

    DuckDB, Polars, Spark, Python and `logprobs` itself can read them.

    \b
    Examples:
      logprobs export logs/ -o answers
      logprobs export logs/ -o answers --resume
      logprobs export logs/ -o answers --workers 8
      logprobs export logs/ -o s3://bucket/answers
      logprobs summary answers
    """
    out = toolkit.export(
        *(sources_of(inputs), output),
        overwrite=overwrite,
        append=append,
        resume=resume,
        texts=not no_texts,
        workers=workers,
        **read_options(),
    )
    for name, rows in toolkit.open_dataset(output).n_rows().items():
        click.echo(f"  {name:<14}{rows:>12,} rows")
    click.echo(f"  {safe(out)}")


@main.command()
@click.argument("table", required=False)
@json_option
def schema(table: str | None, as_json: bool) -> None:
    """Print the data dictionary: every column and its meaning.

    \b
    Examples:
      logprobs schema
      logprobs schema token_metrics
    """
    declared = declared_tables()
    if table is not None and table not in declared:
        raise ArgumentError(f"TABLE={table!r}: expected one of {', '.join(declared)}")
    chosen = [declared[table]] if table else list(declared.values())
    if as_json:
        documents = [schema_document(each) for each in chosen]
        print_lines([json_text(documents[0] if table else documents, indent=2)])
    else:
        print_lines(line for each in chosen for line in schema_lines(each))
