"""List answers for the page of `toolkit.browse`: columns to sort and filter by, texts, facts."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from toolkit import arrow, schema
from toolkit.metrics import answers, sequence_metrics
from toolkit.tables import LogprobTables
from toolkit.tables.attaching import kept_texts
from toolkit.visible_text import plain, spelled_token, visible

Counts = npt.NDArray[np.int64]

MOST_TEXT = 10_000  # characters of a text that a page holds
_NAMES = {  # heads of columns
    "custom_id": "id",
    "model": "model",
    "finish_reason": "finish reason",
    "text": "text",
    "n_tokens": "tokens",
    "perplexity": "perplexity",
    "mean_probability": "mean p",
    "min_probability": "least p",
    "weakest_token": "weakest token",
}
_LABELS = ("model", "finish_reason")  # columns of few distinct values
_DESCENDING = ("n_tokens", "perplexity")  # sorted from the greatest value at first


def listed_answers(lp: LogprobTables) -> pd.DataFrame:
    """Return the rows of `toolkit.answers`; without an answer, they are about the given text.

    The weakest token of a given text is null.
    """
    found = answers(lp)
    is_bare = (found["n_tokens"] == 0) & found["text"].isna()
    if not is_bare.any() or not lp.choices["n_prompt_tokens"].to_numpy().any():
        return found
    sequences = sequence_metrics(lp)
    given = sequences[sequences["channel"] == "prompt"]
    given = lp.attach(given.assign(mean_probability=np.exp(given["mean_logprob"])), "text")
    keys = ["response_key", "choice"]
    given = found[keys].merge(given, how="left", on=keys)  # in the order of the answers
    is_given = is_bare & given["channel"].notna()
    names = ["channel", "text", *(name for name in _NAMES if name in schema.SEQUENCE_METRICS.names)]
    return found.assign(
        **{
            name: found[name].astype(given[name].dtype).mask(is_given, given[name])
            for name in names
        },
        mean_probability=found["mean_probability"].mask(is_given, given["mean_probability"]),
    )


def index_of(lp: LogprobTables, listed: pd.DataFrame, sent: Counts) -> dict[str, Any]:
    """Return what the page holds of each answer, as JSON; hidden characters are visible.

    Parameters
    ----------
    lp : LogprobTables
    listed : DataFrame
        Of `listed_answers`: one row for each choice of `lp`, in their order.
    sent : ndarray of int64, shape (n_choices, n_channels)
        Tokens of each channel.
    """
    places = (listed["source"] + ":" + listed["line"].astype(str)).map(visible)
    ids = listed["custom_id"].fillna(listed["response_id"]).fillna(places)
    cells = {
        "custom_id": [plain(text, None) for text in ids],
        "text": _texts(listed["text"]),
        "weakest_token": [
            None if pd.isna(token) else spelled_token(token, None)
            for token in listed["weakest_token"]
        ],
    }
    columns = []
    for name, label in _NAMES.items():
        column: dict[str, Any] = {"name": name, "label": label, "descending": name in _DESCENDING}
        if name in _LABELS:
            codes, labels = pd.factorize(listed[name], sort=True)
            column |= {"labels": [plain(text) for text in labels], "values": codes.tolist()}
        else:
            column["values"] = cells[name] if name in cells else _numbers(listed[name])
            column["is_number"] = name not in cells
        columns.append(column)
    facts = {"response id": _texts(listed["response_id"]), "place": places.tolist()}
    if listed["choice"].any():
        facts["choice"] = listed["choice"].tolist()
    return {
        "columns": columns,
        "channel": listed["channel"].astype(object).tolist(),
        "facts": facts,
        "kept": [
            {plain(name): _cut(text) for name, text in kept_texts(kept).items()}
            for kept in lp.attach(listed, "kept")["kept"]
        ],
        "other": _other_texts(lp, listed, sent),
    }


def _texts(column: pd.Series) -> list[str | None]:
    return [None if pd.isna(text) else _cut(text) for text in column]


def _cut(text: str) -> str:
    """Return a text with its hidden characters visible, and its end cut if it is very long."""
    more = len(text) - MOST_TEXT
    return visible(text[:MOST_TEXT]) + (f" ⟨{more:,} more characters⟩" if more > 0 else "")


def _numbers(column: pd.Series) -> list[float | int | None]:
    """Return numbers of six digits; None for null."""
    values = column.to_numpy(float, na_value=math.nan).tolist()
    return [None if math.isnan(value) else float(f"{value:.6g}") for value in values]


def _other_texts(
    lp: LogprobTables, listed: pd.DataFrame, sent: Counts
) -> dict[int, dict[str, str]]:
    """Return the texts without tokens of the channels that answers are not listed by."""
    found: dict[int, dict[str, str]] = {}
    for code, name in enumerate(schema.CHANNELS):
        if name in schema.ANSWER_CHANNELS:
            is_other = arrow.valid(lp.choices, name) & (sent[:, code] == 0)
            is_other &= (listed["channel"] != name).to_numpy()
            rows = np.flatnonzero(is_other)
            for row, text in zip(rows.tolist(), lp.choices[name].take(rows), strict=True):
                if text := text.as_py():
                    found.setdefault(row, {})[name] = _cut(text)
    return found
