"""Describe the commands from what click knows of them."""

from __future__ import annotations

import inspect
import re
import textwrap

import click

from toolkit.cli.entry import main


def commands() -> str:
    """Return usage, meaning, options and examples of each command, as Markdown."""
    readers = [each for each in main.commands.values() if _takes_inputs(each)]
    shared = frozenset.intersection(*map(_options, readers))
    lines = [*_described(main, "logprobs", frozenset()), "(options-of-a-load)="]
    lines += ["## Options of every command that reads recordings", ""]
    lines += [_option(each) for each in main.commands["read"].params if _name(each) in shared]
    for name, command in sorted(main.commands.items()):
        lines += [f"## logprobs {name}", ""]
        lines += _described(command, f"logprobs {name}", shared)
    return "\n".join(lines)


def _described(command: click.Command, name: str, shared: frozenset[str]) -> list[str]:
    context = click.Context(command, info_name=name)
    usage = " ".join([name, *command.collect_usage_pieces(context)])
    options = [each for each in command.params if isinstance(each, click.Option)]
    own = [each for each in options if _name(each) not in shared]
    lines = ["```sh", usage, "```", "", _text(command.help or "")]
    lines += [_option(each) for each in own]
    if len(own) < len(options):
        lines += [
            "And the [options of every command that reads recordings](#options-of-a-load).",
            "",
        ]
    return lines


def _takes_inputs(command: click.Command) -> bool:
    return any(each.name == "inputs" for each in command.params)


def _options(command: click.Command) -> frozenset[str]:
    return frozenset(_name(each) for each in command.params if isinstance(each, click.Option))


def _name(parameter: click.Parameter) -> str:
    return " ".join(parameter.opts)


def _option(option: click.Parameter) -> str:
    """Return an option as an entry of a definition list."""
    assert isinstance(option, click.Option)
    context = click.Context(click.Command("logprobs"))
    name, meaning = option.get_help_record(context) or ("", "")
    return f"`{name}`\n: {_prose(meaning)}\n"


def _text(help_: str) -> str:
    """Return a help text as Markdown: paragraphs, and the examples as a block."""
    parts = []
    for paragraph in inspect.cleandoc(help_).split("\n\n"):
        if paragraph.startswith("\b"):
            lines = paragraph.splitlines()[2:]  # after "Examples:"
            parts.append("```sh\n" + textwrap.dedent("\n".join(lines)) + "\n```")
        else:
            parts.append(_prose(" ".join(paragraph.split())))
    return "\n\n".join(parts) + "\n"


def _prose(text: str) -> str:
    """Mark options as code, and escape what Markdown would read as markup outside of code."""
    text = re.sub(r"(?<![\w`-])--[a-z][a-z-]*", r"`\g<0>`", text)
    pieces = re.split(r"(`[^`]+`)", text)
    return "".join(
        piece if piece.startswith("`") else re.sub(r"([\\*_\[\]<>|$])", r"\\\1", piece)
        for piece in pieces
    )
