"""Plot metric tables with matplotlib.

Every function takes tables, options, ``ax=``, ``title=``, ``label=`` and keywords of matplotlib,
and returns the Axes. Without ``ax`` it makes a figure through pyplot, so that notebooks show it;
with ``ax`` it draws there and touches nothing else. Drawn again on the same axes, a plot takes the
next colour and adds to the legend. Colours follow the style sheet, and are legible on its ground.
No function computes a statistic: what is drawn is in the tables of `toolkit.metrics`.
"""

from toolkit.plot.agreement import agreement
from toolkit.plot.alternatives import alternatives
from toolkit.plot.calibration import reliability
from toolkit.plot.compare import compare
from toolkit.plot.distributions import finish_reasons, logprob_histogram, perplexity_ecdf
from toolkit.plot.divergence import divergence
from toolkit.plot.evaluations import compare_evaluations
from toolkit.plot.fields import field_confidence
from toolkit.plot.labels import label_heatmap
from toolkit.plot.positions import confidence_over_position, entropy_by_position
from toolkit.plot.repeats import prefix_survival
from toolkit.plot.selective import risk_coverage
from toolkit.plot.tokens import token_confidence
from toolkit.plot.usage import usage_over_time

__all__ = [
    "agreement",
    "alternatives",
    "compare",
    "compare_evaluations",
    "confidence_over_position",
    "divergence",
    "entropy_by_position",
    "field_confidence",
    "finish_reasons",
    "label_heatmap",
    "logprob_histogram",
    "perplexity_ecdf",
    "prefix_survival",
    "reliability",
    "risk_coverage",
    "token_confidence",
    "usage_over_time",
]


def __getattr__(name: str) -> object:
    """Name the plots in the error about one that does not exist."""
    raise AttributeError(
        f"module 'toolkit.plot' has no attribute {name!r}; its plots are {', '.join(__all__)}"
    )


def __dir__() -> list[str]:
    """List only the public names."""
    return sorted(__all__)
