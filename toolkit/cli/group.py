"""Define the group of commands, their common options, and how they report errors and warnings."""

from __future__ import annotations

import re
import sys
import warnings
from collections.abc import Callable, Sequence
from functools import partial, wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

import toolkit
from toolkit.cli.grid import safe
from toolkit.cli.output import RowOptions, colour, complain, discard, fill_streams
from toolkit.errors import (
    ArgumentError,
    NoRecordsError,
    SelectionError,
    SourceError,
    ToolkitError,
    ToolkitWarning,
)
from toolkit.progress import no_progress

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

    from toolkit import LogprobTables

STORED = ("responses", "choices", "tokens", "alternatives", "rejects", "ledger")
CHANNEL = click.Choice(["content", "prompt", "reasoning", "refusal"])
_AMOUNT = re.compile(r"([0-9]{1,15})(|KiB|MiB|GiB)")
_SHAPE_CALL = re.compile(r"shape=toolkit\.Shape\(([^()]*)\)")
_SWITCH = re.compile(r"\bpass ([a-z]+)=True\b")
_OPTION = re.compile(r"(?<![-\w])[a-z_]+(?==')")
_UNITS = {"": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}
_SETTINGS = {"help_option_names": ["-h", "--help"], "max_content_width": 100}


class Failure(click.ClickException):
    """End the command with one line on stderr and exit code 1."""

    exit_code = 1

    def show(self, file: Any = None) -> None:
        """Print the error."""
        complain(f"{click.style('error:', fg='red')} {safe(self.message)}")


class WrongUsage(Failure):
    """End the command with one line on stderr and exit code 2."""

    exit_code = 2


class _Commands(click.Group):
    """Report errors and warnings of the library as lines on stderr and exit codes."""

    def main(self, args: Sequence[str] | None = None, **options: Any) -> Any:  # type: ignore[override]
        """Run the command line; an output that cannot be written costs a line, not a traceback."""
        if not options.pop("standalone_mode", True):
            return super().main(args, standalone_mode=False, **options)
        fill_streams()
        try:
            if sys.stdout is None:
                raise Failure("standard output is closed: expected a file, a pipe or a terminal")
            code = super().main(args, standalone_mode=False, **options)
        except click.ClickException as error:
            code = error.exit_code
            try:
                error.show()
            except OSError:  # of a message of click, about a wrong call
                discard(sys.stderr)
        except click.Abort:
            code = 1
        except OSError as error:  # of --help or --version, which run before any command
            code = _output_failed(error)
        sys.exit(code if isinstance(code, int) else 0)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write what each command does, whole."""
        commands = ((name, self.get_command(ctx, name)) for name in self.list_commands(ctx))
        rows = [(name, each.get_short_help_str(200)) for name, each in commands if each is not None]
        with formatter.section("Commands"):
            formatter.write_dl(rows)

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command and map its exceptions to exit codes."""
        ctx.color = colour()
        if hasattr(sys.stdout, "reconfigure"):
            sys.stdout.reconfigure(
                encoding=None if sys.stdout.isatty() else "utf-8", errors="backslashreplace"
            )
        with warnings.catch_warnings():
            warnings.simplefilter("always", ToolkitWarning)
            warnings.showwarning = _show_warning  # restored by catch_warnings
            try:
                result = super().invoke(ctx)
                sys.stdout.flush()
            except KeyboardInterrupt:
                raise click.exceptions.Exit(130) from None
            except NoRecordsError as error:
                raise Failure(str(error)) from error
            except (ArgumentError, SelectionError, SourceError) as error:
                raise WrongUsage(_as_typed(str(error), ctx)) from error
            except ToolkitError as error:
                raise Failure(_SWITCH.sub(r"pass --\1", str(error))) from error
            except OSError as error:  # those of sources and files are errors of the toolkit
                raise click.exceptions.Exit(_output_failed(error)) from None
        return result


def _as_typed(message: str, ctx: click.Context) -> str:
    """Return a message about options of the library with those of the command that has them."""
    command = _Commands.get_command(main, ctx, ctx.invoked_subcommand or "")
    known = {
        each.name: each.opts[-1]
        for each in (command.params if command else ())
        if isinstance(each, click.Option)
    }

    return _OPTION.sub(lambda found: known.get(found[0], found[0]), message)


def _output_failed(error: OSError) -> int:
    """Return the exit code after an error of standard output, and say what happened."""
    discard(sys.stdout)
    if isinstance(error, BrokenPipeError):  # the reader, such as `head`, has ended
        return 0
    failure = Failure(f"standard output cannot be written: {error.strerror or error}")
    failure.show()
    return failure.exit_code


def _is_quiet() -> bool:
    return click.get_current_context().meta.get("quiet", False)


def _show_warning(message: Warning | str, *_: Any, **__: Any) -> None:
    if not _is_quiet():
        text = _SHAPE_CALL.sub(_as_options, safe(message))
        complain(f"{click.style('warning:', fg='yellow')} {text}")


def _as_options(call: re.Match[str]) -> str:
    """Return a call of `toolkit.Shape` in a message as options of the command line."""
    return " ".join(f"--shape {part}" for part in call[1].split(", "))


def _set_quiet(ctx: click.Context, _: click.Parameter, value: bool) -> None:
    if value:
        ctx.meta["quiet"] = True  # the group and its command share it
        ctx.with_resource(no_progress())


def _set_option(ctx: click.Context, parameter: click.Parameter, value: Any) -> None:
    ctx.meta[f"toolkit.{parameter.name}"] = value
    values = value if isinstance(value, tuple) else (value,)
    given = ctx.meta.setdefault("toolkit.given", [])
    given += [text for each in values if each for text in (parameter.opts[0], each)]


def _set_shape(ctx: click.Context, parameter: click.Parameter, value: tuple[str, ...]) -> None:
    _set_option(ctx, parameter, value)
    names = toolkit.Shape.__dataclass_fields__
    given: dict[str, Any] = dict(text.partition("=")[::2] for text in value)
    for name in given:
        if name not in names or name == "marks":
            known = ", ".join(name for name in names if name != "marks")
            raise ArgumentError(f"--shape {name!r}: expected PART=PATH with one of {known}")
    ctx.meta["toolkit.shape"] = toolkit.Shape(**given) if given else None


def _set_limits(ctx: click.Context, _: click.Parameter, value: tuple[str, ...]) -> None:
    given = {}
    for text in value:
        name, amount = text.partition("=")[::2]
        found = _AMOUNT.fullmatch(amount)
        if name not in toolkit.Limits.__dataclass_fields__ or not found:
            names = ", ".join(toolkit.Limits.__dataclass_fields__)
            raise ArgumentError(
                f"--allow={text!r}: expected LIMIT=N, where LIMIT is one of {names}, and N is a "
                "whole number, optionally with KiB, MiB or GiB"
            )
        given[name] = int(found[1]) * _UNITS[found[2]]
    ctx.meta["limits"] = toolkit.Limits(**given)


def given_options() -> list[str]:
    """Return the options that say where things are in a record, as they were typed."""
    return list(click.get_current_context().meta.get("toolkit.given", []))


def read_options() -> dict[str, Any]:
    """Return the options of `toolkit.read` that the command line sets."""
    meta = click.get_current_context().meta
    return {
        "path": meta.get("toolkit.path"),
        "id": meta.get("toolkit.id"),
        "keep": meta.get("toolkit.keep", ()),
        "shape": meta.get("toolkit.shape"),
        "limits": meta.get("limits", toolkit.Limits()),
        "rejects": meta.get("toolkit.rejects") or "first",
    }


def combined(*decorators: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Return one decorator that adds several options, in this order."""

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
    help="Print no progress and no warnings.",
)
_place_option = partial(click.option, metavar="KEYS", expose_value=False, callback=_set_option)
_path = _place_option(
    "--path",
    help="Path of the response in each record, such as output.raw[0].  [default: detected]",
)
_id = _place_option(
    "--id", help="Path of the id of each row, such as question_id.  [default: the usual names]"
)
_keep = _place_option(
    "--keep", multiple=True, help="Path of a column of the rows to keep. Can be repeated."
)
_shape = click.option(
    "--shape",
    multiple=True,
    metavar="PART=PATH",
    expose_value=False,
    callback=_set_shape,
    help="Path of a part of the answers in a format of your own, such as tokens=steps[].tok and "
    "logprobs=steps[].lp. Can be repeated.",
)
_limits = click.option(
    "--allow",
    multiple=True,
    metavar="LIMIT=N",
    expose_value=False,
    callback=_set_limits,
    help="Change a limit, such as record_bytes=256MiB; the others are nesting, alternatives, "
    "expansion and source_bytes. Can be repeated.",
)
_rejects = click.option(
    "--rejects",
    type=click.Choice(["first", "all"]),
    expose_value=False,
    callback=_set_option,
    help="List the first 100,000 rejects of each reason in a source, or all.  [default: first]",
)
inputs_argument = combined(
    click.argument("inputs", metavar="INPUT...", nargs=-1, required=True),
    _path,
    _id,
    _keep,
    _shape,
    _limits,
    _rejects,
    quiet_option,
)
_row_options = combined(
    click.option("--json", "form", flag_value="json", help="Print one JSON object per line."),
    click.option(
        "--csv",
        "form",
        flag_value="csv",
        help="Print CSV; a ' is put before texts that a spreadsheet would run as a formula.",
    ),
    click.option("--csv-raw", "form", flag_value="csv-raw", help="Print CSV without these marks."),
    click.option(
        "--text", "form", flag_value="text", help="Print a readable table, even in a pipe."
    ),
    click.option(
        "--limit",
        type=click.IntRange(min=0),
        metavar="N",
        help="Print at most N rows; 0: all.  [default: 40 in a readable table, else all]",
    ),
    click.option("--columns", metavar="A,B,...", help="Print only these columns, in this order."),
    click.option(
        "--sql",
        metavar="QUERY",
        help="Print the rows of a query in SQL instead (extra sql). Its tables are those of "
        "`logprobs read --table` and that of the command, by its name in `logprobs schema`; of "
        "check, findings. Those of two runs end in _a and _b.",
    ),
)


def row_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options of commands that print rows; the command gets them as `rows`."""

    @wraps(command)
    def with_rows(
        form: str | None, limit: int | None, columns: str | None, sql: str | None, **given: Any
    ) -> None:
        command(**given, rows=RowOptions(form, limit, columns, sql))

    return _row_options(with_rows)


def tables_of_runs(*runs: LogprobTables) -> dict[str, pa.Table]:
    """Return the tables of a load as --sql names them; of two, with _a and _b at their ends."""
    ends = ("",) if len(runs) == 1 else ("_a", "_b")
    return {f"{name}{end}": lp[name] for lp, end in zip(runs, ends, strict=True) for name in STORED}


RESPONSE_HELP = (
    "A row number, a response_id, a custom_id, or FILE:LINE where it begins; id:7 for an id that "
    "is a number."
)
table_option = partial(
    click.option,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="CSV",
)
json_option = click.option(
    "--json/--text",
    "as_json",
    default=False,
    help="Print one JSON document, or a readable page, the default.",
)


@click.group(cls=_Commands, context_settings=_SETTINGS)
@click.version_option(toolkit.__version__, prog_name="logprobs")
@quiet_option
def main() -> None:
    """Read, summarise, plot and export the token logprobs of language-model responses.

    INPUT is a file, a glob, a folder, an export, or - for standard input; several can be given.
    The format (JSONL, Batch output, JSON or SSE, plain or compressed) is detected from the content.

    \b
    Examples:
      logprobs summary logs/
      logprobs answers logs/ --sort perplexity --limit 10
      logprobs tokens batch.jsonl --response request-7
      zcat big.jsonl.gz | logprobs read - --table choices --csv > choices.csv

    On a terminal, rows are printed as a readable table; in a pipe as JSON lines, unless --csv or
    --text is given. Progress and warnings go to stderr. Exit codes: 0 success; 1 findings, nothing
    usable, or an output that cannot be written; 2 wrong usage, or a source that does not exist or
    cannot be opened.
    """


def sources_of(inputs: Sequence[str]) -> str | list[str]:
    """Return the inputs in the form that `toolkit.read` takes."""
    return inputs[0] if len(inputs) == 1 else list(inputs)


def load(inputs: Sequence[str]) -> LogprobTables:
    """Read the inputs with the options of the command line; all records may be rejected."""
    try:
        return toolkit.read(sources_of(inputs), **read_options())
    except NoRecordsError as error:
        if error.tables is None:
            raise
        _show_warning(str(error))
        return error.tables


def require_responses(lp: LogprobTables) -> None:
    """End the command with exit code 1 if there is no response."""
    if not len(lp):
        n = lp.rejects.num_rows + lp.n_unlisted
        raise Failure(f"no response in {n} records: all were rejected")


def read_labels(option: str, path: Path) -> pd.DataFrame:
    """Read a table of people's own, which an option names; ids and texts as they are written."""
    import pandas as pd

    texts = ("custom_id", "expected", "question", "option", "text")
    try:
        # "NA" and "None" are answers; only an empty cell is null.
        return pd.read_csv(
            path, dtype=dict.fromkeys(texts, str), keep_default_na=False, na_values=[""]
        )
    except (OSError, ValueError) as error:
        found = " ".join(str(error).split())
        raise ArgumentError(f"{option}={str(path)!r}: expected a CSV file ({found})") from error


def selector(text: str) -> int | str:
    """Return a row number if the text is one, else the id."""
    return int(text) if re.fullmatch(r"-?[0-9]+", text) else text.removeprefix("id:")
