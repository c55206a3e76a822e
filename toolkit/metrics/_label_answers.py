"""Read answers for labels: where the label begins, which tokens could come, what is stated."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pandas as pd

from toolkit import arguments, schema
from toolkit.errors import ArgumentError
from toolkit.metrics._alignment.texts import Text, TokenRuns, texts, token_runs
from toolkit.metrics._arrays.logprobs import probability
from toolkit.metrics._blocks import rows_of
from toolkit.metrics._label_paths import Labels, Masses, Option, Step, masses, stated
from toolkit.metrics._results import categorical, integers, text_type
from toolkit.metrics.tokens import of_answers, token_metrics
from toolkit.tables import require_tables

if TYPE_CHECKING:
    from toolkit.tables import LogprobTables


class Answer(NamedTuple):
    """One answer: where its label begins, the masses of all labels, and what it states."""

    row: int  # in lp.choices
    position: int | None  # of the token at which the label begins
    masses: Masses
    stated: int | None  # index of the label
    reason: str | None  # why nothing is known


def read_answers(
    lp: LogprobTables,
    labels: Labels,
    channel: str,
    position: int,
    after: str | re.Pattern[str] | None,
) -> Iterator[Answer]:
    """Yield every choice, with the masses of the labels in its tokens."""
    at = schema.CHANNELS.index(arguments.channel(channel))
    position = arguments.whole("position", position, 0)
    pattern = _checked_pattern(after)
    steps = _Steps(require_tables(lp), token_runs(lp))
    placed = dict(texts(lp, channel)) if pattern else {}
    unknown = [math.nan] * labels.n
    nothing = Masses(unknown, unknown, unknown, math.nan, math.nan, math.nan)
    for row in range(lp.choices.num_rows):
        start, count = int(steps.runs.starts[row, at]), int(steps.runs.counts[row, at])
        begin: int | None = position
        if pattern:
            begin = _position_after(pattern, placed[row]) if row in placed else None
        if begin is None or begin >= count:
            reason = "no_tokens" if not count or begin is not None else "no_place"
            yield Answer(row, None, nothing, None, reason)
            continue
        run = range(start + begin, start + count)
        fault = steps.fault(run[0])
        found = nothing if fault else masses(labels, map(steps.step, run))
        label = stated(labels, map(steps.raw, run))
        yield Answer(row, begin, found, label, fault)


def _position_after(pattern: re.Pattern[str], text: Text) -> int | None:
    """Return the position of the token that begins right after the last match, or None."""
    ends = [match.end() for match in pattern.finditer(text.text)]
    if not ends:
        return None
    byte = text.char_starts[ends[-1]]
    at = int(np.searchsorted(text.token_starts[:-1], byte))
    begins = at < len(text.token_starts) - 1 and text.token_starts[at] == byte
    return at if begins else None


class _Steps:
    """The tokens that could come at each position, read on demand."""

    def __init__(self, lp: LogprobTables, runs: TokenRuns) -> None:
        self.runs = runs
        metrics = token_metrics(lp)
        self._missing = metrics["missing_mass"].to_numpy()
        self._excess = metrics["excess_mass"].to_numpy()
        self._probability = metrics["probability"].to_numpy()
        self._is_logit = of_answers(lp)[1]
        self._counts = lp.tokens["n_alternatives"].to_numpy()
        self._ends = np.cumsum(self._counts, dtype=np.int64)
        columns = ["token", "bytes", "token_id", "logprob", "status", "is_sampled"]
        self._alternatives = lp.alternatives.select(columns)

    def fault(self, row: int) -> str | None:
        """Return why the list of a token cannot be used, or None."""
        if self._excess[row]:
            return "excess_mass"
        is_unknown = self._is_logit[row] or math.isnan(self._missing[row])
        return "no_probabilities" if is_unknown else None

    def raw(self, row: int) -> bytes:
        """Return the bytes of the sampled token."""
        return self.runs.bytes[row].as_py()

    def step(self, row: int) -> Step:
        """Return the known options; all mass is missing if the list cannot be used."""
        if self.fault(row):
            return Step([], 1.0)
        n = int(self._counts[row])
        entries = self._alternatives.slice(int(self._ends[row]) - n, n).to_pylist()
        entries = [entry for entry in entries if entry["status"] == "ok"]
        own = next((entry for entry in entries if entry["is_sampled"]), None)
        options = [
            Option(_raw(entry), probability(entry["logprob"]), entry["is_sampled"])
            for entry in entries
            if own is None or entry is own or not _is_copy(entry, own)
        ]
        if own is None and not math.isnan(self._probability[row]):
            options.append(Option(self.raw(row), float(self._probability[row]), True))
        return Step(options, float(self._missing[row]))


def _raw(entry: dict[str, Any]) -> bytes:
    raw = entry["bytes"]
    return entry["token"].encode("utf-8", "replace") if raw is None else raw


def _is_copy(entry: dict[str, Any], own: dict[str, Any]) -> bool:
    """Return whether an entry repeats the sampled token: some servers send it twice."""
    if entry["logprob"] != own["logprob"]:
        return False
    for key in ("token_id", "bytes"):
        if entry[key] is not None and own[key] is not None:
            return entry[key] == own[key]
    return entry["token"] == own["token"]


def answer_keys(lp: LogprobTables, found: list[Answer], channel: str) -> dict[str, np.ndarray]:
    """Return the keys of the answers, and the values that are the same for every label."""
    rows = np.array([answer.row for answer in found], np.int64)
    keys = lp.choices["response_key"].to_numpy()[rows]
    responses = lp.responses.select(["custom_id", "model"]).take(
        rows_of(lp.responses["response_key"].to_numpy(), keys, "responses")
    )
    known = np.array([answer.position is not None for answer in found], np.bool_)
    position = np.array([answer.position or 0 for answer in found], np.int64)
    return {
        "response_key": keys,
        "choice": lp.choices["choice"].to_numpy()[rows],
        "channel": categorical(np.full(len(rows), schema.CHANNELS.index(channel)), schema.CHANNELS),
        "custom_id": np.array(responses["custom_id"].to_pylist(), object),
        "model": np.array(responses["model"].to_pylist(), object),
        "position": integers(position, known),
        "other": np.array([answer.masses.other for answer in found], np.float64),
        "ambiguous": np.array([answer.masses.ambiguous for answer in found], np.float64),
        "unobserved": np.array([answer.masses.unobserved for answer in found], np.float64),
        "reason": np.array([answer.reason for answer in found], object),
    }


def text_series(values: Any) -> Any:
    """Return texts as pandas' default type, and any other column unchanged."""
    return pd.Series(values, dtype=text_type()) if values.dtype == object else values


# Arguments


def matcher_of(forms: list[list[str]], ignore_case: bool, ignore_space: bool) -> Labels:
    """Return checked labels, and how their texts are compared."""
    for name, value in (("ignore_case", ignore_case), ("ignore_space", ignore_space)):
        arguments.one_of(name, value, (True, False))
    if ignore_space:
        forms = [[form.strip() for form in own] for own in forms]
    matcher = Labels(forms, ignore_case=ignore_case, ignore_space=ignore_space)
    if any(not form for own in forms for form in own):
        raise ArgumentError("labels has an empty text: expected texts that a token can hold")
    return matcher


def checked_forms(labels: object) -> dict[str, list[str]]:
    """Return each label with the texts that state it, or raise `ArgumentError`."""
    if isinstance(labels, str) or not isinstance(labels, Mapping | Sequence) or not len(labels):
        raise arguments.invalid(
            "labels", labels, "a sequence of texts, or a mapping of labels to texts"
        )
    if not isinstance(labels, Mapping):
        names = arguments.items("labels", labels, "texts")
        labels = dict(zip(names, names, strict=True))
        if len(labels) < len(names):
            raise ArgumentError("labels has a label twice: expected each once")
    forms = {}
    for label, texts_ in labels.items():
        is_many = isinstance(texts_, Sequence) and not isinstance(texts_, str)
        own = list(texts_) if is_many else [texts_]
        if not isinstance(label, str) or not own or not all(isinstance(t, str) for t in own):
            raise arguments.invalid(f"labels[{label!r}]", texts_, "a text, or several")
        forms[label] = list(dict.fromkeys(own))
    return forms


def _checked_pattern(after: str | re.Pattern[str] | None) -> re.Pattern[str] | None:
    if after is None or (isinstance(after, re.Pattern) and isinstance(after.pattern, str)):
        return after
    if isinstance(after, str) and after:
        return re.compile(re.escape(after))
    raise arguments.invalid("after", after, "a text, a compiled pattern of text, or None")
