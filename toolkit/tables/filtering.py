"""Find the responses and choices that meet conditions on their columns."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from toolkit import arguments, arrow, schema
from toolkit.arrow import numpy

_RESPONSE_FILTERS = tuple(
    name for name in schema.RESPONSES.names if name not in ("notes", "finished", "error")
)
_CHOICE_FILTERS = ("choice", "role", "finish_reason", "logprobs_state", "alignment")


def met_by(
    responses: pa.Table, choices: pa.Table, conditions: Mapping[str, Any]
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return the rows of responses and of choices to keep; see `LogprobTables.filter`."""
    by_response = _meets(responses, conditions, _RESPONSE_FILTERS)
    by_choice = _meets(choices, conditions, _CHOICE_FILTERS)
    arguments.columns("filter", list(conditions), [*_RESPONSE_FILTERS, *_CHOICE_FILTERS])
    keys = numpy(responses, "response_key")
    owner = np.searchsorted(keys, numpy(choices, "response_key"))
    by_choice &= by_response[owner]
    if set(conditions) & set(_CHOICE_FILTERS):
        by_response &= np.bincount(owner[by_choice], minlength=len(keys)) > 0
    return np.flatnonzero(by_response), np.flatnonzero(by_choice)


def _meets(table: pa.Table, conditions: Mapping[str, Any], names: Iterable[str]) -> np.ndarray:
    """Return which rows meet the conditions on these columns."""
    met = np.ones(table.num_rows, bool)
    for name in set(names) & set(conditions):
        wanted = conditions[name]
        values = wanted if isinstance(wanted, list | tuple | set | np.ndarray) else [wanted]
        try:
            met &= arrow.is_in(table[name], list(values))
        except (pa.ArrowException, TypeError, ValueError) as error:
            kind = arrow.plain_type(table[name].type)
            raise arguments.invalid(name, wanted, f"values of type {kind}") from error
    return met
