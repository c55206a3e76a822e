"""Write a report: one self-contained HTML page about the answers, their certainty and faults."""

from __future__ import annotations

import base64
import html
import os
from collections.abc import Callable, Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

import pandas as pd

from toolkit import arguments, plot
from toolkit.errors import ArgumentError
from toolkit.files import write_file
from toolkit.metrics import (
    calibration,
    confidence_metrics,
    corpus_metrics,
    evaluate,
    join_labels,
    selective,
    sequence_metrics,
    text_perplexity,
    usage,
)
from toolkit.metrics._clusters import request_labels
from toolkit.plot._pages import pictures
from toolkit.plot._style import MOST_SERIES
from toolkit.progress import progress_bar
from toolkit.tables import LogprobTables, has_texts, require_tables
from toolkit.view.card import facts_html, facts_of
from toolkit.view.html import safe, style_sheet
from toolkit.view.html_tables import table_html
from toolkit.view.report_parts import (
    contents_html,
    findings_html,
    heading,
    least_certain_html,
    sources_html,
)
from toolkit.visible_text import plain

_REJECTS = 50  # rejected records that are listed
_CALIBRATION = (
    *("accuracy", "mean_confidence", "gap", "ece", "ece_if_calibrated", "p_calibrated"),
    *("brier", "log_loss"),
)
_EVALUATED = {
    "model": "model",
    "n": "answers",
    "n_clusters": "requests",
    "mean": "right",
    "mean_lower": "lower",
    "mean_upper": "upper",
    "least_detectable": "least detectable",
}
_RANKING = ("auroc", "auroc_within_length", "auroc_length", "length_correlation", "aurc", "prr")
_MEANINGS = {
    "accuracy": "Share of right answers.",
    "mean_confidence": "Mean of the confidences.",
    "gap": "Mean confidence less accuracy: above 0 overconfident, below 0 underconfident.",
    "ece": "Expected calibration error: how far confidence and the share of right answers are "
    "apart, as a mean over bins of confidence. 0 is perfect, 0.1 is ten points off.",
    "ece_if_calibrated": "The ece that chance alone gives to a calibrated model.",
    "p_calibrated": "Chance of an ece as large as this from a calibrated model.",
    "brier": "Mean squared distance of confidence from 1 (right) or 0 (wrong). 0 is perfect.",
    "log_loss": "Mean surprise at the labels, in nats. 0 is perfect.",
    "auroc": "Chance that a right answer has more confidence than a wrong one. 1 is perfect, 0.5 "
    "is chance.",
    "auroc_within_length": "The same among answers of about the same length.",
    "auroc_length": "The same of the length alone, the shortest first.",
    "length_correlation": "Correlation of confidence and length.",
    "aurc": "Area under the risk-coverage curve: the share of wrong answers among those kept, as a "
    "mean over how many are kept, the most confident first. Lower is better.",
    "prr": "Prediction rejection ratio: of what leaving out the wrong answers first would gain, "
    "the part that leaving out the least confident first gains. 1 is perfect, 0 is chance.",
}
_PROBABILITIES = ("probability", "mean_probability", "min_probability")
_SCORES = (
    *_PROBABILITIES,
    "confidence",
    "lowest_group_confidence",
    "bottom_group_confidence",
    "tail_confidence",
)


def report(
    lp: LogprobTables,
    path: str | os.PathLike[str],
    *,
    labels: pd.DataFrame | None = None,
    on: str = "custom_id",
    confidence: str = "min_probability",
    title: str = "Logprob report",
) -> Path:
    """Write a report as one self-contained HTML page.

    The page has contents, and sections for the sources, the certainty of each model, texts that
    were given to it, the findings of `toolkit.check`, usage, the least certain answers, rejected
    records and, with `labels`, calibration and the share of right answers of each model. The least
    certain answers have their places in the sources, their prompts if those were read (as tokens of
    the channel ``prompt``, or with ``keep=``), and with `labels` whether they are right. The page
    has no script and loads nothing; it is light or dark as the reader prefers. The same tables give
    the same page on the same day.

    Parameters
    ----------
    lp : LogprobTables
    path : path
        An existing file is replaced.
    labels : DataFrame, optional
        Ground truth: the column `on`, and a column ``correct`` of true or false (or 1 and 0).
    on : str
        As in `toolkit.join_labels`.
    confidence : str
        The column of `toolkit.confidence_metrics` that is compared with the labels: a probability,
        or a score that only ranks. Default: the probability of the least certain token, because one
        wrong token makes an answer wrong. Intervals take the answers to one request as one cluster.
    title : str
        Title of the page.

    Returns
    -------
    pathlib.Path
        The file.

    Raises
    ------
    ArgumentError
        If an option is not one of those listed, or `labels` has no column ``correct``.
    ExportError
        If the file cannot be written.

    Examples
    --------
    >>> import tempfile, toolkit
    >>> lp = toolkit.read("data/capitals_batch.jsonl")
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     page = toolkit.report(lp, folder + "/report.html").read_text("utf-8")
    >>> "<script" in page
    False
    """
    require_tables(lp)
    target = arguments.target("path", path)
    arguments.one_of("confidence", confidence, _SCORES)
    arguments.text("on", on, "the name of a column")
    if not isinstance(title, str) or not title.strip():
        raise arguments.invalid("title", title, "a text that is not blank")
    if labels is not None:
        arguments.instance("labels", labels, pd.DataFrame, "a DataFrame: pandas.read_csv reads one")
        if "correct" not in labels:
            raise ArgumentError(f"labels has no column 'correct'; it has {list(labels.columns)}")
    sections = _text(_sections(lp, labels, on, confidence))
    head = f"<h1>{safe(plain(title, 80))}</h1>{facts_html(facts_of(lp))}"
    body = head + contents_html(sections) + sections
    style = _page_style()
    text = (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>{html.escape(plain(title, 80))}</title><style>{style}</style></head>"
        f"<body><main>{body}</main></body></html>\n"
    )
    return write_file(target, text)


def _text(sections: list[Iterator[str]]) -> str:
    """Return the text of sections, each of which is computed here."""
    n = len(sections)
    with progress_bar("writing the report", lambda: n, unit=" sections") as advance:
        texts: list[str] = []
        for section in sections:
            texts += section
            advance(1)
    return "".join(texts)


def _page_style() -> str:
    own = files("toolkit.view").joinpath("page.css").read_text("utf-8")
    return style_sheet() + own.replace("\n", "")


def _sections(
    lp: LogprobTables, labels: pd.DataFrame | None, on: str, confidence: str
) -> list[Iterator[str]]:
    sequences = sequence_metrics(lp)
    answers = sequences[sequences["channel"] == "content"]
    judged = []
    if labels is not None:
        judged = [_calibration(lp, labels, on, confidence)]
        answers = join_labels(answers, labels[[on, "correct"]], on=on, unmatched="ignore")
    shows_texts = has_texts(lp.responses).all()
    return [
        sources_html(lp),
        _certainty(lp, sequences),
        *([_given(lp)] if shows_texts else []),
        findings_html(lp),
        _usage(lp),
        *judged,
        *([least_certain_html(lp, answers)] if shows_texts else []),
        _rejects(lp),
        _note(),
    ]


def _note() -> Iterator[str]:
    yield (
        '<p class="faint">All logarithms are natural. Perplexities are pooled: logprobs are summed '
        "first. Lists of alternatives are cut, so without the size of the vocabulary entropy has "
        "only a lower bound. <code>logprobs schema</code> describes every column.</p>"
    )


def _certainty(lp: LogprobTables, sequences: pd.DataFrame) -> Iterator[str]:
    yield heading("How sure the models were")
    if not lp.tokens.num_rows:
        yield "<p>No response has logprobs. Did the requests ask for them?</p>"
        return
    pooled = corpus_metrics(sequences, by="model", channel=None)
    columns = {
        "model": "model",
        "channel": "channel",
        "n_scored": "answers",
        "n_ok": "usable tokens",
        "perplexity": "perplexity ↓",
        "bits_per_byte": "bits/byte ↓",
        "mean_entropy_lower": "entropy ≥ ↓",
        "off_top1_rate": "off top-1 ↓",
        "n_censored": "censored",
        "n_missing": "missing",
        "n_invalid": "invalid",
    }
    yield table_html(pooled, columns, "certainty by model and channel")
    yield '<p class="faint">↓ lower is more certain; entropy in nats per token.</p>'
    models = sequences["model"].nunique(dropna=False)
    by = "model" if models <= MOST_SERIES else None
    yield _pictures(
        (
            lambda ax: plot.logprob_histogram(lp, by=by, ax=ax),
            "Histogram of the logprobs of the sampled tokens",
        ),
        (
            lambda ax: plot.perplexity_ecdf(lp, by=by, ax=ax),
            "Cumulative distribution of the perplexity of answers",
        ),
        (
            lambda ax: plot.confidence_over_position(lp, ax=ax),
            "Probability of tokens by position",
        ),
        (lambda ax: plot.finish_reasons(lp, ax=ax), "Why answers ended, by model"),
    )


def _given(lp: LogprobTables) -> Iterator[str]:
    """Describe the texts that models scored instead of generating them, if there are any."""
    pooled = text_perplexity(lp, by="model")
    if not pooled["n_texts"].any():
        return
    yield heading("Given texts")
    columns = {
        "model": "model",
        "n_texts": "texts",
        "n_pooled": "whole",
        "n_words": "words",
        "n_scored": "scored tokens",
        "perplexity": "perplexity/token ↓",
        "word_perplexity": "perplexity/word ↓",
        "bits_per_byte": "bits/byte ↓",
    }
    yield table_html(pooled, columns, "given texts by model")


def _usage(lp: LogprobTables) -> Iterator[str]:
    yield heading("Usage")
    counted = usage(lp, by="model")
    columns = {
        "model": "model",
        "n_responses": "responses",
        "prompt_tokens": "prompt tokens",
        "completion_tokens": "completion tokens",
        "cached_share": "cached share",
        "logprob_coverage": "logprobs/completion token",
        "n_errors": "errors",
    }
    yield table_html(counted, columns, "usage by model")
    if lp.responses["created"].null_count < len(lp):
        yield _pictures((lambda ax: plot.usage_over_time(lp, ax=ax), "Tokens used over time"))


def _calibration(
    lp: LogprobTables, labels: pd.DataFrame, on: str, confidence: str
) -> Iterator[str]:
    yield heading("Calibration")
    answers = confidence_metrics(lp)
    judged = join_labels(answers[answers["channel"] == "content"], labels, on=on)
    scores, correct, clusters = judged[confidence], judged["correct"], request_labels(judged)
    is_probability = confidence in _PROBABILITIES
    ranked = selective(scores, correct, clusters=clusters, n_tokens=judged["n_tokens"]).iloc[0]
    figures = dict.fromkeys(_RANKING, ranked)
    if is_probability:
        found = calibration(scores, correct, clusters=clusters).iloc[0]
        figures = dict.fromkeys(_CALIBRATION, found) | figures
    kind = "requests" if ranked["n_clusters"] < ranked["n"] else "answers"
    yield (
        f"<p>{int(ranked['n']):,} answers with a label; {int(ranked['n_wrong']):,} are wrong. "
        f"Confidence: <code>{confidence}</code>. Intervals: 95 %, over {ranked['n_clusters']:,} "
        f"{kind} that are taken as independent.</p>"
    )
    yield _figures(figures)
    if judged["model"].nunique(dropna=False) > 1:
        yield table_html(evaluate(judged, by="model"), _EVALUATED, "right answers by model")
    yield (
        '<p class="faint">ece is above 0 even if the model is calibrated: ece_if_calibrated is its '
        "mean then, and p_calibrated the chance of one as large. Too few wrong (or right) answers "
        "leave a figure without an interval.</p>"
        '<p class="faint">auroc_within_length compares only answers of about the same length: near '
        "0.5, the confidence says little more than the length does. auroc_length is the auroc of "
        "the length alone, shortest first.</p>"
    )
    reliability = (
        lambda ax: plot.reliability(scores, correct, clusters=clusters, ax=ax),
        "Share of right answers by confidence",
    )
    risk_coverage = (
        lambda ax: plot.risk_coverage(scores, correct, clusters=clusters, ax=ax),
        "Share of wrong answers by share of answers kept",
    )
    yield _pictures(*([reliability] if is_probability else []), risk_coverage, height=4.4)


def _figures(figures: dict[str, pd.Series]) -> str:
    """Write a table of figures, each with its interval if the row that it is from has one."""
    ends = {"value": "", "lower": "_lower", "upper": "_upper"}
    table = pd.DataFrame(
        [
            {"figure": name}
            | {head: row.get(f"{name}{end}") for head, end in ends.items()}
            | {"meaning": _MEANINGS[name]}
            for name, row in figures.items()
        ]
    )
    table[list(ends)] = table[list(ends)].astype(float)
    return table_html(table, {name: name for name in table}, "calibration and ranking")


def _rejects(lp: LogprobTables) -> Iterator[str]:
    if not lp.rejects.num_rows:
        return
    yield heading(f"Rejected: {lp.rejects.num_rows + lp.n_unlisted:,} records")
    table = lp.rejects.slice(0, _REJECTS).to_pandas()
    columns = {name: name for name in ("source", "line", "reason", "path", "message")}
    yield table_html(table, columns, "rejected records")
    if lp.rejects.num_rows > _REJECTS:
        more = f"{lp.rejects.num_rows - _REJECTS:,} more in lp.rejects."
        more += f" {lp.n_unlisted:,} are only counted: see lp.ledger." if lp.n_unlisted else ""
        yield f'<p class="faint">{more}</p>'


# Elements


def _pictures(*drawn: tuple[Callable[[Any], object], str], height: float = 3.3) -> str:
    """Write pictures with their texts, each for light pages and for dark ones."""
    figures = []
    for draw, says in drawn:
        light, dark = map(_address, pictures(draw, 7.0, height))
        figures.append(
            f'<figure><picture><source media="(prefers-color-scheme:dark)" srcset="{dark}">'
            f'<img alt="{html.escape(says)}" src="{light}"></picture></figure>'
        )
    return f'<div class="pictures">{"".join(figures)}</div>'


def _address(svg: str) -> str:
    return f"data:image/svg+xml;base64,{base64.b64encode(svg.encode()).decode()}"
