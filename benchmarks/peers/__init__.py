"""The contestants of reading and exporting, each as its own experts would write it.

Every module has ``read(path, spec, threads)``, which returns `benchmarks.flat.Flat`, or something
that its ``flat`` turns into one. It may have ``export(path, spec, folder, threads)``; without it,
what was read is written by pyarrow. Modules are imported in the process that measures them.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Peer:
    """A contestant.

    Attributes
    ----------
    name : str
        As the tables print it.
    module : str
        In this package.
    needs : tuple of str
        Packages to install.
    slow : bool
        Reads a smaller slice of the corpus, fewer times.
    parallel : bool
        Can use more than one thread.
    camel, chunks, surrogates : bool
        Reads camelCase; reads stream chunks; reads records with half a surrogate pair.
    tables : bool
        Makes the tables (and does not merely parse).
    """

    name: str
    module: str
    needs: tuple[str, ...] = ()
    slow: bool = False
    parallel: bool = False
    camel: bool = True
    chunks: bool = True
    surrogates: bool = False
    tables: bool = True


TOOLKIT = Peer("toolkit", "toolkit", parallel=True, surrogates=True)
PEERS = (
    TOOLKIT,
    Peer("json.loads alone", "json_parse", slow=True, surrogates=True, tables=False),
    Peer("pysimdjson, parse only", "simdjson_parse", ("simdjson",), tables=False),
    Peer("pyarrow.json + flatten", "pyarrow", parallel=True),
    Peer("msgspec typed + loops", "msgspec", ("msgspec",), surrogates=True),
    Peer("orjson + loops", "orjson", ("orjson",), surrogates=True),
    Peer("DuckDB read_json + unnest", "duckdb", ("duckdb",), parallel=True),
    Peer("pysimdjson + loops", "simdjson", ("simdjson",), surrogates=True),
    Peer("Polars scan_ndjson + explode", "polars", ("polars",), parallel=True),
    Peer("json + loops", "json", slow=True),
    Peer("OpenAI SDK models + loops", "openai", ("openai",), slow=True, camel=False),
    Peer("pandas.json_normalize", "pandas", ("pandas",), slow=True),
)
