"""Commands that show answers: coloured text and HTML pages."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click

import toolkit
from toolkit.cli.grid import safe
from toolkit.cli.group import (
    CHANNEL,
    RESPONSE_HELP,
    inputs_argument,
    load,
    main,
    read_labels,
    read_options,
    require_responses,
    selector,
    table_option,
)
from toolkit.cli.output import print_texts
from toolkit.errors import ArgumentError


@main.command()
@inputs_argument
@click.option("--response", default="0", show_default=True, metavar="ROW|ID", help=RESPONSE_HELP)
@click.option(
    "--choice", type=int, default=0, show_default=True, metavar="N", help="Index of the choice."
)
@click.option("--channel", type=CHANNEL, help="Only this channel.  [default: all]")
@click.option(
    "--by",
    default="probability",
    show_default=True,
    metavar="COLUMN",
    help="Colour the tokens by this column of `logprobs schema token_metrics`.",
)
@click.option(
    "--palette",
    type=click.Choice(["oranges", "cividis"]),
    default="oranges",
    show_default=True,
    help="Colours of the tokens.",
)
@click.option(
    "-o",
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write an HTML page instead, with the alternatives of each token.",
)
@click.option(
    "--raw",
    "is_raw",
    is_flag=True,
    help="Print the records of the response as they were recorded; FILE:LINE of a reject will do.",
)
def show(
    inputs: tuple[str, ...],
    response: str,
    choice: int,
    channel: str | None,
    by: str,
    palette: str,
    output: Path | None,
    is_raw: bool,
) -> None:
    """Print an answer with each token coloured by its certainty.

    The colours are those that the terminal supports. In a pipe, the text is plain, followed by the
    least certain tokens. With --raw, the records are exact in a pipe; on a terminal, their hidden
    characters are visible.

    \b
    Examples:
      logprobs show batch.jsonl --response request-7
      logprobs show batch.jsonl --by entropy_lower -o answer.html
      logprobs show logs/ --raw --response logs/monday.jsonl:17 > record.jsonl
    """
    lp = load(inputs)
    if is_raw:
        if output is not None:
            raise ArgumentError("--raw prints the records: redirect them instead of passing -o")
        print_texts(lp.raw(selector(response), **read_options()))
        return
    require_responses(lp)
    view = toolkit.show(
        lp, response=selector(response), choice=choice, channel=channel, by=by, palette=palette
    )
    if output is None:
        click.echo(view.text(_colours()), color=True)
        return
    click.echo(safe(view.save(output)))


@main.command()
@inputs_argument
@click.option(
    "-o",
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    default=Path("report.html"),
    show_default=True,
    help="Path of the page.",
)
@table_option(
    "--labels", help="Ground truth: a table with the columns custom_id and correct (1 or 0)."
)
@click.option("--title", default="Logprob report", show_default=True, help="Title of the page.")
def report(inputs: tuple[str, ...], output: Path, labels: Path | None, title: str) -> None:
    """Write one HTML page about all answers.

    The page shows findings, usage, certainty and the least certain answers. It loads nothing from
    the network. It holds texts of answers.

    \b
    Examples:
      logprobs report logs/
      logprobs report batch.jsonl --labels truth.csv -o batch.html
    """
    lp = load(inputs)
    require_responses(lp)
    truth = None if labels is None else read_labels("--labels", labels)
    click.echo(safe(toolkit.report(lp, output, labels=truth, title=title)))


@main.command()
@inputs_argument
@click.option(
    "-o",
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    default=Path("answers.html"),
    show_default=True,
    help="Path of the page.",
)
@click.option("--title", default="Answers", show_default=True, help="Title of the page.")
def browse(inputs: tuple[str, ...], output: Path, title: str) -> None:
    """Write one HTML page on which answers are sorted, searched and opened.

    The page lists up to 10,000 answers, the least certain first, and shows the tokens of each with
    their alternatives. It loads nothing from the network. It holds texts of answers.

    \b
    Examples:
      logprobs browse logs/
      logprobs browse batch.jsonl -o batch.html
    """
    lp = load(inputs)
    require_responses(lp)
    click.echo(safe(toolkit.browse(lp, output, title=title)))


def _colours() -> int:
    """Return the number of colours of the terminal; 0 in a pipe or with NO_COLOR."""
    kind = os.environ.get("TERM", "")
    if "NO_COLOR" in os.environ or not sys.stdout.isatty() or kind in ("", "dumb"):
        return 0
    if os.environ.get("COLORTERM") in ("truecolor", "24bit") or kind.endswith("-direct"):
        return 1 << 24
    return 256 if "256" in kind else 0
