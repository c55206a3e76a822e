"""Write and read datasets: the tables as Parquet on disk.

The names are imported when they are first used (PEP 562), because `export` imports the loaders and
the loaders import this package.
"""

from importlib import import_module as _import_module

_HOME_OF = {
    "ArrowStream": "toolkit.dataset.stream",
    "Dataset": "toolkit.dataset.opened",
    "Shard": "toolkit.dataset.shards",
    "ShardReport": "toolkit.dataset.shards",
    "abandon_exports": "toolkit.dataset.store",
    "arrow_stream": "toolkit.dataset.stream",
    "export": "toolkit.dataset.exporting",
    "export_shard": "toolkit.dataset.machines",
    "finish_export": "toolkit.dataset.machines",
    "open_dataset": "toolkit.dataset.opened",
    "plan_export": "toolkit.dataset.machines",
    "read_parquet": "toolkit.dataset.read",
    "upload_dataset": "toolkit.dataset.store",
}
__all__ = [
    "ArrowStream",
    "Dataset",
    "Shard",
    "ShardReport",
    "abandon_exports",
    "arrow_stream",
    "export",
    "export_shard",
    "finish_export",
    "open_dataset",
    "plan_export",
    "read_parquet",
    "upload_dataset",
]


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
