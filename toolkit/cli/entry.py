"""Assemble the command ``logprobs``: its subcommands register when they are imported."""

from toolkit.cli import answers, check, commands, evaluate, measures, plots, show
from toolkit.cli.group import main

__all__ = ["answers", "check", "commands", "evaluate", "main", "measures", "plots", "show"]
