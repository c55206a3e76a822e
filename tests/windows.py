"""Imitate Windows on Linux, and use the toolkit there: ``python -m tests.windows FOLDER``.

Imitated is what the toolkit relies on: modules and flags that Windows lacks, files that cannot be
renamed or removed while they are open, directories that cannot be opened, and locks. The workflow
of the code host runs the tests on Windows itself.
"""

import errno
import os
import shutil
import sys
import types
import warnings
from pathlib import Path

import matplotlib.font_manager  # before the system is another one, as all of these
import matplotlib.pyplot
import pandas  # noqa: F401
import pyarrow.dataset
import pyarrow.parquet  # noqa: F401
import tqdm  # noqa: F401
from click.testing import CliRunner

ABSENT_MODULES = ("fcntl", "grp", "pty", "pwd", "resource", "termios")
ABSENT_NAMES = (
    *("O_CLOEXEC", "O_DIRECTORY", "O_NOFOLLOW", "O_NONBLOCK"),
    *("fork", "geteuid", "getuid", "mkfifo", "sched_getaffinity", "statvfs"),
)
DATA = Path(__file__).resolve().parents[1] / "data"


def imitate() -> None:
    """Make this process one on Windows, as far as the toolkit can see."""
    import fcntl

    real = {name: getattr(os, name) for name in ("fsync", "open", "rename", "replace", "unlink")}

    def fsync(handle):
        if fcntl.fcntl(handle, fcntl.F_GETFL) & os.O_ACCMODE == os.O_RDONLY:
            raise OSError(errno.EBADF, "not open for writing")
        real["fsync"](handle)

    def opened(path, flags, mode=0o777, **keywords):
        if os.path.isdir(path):
            raise PermissionError(errno.EACCES, "a directory")
        return real["open"](path, flags, mode, **keywords)

    def closed_only(call):
        def checked(path, *more, **keywords):
            if is_open(path):
                raise PermissionError(errno.EACCES, f"open: {path}")
            if call == "rename" and os.path.lexists(more[0]):
                raise FileExistsError(errno.EEXIST, "exists")
            return real[call](path, *more, **keywords)

        return checked

    def locking(handle, mode, n):
        assert (mode, n) == (2, 1)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise PermissionError(errno.EACCES, "locked") from None

    os.fsync, os.open = fsync, opened
    for call in ("rename", "replace", "unlink"):
        setattr(os, call, closed_only(call))
    sys.modules["msvcrt"] = types.ModuleType("msvcrt")
    vars(sys.modules["msvcrt"]).update(LK_NBLCK=2, locking=locking)
    sys.modules.update(dict.fromkeys(ABSENT_MODULES))
    for name in ABSENT_NAMES:
        delattr(os, name)
    matplotlib.font_manager._get_win32_installed_fonts = set  # reads the registry
    os.O_BINARY, os.supports_dir_fd, shutil._use_fd_functions = 0, set(), False
    sys.platform = "win32"


def is_open(path) -> bool:
    """Return whether this process has a file open, or one below a directory."""
    path = os.path.realpath(path)
    for handle in os.listdir("/proc/self/fd"):
        try:
            found = os.readlink(f"/proc/self/fd/{handle}")
        except FileNotFoundError:  # that of the listing
            continue
        if found == path or found.startswith(f"{path}/"):
            return True
    return False


def tour(folder: Path) -> None:
    """Load, measure, capture, write, replace, refuse and report, as a user on Windows would."""
    import toolkit
    from toolkit.cli.entry import main
    from toolkit.dataset import publish
    from toolkit.dataset.layout import objection

    lp = toolkit.read(DATA / "pairs_whole.jsonl")
    assert len(toolkit.sequence_metrics(lp)) == len(lp.choices)
    out = toolkit.export(DATA / "pairs_whole.jsonl", folder / "out")
    assert toolkit.read_parquet(out).equals(lp)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        other = toolkit.export(DATA / "capitals_batch.jsonl", out, overwrite=True, resume=True)
    (warning,) = caught
    assert warning.category is toolkit.ToolkitWarning
    assert warning.filename == __file__
    assert "replaced in two steps" in str(warning.message)
    assert len(toolkit.read_parquet(other)) == 100

    with publish.staged(folder / "busy", overwrite=False, objection=objection):
        refused = CliRunner().invoke(
            main, ["export", str(DATA / "pairs_whole.jsonl"), "-o", str(folder / "busy")]
        )
    assert refused.exit_code == 1
    assert "is being written by another export" in refused.output

    for text in ("a", "b"):
        entries = [{"token": text, "logprob": -0.5}]
        chunk = {"choices": [{"delta": {"content": text}, "logprobs": {"content": entries}}]}
        list(toolkit.tee([chunk], str(folder / "log.jsonl")))
    assert len(toolkit.read(folder / "log.jsonl", on_error="raise")) == 2
    toolkit.report(lp, folder / "report.html")
    toolkit.report(lp, folder / "report.html")  # replaces the first
    print(*sorted(os.listdir(folder)))


if __name__ == "__main__":
    imitate()
    tour(Path(sys.argv[1]))
