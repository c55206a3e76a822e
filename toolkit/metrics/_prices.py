"""Compute the cost of responses, from a table of prices or from the package genai-prices."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from types import ModuleType
from typing import TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from toolkit import arguments, arrow
from toolkit.errors import ArgumentError
from toolkit.metrics._arrays.types import Array

Price: TypeAlias = tuple[float, float] | Mapping[str, float]
"""Per million tokens: (input, output), or a mapping that may have cached_input too."""
GENAI_PRICES = "genai-prices"
COUNTS = ("prompt_tokens", "completion_tokens", "cached_tokens")


def costs(responses: pa.Table, prices: Mapping[str, Price] | str | None) -> Array:
    """Return the cost of each response, NaN where model, price or usage is unknown.

    Parameters
    ----------
    responses : pyarrow.Table
        As ``lp.responses``.
    prices : mapping, str or None
        As in `toolkit.usage`.

    Returns
    -------
    ndarray of shape (n_responses,)

    Raises
    ------
    ArgumentError
        If `prices` is none of these, a price is invalid, or genai-prices is not installed.
    """
    if isinstance(prices, str):
        arguments.one_of("prices", prices, (GENAI_PRICES,))
        return _looked_up(responses, _genai_prices())
    if prices is not None:
        arguments.instance("prices", prices, Mapping, f"a mapping, {GENAI_PRICES!r} or None")
    return _by_table(responses, _checked(prices or {}))


def _checked(prices: Mapping[str, Price]) -> dict[str, tuple[float, float, float]]:
    """Return (input, output, cached input) by model."""
    checked: dict[str, tuple[float, float, float]] = {}
    for model, price in prices.items():
        if isinstance(price, Mapping):
            cached = price.get("cached_input", price.get("input"))
            values = [price.get("input"), price.get("output"), cached]
            is_whole = set(price) <= {"input", "output", "cached_input"}
        else:
            is_whole = isinstance(price, Sequence) and len(price) == 2
            values = [*price, price[0]] if is_whole else []
        known = [float(v) for v in values if isinstance(v, int | float) and v >= 0]
        if not is_whole or len(known) < 3:
            raise arguments.invalid(
                f"prices[{model!r}]",
                price,
                "(input, output), or a mapping with the keys input, output and, optionally, "
                "cached_input: each a number of at least 0, per million tokens",
            )
        checked[model] = (known[0], known[1], known[2])
    return checked


def _by_table(responses: pa.Table, prices: Mapping[str, tuple[float, float, float]]) -> Array:
    encoded = responses["model"].combine_chunks().dictionary_encode()
    unknown = (np.nan, np.nan, np.nan)
    by_code = [prices.get(model, unknown) for model in encoded.dictionary.to_pylist()]
    table = np.array([*by_code, unknown])  # the last row is the price of a null model
    price = table[pc.fill_null(encoded.indices, len(by_code)).to_numpy()]
    prompt, completion, cached = (arrow.floats(responses[name]) for name in COUNTS)
    cached = np.minimum(np.nan_to_num(cached), prompt)
    return ((prompt - cached) * price[:, 0] + completion * price[:, 1] + cached * price[:, 2]) / 1e6


def _genai_prices() -> ModuleType:
    try:
        import genai_prices
    except ImportError:
        raise ArgumentError(
            "prices='genai-prices' needs the package genai-prices: "
            "pip install 'logprob-toolkit[prices]'"
        ) from None
    return genai_prices


def _looked_up(responses: pa.Table, book: ModuleType) -> Array:
    """Look up each model, day and usage once, because prices change and depend on volume."""
    day = pc.floor_temporal(responses["created"], unit="day")
    asked = pa.table(
        {"model": responses["model"], "day": day, **{name: responses[name] for name in COUNTS}}
    )
    row = pa.array(np.arange(responses.num_rows))
    found = (
        asked.append_column("row", row).group_by(asked.column_names).aggregate([("row", "list")])
    )
    cost = np.full(responses.num_rows, np.nan)
    for each in found.to_pylist():
        cost[each["row_list"]] = _price(
            book, each["model"], each["day"], *(each[n] for n in COUNTS)
        )
    return cost


def _price(
    book: ModuleType,
    model: str | None,
    day: datetime | None,
    prompt: int | None,
    completion: int | None,
    cached: int | None,
) -> float:
    if model is None or prompt is None or completion is None:
        return np.nan
    counts = {"input_tokens": prompt, "output_tokens": completion}
    if cached:
        counts["cache_read_tokens"] = min(cached, prompt)
    when = day or datetime.now(UTC)
    try:
        found = book.calc_price(book.Usage(**counts), model, genai_request_timestamp=when)
    except LookupError:  # the package does not know the model
        return np.nan
    return float(found.total_price)
