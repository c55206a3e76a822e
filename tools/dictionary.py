"""Write the data dictionary of README from the declarations: ``python -m tools.dictionary``."""

from pathlib import Path

import pyarrow as pa

from toolkit import schema

README = Path(__file__).resolve().parents[1] / "README.md"
START = "<!-- data dictionary: written by `python -m tools.dictionary` -->\n"
END = "<!-- end of the data dictionary -->\n"


def dictionary() -> str:
    """Return the dictionary as Markdown."""
    lines = []
    for table in (*schema.TABLES, schema.LEDGER):
        keys = ", ".join(f"`{key}`" for key in table.keys)
        lines += [f"### {table.name}", "", f"{table.doc} Key: {keys}.", ""]
        lines += ["| column | type | unit | meaning |", "| --- | --- | --- | --- |"]
        for column in table.columns:
            name = f"`{column.name}`" + "!" * column.required
            lines.append(f"| {name} | {short(column.type)} | {column.unit} | {column.doc} |")
        lines.append("")
    return "\n".join(lines)


def short(type_: pa.DataType) -> str:
    """Return the short name of an Arrow type."""
    if pa.types.is_dictionary(type_):
        return "label"
    if pa.types.is_list(type_):
        return f"list of {short(type_.value_type)}"
    return {"large_string": "string", "large_binary": "binary", "double": "float64"}.get(
        str(type_), str(type_).removesuffix("[ms, tz=UTC]")
    )


def parts(text: str) -> tuple[str, str, str]:
    """Split README into the text before, inside and after the dictionary."""
    before, rest = text.split(START)
    inside, after = rest.split(END)
    return before + START, inside, END + after


if __name__ == "__main__":
    before, _, after = parts(README.read_text())
    README.write_text(before + dictionary() + after)
