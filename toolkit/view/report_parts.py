"""Write the parts of a report that draw nothing: contents, sources, findings, single answers."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date
from typing import Any

import pandas as pd
import pyarrow.compute as pc

from toolkit.metrics import check
from toolkit.tables import LogprobTables
from toolkit.tables.attaching import kept_texts
from toolkit.view.card import facts_html
from toolkit.view.html import safe
from toolkit.view.html_tables import cell_html, scrolled, table_html
from toolkit.view.token_view import show
from toolkit.visible_text import plain, visible

_LEAST_CERTAIN = 10  # answers that are shown
_FOLD, _MOST_TOKENS = 250, 1000  # tokens of each: before the fold, and in all
_MOST_TEXT = 600  # characters of a prompt, or of another column that was kept
_SOURCES = 20  # sources that are listed
_HEADING = re.compile(r'<h2 id="([a-z-]+)">(.*?)</h2>')


def heading(title: str) -> str:
    """Write the heading of a section, to which the contents link.

    Examples
    --------
    >>> heading("Rejected: 7 records")
    '<h2 id="rejected-records">Rejected: 7 records</h2>'
    """
    name = re.sub("[^a-z]+", "-", title.lower()).strip("-")
    return f'<h2 id="{name}">{title}</h2>'


def contents_html(body: str) -> str:
    """Write the contents of a page: a link to each heading."""
    links = (f'<a href="#{name}">{title}</a>' for name, title in _HEADING.findall(body))
    return f'<nav aria-label="contents">{"".join(links)}</nav>'


def sources_html(lp: LogprobTables) -> Iterator[str]:
    """Write where the answers come from, and when they were created."""
    yield heading("Sources")
    ends = pc.min_max(lp.responses["created"]).as_py()
    when = ""
    if ends["min"] is not None:
        first, last = (ends[end].strftime("%Y-%m-%d %H:%M") for end in ("min", "max"))
        when = f"The answers were created from {first} to {last} UTC. "
    yield f"<p>{when}This report was written on {date.today().isoformat()}.</p>"
    table = lp.ledger.slice(0, _SOURCES).to_pandas()
    columns = {name: name for name in ("source", "records", "read", "rejected", "skipped", "bytes")}
    if len(table):
        yield table_html(table, columns, "sources")
    if lp.ledger.num_rows > _SOURCES:
        more = lp.ledger.num_rows - _SOURCES
        yield f'<p class="faint">{more:,} more sources are in lp.ledger.</p>'


def findings_html(lp: LogprobTables) -> Iterator[str]:
    """Write the findings of `toolkit.check`; those that are only information are folded."""
    yield heading("Findings about the data")
    found = check(lp)
    is_info = found["severity"] == "info"
    if found.empty:
        yield "<p>No findings.</p>"
    if not is_info.all():
        yield _findings_table(found[~is_info], "findings")
    if n := int(is_info.sum()):
        noun = "finding that is" if n == 1 else "findings that are"
        table = _findings_table(found[is_info], "information")
        yield f"<details><summary>{n} {noun} only information</summary>{table}</details>"


def _findings_table(found: pd.DataFrame, label: str) -> str:
    body = ""
    for row in found.to_dict("records"):
        share = "" if row["share"] != row["share"] else f" ({100 * row['share']:.1f} %)"
        cells = (
            f'<td><span class="severity {row["severity"]}">{row["severity"]}</span></td>',
            f"<td>{safe(row['code'])}</td>",
            f"<td>{row['count']:,} of {row['n']:,} {row['of']}{share}</td>",
            f'<td class="t">{cell_html(row["model"])}</td>',
            f'<td class="m">{safe(row["message"])}</td>',
        )
        body += f"<tr>{''.join(cells)}</tr>"
    head = "".join(
        f'<th scope="col">{name}</th>'
        for name in ("severity", "finding", "where", "model", "meaning")
    )
    return scrolled(head, body, label)


def least_certain_html(lp: LogprobTables, answers: pd.DataFrame) -> Iterator[str]:
    """Write the least certain answers with their places, and their prompts where they were kept.

    Parameters
    ----------
    lp : LogprobTables
    answers : DataFrame
        Rows of `sequence_metrics`, all of content; with labels also the column ``correct``.
    """
    known = answers.dropna(subset="perplexity")
    if known.empty:
        return
    yield heading("The least certain answers")
    worst = known.nlargest(_LEAST_CERTAIN, "perplexity")
    for row in lp.attach(worst, "line", "kept").to_dict("records"):
        yield facts_html(dict(_facts(lp, row)))
        view = show(lp, response=row, fold=_FOLD, max_tokens=_MOST_TOKENS)
        yield view.html


def _facts(lp: LogprobTables, row: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield what is known of an answer besides its text: names and values, both HTML."""
    yield "place", safe(plain(f"{row['source']}:{row['line']}", None))
    if "correct" in row:
        right = None if pd.isna(row["correct"]) else bool(row["correct"])
        verdict = {True: "right", False: "wrong", None: "no label"}[right]
        yield "label", f'<span class="severity {verdict.partition(" ")[0]}">{verdict}</span>'
    prompt = lp.text(row, channel="prompt")
    for name, text in (({"prompt": prompt} if prompt else {}) | kept_texts(row["kept"])).items():
        yield safe(plain(name)), _clipped(text)


def _clipped(text: str) -> str:
    more = f" ⟨{len(text) - _MOST_TEXT:,} more characters⟩" if len(text) > _MOST_TEXT else ""
    return f'<span class="kept">{safe(visible(text[:_MOST_TEXT]))}{more}</span>'
