"""Read a file of labels and join it to the confidence of answers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

import toolkit
from toolkit.cli.group import combined, read_labels, table_option
from toolkit.errors import ArgumentError

if TYPE_CHECKING:
    import pandas as pd

    from toolkit import LogprobTables

_CORRECT = "is_correct"  # no column of the answers has this name
CONFIDENCES = ("min_probability", "mean_probability", "probability")


class JudgedAnswers(NamedTuple):
    """The confidence of each answer, whether it is right, and the request that it belongs to."""

    columns: tuple[pd.Series, pd.Series]
    clusters: pd.Series | None


labels_option = click.option(
    "--label",
    multiple=True,
    metavar="LABEL",
    help="A label, or NAME=TEXT for a text that states it. Repeat it for each label and text.",
)


def label_texts(given: tuple[str, ...]) -> dict[str, list[str]]:
    """Return the texts of each label from values of --label."""
    texts: dict[str, list[str]] = {}
    for each in given:
        name, has_name, text = each.partition("=")
        texts.setdefault(name, []).append(text if has_name else name)
    return texts


def label_options(*, required: bool) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Return a decorator that adds the options about a file of labels."""
    return combined(
        table_option("--labels", required=required, help="Table of what is known to be right."),
        click.option(
            "--on",
            default="custom_id",
            show_default=True,
            metavar="COLUMN",
            help="Column of the labels and of the answers by which they are joined.",
        ),
        click.option(
            "--correct",
            default="correct",
            show_default=True,
            metavar="COLUMN",
            help="Column that says whether an answer is right: 1 or 0, True or False.",
        ),
        click.option(
            "--right",
            metavar="TEXT",
            help="The text in that column that means right, if it holds texts.",
        ),
        click.option(
            "--confidence",
            type=click.Choice(CONFIDENCES),
            default=CONFIDENCES[0],
            show_default=True,
            help="Confidence: of the least certain token, the mean token, or all together.",
        ),
    )


def judged_answers(
    lp: LogprobTables, path: Path, on: str, correct: str, right: str | None, confidence: str
) -> JudgedAnswers:
    """Join a file of labels to the answers of a load."""
    truth = read_labels("--labels", path)
    for name in (on, correct):
        if name not in truth:
            listed = ", ".join(map(repr, truth.columns))
            raise ArgumentError(f"--labels={str(path)!r} has no column {name!r}; it has {listed}")
    answers = toolkit.confidence_metrics(lp)
    if on != "request" and on not in answers:
        raise ArgumentError(f"--on={on!r}: expected custom_id, response_id or request")
    answers = answers.loc[answers["channel"] == "content"]
    labels = truth[[on, correct]].rename(columns={correct: _CORRECT})
    judged: Any = toolkit.join_labels(answers, labels, on=on)
    known = judged[_CORRECT].rename("correct")
    if right is not None:
        known = (known.astype(str) == right).where(known.notna())
    clusters = judged[on] if judged[on].duplicated().any() else None
    return JudgedAnswers((judged[confidence], known), clusters)
