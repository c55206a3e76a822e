"""Compute perplexity per word, byte and text of given texts, as lm-evaluation-harness does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow.compute as pc

from toolkit import arguments, arrow, schema
from toolkit.errors import ArgumentError, SchemaError
from toolkit.metrics._arrays.logprobs import bits_per_byte, perplexity
from toolkit.metrics._arrays.types import Counts
from toolkit.metrics._given import (
    Texts,
    byte_of_character,
    given_texts,
    last_tokens,
    parts_from,
    texts_of,
    tokens_from,
)
from toolkit.metrics._groups import grouped
from toolkit.metrics._pairing import response_rows
from toolkit.metrics._results import Columns, categorical, integers, result_frame

if TYPE_CHECKING:
    from toolkit.tables import LogprobTables

# White space as in Python's `re`, for an engine whose \s is that of ASCII.
_BLANK = (
    r"[\t-\r\x1c-\x20\x{85}\x{a0}\x{1680}\x{2000}-\x{200a}\x{2028}\x{2029}\x{202f}\x{205f}"
    r"\x{3000}]+"
)


def text_metrics(
    lp: LogprobTables,
    *,
    channel: str = "prompt",
    last: int | None = None,
    start: int | Mapping[str, int] | None = None,
) -> pd.DataFrame:
    """Compute word perplexity, bits per byte and related metrics of each given text.

    A given text is one that the model scored instead of generating it: recordings with ``echo``,
    ``prompt_logprobs`` or ``input_token_logprobs``. The text is that of its tokens, special tokens
    included if the server wrote them out.

    Parameters
    ----------
    lp : LogprobTables
    channel : {"prompt", "content", "reasoning", "refusal"}
    last : int, optional
        Only the last tokens of each text, so many.
    start : int or mapping, optional
        Only the part from this character on; a mapping gives it by custom_id. A token belongs to
        the part if it wrote a byte of it.

    Returns
    -------
    DataFrame
        One row per choice with tokens in the channel, in the columns of ``schema.TEXT_METRICS``.
        Counts are int64, ``n_bytes`` Int64, figures float64 with NaN for null.

    Raises
    ------
    ArgumentError
        If an option is invalid, or a response has no entry in `start`.

    See Also
    --------
    text_perplexity : texts pooled.
    toolkit.sequence_metrics : where bits per byte leave out the bytes of tokens without a logprob.

    Notes
    -----
    As lm-evaluation-harness defines them: with L the sum of the logprobs of a text in nats,
    word_perplexity = exp(−L/words), byte_perplexity = exp(−L/bytes), bits_per_byte = −L/(ln 2 ·
    bytes); words are the pieces of ``re.split(r"\\s+", text)``, so white space at an end adds one,
    but for that in front of a part.
    Most servers send no logprob for the first token of a text, where the harness scores it after
    the end-of-text token: its surprisal is then missing in L, and the figures are a little lower.
    Servers that do not even send its text (vLLM's ``prompt_logprobs``) leave it out of both.
    Perplexities per token of two models with different tokenizers cannot be compared; those per
    word and per byte can.

    Examples
    --------
    >>> import toolkit
    >>> lp = toolkit.read("data/given_q4_1.jsonl.gz")
    >>> row = toolkit.metrics.text_metrics(lp).iloc[0]
    >>> [int(row["n_words"]), *row[["word_perplexity", "bits_per_byte"]].astype(float).round(3)]
    [21, 114.315, 1.305]
    """
    if last is not None and start is not None:
        raise ArgumentError("last and start: expected one of them")
    texts = given_texts(lp, channel)
    rows = response_rows(lp)[texts.choice_row]
    responses = lp.responses.select(["custom_id", "model"]).take(rows)
    if last is not None:
        first = last_tokens(texts, arguments.whole("last", last))
        byte = texts.offsets[first]
    elif start is not None:
        byte = byte_of_character(texts, _starts(start, responses["custom_id"].to_pylist()))
        first = tokens_from(texts, byte)
    else:
        first, byte = texts.bounds[:-1], texts.starts
    channels = np.full(len(rows), schema.CHANNELS.index(channel), np.int8)
    return result_frame(
        schema.TEXT_METRICS,
        {
            "response_key": lp.choices["response_key"].to_numpy()[texts.choice_row],
            "choice": lp.choices["choice"].to_numpy()[texts.choice_row],
            "channel": categorical(channels, schema.CHANNELS),
            **{name: responses[name].to_pandas() for name in ("custom_id", "model")},
            **_figures(texts, first, byte),
        },
    )


def _starts(start: object, ids: list[str | None]) -> Counts:
    """Return the character at which the part of each text begins."""
    if not isinstance(start, Mapping):
        return np.full(len(ids), arguments.whole("start", start, 0))
    lacking = [name for name in ids if name not in start]
    if lacking:
        raise ArgumentError(f"start has no entry for custom_id {lacking[0]!r}")
    return np.array([arguments.whole("start", start[name], 0) for name in ids], np.int64)


def _figures(texts: Texts, first: Counts, byte: Counts) -> dict[str, Any]:
    """Return the counts and the figures of the part of each text from a token and a byte on."""
    part = parts_from(texts, first, byte)
    written = texts_of(texts.data, byte, texts.ends)
    words = pc.count_substring_regex(written, _BLANK).to_numpy().astype(np.int64) + 1
    # The blank in front of a part separates it from the text before.
    words -= arrow.truth(pc.match_substring_regex(written, "^" + _BLANK)) & (byte > texts.starts)
    missing = np.append(0, np.cumsum(np.isnan(texts.logprob)))
    # The first token of a text follows nothing, so most servers send no logprob for it.
    at_start = (first == texts.bounds[:-1]).astype(np.int64)
    is_whole = missing[texts.bounds[1:]] == missing[np.minimum(first + at_start, texts.bounds[1:])]
    is_whole &= part.n_scored > 0
    lost = np.append(0, np.cumsum(texts.is_lost))
    keeps_bytes = lost[texts.bounds[1:]] == lost[first]
    columns: Columns = {
        "n_tokens": part.n_tokens,
        "n_scored": part.n_scored,
        "is_partial": part.is_partial,
        "n_words": words,
        "sum_logprob": part.sum_logprob,
    }
    size = texts.ends - byte
    sums = columns | {"n_bytes": np.where(keeps_bytes, size, 0)}
    sums["n_bytes"][~is_whole] = 0
    sums["n_words"] = np.where(is_whole, sums["n_words"], 0)
    return columns | _ratios(sums) | {"n_bytes": integers(size, keeps_bytes)}


def _ratios(sums: Columns) -> Columns:
    """Return the figures of texts or of groups of texts; null where a count is 0."""
    nll = 0.0 - sums["sum_logprob"]
    return {
        "perplexity": perplexity(nll, sums["n_scored"]),
        "word_perplexity": perplexity(nll, sums["n_words"]),
        "byte_perplexity": perplexity(nll, sums["n_bytes"]),
        "bits_per_byte": bits_per_byte(nll, sums["n_bytes"]),
    }


def text_perplexity(
    lp: LogprobTables | pd.DataFrame, *, by: str | Sequence[str] | None = None
) -> pd.DataFrame:
    """Pool given texts: word perplexity, bits per byte and perplexity per text of a corpus.

    Parameters
    ----------
    lp : LogprobTables or DataFrame
        A DataFrame must be the result of `text_metrics`, or several of them concatenated.
    by : str or sequence of str, optional
        Columns of that result to group by, such as ``"model"``. Null is a group too.

    Returns
    -------
    DataFrame
        The columns of `by`, then those of ``schema.TEXT_PERPLEXITY``; groups are sorted. Without
        `by` there is one row, even if there is no text.

    Raises
    ------
    ArgumentError
        If a column of `by` does not exist.
    SchemaError
        If a DataFrame lacks columns of `text_metrics`.

    Notes
    -----
    Log likelihoods, words and bytes are summed first, as lm-evaluation-harness does for
    ``word_perplexity``, ``byte_perplexity`` and ``bits_per_byte``; its ``perplexity`` of targets,
    exp of the mean over texts of −L, is ``document_perplexity``. Sums are exact (`math.fsum`).

    Examples
    --------
    >>> import toolkit
    >>> lp = toolkit.read("data/given_q4_1.jsonl.gz")
    >>> toolkit.metrics.text_perplexity(lp)[["n_texts", "n_words"]].values.tolist()
    [[30, 539]]
    """
    table = lp if isinstance(lp, pd.DataFrame) else text_metrics(lp)
    names = schema.TEXT_METRICS.names
    if lacking := [name for name in names if name not in table.columns]:
        raise SchemaError(f"the table of texts lacks columns {lacking}; see text_metrics")
    groups = grouped(table, arguments.columns("by", by, names))
    pooled = table["bits_per_byte"].notna().to_numpy()
    sums: Columns = {"n_texts": np.diff(groups.offsets), "n_pooled": groups.total(pooled)}
    for name in ("n_tokens", "n_scored", "n_words", "n_bytes"):
        sums[name] = groups.total(np.where(pooled, table[name].fillna(0).to_numpy(np.int64), 0))
    total = groups.exact_total(np.where(pooled, table["sum_logprob"].to_numpy(float), 0.0))
    sums["sum_logprob"] = np.where(sums["n_pooled"] > 0, total, np.nan)
    sums["document_perplexity"] = perplexity(0.0 - sums["sum_logprob"], sums["n_pooled"])
    result = result_frame(schema.TEXT_PERPLEXITY, sums | _ratios(sums))
    return pd.concat([groups.keys, result], axis=1)
