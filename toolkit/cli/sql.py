"""Answer a question in SQL about the tables of a load, with DuckDB (extra ``sql``)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from toolkit.errors import ArgumentError

if TYPE_CHECKING:
    import pyarrow as pa

_CLOSED: dict[
    str, Any
] = {  # texts of answers may have suggested the query: it reaches no file and no network
    "enable_external_access": "false",
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
    "python_enable_replacements": "false",  # nor the variables of this process
    "temp_directory": "",
}
_SETTINGS = "SET TimeZone = 'UTC'; SET lock_configuration = true"
_CREATE = "StatementType.CREATE"
_ABOUT_THE_QUERY = ("Parser", "Syntax", "Binder", "Catalog", "Permission")  # kinds of errors


def query(sql: str, views: Mapping[str, pa.Table]) -> pa.Table:
    """Return the rows of a query.

    Parameters
    ----------
    sql : str
        One statement that returns rows.
    views : mapping of str to pyarrow.Table
        The tables that it may name.

    Raises
    ------
    ArgumentError
        If duckdb is not installed, or the query cannot be run. Errors about the query are DuckDB's;
        those about a value are named by their kind, because they would quote the value.
    """
    try:
        import duckdb
    except ImportError:
        raise ArgumentError(
            "--sql needs the package duckdb: pip install 'logprob-toolkit[sql]'"
        ) from None
    with duckdb.connect(":memory:", config=_CLOSED) as connection:
        connection.execute(_SETTINGS)
        for name, table in views.items():
            connection.register(name, table)
        try:
            sql.encode()  # else DuckDB raises a TypeError
            kinds = [str(each.type) for each in connection.extract_statements(sql)]
            # A PIVOT is a CREATE and a SELECT in DuckDB 1.
            if not kinds or set(kinds[:-1]) - {_CREATE} or kinds[-1] == _CREATE:
                raise ArgumentError("--sql: expected one statement, such as SELECT ...")
            found = connection.sql(sql)
            if found is None:
                raise ArgumentError("--sql: expected a statement that returns rows")
            table = found.to_arrow_table()
        except UnicodeEncodeError:
            raise ArgumentError("--sql: expected a text that UTF-8 can spell") from None
        except duckdb.Error as error:
            raise ArgumentError(f"--sql: {_message(error, views)}") from None
    return table.rename_columns(_distinct(table.column_names))


def _message(error: Exception, views: Mapping[str, Any]) -> str:
    """Return what an error of DuckDB says, without any value of the data."""
    text = str(error).partition("\n\n")[0]
    kind = text.partition(":")[0]
    if not kind.startswith(_ABOUT_THE_QUERY):
        return (
            f"{kind}: a value cannot be used in this way; TRY_CAST(x AS type) and TRY(...) give "
            "null for such values"
        )
    known = f"; the tables are {', '.join(views)}" if kind.startswith("Catalog") else ""
    return " ".join(text.split()) + known


def _distinct(names: Sequence[str]) -> list[str]:
    """Return names of columns with a number after each that occurs earlier."""
    found: list[str] = []
    for name in names:
        number, new = 1, name
        while new in found:
            number += 1
            new = f"{name}_{number}"
        found.append(new)
    return found
