"""The group of commands: what they share, and how errors and warnings come out of them."""

from __future__ import annotations

import os
import re
import sys
import warnings
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import click

import toolkit
from toolkit.cli.output import visible
from toolkit.errors import ArgumentError, SelectionError, ToolkitError, ToolkitWarning

if TYPE_CHECKING:
    from toolkit import LogprobTables

CHANNEL = click.Choice(["content", "reasoning", "refusal"])
_AMOUNT = re.compile(r"([0-9]{1,15})(|KiB|MiB|GiB)")
_UNITS = {"": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}
_SETTINGS = {"help_option_names": ["-h", "--help"], "max_content_width": 100}


class Failure(click.ClickException):
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
                raise Failure(error, 2) from error
            except ToolkitError as error:
                raise Failure(error, 1) from error
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


def _set_limits(ctx: click.Context, _: click.Parameter, value: tuple[str, ...]) -> None:
    given = {}
    for text in value:
        name, _, amount = text.partition("=")
        found = _AMOUNT.fullmatch(amount)
        if name not in toolkit.Limits.__dataclass_fields__ or not found:
            names = ", ".join(toolkit.Limits.__dataclass_fields__)
            raise ArgumentError(f"--allow {text}: give NAME=NUMBER; the names are {names}")
        given[name] = int(found[1]) * _UNITS[found[2]]
    ctx.meta["limits"] = toolkit.Limits(**given)


def how() -> dict[str, Any]:
    """Return how inputs are to be loaded."""
    meta = click.get_current_context().meta
    return {
        "path": meta.get("path"),
        "limits": meta.get("limits", toolkit.Limits()),
        "progress": False if _is_quiet() else None,
    }


def _options(*decorators: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def decorate(command: Any) -> Any:
        for decorator in reversed(decorators):
            command = decorator(command)
        return command

    return decorate


quiet_option = click.option(
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
_limits = click.option(
    "--allow",
    multiple=True,
    metavar="LIMIT=N",
    expose_value=False,
    callback=_set_limits,
    help="Another limit, as record_bytes=256MiB; also nesting, alternatives, expansion, "
    "source_bytes.",
)
inputs_argument = _options(
    click.argument("inputs", metavar="INPUT...", nargs=-1, required=True),
    _path,
    _limits,
    quiet_option,
)
row_options = _options(
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
RESPONSE_HELP = "A row number, an id or custom_id; id:7 for an id that is a number."
json_option = click.option("--json", "as_json", is_flag=True, help="One JSON document.")


@click.group(cls=_Commands, context_settings=_SETTINGS)
@click.version_option(toolkit.__version__, prog_name="logprobs")
@quiet_option
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


def sources_of(inputs: Sequence[str]) -> str | list[str]:
    """Return the inputs as `toolkit.read` takes them."""
    return inputs[0] if len(inputs) == 1 else list(inputs)


def load(inputs: Sequence[str]) -> LogprobTables:
    """Read the inputs as the options say."""
    return toolkit.read(sources_of(inputs), **how())


def require_responses(lp: LogprobTables) -> None:
    """End the command where nothing is left to show."""
    if not len(lp):
        raise Failure(f"no response in {lp.rejects.num_rows} records: all were rejected", 1)


def selector(text: str) -> int | str:
    """Tell row numbers from ids."""
    return int(text) if re.fullmatch(r"-?[0-9]+", text) else text.removeprefix("id:")
