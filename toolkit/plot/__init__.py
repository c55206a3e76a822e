"""Pictures of metric tables: each function draws on Axes and computes no statistic.

Every function takes tables, ``ax=`` and options, and returns the Axes. With no ``ax`` it makes a
figure through pyplot, so that notebooks show it; with one it touches that one alone.
"""

from toolkit.plot.entropy import entropy_by_position
from toolkit.plot.tokens import token_confidence

__all__ = ["entropy_by_position", "token_confidence"]
