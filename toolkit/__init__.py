"""Load, analyse, plot and export the token logprobs of language-model responses.

>>> import toolkit
>>> lp = toolkit.from_responses({"choices": [{"message": {"content": "Hello"}, "logprobs": {
...     "content": [{"token": "Hello", "logprob": -0.5, "bytes": None, "top_logprobs": []}]}}]})
>>> toolkit.sequence_metrics(lp)["perplexity"].round(3).tolist()
[1.649]

Load::

    read                Load saved responses into five tables.
    scan                Load saved responses batch by batch, in bounded memory.
    from_responses      Load responses that are in memory.
    tee                 Append a model's answer to a file while the caller iterates over it.
    Shape               Where the parts of an answer lie in a record.
    Limits              Limits on the size and shape of records and sources.
    decoder             Return which decoder reads records: ``"native"`` or ``"reference"``.

Tables::

    LogprobTables       Five tidy tables: responses, choices, tokens, alternatives and rejects.
    concat              Concatenate tables.

Store::

    export              Load recordings and write their tables as Parquet, in bounded memory.
    read_parquet        Load tables that `toolkit.export` or `LogprobTables.write_parquet` wrote.
    open_dataset        Open an exported dataset, whose metrics are computed without loading it.
    dataset             Write and read datasets: the tables as Parquet on disk.

How certain was the model?::

    answers             List answers with text, perplexity and weakest token, sorted and filtered.
    token_metrics       Compute surprisal, margin, entropy bounds and other metrics of each token.
    sequence_metrics    Compute perplexity, confidence and counts of each answer.
    corpus_metrics      Pool sequences into corpora: compute one row for all, or one per group.
    confidence_metrics  Compute the confidence of each answer, by measures that rank and filter.
    word_metrics        Compute surprisal and probability of each word, sentence or line.
    span_metrics        Compute surprisal and probability of spans of the text.
    field_metrics       Compute the confidence of each value of the JSON in an answer.
    label_distribution  Compute the probability of each label as the answer.
    p_true              Compute P(True): the probability of a yes, given a yes or a no.
    expected_score      Compute the expected score of a judge, over the scores that it may give.
    agreement           Compute agreement, majority vote and entropy of the choices per question.
    votes               Return the vote of each choice: the rows that `agreement` summarises.

Can its confidence be trusted?::

    join_labels         Join ground-truth labels to the rows of a result, by a key that both have.
    calibration         Compute calibration errors: confidences against the share of right answers.
    reliability         Compare confidence with accuracy in bins, as a reliability diagram does.
    selective           Compute AURC, AUROC and others: how well confidence tells right from wrong.
    threshold_for       Find the lowest confidence whose accepted answers reach an accuracy.
    fit_calibrator      Fit a calibrator: a map from confidence to the probability of being right.

How good are the answers?::

    evaluate            Compute the mean score of an evaluation, with a clustered standard error.
    compare_evaluations Compare two runs of one evaluation, question by question.

Two runs::

    compare             Compare two runs of the same requests, answer by answer.
    compare_tokens      Compare two runs of the same requests, token by token.
    compare_summary     Summarise the comparison of two runs in one row, with intervals.

What is unusual?::

    check               Check a load for problems, and say what they mean for the metrics.

Tokens used::

    usage               Count tokens, finish reasons and cost, over all responses or per group.
    usage_over_time     Count responses, tokens and their cost per span of time.

Look::

    show                Show the text of an answer, each token coloured by its certainty.
    browse              Write a page on which answers are sorted, filtered, searched and opened.
    report              Write a report as one self-contained HTML page.
    plot                Plot metric tables with matplotlib.

Errors, further metrics and declarations::

    ToolkitError        Base class of every error that the toolkit raises on purpose.
    ToolkitWarning      A result is less than was asked for; the message says what, and why.
    errors              Define every error and warning of the toolkit, in one tree.
    metrics             Metrics of tokens, answers and corpora: tables in, DataFrames out.
    schema              Every table and result column: name, type, null rule, unit and meaning.
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
    "toolkit.dataset": ("export", "read_parquet", "open_dataset"),
    "toolkit.metrics": (
        "answers",
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
        "evaluate",
        "compare_evaluations",
    ),
    "toolkit.view.token_view": ("show",),
    "toolkit.view.browse": ("browse",),
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
