"""The command ``plot``: every plot of the library, as a picture."""

from __future__ import annotations

import io
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

import toolkit
from toolkit.cli.grid import safe
from toolkit.cli.group import (
    CHANNEL,
    RESPONSE_HELP,
    inputs_argument,
    load,
    main,
    require_responses,
    selector,
)
from toolkit.cli.labels import judged_answers, label_options, label_texts, labels_option
from toolkit.errors import ArgumentError
from toolkit.files import write_file

OF_ONE = {  # --kind to the plot of one answer
    "token-confidence": "token_confidence",
    "entropy": "entropy_by_position",
    "confidence": "confidence_over_position",
    "alternatives": "alternatives",
}
OF_ALL = {  # --kind to the plot of all answers
    "positions": "confidence_over_position",
    "logprobs": "logprob_histogram",
    "perplexity": "perplexity_ecdf",
    "finish-reasons": "finish_reasons",
    "fields": "field_confidence",
    "agreement": "agreement",
    "usage": "usage_over_time",
}
OF_LABELS = {"labels": "label_heatmap"}  # needs --label
OF_JUDGED = {"reliability": "reliability", "risk-coverage": "risk_coverage"}  # need --labels
OF_TWO = {  # need --second
    "compare": "compare",
    "divergence": "divergence",
    "prefix-survival": "prefix_survival",
}
_BY = ("logprobs", "perplexity", "finish-reasons", "usage")  # kinds that can be grouped


@main.command()
@inputs_argument
@click.option("--response", default="0", show_default=True, metavar="ROW|ID", help=RESPONSE_HELP)
@click.option(
    "--choice", type=int, default=0, show_default=True, metavar="N", help="Index of the choice."
)
@click.option("--position", type=int, metavar="N", help="Position of the token, for alternatives.")
@click.option(
    "--channel", type=CHANNEL, default="content", show_default=True, help="Channel of the tokens."
)
@click.option(
    "--by", metavar="COLUMN", help="Draw a line or bar for each value of a column, such as model."
)
@labels_option
@label_options(required=False)
@click.option("--second", metavar="INPUT", help="The second run, for plots that compare two.")
@click.option(
    "--kind",
    type=click.Choice([*OF_ONE, *OF_ALL, *OF_LABELS, *OF_JUDGED, *OF_TWO]),
    default="token-confidence",
    show_default=True,
    help="Kind of plot.",
)
@click.option(
    "-o",
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    help="PNG, SVG or PDF file.  [default: named after the input, in the current folder]",
)
def plot(inputs: tuple[str, ...], kind: str, output: Path | None, **options: Any) -> None:
    """Draw a plot of one answer, of all, or of two runs.

    The kinds token-confidence, entropy, confidence and alternatives show one answer. The kind
    labels needs --label, reliability and risk-coverage need --labels, and compare, divergence and
    prefix-survival need --second. Prints the name of the picture.

    \b
    Examples:
      logprobs plot batch.jsonl --response request-7
      logprobs plot logs/ --kind perplexity --by model -o perplexity.svg
      logprobs plot batch.jsonl --kind reliability --labels truth.csv
      logprobs plot monday.jsonl --kind compare --second tuesday.jsonl
    """
    os.environ["MPLBACKEND"] = "Agg"  # opens no window
    lp = load(inputs)
    require_responses(lp)
    axes = _drawing(kind, options)(lp)
    if output is None:
        stem = "stdin" if inputs[0] == "-" else Path(inputs[0]).name.split(".")[0]
        which = options["response"] if kind in OF_ONE else "all"
        output = Path(re.sub(r"[^\w-]+", "_", f"{stem}-{which}-{kind}") + ".png")
    picture = io.BytesIO()
    try:
        axes.figure.savefig(picture, dpi=150, format=output.suffix[1:] or "png")
    except ValueError as error:  # an unknown format
        raise ArgumentError(f"{output}: {error}") from error
    click.echo(safe(write_file(output, picture.getvalue())))


def _drawing(kind: str, options: dict[str, Any]) -> Callable[[toolkit.LogprobTables], Any]:
    """Return the function that draws a kind of plot of a load."""
    names = OF_ONE | OF_ALL | OF_LABELS | OF_JUDGED | OF_TWO
    function = getattr(toolkit.plot, names[kind])
    channel = {"channel": options["channel"]}
    if kind in OF_ONE:
        one = {"response": selector(options["response"]), "choice": options["choice"]} | channel
        if kind == "alternatives":
            one["position"] = _needed(kind, options, "position")
        return lambda lp: function(lp, **one)
    if kind in OF_LABELS:
        texts = label_texts(_needed(kind, options, "label"))
        return lambda lp: function(lp, texts, **channel)
    if kind in OF_JUDGED:
        _needed(kind, options, "labels")
        given = [options[name] for name in ("labels", "on", "correct", "right", "confidence")]
        return lambda lp: _judged(function, lp, given)
    if kind in OF_TWO:
        second = load((_needed(kind, options, "second"),))
        require_responses(second)
        return lambda lp: function(lp, second, **channel)
    by = {"by": options["by"]} if options["by"] and kind in _BY else {}
    return lambda lp: function(lp, **by)


def _needed(kind: str, options: dict[str, Any], name: str) -> Any:
    """Return an option without which a kind of plot cannot be drawn."""
    if options[name] in (None, ()):
        raise ArgumentError(f"--kind {kind} needs --{name}")
    return options[name]


def _judged(function: Any, lp: toolkit.LogprobTables, given: list[Any]) -> Any:
    answers = judged_answers(lp, *given)
    return function(*answers.columns, clusters=answers.clusters)
