"""Load, analyse, plot and export the token logprobs of language-model responses.

>>> import toolkit
>>> lp = toolkit.from_responses({"choices": [{"message": {"content": "Hello"}, "logprobs": {
...     "content": [{"token": "Hello", "logprob": -0.5, "bytes": None, "top_logprobs": []}]}}]})
>>> toolkit.sequence_metrics(lp)["perplexity"].round(3).tolist()
[1.649]
"""

from importlib import import_module as _import_module

_HOMES = {
    "toolkit.load": ("read", "scan", "from_responses"),
    "toolkit.capture": ("tee",),
    "toolkit.scanned": ("decoder",),
    "toolkit.limits": ("Limits",),
    "toolkit.tables": ("LogprobTables",),
    "toolkit.combine": ("concat",),
    "toolkit.dataset": ("read_parquet",),
    "toolkit.parquet": ("export",),
    "toolkit.metrics": (
        "token_metrics",
        "sequence_metrics",
        "corpus_metrics",
        "position_metrics",
        "spans",
        "span_metrics",
        "word_metrics",
        "field_metrics",
        "label_distribution",
        "p_true",
        "expected_score",
        "confidence_metrics",
        "token_confidence",
        "agreement",
        "token_histogram",
        "ecdf",
        "finish_reasons",
        "check",
        "compare",
        "compare_tokens",
        "compare_summary",
        "votes",
        "usage",
        "usage_histogram",
        "usage_over_time",
        "calibration",
        "reliability",
        "Calibrator",
        "fit_calibrator",
        "selective",
        "risk_coverage",
        "threshold_for",
        "join_labels",
    ),
    "toolkit.view": ("show",),
    "toolkit.reporting": ("report",),
    "toolkit.errors": (
        "ToolkitError",
        "SourceError",
        "NoRecordsError",
        "RecordError",
        "SchemaError",
        "SelectionError",
        "ArgumentError",
        "ExportError",
        "ToolkitWarning",
    ),
}
_MODULES = ("errors", "metrics", "plot", "schema")
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

__version__ = "0.1.0"
__all__ = ["__version__", *_HOME_OF, *_MODULES]


def __getattr__(name: str) -> object:
    """Import what is asked for when it is asked for (PEP 562)."""
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
