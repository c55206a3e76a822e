"""Commands that examine a load: ``check`` for oddities, ``compare`` for differences of two."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Callable, Iterator
from functools import cache, partial
from typing import TYPE_CHECKING, Any

import click

import toolkit
from toolkit.cli.grid import beside, grid, safe, wrapped
from toolkit.cli.group import (
    CHANNEL,
    Failure,
    given_options,
    inputs_argument,
    load,
    main,
    quiet_option,
    require_responses,
    row_options,
    tables_of_runs,
)
from toolkit.cli.layout import score_lines
from toolkit.cli.output import RowOptions, print_rows
from toolkit.errors import ArgumentError, SourceError
from toolkit.visible_text import spelled_token

if TYPE_CHECKING:
    import pyarrow as pa

    from toolkit.dataset import Dataset

_SEVERITIES = ("error", "warning")  # that --fail-on can name, the most severe first
_COLOURS = {"error": "red", "warning": "yellow", "info": "blue"}
_IDS = ["response_key", "source", "response_id", "custom_id"]
_INDENT = 11  # terminal columns before the text of a finding
_SHOWN = {  # columns of a readable table, by what its rows are; None: answers
    None: "custom_id response_key_a choice text_a text_b delta_nll same_text first_divergence "
    "n_tokens_a n_tokens_b n_flips js_lower",
    "tokens": "custom_id response_key_a choice position token_a token_b logprob_a logprob_b "
    "same_prefix is_flip js_lower",
}
_FUNCTIONS = {  # of `toolkit.metrics`
    None: "compare",
    "tokens": "compare_tokens",
    "divergence": "divergence",
    "same-model": "same_model",
    "noise": "noise_floor",
    "survival": "prefix_survival",
    "rollout": "rollout_mismatch",
}
_HEADS = {"divergence": "measure", "rollout": "weighting"}  # the column that names the rows
_MEASURES = ("kl_lower", "tv_lower", "tv_upper", "same_top1", "delta_p", "ln_ppl_ratio")
_TOKEN_TEXTS = ("token_a", "token_b")


@main.command()
@inputs_argument
@click.option(
    "--fail-on",
    type=click.Choice([*_SEVERITIES, "never"]),
    default="error",
    show_default=True,
    help="Exit with status 1 if any finding has at least this severity.",
)
@click.option(
    "--ignore",
    multiple=True,
    metavar="CODE",
    help="Neither print findings of this code nor exit with 1 because of them. Can be repeated.",
)
@row_options
def check(
    inputs: tuple[str, ...],
    fail_on: str,
    ignore: tuple[str, ...],
    rows: RowOptions,
) -> None:
    """Find oddities in a load, and what they mean for the metrics.

    Exits with status 1 if there is an error, so that it can guard a pipeline. Error: data are lost,
    or metrics are wrong. Warning: some metrics are bounded or omitted. Info: good to know.
    An export is checked without loading it.

    \b
    Examples:
      logprobs check logs/
      logprobs check logs/ --ignore unfinished --ignore censored_logprobs
      logprobs check batch.jsonl --fail-on warning && logprobs export batch.jsonl -o answers
    """
    import pyarrow as pa

    if rows.sql is None and (dataset := _export(inputs)) is not None:
        responses: Callable[[], pa.Table]
        found, views = dataset.check(ignore=ignore), {}
        responses = cache(partial(_ids_of, dataset))
    else:
        lp = load(inputs)
        found, views = toolkit.check(lp, ignore=ignore), tables_of_runs(lp)
        responses = partial(lp.responses.select, _IDS)
    table = pa.Table.from_pandas(found, preserve_index=False)
    views |= {"findings": table}  # check is a word of SQL
    print_rows(table, rows, lambda part: _finding_lines(responses, inputs, part), views)
    severe = () if fail_on == "never" else _SEVERITIES[: _SEVERITIES.index(fail_on) + 1]
    n = int(found["severity"].isin(severe).sum())
    if n:
        findings = "finding" if n == 1 else "findings"
        raise Failure(f"{n} {findings} of severity {fail_on} or higher")


def _export(inputs: tuple[str, ...]) -> Dataset | None:
    """Return the export that is the only input, which is checked without loading it."""
    if len(inputs) > 1 or given_options():
        return None
    try:
        return toolkit.open_dataset(inputs[0])
    except (SourceError, ArgumentError):
        return None


def _ids_of(dataset: Dataset) -> pa.Table:
    """Return key, source and ids of the responses of an export."""
    import pyarrow as pa

    return pa.concat_tables(batch.responses.select(_IDS) for batch in dataset.batches())


def _finding_lines(
    responses: Callable[[], pa.Table], inputs: tuple[str, ...], table: pa.Table
) -> Iterator[str]:
    """Yield the lines of findings: code and count of each, its consequences, and its first row."""
    if not table.num_rows:
        yield "  no findings"
    for row in table.to_pylist():
        severity = click.style(f"{row['severity']:<8}", fg=_COLOURS[row["severity"]], bold=True)
        share = "" if row["share"] is None else f" ({100 * row['share']:.1f} %)"
        facts = [f"{row['count']:,} of {row['n']:,} {row['of']}{share}", row["model"]]
        head = f"  {severity} {click.style(row['code'], bold=True)}  "
        yield from beside(head, (safe(fact) for fact in facts if fact), _INDENT)
        yield from wrapped(row["message"], " " * _INDENT, most=100)
        if row["severity"] == "info" and row["count"] == row["n"]:
            continue  # any row shows it
        for line in filter(None, (_place(row), _command(responses, inputs, row))):
            yield " " * _INDENT + safe(line)  # not wrapped, so that it can be copied


def _place(row: dict[str, Any]) -> str | None:
    """Return the place of the first row of a finding; None if it has none."""
    if row["source"] is None:
        return None
    names = {"choice": "choice ", "channel": "", "position": "position "}
    parts = [f"{shown}{row[name]}" for name, shown in names.items() if row[name] is not None]
    if row["choice"] == 0:
        del parts[0]
    return ", ".join(
        [f"first at {row['source']}:{row['line']}", " ".join(parts)][: 1 + bool(parts)]
    )


def _command(
    responses: Callable[[], pa.Table], inputs: tuple[str, ...], row: dict[str, Any]
) -> str | None:
    """Return the command that shows the first row of a finding; None if no command can."""
    import pyarrow.compute as pc

    if row["source"] is None:
        return None
    is_file = os.path.isfile(row["source"])
    if not is_file and (len(inputs) > 1 or inputs[0] == "-"):
        return None
    place = [row["source"] if is_file else inputs[0], *given_options()]
    if row["response_key"] is None:
        return shlex.join(["logprobs", "read", *place, "--table", "rejects"])
    read_again = responses()
    if is_file:
        read_again = read_again.filter(pc.equal(read_again["source"], row["source"]))
    selected = ["--response", _selector(read_again, row["response_key"])]
    selected += ["--choice", str(row["choice"])] if row["choice"] else []
    return shlex.join(["logprobs", "show", *place, *selected])


def _selector(responses: pa.Table, key: int) -> str:
    """Return the id of a response if it selects this one alone, else its row number."""
    import pyarrow.compute as pc

    names = ("custom_id", "response_id")
    row = pc.index(responses["response_key"], key).as_py()
    for name in names:
        own = responses[name][row].as_py()
        if not own or not own.isprintable() or own.startswith("-"):
            continue
        if sum(pc.sum(pc.equal(responses[each], own)).as_py() or 0 for each in names) == 1:
            return f"id:{own}" if re.fullmatch("[0-9]+|id:.*", own) else own
    return str(row)


@main.command()
@click.argument("first", metavar="FIRST")
@click.argument("second", metavar="SECOND")
@quiet_option
@click.option(
    "--on",
    type=click.Choice(["custom_id", "position"]),
    help="Pair answers by this.  [default: custom_id if all answers have one, else position]",
)
@click.option(
    "--channel", type=CHANNEL, default="content", show_default=True, help="Channel of the tokens."
)
@click.option("--tokens", "of", flag_value="tokens", help="Print rows of tokens.")
@click.option(
    "--divergence",
    "of",
    flag_value="divergence",
    help="Print KL divergence, total variation and Δp, as llama-perplexity does; of a text that "
    "both models were given with --channel prompt.",
)
@click.option(
    "--same-model",
    "of",
    flag_value="same-model",
    help="Test whether both are the same model, by several answers to each prompt.",
)
@click.option(
    "--noise",
    "of",
    flag_value="noise",
    help="Print how far the same requests differ when they are sent twice, and which different "
    "tokens are near ties.",
)
@click.option(
    "--survival",
    "of",
    flag_value="survival",
    help="Print the share of answers that are still equal after each token.",
)
@click.option(
    "--rollout",
    "of",
    flag_value="rollout",
    help="Print how far the logprobs of a trainer (SECOND) are from those of the engine that "
    "sampled the same tokens (FIRST).",
)
@row_options
def compare(
    first: str,
    second: str,
    on: str | None,
    channel: str,
    of: str | None,
    rows: RowOptions,
) -> None:
    """Compare two runs of the same requests.

    The runs may be of two models, two settings or two days. Prints a summary with intervals, then
    the answers that differ most; in a pipe, all answers (or tokens, or measures) as rows.

    \b
    Examples:
      logprobs compare monday.jsonl tuesday.jsonl
      logprobs compare a.jsonl b.jsonl --tokens --csv > tokens.csv
      logprobs compare f16.jsonl q4.jsonl --divergence --channel prompt
      logprobs compare june.jsonl july.jsonl --same-model
    """
    import pyarrow as pa

    sides = [load((each,)) for each in (first, second)]
    for side in sides:
        require_responses(side)
    name = _FUNCTIONS[of]
    function = partial(getattr(toolkit.metrics, name), *sides, channel=channel)
    if of != "same-model":
        function = partial(function, on=on)
    elif on == "position":  # the answers to a prompt are those of one custom_id
        raise ArgumentError("--on=position: expected --on=custom_id with --same-model")
    found = function()
    if of is None:
        order = found["delta_nll"].abs().sort_values(ascending=False, kind="stable").index
        summary = toolkit.compare_summary(found).iloc[0]
        found = found.loc[order]
    table = pa.Table.from_pandas(found, preserve_index=False)

    def lines(part: pa.Table) -> Iterator[str]:
        if of not in _SHOWN:
            yield from _report_lines(part, of)
            return
        names = _SHOWN[of].split()
        names = [name for name in names if part[name].null_count < part.num_rows]
        if "custom_id" in names:
            names.remove("response_key_a")
        if "choice" in names and not any(part["choice"].to_pylist()):  # always the first choice
            names.remove("choice")
        if of is None:
            yield from _summary_lines(summary)
            yield ""
        cells = part.select(names).to_pylist()
        for row in cells:
            row |= {name: _token(row[name]) for name in _TOKEN_TEXTS if name in row}
        yield from grid(names, [list(row.values()) for row in cells], can_omit=True)

    views = tables_of_runs(*sides)
    print_rows(table, rows, lines, views | {name: table})


def _report_lines(table: pa.Table, of: str | None) -> Iterator[str]:
    """Yield the lines of a report: one row, or each measure, is a column, as wide as its values."""
    names = [name for name in table.column_names if table[name].null_count < table.num_rows]
    if of == "survival":
        yield from grid(names, [list(row.values()) for row in table.select(names).to_pylist()])
        return
    if of not in _HEADS and table.num_rows == 1:
        name = _FUNCTIONS[of]
        yield from score_lines({name: table.to_pylist()[0]}, {name: " ".join(names)})
        return
    if of == "divergence":
        if not any(table["n_positions"].to_pylist()):
            yield "  no position to compare in this channel: --channel names others, as prompt"
            return
        table = table.filter([each in _MEASURES for each in table["measure"].to_pylist()])
    heads = table[_HEADS[of]].to_pylist() if of in _HEADS else [""]
    names = [name for name in names if name not in ("cluster", *_HEADS.values())]
    yield from grid(["", *heads], [[name, *table[name].to_pylist()] for name in names])


def _token(text: str | None) -> str | None:
    return None if text is None else spelled_token(text, None)


def _summary_lines(row: Any) -> Iterator[str]:
    """Yield the lines that describe the difference of two runs."""

    def interval(name: str) -> str:
        if row[name] != row[name]:
            return "unknown"
        low, high = row[f"{name}_lower"], row[f"{name}_upper"]
        return f"{row[name]:+.4f}" + ("" if low != low else f" [{low:+.4f}, {high:+.4f}]")

    def share(name: str) -> str:
        if row[name] != row[name]:
            return "unknown"
        low, high = (100 * row[f"{name}_{end}"] for end in ("lower", "upper"))
        return f"{100 * row[name]:.1f} %" + ("" if low != low else f" [{low:.1f}, {high:.1f}]")

    alone = f", {row['n_only_a']:,.0f} only in the first, {row['n_only_b']:,.0f} only in the second"
    has_choices = row["n_clusters"] < row["n_pairs"]
    of_requests = f" of {row['n_clusters']:,.0f} requests" if has_choices else ""
    has_alone = row["n_only_a"] or row["n_only_b"]
    n_compared = f"{row['n_compared']:,.0f}"
    divergence = "unknown"
    if row["js_lower"] == row["js_lower"]:
        divergence = f"{row['js_lower']:.4f} to {row['js_upper']:.4f} nats"
    if row["js_interval_upper"] == row["js_interval_upper"]:
        low = row["js_interval_lower"] if row["js_interval_lower"] > 0 else 0.0
        divergence += f" [{low:.4f}, {row['js_interval_upper']:.4f}]"
    facts = {
        "pairs": [f"{row['n_pairs']:,.0f}{of_requests}{alone if has_alone else ''}"],
        "same text": [share("same_text_share")],
        "surprisal": [
            f"{interval('delta_nll')} nats/token",
            "second run less first",
            "mean over answers",
        ],
        "pooled": [f"{interval('delta_nll_pooled')} nats/token", "mean over tokens"],
        "flips": [f"{share('flip_rate')} of {n_compared} positions with the same prefix"],
        "divergence": [f"{divergence} (Jensen-Shannon)", "mean over these positions"],
    }
    for name, items in facts.items():
        yield from beside(f"  {click.style(f'{name:<11}', bold=True)}  ", items, 15)
