"""Find which answers belong together: the clusters that intervals and tests take as independent."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd

from toolkit import arguments
from toolkit.errors import ArgumentError, ToolkitWarning
from toolkit.metrics._arrays.clusters import FEW
from toolkit.metrics._arrays.types import Counts, Flags

ClusterLabels: TypeAlias = "pd.Series | Sequence[object] | npt.NDArray[np.generic] | None"
"""What answers can be clustered by: one label per answer."""
EACH = "answer"
"""Name of the clusters of answers that were all taken as independent."""


class Clusters(NamedTuple):
    """The cluster of each answer.

    Attributes
    ----------
    codes : ndarray of int64
        From 0; they follow the order of the labels where these can be sorted.
    name : str
        What the clusters are: the name of the column of labels; "answer": each is its own.
    is_given : bool
        Whether there were labels.
    labels : Series, optional
    """

    codes: Counts
    name: str
    is_given: bool
    labels: pd.Series | None = None

    @property
    def n(self) -> int:
        """Number of clusters."""
        return int(self.codes.max()) + 1 if len(self.codes) else 0


def clusters_of(labels: ClusterLabels, n: int) -> Clusters:
    """Return the cluster of each of `n` answers; without labels each is its own, as is a null.

    Raises
    ------
    ArgumentError
        If there is not one label per answer, or a label cannot be hashed.

    Examples
    --------
    >>> clusters_of(["q1", "q2", "q1", None], 4).codes.tolist()
    [0, 1, 0, 2]
    """
    if labels is None:
        return Clusters(np.arange(n), EACH, False)
    expected = "one label per answer: a Series, an array or a list"
    if isinstance(labels, str | bytes | dict | set | pd.DataFrame) or not hasattr(
        type(labels), "__len__"
    ):
        raise arguments.invalid("clusters", labels, expected)
    if len(labels) != n:
        raise ArgumentError(f"clusters has {len(labels)} labels for {n} answers")
    column = labels if isinstance(labels, pd.Series) else pd.Series(list(labels), dtype=object)
    try:
        try:
            codes, known = pd.factorize(column, sort=True)
        except TypeError:  # labels of several kinds have no order
            codes, known = pd.factorize(column)
    except TypeError as error:
        raise ArgumentError(f"clusters: labels that cannot be compared ({error})") from error
    own = codes < 0
    codes = codes.astype(np.int64)
    codes[own] = len(known) + np.arange(int(own.sum()))
    name = column.name if isinstance(column.name, str) and column.name else "clusters"
    return Clusters(codes, name, True, column)


def request_labels(table: pd.DataFrame, suffix: str = "") -> pd.Series:
    """Return the request of each row of a result: its custom_id where that repeats, else its key.

    So the choices of a response are one cluster, and so are responses to one question that was
    asked several times under one custom_id. The name of the Series says what the clusters are.

    Parameters
    ----------
    table : DataFrame
        With the column ``response_key`` (and `suffix`), and perhaps ``custom_id``.
    suffix : str
        Of the key, such as ``"_a"``.

    Examples
    --------
    >>> table = pd.DataFrame({"response_key": [1, 1, 2, 3], "custom_id": ["a", "a", "b", "b"]})
    >>> request_labels(table).tolist()
    ['a', 'a', 'b', 'b']
    """
    keys = table[f"response_key{suffix}"]
    if "custom_id" in table:
        ids = table["custom_id"]
        responses = pd.DataFrame({"id": ids, "key": keys}).drop_duplicates()["id"].dropna()
        if responses.duplicated().any():
            # A response without an id is its own request.
            return ids.astype(object).where(ids.notna(), keys).rename("custom_id")
    return keys.rename("response_key")


def one_of_each(clusters: Clusters, usable: Flags) -> Counts:
    """Return the number of one usable answer of each cluster, in order.

    It is the one whose hash of cluster label and place in the cluster is least, so the choice does
    not depend on what is known of the answers, nor on other clusters.

    Examples
    --------
    >>> len(one_of_each(clusters_of(["q1", "q2", "q1"], 3), np.ones(3, bool)))
    2
    """
    rows = np.flatnonzero(usable)
    if clusters.labels is None:
        return rows
    place = pd.Series(clusters.codes).groupby(clusters.codes).cumcount()
    key = clusters.labels.astype(str).reset_index(drop=True) + "\0" + place.astype(str)
    hashes = pd.util.hash_pandas_object(key, index=False).to_numpy()[rows]
    order = np.lexsort((rows, hashes, clusters.codes[rows]))
    first = np.flatnonzero(np.diff(clusters.codes[rows][order], prepend=-1))
    return np.sort(rows[order[first]])


def renumbered(codes: Counts) -> Counts:
    """Return the codes of some of the answers as numbers from 0 without gaps, in their order.

    Examples
    --------
    >>> renumbered(np.array([7, 3, 7])).tolist()
    [1, 0, 1]
    """
    occurs = np.bincount(codes) > 0
    return (np.cumsum(occurs) - 1)[codes]


def warn_if_few(n_clusters: int, n: int, name: str, stacklevel: int = 4) -> None:
    """Warn that intervals can be too narrow if answers share fewer than 20 clusters.

    The default `stacklevel` is that of a function which a public one calls.
    """
    if 0 < n_clusters < min(FEW, n):
        message = (
            f"{n} answers of {n_clusters} clusters ({name}): with fewer than {FEW} clusters, "
            "intervals and tests can be too narrow"
        )
        warnings.warn(message, ToolkitWarning, stacklevel=stacklevel)
