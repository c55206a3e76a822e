"""Commands that judge a load: what is odd in it, and how two of them differ."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click

import toolkit
from toolkit.cli.group import (
    CHANNEL,
    Failure,
    inputs_argument,
    load,
    main,
    quiet_option,
    require_responses,
    row_options,
)
from toolkit.cli.output import grid, print_rows, terminal_columns, visible

if TYPE_CHECKING:
    import pyarrow as pa

_COLOURS = {"error": "red", "warning": "yellow", "info": "blue"}
_PAIRS_SHOWN = (
    "custom_id response_key_a choice n_tokens_a n_tokens_b first_divergence same_text delta_nll "
    "n_flips js_lower"
)


@main.command()
@inputs_argument
@click.option(
    "--fail-on",
    type=click.Choice(["error", "warning", "never"]),
    default="error",
    show_default=True,
    help="Exit with 1 if there is a finding as grave as that.",
)
@row_options
def check(
    inputs: tuple[str, ...],
    fail_on: str,
    form: str | None,
    limit: int | None,
    columns: str | None,
) -> None:
    """Find what is odd in what servers sent, and say what it means for the metrics.

    Exits with 1 if there is an error, so that it can guard a pipeline. An error: data are lost, or
    metrics are wrong; a warning: some are bounded or left out.

    \b
    Examples:
      logprobs check logs/
      logprobs check batch.jsonl --fail-on warning && logprobs export batch.jsonl -o answers
    """
    import pyarrow as pa

    found = toolkit.check(load(inputs))
    table = pa.Table.from_pandas(found, preserve_index=False)
    print_rows(table, form, limit, columns, lambda part: _finding_lines(part, found.empty))
    grave = {"error": ["error"], "warning": ["error", "warning"], "never": []}[fail_on]
    n = int(found["severity"].isin(grave).sum())
    if n:
        raise Failure(f"{n} {'finding' if n == 1 else 'findings'} as grave as {fail_on}", 1)


def _finding_lines(table: pa.Table, is_clean: bool) -> Iterator[str]:
    """Lay findings out: what and how often, then what it means."""
    if is_clean:
        yield "  nothing odd was found"
    room = min(terminal_columns(), 100)
    for row in table.to_pylist():
        severity = click.style(f"{row['severity']:<8}", fg=_COLOURS[row["severity"]], bold=True)
        share = "" if row["share"] is None else f" ({100 * row['share']:.1f} %)"
        facts = [f"{row['count']:,} of {row['n']:,} {row['of']}{share}", row["model"]]
        facts += [_place(row)]
        text = " · ".join(visible(str(fact)) for fact in facts if fact)
        yield f"  {severity} {click.style(row['code'], bold=True)}  {text}"
        yield from (f"           {line}" for line in textwrap.wrap(row["message"], room - 11))


def _place(row: dict[str, Any]) -> str | None:
    """Say where the first such row is."""
    if row["response_key"] is None:
        return None
    names = {"choice": "choice", "channel": None, "position": "position"}
    parts = [f"first at response_key {row['response_key']}"]
    for name, shown in names.items():
        if row[name] is not None and not (name == "choice" and row[name] == 0):
            parts.append(f"{shown} {row[name]}" if shown else str(row[name]))
    return " ".join(parts)


@main.command()
@click.argument("first", metavar="FIRST")
@click.argument("second", metavar="SECOND")
@quiet_option
@click.option(
    "--on",
    type=click.Choice(["custom_id", "position"]),
    help="What tells which answers belong together.  [default: custom_id where all have one]",
)
@click.option("--channel", type=CHANNEL, default="content", show_default=True, help="Which tokens.")
@click.option("--tokens", is_flag=True, help="Rows of tokens instead of answers.")
@row_options
def compare(
    first: str,
    second: str,
    on: str | None,
    channel: str,
    tokens: bool,
    form: str | None,
    limit: int | None,
    columns: str | None,
) -> None:
    """Compare two runs of the same requests: two models, two settings, two days.

    Prints the summary with its intervals and then the answers that differ most; in a pipe, all
    answers (or tokens) as rows.

    \b
    Examples:
      logprobs compare monday.jsonl tuesday.jsonl
      logprobs compare a.jsonl b.jsonl --tokens --csv > tokens.csv
    """
    import pyarrow as pa

    sides = [load((each,)) for each in (first, second)]
    for side in sides:
        require_responses(side)
    function = toolkit.compare_tokens if tokens else toolkit.compare
    found = function(*sides, on=on, channel=channel)
    if not tokens:
        order = found["delta_nll"].abs().sort_values(ascending=False, kind="stable").index
        shown = found.loc[order]
        summary = toolkit.compare_summary(found).iloc[0]
    table = pa.Table.from_pandas(found if tokens else shown, preserve_index=False)

    def lines(part: pa.Table) -> Iterator[str]:
        names = part.column_names if tokens else _PAIRS_SHOWN.split()
        names = [name for name in names if part[name].null_count < part.num_rows]
        if "custom_id" in names and not tokens:
            names.remove("response_key_a")
        if not tokens:
            yield from _summary_lines(summary)
            yield ""
        yield from grid(names, [list(row.values()) for row in part.select(names).to_pylist()])

    print_rows(table, form, limit, columns, lines)


def _summary_lines(row: Any) -> Iterator[str]:
    """Say in words how two runs differ."""

    def interval(name: str) -> str:
        if row[name] != row[name]:
            return "unknown"
        return f"{row[name]:+.4f} [{row[f'{name}_lower']:+.4f}, {row[f'{name}_upper']:+.4f}]"

    def share(name: str) -> str:
        return "unknown" if row[name] != row[name] else f"{100 * row[name]:.1f} %"

    alone = f", {row['n_only_a']:,.0f} only in the first, {row['n_only_b']:,.0f} only in the second"
    has_alone = row["n_only_a"] or row["n_only_b"]
    facts = {
        "pairs": f"{row['n_pairs']:,.0f}{alone if has_alone else ''}",
        "same text": share("same_text_share"),
        "surprisal": f"{interval('delta_nll')} nats/token, second less first, mean over answers",
        "pooled": f"{interval('delta_nll_pooled')} nats/token, mean over tokens",
        "flips": f"{share('flip_rate')} of {row['n_compared']:,.0f} positions with the same prefix",
        "divergence": f"{row['js_lower']:.4f} to {row['js_upper']:.4f} nats (Jensen-Shannon), mean",
    }
    for name, text in facts.items():
        yield f"  {click.style(f'{name:<11}', bold=True)}  {text}"
