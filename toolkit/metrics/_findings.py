"""Count the flagged rows of a load by model and format, as findings of `check`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from toolkit.metrics._arrays.types import Counts, Flags
from toolkit.metrics._blocks import rows_of
from toolkit.tables import LogprobTables

if TYPE_CHECKING:
    import pyarrow as pa


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

    names: list[tuple[str | None, str | None]]
    of_response: Counts

    @classmethod
    def of(cls, lp: LogprobTables) -> Origins:
        pairs = list(
            zip(lp.responses["model"].to_pylist(), lp.responses["format"].to_pylist(), strict=True)
        )
        names = list(dict.fromkeys(pairs))
        number = {name: i for i, name in enumerate(names)}
        return cls(names, np.array([number[pair] for pair in pairs], np.int64))

    def at(self, lp: LogprobTables, table: pa.Table) -> Counts:
        """Return the group of each row of a table that has a response_key."""
        keys = lp.responses["response_key"].to_numpy()
        rows = rows_of(keys, table["response_key"].to_numpy(), "responses")
        return self.of_response[rows]


class Tally:
    """Counts of flagged rows of one table, by group, with the first such row of each."""

    def __init__(self, groups: Origins, of: str, table: pa.Table, owners: Counts) -> None:
        self._groups, self._of, self._table = groups, of, table
        self.owners = owners
        n = len(groups.names)
        self._n = np.bincount(owners, minlength=n)
        self._counts: dict[str, np.ndarray] = {}
        self._firsts: dict[str, np.ndarray] = {}

    def add(self, code: str, flags: Flags, start: int = 0) -> None:
        """Count flags of consecutive rows that begin at `start`."""
        at = np.flatnonzero(flags) + start
        n = len(self._groups.names)
        counts = self._counts.setdefault(code, np.zeros(n, np.int64))
        firsts = self._firsts.setdefault(code, np.full(n, len(self.owners), np.int64))
        counts += np.bincount(self.owners[at], minlength=n)
        np.minimum.at(firsts, self.owners[at], at)

    def findings(self) -> list[Finding]:
        """Return one finding for each code and group with flagged rows."""
        found = []
        for code, counts in self._counts.items():
            for group in np.flatnonzero(counts).tolist():
                row = int(self._firsts[code][group])
                keys = {
                    name: self._table[name][row].as_py()
                    for name in ("response_key", "choice", "channel", "position")
                    if name in self._table.column_names
                }
                model, format_ = self._groups.names[group]
                n = int(self._n[group])
                found.append(Finding(code, self._of, int(counts[group]), n, model, format_, **keys))
        return found
