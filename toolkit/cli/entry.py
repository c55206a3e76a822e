"""Assemble the command ``logprobs``: its subcommands register when they are imported."""

from toolkit.cli import check, commands, evaluate, show
from toolkit.cli.group import main

__all__ = ["check", "commands", "evaluate", "main", "show"]
