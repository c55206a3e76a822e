"""Join ground-truth labels to the rows of a result."""

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
    """Join ground-truth labels to the rows of a result, by a key that both have.

    Every row of `seq` is kept, once, in its place: all choices of a response get the same label. A
    key that occurs twice in `labels` is an error, so rows never multiply.

    Parameters
    ----------
    seq : DataFrame
        A result, such as that of `sequence_metrics`.
    labels : DataFrame or mapping
        A DataFrame with one row per key, in the column `on`; or a mapping from key to label,
        which becomes the column ``label``.
    on : str
        A column of both, such as ``"custom_id"``. With ``"request"``, the key of `labels` is the
        number of the request, from 0: the ordinal of the response's record in its source; or, if
        any response was streamed, its place among the responses in `seq`, which must then be
        complete. Rows of several sources have no such number.
    unmatched : {"warn", "error", "ignore"}
        How to treat rows without a label and labels without a row.

    Returns
    -------
    DataFrame
        The rows, index and columns of `seq`, then ``label_found`` (bool), then the other columns
        of `labels`, null where there is no label. With "request", the column ``request`` follows
        those of `seq`.

    Raises
    ------
    SchemaError
        If a DataFrame lacks the column `on`, or for "request" the columns that determine it.
    ArgumentError
        If a key of `labels` occurs twice or is null; if both tables have another column of the
        same name; if neither is empty but no row of `seq` has a label; if an option is invalid; or
        if anything is unmatched with ``unmatched="error"``.

    Warns
    -----
    ToolkitWarning
        With ``unmatched="warn"``, if anything is unmatched; it gives the counts.

    Examples
    --------
    >>> import pandas as pd
    >>> seq = pd.DataFrame({"custom_id": ["a", "a", "b"], "min_probability": [0.9, 0.8, 0.4]})
    >>> join_labels(seq, {"a": 1, "b": 0})["label"].tolist()
    [1, 1, 0]
    """
    _check_tables(seq, labels, on)
    arguments.one_of("unmatched", unmatched, _UNMATCHED)
    if not isinstance(labels, pd.DataFrame):
        values = pd.Series(list(labels.values()), dtype=None if len(labels) else object)
        labels = pd.DataFrame({on: pd.Index(list(labels), tupleize_cols=False), "label": values})
    if on not in labels.columns:
        is_index = f"; {on!r} is its index: pass labels.reset_index()" * (on in labels.index.names)
        raise SchemaError(f"labels lacks column {on!r}; it has {list(labels.columns)}{is_index}")
    table = seq.assign(request=_requests(seq)) if on == "request" and on not in seq else seq
    if on not in table.columns:
        raise SchemaError(f"seq lacks column {on!r}; it has {list(seq.columns)}")
    known = _unique_keys(labels[on], on)
    others = labels.drop(columns=on)
    taken = [name for name in others.columns if name in table.columns or name == "label_found"]
    if taken:
        raise ArgumentError(f"labels: columns {taken} are in seq too; rename them")
    rows = known.get_indexer(pd.Index(table[on]))
    _report(rows, known, table[on], on, unmatched)
    found = pd.Series(rows >= 0, index=table.index, name="label_found")
    if (rows >= 0).all():
        joined = others.take(rows)
    else:
        joined = others.reset_index(drop=True).reindex(np.where(rows < 0, len(others), rows))
    joined = joined.set_axis(table.index, axis=0)
    return pd.concat([table, found, joined], axis=1)


def _check_tables(seq: object, labels: object, on: object) -> None:
    expected = "a DataFrame, such as toolkit.sequence_metrics(lp)"
    arguments.instance("seq", seq, pd.DataFrame, expected)
    if not isinstance(labels, pd.DataFrame):
        expected = "a DataFrame or a mapping; read files with pandas first"
        if isinstance(labels, pd.Series):
            expected = f"a DataFrame or a mapping, such as labels.to_dict() if {on} is its index"
        arguments.instance("labels", labels, Mapping, expected)
    arguments.text("on", on, "the name of a column")
    for name, table in (("seq", seq), ("labels", labels)):
        if isinstance(table, pd.DataFrame) and not table.columns.is_unique:
            raise ArgumentError(f"{name} has a column name twice: {list(table.columns)}")


def _unique_keys(keys: pd.Series, on: str) -> pd.Index:
    """Return the keys of the labels, or raise if some are null or not unique."""
    if keys.isna().any():
        raise ArgumentError(f"labels: {int(keys.isna().sum())} rows have no {on}")
    repeated = keys[keys.duplicated()]
    if len(repeated):
        raise ArgumentError(
            f"labels: {on} must be unique; {repeated.nunique()} of them occur more than once, "
            f"such as {repeated.iloc[0]!r}"
        )
    return pd.Index(keys)


def _requests(seq: pd.DataFrame) -> np.ndarray:
    """Return the number of the request of each row."""
    if lacking := [name for name in ("response_key", "kind") if name not in seq]:
        raise SchemaError(f"seq lacks columns {lacking}, which number requests; join on another")
    keys = seq["response_key"].to_numpy()
    if len(np.unique(keys // _ORDINALS)) > 1:
        raise ArgumentError(
            'on="request" needs responses of one source, because numbers start at 0 in each; join '
            "the sources one by one"
        )
    if (seq["kind"] == "completion").all():
        return keys % _ORDINALS
    return np.unique(keys, return_inverse=True)[1].astype(np.int64)


def _report(rows: np.ndarray, known: pd.Index, keys: pd.Series, on: str, unmatched: str) -> None:
    """Report how many rows and labels have no partner: warn, raise or do nothing."""
    without = int((rows < 0).sum())
    unused = len(known) - len(np.unique(rows[rows >= 0]))
    if len(rows) and keys.isna().all():
        raise ArgumentError(
            f"on={on!r}: no row of seq has one; join on another column, such as 'response_id', or "
            "read with id='PATH', the path of the id in each record"
        )
    if len(rows) and len(known) and without == len(rows):
        raise ArgumentError(
            f"no {on} of seq is in labels: seq has {keys.iloc[0]!r} ({keys.dtype}), labels "
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
