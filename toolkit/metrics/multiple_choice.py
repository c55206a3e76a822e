"""Score the options of multiple-choice questions by their logprobs, and choose."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from toolkit import arguments, arrow, schema
from toolkit.errors import ArgumentError, SchemaError
from toolkit.metrics._arrays.segments import ratio, segment_count, segment_ids, segment_max
from toolkit.metrics._arrays.types import Array, Counts, Flags
from toolkit.metrics._blocks import rows_of
from toolkit.metrics._given import Parts, bytes_of, given_texts, parts_from, tokens_after
from toolkit.metrics._pairing import response_rows, texts_at
from toolkit.metrics._results import Columns, categorical, result_frame, text_type
from toolkit.tables import require_tables

if TYPE_CHECKING:
    from toolkit.tables import LogprobTables


def option_scores(
    lp: LogprobTables,
    options: pd.DataFrame,
    *,
    unconditional: LogprobTables | None = None,
    channel: str = "prompt",
) -> pd.DataFrame:
    """Score each option of multiple-choice questions by the logprobs of its text.

    Each option was sent as a request of its own whose text, the question and the option, the model
    scored (``echo``, ``prompt_logprobs``). The option is found at the end of that text, byte by
    byte.

    Parameters
    ----------
    lp : LogprobTables
        One response per row of `options`.
    options : DataFrame
        With the columns ``custom_id``, ``option`` (a name, such as "B") and ``text`` (as the model
        saw it, without the blank in front); optionally ``question`` (default: the custom_id) and
        ``correct`` (true or false). Several rows may share a custom_id: the first belongs to the
        first response with it, and so on.
    unconditional : LogprobTables, optional
        The same options scored without their questions, with the same custom_ids.
    channel : {"prompt", "content", "reasoning", "refusal"}

    Returns
    -------
    DataFrame
        One row per row of `options`, in the columns of ``schema.OPTION_SCORES``. A score is NaN,
        never too high, if a token of the option has no usable logprob.

    Raises
    ------
    ArgumentError
        If options and responses do not correspond one to one, or a value is invalid.
    SchemaError
        If `options` lacks a column.

    See Also
    --------
    multiple_choice : which option each score chooses.

    Notes
    -----
    The scores of lm-evaluation-harness: acc_norm divides by the characters of the option without
    the blank in front, acc_bytes by its bytes. The blank belongs to the scored text, whether it is
    a token of its own or the beginning of one, so that all options are scored from the same place.

    Examples
    --------
    >>> import pandas, toolkit
    >>> lp = toolkit.read("data/options_q4_1.jsonl.gz")
    >>> scores = toolkit.metrics.option_scores(lp, pandas.read_csv("data/options.csv"))
    >>> scores[["option", "acc", "acc_norm"]].round(2).head(2).values.tolist()
    [['A', -13.27, -2.21], ['B', -4.51, -0.9]]
    """
    table = _checked(options)
    part, is_aligned, keys, n_bytes = _of_options(lp, table, "lp", channel)
    known = is_aligned & (part.n_scored == part.n_tokens) & (part.n_tokens > 0)
    acc = np.where(known, part.sum_logprob, np.nan)
    less = np.full(len(acc), np.nan)
    if unconditional is not None:
        alone, found, *_ = _of_options(unconditional, table, "unconditional", channel)
        found &= alone.n_scored == alone.n_tokens
        less = np.where(found, alone.sum_logprob, np.nan)
    lengths = pc.utf8_length(pa.array(table["text"], schema.TEXT))
    characters = lengths.to_numpy().astype(np.int64)
    responses = lp.responses["response_key"].to_numpy()
    columns: Columns = {
        "response_key": keys,
        "custom_id": table["custom_id"].to_numpy(),
        "model": texts_at(lp.responses["model"], rows_of(responses, keys, "responses")),
        "question": table["question"].to_numpy(),
        "option": table["option"].to_numpy(),
        "is_correct": table["correct"].to_numpy(),
        "is_aligned": is_aligned,
        "is_partial": part.is_partial,
        "n_tokens": part.n_tokens,
        "n_scored": part.n_scored,
        "n_characters": characters,
        "n_bytes": n_bytes,
        "acc": acc,
        "acc_norm": ratio(acc, characters),
        "acc_bytes": ratio(acc, n_bytes),
        "acc_tokens": ratio(acc, part.n_tokens),
        "acc_mutual_info": acc - less,
    }
    names = ("custom_id", "question", "option")
    texts = {name: pd.Series(columns[name], dtype=text_type()) for name in names}
    correct = pd.array(columns["is_correct"], dtype="boolean")
    return result_frame(schema.OPTION_SCORES, columns | texts | {"is_correct": correct})


def multiple_choice(scores: pd.DataFrame) -> pd.DataFrame:
    """Choose the option of each question by each score: acc, acc_norm, mutual information.

    Parameters
    ----------
    scores : DataFrame
        The result of `option_scores`.

    Returns
    -------
    DataFrame
        One row per question and measure, in the columns of ``schema.MULTIPLE_CHOICE``; questions in
        the order of their first option. Of equal scores the first option is chosen, as by
        ``numpy.argmax``.

    Raises
    ------
    SchemaError
        If `scores` lacks a column.

    See Also
    --------
    toolkit.evaluate : the share of right answers, with ``score="is_correct", by="measure"``.
    toolkit.compare_evaluations : whether one model is better than another on the same questions.

    Notes
    -----
    ``is_changed`` shows how much the answer depends on the normalisation: a model that is judged
    by one of them alone may be credited with the lengths of the options (Gao 2021).

    Examples
    --------
    >>> import pandas, toolkit
    >>> lp = toolkit.read("data/options_q4_1.jsonl.gz")
    >>> options = pandas.read_csv("data/options.csv")
    >>> found = toolkit.metrics.multiple_choice(toolkit.metrics.option_scores(lp, options))
    >>> found.groupby("measure", observed=True)["is_correct"].mean().round(3).tolist()
    [0.6, 0.575, 0.575, 0.475, <NA>]
    """
    arguments.instance("scores", scores, pd.DataFrame, "the DataFrame that option_scores returns")
    if missing := [name for name in schema.OPTION_SCORES.names if name not in scores]:
        raise SchemaError(f"scores lacks column {missing[0]!r}; it has {list(scores.columns)}")
    codes, questions = pd.factorize(scores["question"])
    order = np.argsort(codes, kind="stable")
    table = scores.take(order)
    offsets = arrow.offsets(np.bincount(codes, minlength=len(questions)))
    chosen, margins = zip(
        *(_choose(table[name].to_numpy(float), offsets) for name in schema.CHOICE_MEASURES),
        strict=True,
    )
    at = np.column_stack(chosen).ravel()
    known = at >= 0
    option = table["option"].array.take(at, allow_fill=True)
    correct = table["is_correct"].astype("boolean").array.take(at, allow_fill=True)
    changed = np.column_stack([own != chosen[0] for own in chosen]).ravel()
    both = known & np.repeat(chosen[0] >= 0, len(chosen))
    repeated = np.tile(np.arange(len(chosen)), len(questions))
    return result_frame(
        schema.MULTIPLE_CHOICE,
        {
            "question": pd.Series(np.repeat(questions, len(chosen)), dtype=text_type()),
            "measure": categorical(repeated, schema.CHOICE_MEASURES),
            "n_options": np.repeat(np.diff(offsets), len(chosen)),
            "chosen": pd.Series(option, dtype=text_type()),
            "is_correct": correct,
            "margin": np.column_stack(margins).ravel(),
            "is_changed": pd.arrays.BooleanArray(changed, ~both),
        },
    )


def _choose(score: Array, offsets: Counts) -> tuple[Counts, Array]:
    """Return the row of the first highest score of each segment, and its margin; -1 if unknown."""
    ids = segment_ids(offsets)
    best = segment_max(np.where(np.isnan(score), np.inf, score), offsets)
    chosen = np.full(len(offsets) - 1, -1, np.int64)
    hits = np.flatnonzero(score == best[ids])[::-1]
    chosen[ids[hits]] = hits  # the first of equals last
    others = score.copy()
    others[chosen[chosen >= 0]] = -np.inf
    second = segment_max(np.where(np.isnan(others), -np.inf, others), offsets)
    several = (chosen >= 0) & (np.diff(offsets) > 1)
    return chosen, np.where(several, best - second, np.nan)


def _checked(options: pd.DataFrame) -> pd.DataFrame:
    """Return the options with all columns, or raise."""
    arguments.instance("options", options, pd.DataFrame)
    if missing := [name for name in ("custom_id", "option", "text") if name not in options]:
        raise SchemaError(f"options lacks column {missing[0]!r}; it has {list(options.columns)}")
    table = options.reset_index(drop=True)
    if "question" not in table:
        table["question"] = table["custom_id"]
    for name in ("custom_id", "option", "text", "question"):
        # Objects, because pyarrow 17 converts no column of numbers to texts, not even an empty one.
        table[name] = table[name].astype(object)
        try:
            values = pa.array(table[name], schema.TEXT)
        except (pa.ArrowException, ValueError) as error:
            raise ArgumentError(f"options: expected texts as {name}") from error
        if values.null_count or not arrow.truth(pc.not_equal(values, "")).all():
            raise ArgumentError(f"options: {name} is missing in a row; expected a text")
    correct = table["correct"] if "correct" in table else pd.Series(pd.NA, table.index)
    try:
        table["correct"] = correct.astype("boolean")
    except (TypeError, ValueError) as error:
        raise ArgumentError("options: correct is not True, False or null in a row") from error
    return table


def _of_options(
    lp: LogprobTables, table: pd.DataFrame, name: str, channel: str
) -> tuple[Parts, Flags, Counts, Counts]:
    """Return the tokens of each option, whether they were found, and key and bytes of each."""
    texts = given_texts(require_tables(lp, name), channel)
    response = _response_of(lp, table, name)
    keys = lp.responses["response_key"].to_numpy()[response]
    choice = np.searchsorted(response_rows(lp), response)  # the first choice of each
    at = np.searchsorted(texts.choice_row, choice)
    exists = np.append(texts.choice_row, -1)[at] == choice
    wanted, offsets = bytes_of(pa.array(table["text"], schema.TEXT))
    size = np.diff(offsets)
    ends, length = (np.append(x, 0)[at] for x in (texts.ends, texts.ends - texts.starts))
    fits = exists & (length >= size)
    compared = np.where(fits, size, 0)
    differs = (
        wanted[arrow.run_rows(offsets[:-1], compared)]
        != texts.data[arrow.run_rows(ends - compared, compared)]
    )
    is_aligned = fits & (segment_count(differs, arrow.offsets(compared)) == 0)
    begins = texts.ends.copy()
    begins[at[is_aligned]] = (ends - size)[is_aligned]
    part = parts_from(texts, tokens_after(texts, begins), begins)
    return part.take(at, is_aligned), is_aligned, keys, size


def _response_of(lp: LogprobTables, table: pd.DataFrame, name: str) -> Counts:
    """Return the row of the response of each option: those of one custom_id in their order."""
    ids = pd.Series(lp.responses["custom_id"].to_pylist(), dtype=object)
    have = pd.MultiIndex.from_arrays([ids, ids.groupby(ids, dropna=False).cumcount()])
    number = table.groupby("custom_id").cumcount()
    rows = have.get_indexer(pd.MultiIndex.from_arrays([table["custom_id"], number]))
    counts = [each.value_counts() for each in (ids, table["custom_id"])]
    unequal = counts[1].index[counts[0].reindex(counts[1].index, fill_value=0) != counts[1]]
    if len(unequal):
        one = unequal[0]
        raise ArgumentError(
            f"{name} has {int(counts[0].get(one, 0))} responses with custom_id {one!r}, options "
            f"{int(counts[1][one])} rows: expected one response per option"
        )
    return rows
