"""Write CONTRIBUTING's table of rooms from the architecture test: ``python -m tools.rooms``."""

from pathlib import Path

from tests.test_architecture import ROOMS

CONTRIBUTING = Path(__file__).resolve().parents[1] / "CONTRIBUTING.md"
START = "<!-- rooms: written by `python -m tools.rooms` -->\n"
END = "<!-- end of the rooms -->\n"


def table() -> str:
    """Return one row per room, as Markdown: its job, and the rooms that it may import."""
    lines = ["| room | job | imports |", "| --- | --- | --- |"]
    for room, (job, sources) in ROOMS.items():
        lines.append(f"| `{room}` | {job} | {', '.join(sources) or '–'} |")
    return "\n".join(lines) + "\n"


def parts(text: str) -> tuple[str, str, str]:
    """Split CONTRIBUTING into what is before, inside and after the table."""
    before, rest = text.split(START)
    inside, after = rest.split(END)
    return before + START, inside, END + after


if __name__ == "__main__":
    before, _, after = parts(CONTRIBUTING.read_text())
    CONTRIBUTING.write_text(before + table() + after)
