"""The commands. Each is a few calls of the library; pandas and Arrow come in when one runs."""

from __future__ import annotations

import json
import os
import re
import sys
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

import toolkit
from toolkit.cli.output import json_text, print_lines, print_rows, visible
from toolkit.cli.summary import summarise, summary_lines
from toolkit.cli.views import (
    SHOWN,
    declared_tables,
    schema_document,
    schema_lines,
    table_lines,
    token_lines,
)
from toolkit.errors import ArgumentError, ExportError, SelectionError, ToolkitError, ToolkitWarning

if TYPE_CHECKING:
    from toolkit import LogprobTables

_CHANNEL = click.Choice(["content", "reasoning", "refusal"])
_PLOTS = {"token-confidence": "token_confidence", "entropy": "entropy_by_position"}
_SETTINGS = {"help_option_names": ["-h", "--help"], "max_content_width": 100}


class _Failure(click.ClickException):
    """An error that ends the command: one line on stderr, and an exit code."""

    def __init__(self, message: object, exit_code: int) -> None:
        super().__init__(str(message))
        self.exit_code = exit_code

    def show(self, file: Any = None) -> None:
        """Print the line."""
        click.echo(f"{click.style('error:', fg='red')} {visible(self.message)}", err=True)


class _Commands(click.Group):
    """Turns what the library raises and warns into lines on stderr and exit codes."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command."""
        if "NO_COLOR" in os.environ:
            ctx.color = False
        if hasattr(sys.stdout, "reconfigure"):
            sys.stdout.reconfigure(
                encoding=None if sys.stdout.isatty() else "utf-8", errors="backslashreplace"
            )
        with warnings.catch_warnings():
            warnings.simplefilter("always", ToolkitWarning)
            warnings.showwarning = _show_warning
            try:
                result = super().invoke(ctx)
                sys.stdout.flush()
            except BrokenPipeError:  # `| head` has seen enough
                os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
                raise click.exceptions.Exit(0) from None
            except KeyboardInterrupt:
                raise click.exceptions.Exit(130) from None
            except (ArgumentError, SelectionError) as error:
                raise _Failure(error, 2) from error
            except ToolkitError as error:
                raise _Failure(error, 1) from error
        return result


def _is_quiet() -> bool:
    return click.get_current_context().meta.get("quiet", False)


def _show_warning(message: Warning | str, *_: Any, **__: Any) -> None:
    if not _is_quiet():
        click.echo(f"{click.style('warning:', fg='yellow')} {visible(str(message))}", err=True)


def _set_quiet(ctx: click.Context, _: click.Parameter, value: bool) -> None:
    if value:
        ctx.meta["quiet"] = True  # shared by the group and its command


def _set_path(ctx: click.Context, _: click.Parameter, value: str | None) -> None:
    ctx.meta["path"] = value


def _how() -> dict[str, Any]:
    """Return how inputs are to be loaded."""
    path = click.get_current_context().meta.get("path")
    return {"path": path, "progress": False if _is_quiet() else None}


def _options(*decorators: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def decorate(command: Any) -> Any:
        for decorator in reversed(decorators):
            command = decorator(command)
        return command

    return decorate


_quiet = click.option(
    "-q",
    "--quiet",
    is_flag=True,
    expose_value=False,
    callback=_set_quiet,
    help="No progress, no warnings.",
)
_path = click.option(
    "--path",
    metavar="KEYS",
    expose_value=False,
    callback=_set_path,
    help="Where in each record the response stands, as output.raw[0]; else it is found.",
)
_inputs = _options(
    click.argument("inputs", metavar="INPUT...", nargs=-1, required=True), _path, _quiet
)
_rows = _options(
    click.option("--json", "form", flag_value="json", help="One JSON object per line."),
    click.option(
        "--csv",
        "form",
        flag_value="csv",
        help="CSV; a text that starts like a formula, or with ', gets a ' in front.",
    ),
    click.option("--csv-raw", "form", flag_value="csv-raw", help="CSV without these marks."),
    click.option("--text", "form", flag_value="text", help="A readable table, in a pipe too."),
    click.option(
        "--limit",
        type=click.IntRange(min=0),
        metavar="N",
        help="Rows at most; 0: all.  [default: 40 in a readable table, else all]",
    ),
    click.option("--columns", metavar="A,B,...", help="These columns, in this order."),
)
_response_help = "A row number, an id or custom_id; id:7 for an id that is a number."
_json_document = click.option("--json", "as_json", is_flag=True, help="One JSON document.")


@click.group(cls=_Commands, context_settings=_SETTINGS)
@click.version_option(toolkit.__version__, prog_name="logprobs")
@_quiet
def main() -> None:
    """Read, summarise, plot and export the token logprobs of language-model responses.

    INPUT is a file, a glob, a folder, an export, or - for standard input; one or many. JSONL,
    Batch output, JSON, SSE, plain or compressed: told by content.

    \b
    Examples:
      logprobs summary logs/
      logprobs tokens batch.jsonl --response request-7
      zcat big.jsonl.gz | logprobs read - --table choices --csv > choices.csv

    On a terminal, rows are a readable table; in a pipe they are JSON lines, or what --csv or
    --text ask for. Progress and warnings go to stderr. Exit codes: 0 good, 1 nothing usable or
    not written, 2 wrong call.
    """


@main.command()
@_inputs
@click.option(
    "--table",
    type=click.Choice(list(SHOWN)),
    default="responses",
    show_default=True,
    help="Which table.",
)
@_rows
def read(
    inputs: tuple[str, ...],
    table: str,
    form: str | None,
    limit: int | None,
    columns: str | None,
) -> None:
    """Print what was read: one row per response, or any other of the tables.

    \b
    Examples:
      logprobs read logs/*.jsonl
      logprobs read logs/ --table rejects
      logprobs read batch.jsonl --table tokens --columns token,logprob --csv
    """
    lp = _load(inputs)
    keys = lp.responses["response_key"].to_numpy()
    # Where all rows are of one source, its name only takes room.
    hidden = ("source",) if table == "responses" and lp.ledger.num_rows == 1 else ()
    print_rows(
        lp[table],
        form,
        limit,
        columns,
        lambda part: table_lines(part, SHOWN[table], keys, hidden=hidden),
    )
    _require_responses(lp)


@main.command()
@_inputs
@click.option(
    "--by", type=click.Choice(["model", "source", "kind"]), help="Also one row for each of these."
)
@click.option(
    "--vocab-size", type=click.IntRange(min=1), help="Size of the vocabulary: bounds the entropy."
)
@_json_document
def summary(inputs: tuple[str, ...], by: str | None, vocab_size: int | None, as_json: bool) -> None:
    """Tell at a glance what was read, what it used and how sure the model was.

    \b
    Examples:
      logprobs summary logs/
      logprobs summary logs/ --by model
      logprobs summary batch.jsonl --json | jq .confidence
    """
    lp = _load(inputs)
    _require_responses(lp)
    document = summarise(lp, by, vocab_size)
    print_lines([json_text(document, indent=2)] if as_json else summary_lines(document))


@main.command()
@_inputs
@click.option("--response", metavar="ROW|ID", help=f"One response. {_response_help}")
@click.option("--choice", type=int, metavar="N", help="One choice, by its index.")
@click.option("--channel", type=_CHANNEL, help="One channel.")
@_rows
def tokens(
    inputs: tuple[str, ...],
    response: str | None,
    choice: int | None,
    channel: str | None,
    form: str | None,
    limit: int | None,
    columns: str | None,
) -> None:
    """Print how sure the model was of each token.

    A readable table shows the token (␣ is a blank), its probability and what else was likely;
    --json and --csv have all columns of `logprobs schema token_metrics`.

    \b
    Examples:
      logprobs tokens batch.jsonl --response request-7
      logprobs tokens logs/ --csv > tokens.csv
    """
    import numpy as np
    import pyarrow as pa

    lp = _load(inputs)
    _require_responses(lp)
    keys = lp.responses["response_key"].to_numpy()
    if response is not None:
        lp = lp.filter(response_key=int(keys[lp.locate(_selector(response))]))
    if choice is not None:
        lp = lp.filter(choice=choice)
        if not len(lp):
            raise SelectionError(f"no choice {choice} in what was selected")
    metrics = toolkit.token_metrics(lp)
    at = np.flatnonzero((channel is None) | (metrics["channel"] == channel).to_numpy())
    table = pa.Table.from_pandas(metrics.iloc[at], preserve_index=False)
    print_rows(table, form, limit, columns, lambda part: token_lines(lp, part, at, keys))


@main.command()
@_inputs
@click.option("--response", default="0", show_default=True, metavar="ROW|ID", help=_response_help)
@click.option(
    "--choice", type=int, default=0, show_default=True, metavar="N", help="A choice, by its index."
)
@click.option(
    "--channel", type=_CHANNEL, default="content", show_default=True, help="Which tokens."
)
@click.option(
    "--kind",
    type=click.Choice(list(_PLOTS)),
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
    """Draw one answer, and print the name of the picture.

    \b
    Examples:
      logprobs plot batch.jsonl --response request-7
      logprobs plot batch.jsonl --kind entropy -o entropy.svg
    """
    os.environ["MPLBACKEND"] = "Agg"  # no window, whatever the user's settings
    lp = _load(inputs)
    _require_responses(lp)
    draw = getattr(toolkit.plot, _PLOTS[kind])
    axes = draw(lp, response=_selector(response), choice=choice, channel=channel)
    if output is None:
        stem = "stdin" if inputs[0] == "-" else Path(inputs[0]).name.split(".")[0]
        output = Path(re.sub(r"[^\w-]+", "_", f"{stem}-{response}-{kind}") + ".png")
    try:
        axes.figure.savefig(output, dpi=150)
    except ValueError as error:  # no such format
        raise ArgumentError(f"{output}: {error}") from error
    except OSError as error:
        raise ExportError(f"{output} cannot be written: {error.strerror}") from error
    click.echo(visible(str(output)))


@main.command()
@_inputs
@click.option(
    "-o", "--output", required=True, metavar="DIR", help="Directory; made by the command."
)
@click.option("--overwrite", is_flag=True, help="Replace an earlier export of that name.")
def export(inputs: tuple[str, ...], output: str, overwrite: bool) -> None:
    """Write the tables as Parquet, for DuckDB, Polars, Spark and `logprobs` itself.

    \b
    Examples:
      logprobs export logs/ -o answers
      logprobs summary answers
    """
    if Path(output).exists() and not overwrite:
        raise ExportError(f"{output} is there already: choose another name, or --overwrite")
    out = toolkit.export(_sources(inputs), output, overwrite=overwrite, **_how())
    stored = json.loads((out / "manifest.json").read_text())["tables"]
    for name, table in stored.items():
        click.echo(f"  {name:<14}{table['rows']:>12,} rows")
    click.echo(f"  {visible(str(out))}")
    if not stored["responses"]["rows"]:
        raise _Failure("no response in what was read: see the rejects table", 1)


@main.command()
@click.argument("table", required=False)
@_json_document
def schema(table: str | None, as_json: bool) -> None:
    """Print the data dictionary: every column with type, unit, direction and meaning.

    \b
    Examples:
      logprobs schema
      logprobs schema token_metrics
    """
    declared = declared_tables()
    if table is not None and table not in declared:
        raise ArgumentError(f"no table {table!r}; choose from {', '.join(declared)}")
    chosen = [declared[table]] if table else list(declared.values())
    if as_json:
        documents = [schema_document(each) for each in chosen]
        print_lines([json_text(documents[0] if table else documents, indent=2)])
    else:
        print_lines(line for each in chosen for line in schema_lines(each))


def _sources(inputs: Sequence[str]) -> str | list[str]:
    return inputs[0] if len(inputs) == 1 else list(inputs)


def _load(inputs: Sequence[str]) -> LogprobTables:
    return toolkit.read(_sources(inputs), **_how())


def _require_responses(lp: LogprobTables) -> None:
    if not len(lp):
        raise _Failure(f"no response in {lp.rejects.num_rows} records: all were rejected", 1)


def _selector(text: str) -> int | str:
    return int(text) if re.fullmatch(r"-?[0-9]+", text) else text.removeprefix("id:")
