"""Compute perplexity and other metrics of sequences: channels of choices."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from toolkit import arguments, arrow, schema
from toolkit.metrics import tokens
from toolkit.metrics._arrays.logprobs import bits_per_byte, perplexity
from toolkit.metrics._arrays.segments import (
    longest_run,
    ratio,
    segment_count,
    segment_ids,
    segment_mean,
    segment_min,
    segment_nansum,
    segment_sum,
    worst_mean,
)
from toolkit.metrics._arrays.types import Codes, Counts, Flags
from toolkit.metrics._blocks import Block, check_increasing, over_blocks, rows_of
from toolkit.metrics._results import Columns, categorical, integers, result_frame
from toolkit.tables import require_tables

if TYPE_CHECKING:
    from toolkit.tables import LogprobTables

_FLOATS = (
    "sum_logprob",
    "sum_surprisal_lower",
    "sum_logprob_bytes",
    "min_logprob",
    "weakest_position",
    "worst_decile_logprob",
    "mean_margin",
    "mean_entropy_lower",
    "mean_entropy_upper",
    "mean_entropy_topk",
    "mean_missing_mass",
)
COUNTS = (
    "n_tokens",
    "n_ok",
    "n_censored",
    "n_missing",
    "n_invalid",
    "n_excess_mass",
    "n_bytes",
    "n_ranked",
    "n_off_top1",
    "n_entropy",
    "longest_run_below",
    "n_below",
)


def sequence_metrics(
    lp: LogprobTables, *, vocab_size: int | None = None, threshold: float = 0.5
) -> pd.DataFrame:
    """Compute perplexity, confidence and counts of each answer.

    Channels are never mixed: content, prompt, reasoning and refusal of a choice are separate
    sequences. Those of the prompt say how likely the model found the text that it was given.
    Point values use the tokens of status ok alone; counts show how many tokens were excluded, and
    ``perplexity_lower`` includes the censored ones with their least surprisal. An answer with an
    invalid logprob has no metrics, because its other values are logits too: all its tokens count in
    ``n_invalid``.

    Parameters
    ----------
    lp : LogprobTables
    vocab_size : int, optional
        As in `token_metrics`; needed for ``mean_entropy_upper`` alone.
    threshold : float
        Probability, above 0 and up to 1, below which a token counts in ``n_below`` and
        ``longest_run_below``.

    Returns
    -------
    DataFrame
        One row per (response, choice, channel) with token rows, and a content row for each choice
        without token rows of an answer, sorted by these keys, in the columns of
        ``schema.SEQUENCE_METRICS``. Counts are int64. Without a usable token, ``weakest_position``
        (Int32), ``longest_run_below`` and ``n_below`` (Int64) are NA and all other metrics NaN,
        never 0 or 1. ``channel`` and ``kind`` are categoricals, texts are pandas' default strings.

    Raises
    ------
    ArgumentError
        If `vocab_size` (see `token_metrics`) or `threshold` is out of range.
    SchemaError
        If the tables do not belong together or are not sorted by their key columns.

    Examples
    --------
    >>> import toolkit
    >>> entries = [{"token": t, "logprob": l} for t, l in (("a", -0.5), ("b", -1.5), ("c", None))]
    >>> choice = {"index": 0, "message": {"content": "abc"}, "logprobs": {"content": entries}}
    >>> lp = toolkit.from_responses({"object": "chat.completion", "choices": [choice]})
    >>> sequences = sequence_metrics(lp)
    >>> sequences[["n_tokens", "n_ok", "n_missing", "perplexity"]].round(3).values.tolist()
    [[3.0, 2.0, 1.0, 2.718]]
    """
    if vocab_size is not None:
        vocab_size = arguments.whole("vocab_size", vocab_size)
    threshold = arguments.share("threshold", threshold)
    found = find_sequences(lp)
    n_rows = len(found.choice_row)
    columns: Columns = {name: np.full(n_rows, np.nan) for name in _FLOATS}
    columns |= {name: np.zeros(n_rows, np.int64) for name in COUNTS}
    status, is_logit = tokens.of_answers(lp)

    def reduced(block: Block) -> tuple[Counts, Columns]:
        first, last = np.searchsorted(found.offsets, [block.rows.start, block.rows.stop])
        offsets = found.offsets[first : last + 1] - block.rows.start
        metrics = _without(tokens.block_metrics(block, vocab_size), is_logit[block.rows])
        values = _reduce(block, offsets, status[block.rows], metrics, threshold)
        return found.filled[first:last], values

    for _, (rows, values) in over_blocks(reduced, lp, found.offsets):
        for name, each in values.items():
            columns[name][rows] = each
    return result_frame(
        schema.SEQUENCE_METRICS, sequence_keys(lp, found) | _finish(columns) | ratios(columns)
    )


class Sequences(NamedTuple):
    """The rows of the result, and their token rows."""

    choice_row: Counts  # by sequence: row of ``lp.choices``
    channel: np.ndarray  # by sequence: code
    filled: Counts  # indices of the sequences with tokens
    offsets: Counts  # of the token rows of these, shape (n_filled + 1,)


def find_sequences(lp: LogprobTables) -> Sequences:
    """Find the token rows of each channel of each choice, and the choices without tokens."""
    require_tables(lp)
    keys = [lp.tokens[name].to_numpy() for name in ("response_key", "choice")]
    keys.append(arrow.codes(lp.tokens["channel"], schema.CHANNELS))
    n_tokens = lp.tokens.num_rows
    begins = np.ones(n_tokens, np.bool_)
    begins[1:] = np.logical_or.reduce([key[1:] != key[:-1] for key in keys])
    starts = np.flatnonzero(begins)
    response_key, choice, channel = (key[starts] for key in keys)
    # One number per sequence, which increases in the order of the keys.
    with_tokens = choice_rows(lp, response_key, choice) * len(schema.CHANNELS) + channel
    check_increasing(with_tokens, "tokens")
    written = with_tokens[channel != schema.CHANNELS.index("prompt")]
    is_bare = np.ones(lp.choices.num_rows, np.bool_)
    is_bare[written // len(schema.CHANNELS)] = False
    bare = np.flatnonzero(is_bare)
    content = schema.CHANNELS.index("content")
    every = np.sort(np.concatenate([with_tokens, bare * len(schema.CHANNELS) + content]))
    choice_row, channel = np.divmod(every, len(schema.CHANNELS))
    filled = np.searchsorted(every, with_tokens)
    return Sequences(choice_row, channel, filled, np.append(starts, n_tokens))


def choice_rows(lp: LogprobTables, response_key: np.ndarray, choice: np.ndarray) -> Counts:
    """Return the row of `lp.choices` that has each pair of keys."""
    table = _numbered(lp, lp.choices["response_key"].to_numpy(), lp.choices["choice"].to_numpy())
    return rows_of(table, _numbered(lp, response_key, choice), "choices")


def _numbered(lp: LogprobTables, response_key: np.ndarray, choice: np.ndarray) -> Counts:
    # (Row of the response, choice) as one number in the same order; choice has 32 bits.
    responses = lp.responses["response_key"].to_numpy()
    return (rows_of(responses, response_key, "responses") << 32) + choice


def _without(metrics: Columns, rows: Flags) -> Columns:
    """Return the metrics of tokens with null, or False, in some rows."""
    if not rows.any():
        return metrics
    return {
        name: np.where(rows, np.nan if values.dtype.kind == "f" else 0, values).astype(values.dtype)
        for name, values in metrics.items()
    }


def _reduce(
    block: Block, offsets: Counts, status: Codes, metrics: Columns, threshold: float
) -> Columns:
    """Reduce the tokens of a block of whole sequences to one value per sequence."""
    counts = {
        f"n_{label}": segment_count(status == code, offsets)
        for code, label in enumerate(schema.STATUSES)
    }
    logprob = 0.0 - metrics["surprisal"]
    ok = status == tokens.OK
    size = arrow.floats(pc.binary_length(_bytes(block.tokens)))
    sized = ok & ~np.isnan(size)
    with np.errstate(invalid="ignore"):
        below = np.exp(-metrics["surprisal_lower"]) < threshold
    lowest = segment_min(np.where(ok, logprob, 0.0), offsets)
    at_lowest = ok & (logprob == lowest[segment_ids(offsets)])
    position = arrow.floats(block.tokens["position"])
    weakest = segment_min(np.where(at_lowest, position, np.inf), offsets)
    return counts | {
        "n_tokens": np.diff(offsets),
        "n_excess_mass": segment_count(metrics["excess_mass"], offsets),
        "n_bytes": segment_sum(np.where(sized, size, 0.0), offsets).astype(np.int64),
        "n_ranked": segment_count(metrics["ranked"], offsets),
        "n_off_top1": segment_count(metrics["off_top1"], offsets),
        "n_entropy": segment_count(~np.isnan(metrics["entropy_lower"]), offsets),
        "n_below": segment_count(below, offsets),
        "longest_run_below": longest_run(below, offsets),
        "sum_logprob": segment_nansum(logprob, offsets),
        "sum_surprisal_lower": segment_nansum(metrics["surprisal_lower"], offsets),
        "sum_logprob_bytes": segment_nansum(np.where(sized, logprob, np.nan), offsets),
        "min_logprob": np.where(counts["n_ok"] > 0, lowest, np.nan),
        "weakest_position": np.where(counts["n_ok"] > 0, weakest, np.nan),
        "worst_decile_logprob": worst_mean(logprob, offsets),
        "mean_margin": segment_mean(metrics["margin"], offsets),
        **{
            f"mean_{name}": segment_mean(metrics[name], offsets)
            for name in ("entropy_lower", "entropy_upper", "entropy_topk", "missing_mass")
        },
    }


def ratios(sums: Columns) -> Columns:
    """Return the metrics that are ratios of sums and counts, of sequences or of corpora."""
    return {
        "mean_logprob": ratio(sums["sum_logprob"], sums["n_ok"]),
        "perplexity": perplexity(0.0 - sums["sum_logprob"], sums["n_ok"]),
        "perplexity_lower": perplexity(
            sums["sum_surprisal_lower"], sums["n_ok"] + sums["n_censored"]
        ),
        "bits_per_byte": bits_per_byte(0.0 - sums["sum_logprob_bytes"], sums["n_bytes"]),
        "off_top1_rate": ratio(sums["n_off_top1"], sums["n_ranked"]),
    }


def _bytes(tokens: pa.Table) -> pa.ChunkedArray:
    """Return the bytes of each token; of a prompt, whose bytes no server sends, those of its text.

    They are null where the text has U+FFFD, which replaces bytes that are lost.
    """
    text = tokens["token"]
    unknown = pc.or_(
        pc.not_equal(tokens["channel"].cast("string"), "prompt"),
        pc.match_substring(text, "\ufffd"),
    )
    return pc.coalesce(tokens["bytes"], arrow.null_where(unknown, text.cast(schema.BINARY)))


def _finish(columns: Columns) -> dict[str, Any]:
    """Return the columns with nullable types where needed."""
    scored = columns["n_ok"] > 0
    bounded = scored | (columns["n_censored"] > 0)
    position = np.where(scored, columns["weakest_position"], 0.0).astype(np.int32)
    return columns | {
        "min_probability": np.exp(columns["min_logprob"]),
        "weakest_position": integers(position, scored),
        "longest_run_below": integers(columns["longest_run_below"], bounded),
        "n_below": integers(columns["n_below"], bounded),
    }


def sequence_keys(lp: LogprobTables, found: Sequences) -> dict[str, Any]:
    """Return the keys of the sequences, and the columns of their responses and choices."""
    response_key = lp.choices["response_key"].to_numpy()[found.choice_row]
    responses = lp.responses.select(["source", "response_id", "custom_id", "model", "kind"]).take(
        rows_of(lp.responses["response_key"].to_numpy(), response_key, "responses")
    )
    return {
        "response_key": response_key,
        "choice": lp.choices["choice"].to_numpy()[found.choice_row],
        "channel": categorical(found.channel, schema.CHANNELS),
        **{
            name: responses[name].to_pandas()
            for name in ("source", "response_id", "custom_id", "model")
        },
        "kind": categorical(arrow.codes(responses["kind"], schema.KINDS), schema.KINDS),
        "finish_reason": lp.choices["finish_reason"].take(found.choice_row).to_pandas(),
    }
