"""Datasets: the tables as Parquet on disk, written by `export` and read by `read_parquet`.

The names load when they are first used (PEP 562), because `export` needs the loaders and the
loaders need this package.
"""

from importlib import import_module as _import_module

_HOME_OF = {
    "export": "toolkit.dataset.exporting",
    "read_parquet": "toolkit.dataset.read",
}
__all__ = ["export", "read_parquet"]


def __getattr__(name: str) -> object:
    """Import a public name when it is first used."""
    if name not in _HOME_OF:
        raise AttributeError(f"module 'toolkit.dataset' has no attribute {name!r}")
    value = getattr(_import_module(_HOME_OF[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """List the public names, imported or not."""
    return sorted(__all__)
