"""Commands that show answers to people: coloured text, pages, pictures."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

import click

import toolkit
from toolkit.cli.group import (
    CHANNEL,
    RESPONSE_HELP,
    inputs_argument,
    load,
    main,
    require_responses,
    selector,
)
from toolkit.cli.output import visible
from toolkit.errors import ArgumentError, ExportError

_PLOTS = {  # of one answer
    "token-confidence": "token_confidence",
    "entropy": "entropy_by_position",
    "confidence": "confidence_over_position",
}
_OF_ALL = {  # of all answers
    "positions": "confidence_over_position",
    "logprobs": "logprob_histogram",
    "perplexity": "perplexity_ecdf",
    "finish-reasons": "finish_reasons",
    "fields": "field_confidence",
    "agreement": "agreement",
    "usage": "usage_over_time",
}


@main.command()
@inputs_argument
@click.option("--response", default="0", show_default=True, metavar="ROW|ID", help=RESPONSE_HELP)
@click.option(
    "--choice", type=int, default=0, show_default=True, metavar="N", help="A choice, by its index."
)
@click.option("--channel", type=CHANNEL, help="Which tokens.  [default: all]")
@click.option(
    "--by",
    default="probability",
    show_default=True,
    metavar="COLUMN",
    help="What the tokens are coloured by: a column of `logprobs schema token_metrics`.",
)
@click.option(
    "--palette",
    type=click.Choice(["oranges", "cividis"]),
    default="oranges",
    show_default=True,
    help="The colours.",
)
@click.option(
    "-o",
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write a page (HTML) instead, with the alternatives of each token.",
)
def show(
    inputs: tuple[str, ...],
    response: str,
    choice: int,
    channel: str | None,
    by: str,
    palette: str,
    output: Path | None,
) -> None:
    """Print the text of an answer, each token coloured by its certainty.

    Colours as the terminal has them; in a pipe the text is plain, with the least certain tokens
    listed.

    \b
    Examples:
      logprobs show batch.jsonl --response request-7
      logprobs show batch.jsonl --by entropy_lower -o answer.html
    """
    lp = load(inputs)
    require_responses(lp)
    view = toolkit.show(
        lp, response=selector(response), choice=choice, channel=channel, by=by, palette=palette
    )
    if output is None:
        click.echo(view.text(_colours()), color=True)
        return
    try:
        view.save(output)
    except OSError as error:
        raise ExportError(f"{output} cannot be written: {error.strerror}") from error
    click.echo(visible(str(output)))


@main.command()
@inputs_argument
@click.option(
    "-o",
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    default=Path("report.html"),
    show_default=True,
    help="The page.",
)
@click.option(
    "--labels",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="CSV",
    help="The truth: a table with the columns custom_id and correct (1 or 0).",
)
@click.option("--title", default="Logprob report", show_default=True, help="Of the page.")
def report(inputs: tuple[str, ...], output: Path, labels: Path | None, title: str) -> None:
    """Write one page about all of it: what is odd, usage, certainty, the least certain answers.

    The page loads nothing from anywhere, and holds texts of answers.

    \b
    Examples:
      logprobs report logs/
      logprobs report batch.jsonl --labels truth.csv -o batch.html
    """
    import pandas as pd

    lp = load(inputs)
    require_responses(lp)
    truth = None if labels is None else pd.read_csv(labels)
    click.echo(visible(str(toolkit.report(lp, output, labels=truth, title=title))))


def _colours() -> int:
    """Return how many colours the terminal says it has; none in a pipe or with NO_COLOR."""
    kind = os.environ.get("TERM", "")
    if "NO_COLOR" in os.environ or not sys.stdout.isatty() or kind in ("", "dumb"):
        return 0
    if os.environ.get("COLORTERM") in ("truecolor", "24bit") or kind.endswith("-direct"):
        return 1 << 24
    return 256 if "256" in kind else 0


@main.command()
@inputs_argument
@click.option("--response", default="0", show_default=True, metavar="ROW|ID", help=RESPONSE_HELP)
@click.option(
    "--choice", type=int, default=0, show_default=True, metavar="N", help="A choice, by its index."
)
@click.option("--channel", type=CHANNEL, default="content", show_default=True, help="Which tokens.")
@click.option(
    "--kind",
    type=click.Choice([*_PLOTS, *_OF_ALL]),
    default="token-confidence",
    show_default=True,
    help="What to draw.",
)
@click.option(
    "-o",
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    help="PNG, SVG or PDF.  [default: named after the input, in this folder]",
)
def plot(
    inputs: tuple[str, ...],
    response: str,
    choice: int,
    channel: str,
    kind: str,
    output: Path | None,
) -> None:
    """Draw one answer, or all of them, and print the name of the picture.

    token-confidence, entropy and confidence are of one answer, the other kinds of all.

    \b
    Examples:
      logprobs plot batch.jsonl --response request-7
      logprobs plot batch.jsonl --kind entropy -o entropy.svg
      logprobs plot logs/ --kind perplexity
    """
    os.environ["MPLBACKEND"] = "Agg"  # no window, whatever the user's settings
    lp = load(inputs)
    require_responses(lp)
    if kind in _OF_ALL:
        axes, which = getattr(toolkit.plot, _OF_ALL[kind])(lp), "all"
    else:
        which = response
        options = {"response": selector(response), "choice": choice, "channel": channel}
        axes = getattr(toolkit.plot, _PLOTS[kind])(lp, **options)
    if output is None:
        stem = "stdin" if inputs[0] == "-" else Path(inputs[0]).name.split(".")[0]
        output = Path(re.sub(r"[^\w-]+", "_", f"{stem}-{which}-{kind}") + ".png")
    try:
        axes.figure.savefig(output, dpi=150)
    except ValueError as error:  # no such format
        raise ArgumentError(f"{output}: {error}") from error
    except OSError as error:
        raise ExportError(f"{output} cannot be written: {error.strerror}") from error
    click.echo(visible(str(output)))
