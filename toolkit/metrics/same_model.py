"""Test whether two sides are the same model, from the distribution of the first token."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pandas as pd

from toolkit import arguments, schema
from toolkit.errors import ArgumentError
from toolkit.metrics import tokens
from toolkit.metrics._alignment.texts import token_runs
from toolkit.metrics._arrays.clusters import mean_error, t_interval
from toolkit.metrics._arrays.permutation import holm, least_p_value, mean_differences, p_value
from toolkit.metrics._arrays.types import Array, Counts, Flags
from toolkit.metrics._bins import MOST_RESAMPLES
from toolkit.metrics._blocks import rows_of
from toolkit.metrics._lists import TakenLists
from toolkit.metrics._pairing import joined_bytes
from toolkit.metrics._results import result_frame, text_type
from toolkit.tables import require_tables

if TYPE_CHECKING:
    from toolkit.tables import LogprobTables

_BY = (None, "custom_id")


def same_model(
    a: LogprobTables,
    b: LogprobTables,
    *,
    by: str | None = None,
    channel: str = "content",
    n_permutations: int = 2000,
    level: float = 0.95,
    seed: int = 0,
) -> pd.DataFrame:
    """Test whether two sides give the same distribution of the first token (permutation test).

    Send each prompt several times to either side, such as an endpoint last month and today, and
    give all answers to one prompt the same custom_id. A few tokens an answer are enough, because
    only the list of the first one is used.

    Parameters
    ----------
    a, b : LogprobTables
        Either side. Of the choices of a response, the first is taken: their lists are the same.
    by : {None, "custom_id"}
        One row over all prompts, or one row per prompt.
    channel : {"content", "prompt", "reasoning", "refusal"}
    n_permutations : int
        Random assignments of the answers to the sides, within each prompt.
    level : float
        Probability of the interval of ``excess``, above 0 and below 1.
    seed : int
        Of the permutations, 0 or more.

    Returns
    -------
    DataFrame
        In the columns of ``schema.SAME_MODEL``; differences are in nats. NaN without a prompt that
        both sides answered.

    Raises
    ------
    ArgumentError
        If a response has no custom_id, or an option is invalid.

    Notes
    -----
    Logprob tracking, Chauvin et al. 2026 (arXiv 2512.03816). Of each token that any list of a
    prompt has, the mean logprobs of either side are compared; a list that lacks the token counts
    with its least logprob. Lists are cut to the shortest of their prompt. The answers are
    exchangeable if the sides are the same, whatever their noise, so the p value needs no other
    assumption.

    A small p value says that the sides differ, not why: another model, quantisation, kernel, prompt
    template or server setting. A large one says that this many answers show no difference. With one
    answer per prompt and side nothing can be found (``p_least`` is 1): see `noise_floor`.

    Examples
    --------
    >>> import toolkit
    >>> def side(*logprobs):
    ...     entries = [{"token": "a", "logprob": p, "top_logprobs": [{"token": "a", "logprob": p}]}
    ...                for p in logprobs]
    ...     choices = [{"message": {"content": "a"}, "logprobs": {"content": [e]}} for e in entries]
    ...     bodies = [{"choices": [choice]} for choice in choices]
    ...     return toolkit.from_responses(bodies, custom_id=["q"] * len(bodies))
    >>> row = toolkit.metrics.same_model(side(-0.5, -0.51, -0.5), side(-0.7, -0.69, -0.7)).iloc[0]
    >>> round(float(row["difference"]), 3), float(row["p_least"])
    (0.193, 0.1)
    """
    arguments.one_of("by", by, _BY)
    level, seed = arguments.level("level", level), arguments.whole("seed", seed, 0)
    n_permutations = arguments.whole("n_permutations", n_permutations, 1, MOST_RESAMPLES)
    sides = [_read(side, letter, channel) for letter, side in (("a", a), ("b", b))]
    prompts = sorted(set(sides[0].prompts) & set(sides[1].prompts))
    tests = [_test([side.of(name) for side in sides], n_permutations, seed, i)
             for i, name in enumerate(prompts)]  # fmt: skip
    left_out = sum(side.n_responses for side in sides) - sum(sum(test.sizes) for test in tests)
    groups = [[i] for i in range(len(prompts))] if by else [list(range(len(prompts)))]
    rows = [_row([tests[i] for i in group], n_permutations, level) for group in groups]
    columns: dict[str, Any] = {
        name: np.array([row[name] for row in rows]) for name in (rows[0] if rows else ())
    }
    if not rows:
        return result_frame(schema.SAME_MODEL, dict.fromkeys(schema.SAME_MODEL.names, []))
    p_values = columns["p_value"]
    prints = {
        f"fingerprints_{letter}": _texts(
            [side.fingerprints([prompts[i] for i in group]) for group in groups]
        )
        for letter, side in zip("ab", sides, strict=True)
    }
    return result_frame(
        schema.SAME_MODEL,
        columns
        | prints
        | {
            "custom_id": _texts(list(prompts) if by else [None]),
            "p_holm": holm(p_values) if not np.isnan(p_values).any() else p_values,
            "n_left_out": np.full(len(rows), left_out),
        },
    )


class _List(NamedTuple):
    """The entries of one answer's first token, the likeliest first."""

    texts: list[bytes]
    logprobs: Array


class _Side(NamedTuple):
    """The answers of one side that have a list, by prompt."""

    prompts: dict[str, list[_List]]
    prints: dict[str, set[str]]
    n_responses: int

    def of(self, name: str) -> list[_List]:
        return self.prompts[name]

    def fingerprints(self, names: list[str]) -> str | None:
        """Return the fingerprints of some prompts, sorted."""
        return ", ".join(sorted(set().union(*(self.prints[name] for name in names)))) or None


class _Test(NamedTuple):
    """The test of one prompt: its difference as it is, then permuted."""

    statistics: Array
    sizes: tuple[int, int]
    n_tokens: int


def _read(lp: LogprobTables, letter: str, channel: str) -> _Side:
    """Read the list of the first token of each response."""
    require_tables(lp, letter)
    at = schema.CHANNELS.index(arguments.channel(channel))
    ids = lp.responses["custom_id"].to_pylist()
    if None in ids:
        raise ArgumentError(
            f"a response of {letter} has no custom_id: expected the same one for all answers to "
            "one prompt; pass id= to read, or custom_id= to from_responses"
        )
    keys, chosen = lp.choices["response_key"].to_numpy(), token_runs(lp)
    first = np.unique(keys, return_index=True)[1]
    rows = rows_of(lp.responses["response_key"].to_numpy(), keys[first], "responses")
    some = chosen.counts[first, at] > 0 if len(first) else np.zeros(0, np.bool_)
    lists = _lists(lp, chosen.starts[first[some], at] if some.any() else np.zeros(0, np.int64))
    prints = lp.responses["system_fingerprint"].to_pylist()
    side = _Side({}, {}, len(ids))
    for row, found in zip(rows[some].tolist(), lists, strict=True):
        if found.texts:
            side.prompts.setdefault(ids[row], []).append(found)
            side.prints.setdefault(ids[row], set()).update({prints[row]} - {None})
    return side


def _lists(lp: LogprobTables, rows: Counts) -> list[_List]:
    """Return the usable entries at token rows, the likeliest first."""
    taken = TakenLists.of(lp, rows)
    entries = tokens.entries(taken.table, taken.offsets)
    texts = joined_bytes(taken.table).to_pylist()
    order = np.lexsort((-np.where(entries.usable, entries.logprob, -np.inf), entries.ids))
    order = order[entries.usable[order]]
    cuts = np.searchsorted(entries.ids[order], np.arange(1, len(rows)))
    return [
        _List([texts[i] for i in own.tolist()], entries.logprob[own])
        for own in np.split(order, cuts)[: len(rows)]
    ]


def _test(sides: list[list[_List]], n_permutations: int, seed: int, prompt: int) -> _Test:
    """Test one prompt; its permutations do not depend on the other prompts."""
    lists = [each for side in sides for each in side]
    shortest = min(len(each.texts) for each in lists)
    codes: dict[bytes, int] = {}
    for each in lists:
        for text in each.texts[:shortest]:
            codes.setdefault(text, len(codes))
    values = np.empty((len(lists), len(codes)))
    for i, each in enumerate(lists):
        values[i] = each.logprobs[shortest - 1]
        # Of several entries with one text, the likeliest counts, so it is written last.
        for text, logprob in zip(
            each.texts[:shortest][::-1], each.logprobs[:shortest][::-1].tolist(), strict=True
        ):
            values[i, codes[text]] = logprob
    in_b: Flags = np.arange(len(lists)) >= len(sides[0])
    random = np.random.default_rng([seed, prompt])
    statistics = mean_differences(values, in_b, n_permutations, random)
    return _Test(statistics, (len(sides[0]), len(sides[1])), len(codes))


def _row(tests: list[_Test], n_permutations: int, level: float) -> dict[str, Any]:
    """Summarise the tests of some prompts in one row."""
    row: dict[str, Any] = dict.fromkeys(schema.SAME_MODEL.names[5:12], np.nan)
    row |= {"p_least": np.nan, "n_prompts": len(tests)}
    row |= {f"n_{name}": sum(test.sizes[i] for test in tests) for i, name in enumerate("ab")}
    row["n_tokens"] = sum(test.n_tokens for test in tests)
    if not tests:
        return row
    statistics = np.mean([test.statistics for test in tests], axis=0)
    excess = np.array([test.statistics[0] - test.statistics[1:].mean() for test in tests])
    row |= {
        "difference": statistics[0],
        "expected_difference": statistics[1:].mean(),
        "excess": excess.mean(),
        "p_value": p_value(statistics),
        "p_least": max(
            float(np.prod([least_p_value(*test.sizes, n_permutations) for test in tests])),
            1.0 / (n_permutations + 1),
        ),
    }
    error = mean_error(excess, np.arange(len(excess)))
    if error > 0:
        ends = t_interval(float(excess.mean()), error, len(excess), level)
        row |= {"excess_lower": ends[0], "excess_upper": ends[1]}
    return row


def _texts(values: list[str | None]) -> pd.Series:
    return pd.Series(values, dtype=text_type())
