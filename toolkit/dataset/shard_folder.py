"""The hidden directory of an export by shards: make it, remove it, and find one that was left.

::

    .answers.shards-<32 digits of the plan>/
      toolkit-<the same digits>     an empty file: the mark of a directory that an export made
      responses/ choices/ tokens/ alternatives/ rejects/ ledger/
"""

from __future__ import annotations

import os
import re
import shutil
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from toolkit.dataset.layout import STORED

_PART = re.compile(r"part-[0-9-]+\.parquet|\.part-[0-9-]+\.parquet\.[0-9a-f]{32}")


class ShardFolder(NamedTuple):
    """The directory that the shards of a plan are written into, beside the target.

    Attributes
    ----------
    path : path
    """

    path: Path

    @classmethod
    def of(cls, target: Path, run: str) -> ShardFolder:
        """Return the directory of a plan."""
        return cls(target.with_name(f".{target.name}.shards-{run}"))

    @property
    def run(self) -> str:
        """The digits of the plan."""
        return self.path.name[-32:]

    @property
    def mark(self) -> Path:
        """The file that only a directory of ours holds: its name repeats the digits."""
        return self.path / f"toolkit-{self.run}"

    def make(self) -> None:
        """Create the directory and its folders, if they do not exist."""
        for table in STORED:
            (self.path / table.name).mkdir(parents=True, exist_ok=True)
        self.mark.touch()

    def remove(self) -> None:
        """Remove what shards wrote, files of killed processes included; keep all else."""
        if self.path.is_symlink() or not self.mark.is_file():
            return
        for table in STORED:
            shutil.rmtree(self.path / table.name, ignore_errors=True)
        with suppress(OSError):
            os.unlink(self.mark)
            os.rmdir(self.path)

    def is_abandoned(self, before: datetime) -> bool:
        """Return whether it holds what shards wrote and nothing else, all of it before a time."""
        if self.path.is_symlink() or not self.mark.is_file():
            return False
        tables = {table.name for table in STORED}
        for folder, folders, names in os.walk(self.path):
            if folder == os.fspath(self.path):
                is_own = tables.issuperset(folders) and names == [self.mark.name]
            else:
                is_own = not folders and all(map(_PART.fullmatch, names))
            paths = [os.path.join(folder, name) for name in (*folders, *names)]
            if not is_own or any(map(os.path.islink, paths)):
                return False
            if any(os.stat(path).st_mtime >= before.timestamp() for path in (folder, *paths)):
                return False
        return True


def remove_abandoned(target: Path, before: datetime) -> list[str]:
    """Remove the directories of exports by shards that were never finished.

    Parameters
    ----------
    target : path
        The target of the exports.
    before : datetime.datetime
        When the last file was written, at the latest.

    Returns
    -------
    list of str
        The digits of their plans.
    """
    names = re.compile(rf"\.{re.escape(target.name)}\.shards-[0-9a-f]{{32}}")
    try:
        found = sorted(filter(names.fullmatch, os.listdir(target.parent)))
    except FileNotFoundError:
        return []
    folders = [ShardFolder(target.with_name(name)) for name in found]
    old = [folder for folder in folders if folder.is_abandoned(before)]
    for folder in old:
        folder.remove()
    return [folder.run for folder in old]
