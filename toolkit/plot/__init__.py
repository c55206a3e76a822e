"""Pictures of metric tables: each function draws on Axes and computes no statistic.

Every function takes tables, ``ax=`` and options, and returns the Axes. With no ``ax`` it makes a
figure through pyplot, so that notebooks show it; with one it touches that one alone.
"""

from toolkit.plot.alternatives import alternatives
from toolkit.plot.answers import agreement, field_confidence, label_heatmap
from toolkit.plot.entropy import entropy_by_position
from toolkit.plot.positions import confidence_over_position
from toolkit.plot.runs import compare
from toolkit.plot.spread import finish_reasons, logprob_histogram, perplexity_ecdf
from toolkit.plot.tokens import token_confidence
from toolkit.plot.trust import reliability, risk_coverage
from toolkit.plot.usage import usage_over_time

__all__ = [
    "agreement",
    "alternatives",
    "compare",
    "confidence_over_position",
    "entropy_by_position",
    "field_confidence",
    "finish_reasons",
    "label_heatmap",
    "logprob_histogram",
    "perplexity_ecdf",
    "reliability",
    "risk_coverage",
    "token_confidence",
    "usage_over_time",
]
