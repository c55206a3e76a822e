"""Turn the columns of Arrow tables into JSON values, a whole column at a time."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pyarrow.types as types

from toolkit.arrow import plain_type
from toolkit.loaders.sources.cells import plain

_IS_LIST = (types.is_list, types.is_large_list)
_AS_THEY_ARE = (types.is_string, types.is_large_string, types.is_integer, types.is_boolean)


def values(array: Any) -> list[Any]:
    """Return the values of an array as `plain` returns them.

    Null members of structs are omitted, because Arrow fills in what a row lacks. Maps are objects.

    Examples
    --------
    >>> import pyarrow as pa
    >>> values(pa.array([{"a": [1.5, None]}, {"b": "x"}, None]))
    [{'a': [1.5, None]}, {'b': 'x'}, None]
    """
    kind = array.type
    if types.is_dictionary(kind):
        return values(array.cast(plain_type(kind)))
    if types.is_struct(kind):
        found = _objects(array)
    elif types.is_map(kind):
        keys, items = _runs(array, array.keys), _runs(array, array.items)
        found = [dict(zip(*pair, strict=True)) for pair in zip(keys, items, strict=True)]
    elif any(is_list(kind) for is_list in _IS_LIST):
        found = _runs(array, array.values)
    elif any(is_kind(kind) for is_kind in _AS_THEY_ARE):
        return array.to_pylist()
    else:
        return [plain(value) for value in array.to_pylist()]
    if array.null_count:
        valid = array.is_valid().to_pylist()
        found = [each if is_valid else None for each, is_valid in zip(found, valid, strict=True)]
    return found


def _objects(array: Any) -> list[Any]:
    names = [field.name for field in array.type]
    columns = [values(column) for column in array.flatten()]
    if not columns:
        return [{} for _ in range(len(array))]
    return [
        {name: value for name, value in zip(names, row, strict=True) if value is not None}
        for row in zip(*columns, strict=True)
    ]


def _runs(array: Any, children: Any) -> list[list[Any]]:
    """Return the values of all lists, one run of the children for each list."""
    offsets = array.offsets.to_pylist()  # those of a slice do not begin at 0
    first = offsets[0]
    flat = values(children.slice(first, offsets[-1] - first))
    return [flat[i - first : j - first] for i, j in pairwise(offsets)]
