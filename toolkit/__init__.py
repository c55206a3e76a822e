"""Load, analyse, plot and export the token logprobs of language-model responses.

>>> import toolkit
>>> lp = toolkit.from_responses({"choices": [{"message": {"content": "Hello"}, "logprobs": {
...     "content": [{"token": "Hello", "logprob": -0.5, "bytes": None, "top_logprobs": []}]}}]})
>>> toolkit.sequence_metrics(lp)["perplexity"].round(3).tolist()
[1.649]
"""

from importlib import import_module as _import_module

_HOMES = {
    "toolkit.loaders.read": ("read", "scan"),
    "toolkit.loaders.objects": ("from_responses",),
    "toolkit.loaders.tee": ("tee",),
    "toolkit.loaders.scanner": ("decoder",),
    "toolkit.loaders.formats.shape": ("Shape",),
    "toolkit.limits": ("Limits",),
    "toolkit.tables": ("LogprobTables", "concat"),
    "toolkit.dataset": ("export", "read_parquet"),
    "toolkit.metrics": (
        "token_metrics",
        "sequence_metrics",
        "corpus_metrics",
        "confidence_metrics",
        "word_metrics",
        "span_metrics",
        "field_metrics",
        "label_distribution",
        "p_true",
        "expected_score",
        "agreement",
        "votes",
        "compare",
        "compare_tokens",
        "compare_summary",
        "check",
        "usage",
        "usage_over_time",
        "join_labels",
        "calibration",
        "reliability",
        "selective",
        "threshold_for",
        "fit_calibrator",
    ),
    "toolkit.view.token_view": ("show",),
    "toolkit.view.report": ("report",),
    "toolkit.errors": ("ToolkitError", "ToolkitWarning"),
}
_MODULES = ("dataset", "errors", "metrics", "plot", "schema")
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

__version__ = "0.1.0"
__all__ = ["__version__", *_HOME_OF, *_MODULES]


def __getattr__(name: str) -> object:
    """Import a public name when it is first used (PEP 562)."""
    if name in _HOME_OF:
        value = getattr(_import_module(_HOME_OF[name]), name)
    elif name in _MODULES:
        value = _import_module(f"toolkit.{name}")
    else:
        raise AttributeError(f"module 'toolkit' has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """List the public names, imported or not."""
    return sorted(__all__)
