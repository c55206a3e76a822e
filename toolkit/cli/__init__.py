"""The command ``logprobs``: what the library does, for a terminal and for pipes."""

from toolkit.cli import commands, judgements, pictures
from toolkit.cli.group import main

__all__ = ["commands", "judgements", "main", "pictures"]
