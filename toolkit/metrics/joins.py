"""Put what is known to be true beside what the model said."""

from __future__ import annotations

import warnings
from collections.abc import Hashable, Mapping

import numpy as np
import pandas as pd

from toolkit import arguments
from toolkit.errors import ArgumentError, SchemaError, ToolkitWarning

_UNMATCHED = ("warn", "error", "ignore")
_ORDINALS = 1 << 32  # response_key = source * 2^32 + ordinal of the first record


def join_labels(
    seq: pd.DataFrame,
    labels: pd.DataFrame | Mapping[Hashable, object],
    *,
    on: str = "custom_id",
    unmatched: str = "warn",
) -> pd.DataFrame:
    """Put labels beside the rows of a result, by a key that both have.

    Every row of `seq` stays, once, in its place: several choices of a response get the same
    label, and a key that stands twice in `labels` is an error, so that rows never multiply.

    Parameters
    ----------
    seq : DataFrame
        A result such as that of `sequence_metrics`.
    labels : DataFrame or mapping
        One row per key, in the column named by `on`; or a mapping from key to label, which
        becomes the column ``label``.
    on : str
        A column of both, such as ``"custom_id"``. With ``"request"``, `labels` are numbered by
        request from 0: the ordinal of the response's record in its source, or, if any response
        was streamed, its place among the responses in `seq`, which must then be whole. Rows of
        several sources have no such number.
    unmatched : {"warn", "error", "ignore"}
        What to do about rows without a label and labels without a row.

    Returns
    -------
    DataFrame
        The rows and columns of `seq`, its index too, then ``label_found`` (bool), then the other
        columns of `labels`, null where there is no label. With "request", that column follows
        those of `seq`.

    Raises
    ------
    SchemaError
        If a DataFrame lacks the column, or for "request" those that tell it.
    ArgumentError
        If a key stands twice in `labels` or is null there, if both have another column of the
        same name, if no row of `seq` has a label though there are both, if an option is none, or
        if anything is unmatched and this is to be an error.

    Warns
    -----
    ToolkitWarning
        With ``unmatched="warn"``, with the counts, if anything is.

    Examples
    --------
    >>> import pandas as pd
    >>> seq = pd.DataFrame({"custom_id": ["a", "a", "b"], "min_probability": [0.9, 0.8, 0.4]})
    >>> join_labels(seq, {"a": 1, "b": 0})["label"].tolist()
    [1, 1, 0]
    """
    _check_frames(seq, labels, on)
    arguments.one_of("unmatched", unmatched, _UNMATCHED)
    if not isinstance(labels, pd.DataFrame):
        values = pd.Series(list(labels.values()), dtype=None if len(labels) else object)
        labels = pd.DataFrame({on: pd.Index(list(labels), tupleize_cols=False), "label": values})
    if on not in labels.columns:
        raise SchemaError(f"labels lacks column {on!r}; it has {list(labels.columns)}")
    table = seq.assign(request=_requests(seq)) if on == "request" and on not in seq else seq
    if on not in table.columns:
        raise SchemaError(f"seq lacks column {on!r}; it has {list(seq.columns)}")
    known = _unique_keys(labels[on], on)
    others = labels.drop(columns=on)
    taken = [name for name in others.columns if name in table.columns or name == "label_found"]
    if taken:
        raise ArgumentError(f"labels: columns {taken} stand in seq too; rename them")
    rows = known.get_indexer(pd.Index(table[on]))
    _report(rows, known, table[on], on, unmatched)
    found = pd.Series(rows >= 0, index=table.index, name="label_found")
    if (rows >= 0).all():
        joined = others.take(rows)
    else:
        joined = others.reset_index(drop=True).reindex(np.where(rows < 0, len(others), rows))
    joined = joined.set_axis(table.index, axis=0)
    return pd.concat([table, found, joined], axis=1)


def _check_frames(seq: object, labels: object, on: object) -> None:
    arguments.instance("seq", seq, pd.DataFrame)
    if not isinstance(labels, pd.DataFrame):
        expected = "a DataFrame or a mapping; read files with pandas first"
        arguments.instance("labels", labels, Mapping, expected)
    if not isinstance(on, str):
        raise arguments.invalid("on", on, "the name of a column")
    for name, table in (("seq", seq), ("labels", labels)):
        if isinstance(table, pd.DataFrame) and not table.columns.is_unique:
            raise ArgumentError(f"{name} has a column name twice: {list(table.columns)}")


def _unique_keys(keys: pd.Series, on: str) -> pd.Index:
    """Return the keys of the labels, or say which of them do not tell one label."""
    if keys.isna().any():
        raise ArgumentError(f"labels: {int(keys.isna().sum())} rows have no {on}")
    repeated = keys[keys.duplicated()]
    if len(repeated):
        raise ArgumentError(
            f"labels: {on} must be unique; {repeated.nunique()} of them stand there more than "
            f"once, such as {repeated.iloc[0]!r}"
        )
    return pd.Index(keys)


def _requests(seq: pd.DataFrame) -> np.ndarray:
    """Number the responses as their requests."""
    if lacking := [name for name in ("response_key", "kind") if name not in seq]:
        raise SchemaError(f"seq lacks columns {lacking}, which tell the request; join on another")
    keys = seq["response_key"].to_numpy()
    if len(np.unique(keys // _ORDINALS)) > 1:
        raise ArgumentError(
            'on="request" needs responses of one source, as numbers start anew in each; join one '
            "by one"
        )
    if (seq["kind"] == "completion").all():
        return keys % _ORDINALS
    return np.unique(keys, return_inverse=True)[1].astype(np.int64)


def _report(rows: np.ndarray, known: pd.Index, keys: pd.Series, on: str, unmatched: str) -> None:
    """Say how many rows and labels found no partner."""
    without = int((rows < 0).sum())
    unused = len(known) - len(np.unique(rows[rows >= 0]))
    if len(rows) and len(known) and without == len(rows):
        raise ArgumentError(
            f"no {on} of seq stands in labels: seq has {keys.iloc[0]!r} ({keys.dtype}), labels "
            f"{known[0]!r} ({known.dtype})"
        )
    if unmatched == "ignore" or not (without or unused):
        return
    message = (
        f"join on {on}: {without} of {len(rows)} rows have no label"
        f" ({int(keys.isna().sum())} of them no {on}), {unused} of {len(known)} labels no row"
    )
    if unmatched == "error":
        raise ArgumentError(f"unmatched: {message}")
    warnings.warn(message, ToolkitWarning, stacklevel=3)
