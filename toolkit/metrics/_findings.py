"""Count the flagged rows of a load by model and format, as findings of `check`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd

from toolkit import arrow, schema
from toolkit.metrics._arrays.types import Counts, Flags
from toolkit.metrics._blocks import rows_of
from toolkit.metrics._check_messages import KINDS
from toolkit.metrics._groups import grouped
from toolkit.tables import LogprobTables

if TYPE_CHECKING:
    import pyarrow as pa

CODES = tuple(KINDS)
PLACE = ("response_key", "choice", "channel", "position")
"""The columns that say where a row is."""
ABSENT = int(np.iinfo(np.int64).min)
"""Written where a row has no such column."""
_ORIGIN = ["model", "format"]


@dataclass(frozen=True)
class Finding:
    """A finding: how many rows have it, of how many, and where the first is."""

    code: str
    of: str
    count: int
    n: int
    model: str | None = None
    format: str | None = None
    response_key: int | None = None
    choice: int | None = None
    channel: str | None = None
    position: int | None = None
    source: str | None = None  # only without a response_key
    line: int | None = None


class Origins(NamedTuple):
    """The pairs of model and format, and which of them each response has."""

    keys: pd.DataFrame
    of_response: Counts

    @classmethod
    def of(cls, responses: pa.Table) -> Origins:
        columns = {name: responses[name].to_pandas() for name in _ORIGIN}
        groups = grouped(pd.DataFrame(columns), _ORIGIN)
        return cls(groups.keys, groups.numbers())

    def at(self, lp: LogprobTables, table: pa.Table) -> Counts:
        """Return the group of each row of a table that has a response_key."""
        keys = lp.responses["response_key"].to_numpy()
        rows = rows_of(keys, table["response_key"].to_numpy(), "responses")
        return self.of_response[rows]


def names_of(keys: pd.DataFrame) -> list[tuple[str | None, str | None]]:
    """Return model and format of each group, None where null."""
    models, formats = (keys[name].tolist() for name in _ORIGIN)
    return [
        (None if pd.isna(model) else model, format_)
        for model, format_ in zip(models, formats, strict=True)
    ]


class Tally:
    """Counts of flagged rows of one table, by group, with the first such row of each."""

    def __init__(self, table: pa.Table, owners: Counts, n_groups: int) -> None:
        self._table, self._owners, self._n_groups = table, owners, n_groups
        self._counts: dict[str, np.ndarray] = {}
        self._firsts: dict[str, np.ndarray] = {}

    def add(self, code: str, flags: Flags, start: int = 0) -> None:
        """Count flags of consecutive rows that begin at `start`."""
        at = np.flatnonzero(flags) + start
        n = self._n_groups
        counts = self._counts.setdefault(code, np.zeros(n, np.int64))
        firsts = self._firsts.setdefault(code, np.full(n, len(self._owners), np.int64))
        counts += np.bincount(self._owners[at], minlength=n)
        np.minimum.at(firsts, self._owners[at], at)

    def rows(self) -> pd.DataFrame:
        """Return the count and the place of the first row, for each code and group with any."""
        codes = np.array([CODES.index(code) for code in self._counts], np.int64)
        shape = (len(codes), self._n_groups)
        counts, firsts = (
            np.array(list(each.values()), np.int64).reshape(shape)
            for each in (self._counts, self._firsts)
        )
        which, groups = np.nonzero(counts)
        names = [name for name in PLACE if name in self._table.column_names]
        first = self._table.select(names).take(firsts[which, groups])
        places = {name: np.full(len(which), ABSENT) for name in PLACE}
        for name in names:
            is_label = name == "channel"
            values = arrow.codes(first[name], schema.CHANNELS) if is_label else first[name]
            places[name] = np.asarray(values, np.int64)
        return pd.DataFrame(
            {"group": groups, "code": codes[which], "count": counts[which, groups], **places}
        )


def first_rows(table: pd.DataFrame) -> pd.DataFrame:
    """Add the counts of rows that agree in group and code; keep the place of the first one."""
    ordered = table.sort_values("response_key", kind="stable")
    how = {"count": "sum"} | dict.fromkeys(PLACE, "first")
    return ordered.groupby(["group", "code"], as_index=False).agg(how)[list(table.columns)]
