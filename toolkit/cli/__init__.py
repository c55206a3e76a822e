"""The command ``logprobs``."""
