"""The command ``logprobs``: what the library does, for a terminal and for pipes."""

from toolkit.cli.commands import main as main
