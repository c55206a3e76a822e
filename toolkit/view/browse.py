"""Write a page on which answers are sorted, searched and opened: `browse`."""

from __future__ import annotations

import base64
import hashlib
import html
import json
import os
import re
import warnings
import zlib
from importlib.resources import files
from pathlib import Path

import numpy as np
import pandas as pd

from toolkit import arguments, schema
from toolkit.errors import ToolkitWarning
from toolkit.files import write_file
from toolkit.palettes import UNKNOWN, colour, ink
from toolkit.tables import LogprobTables, require_tables, require_texts
from toolkit.tables.attaching import token_counts
from toolkit.view.answer import ORDER
from toolkit.view.browse_answers import index_of, listed_answers
from toolkit.view.browse_tokens import ALTERNATIVE, NONE, TOKEN, Packed, TokenPacker
from toolkit.view.html import style_sheet
from toolkit.visible_text import plain

MOST_ANSWERS = 10_000
"""Answers of a page, because a browser shows and searches so many at once."""
MOST_BYTES = 20_000_000  # of a page; above, only the least certain tokens have alternatives
_LEAST_SHARE = 0.02  # of the tokens that have alternatives on the largest page
_POLICY = (
    "default-src 'none'; script-src {script}; style-src {style}; base-uri 'none'; "
    "form-action 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
)


def browse(
    lp: LogprobTables,
    path: str | os.PathLike[str],
    *,
    alternatives: int = 5,
    max_answers: int = MOST_ANSWERS,
    max_tokens: int = 5000,
    title: str = "Answers",
) -> Path:
    """Write a page on which answers are sorted, filtered, searched and opened.

    One self-contained HTML file: a table of answers with their texts and certainty, and for each of
    them a view of its tokens, coloured by probability as `toolkit.show` does, with the alternatives
    of each. All of it can be reached with the keyboard. The page makes no request; its content
    security policy allows its own script and nothing else, and texts of answers are only ever
    inserted as text. It is light or dark as the reader prefers. The same tables give the same page.

    Above 20 MB, only the least certain tokens keep their alternatives, and the page says so.

    Parameters
    ----------
    lp : LogprobTables
    path : path
        An existing file is replaced.
    alternatives : int
        Number of alternatives of each token, 0 to 10, the most probable first; those that round to
        0.000 are omitted.
    max_answers : int
        Number of answers, at most 10,000. If there are more, the page has the least certain ones,
        by perplexity.
    max_tokens : int
        Number of tokens of each channel of an answer, at most 100,000; a note counts the others.
    title : str
        Title of the page.

    Returns
    -------
    pathlib.Path
        The file.

    Raises
    ------
    ArgumentError
        If an option is out of range.
    ExportError
        If the file cannot be written.

    Warns
    -----
    ToolkitWarning
        If there are more answers than the page has.

    See Also
    --------
    toolkit.show : one answer, in a notebook or on a page without a script.
    toolkit.report : one page about all answers.

    Examples
    --------
    >>> import tempfile, toolkit
    >>> lp = toolkit.read("data/capitals_batch.jsonl")
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     page = toolkit.browse(lp, folder + "/answers.html").read_text("utf-8")
    >>> len(page) < 100_000, "default-src 'none'" in page
    (True, True)
    """
    require_texts(require_tables(lp))
    target = arguments.target("path", path)
    alternatives = arguments.whole("alternatives", alternatives, 0, 10)
    max_answers = arguments.whole("max_answers", max_answers, 1, MOST_ANSWERS)
    max_tokens = arguments.whole("max_tokens", max_tokens, 1, 100_000)
    if not isinstance(title, str) or not title.strip():
        raise arguments.invalid("title", title, "a text that is not blank")
    listed = listed_answers(lp)
    notes = [f"{len(listed):,} answers"]
    if len(listed) > max_answers:
        lp, listed = _least_certain(lp, listed, max_answers)
        notes = [f"the {max_answers:,} least certain of {notes[0]}, by perplexity"]
        message = f"the page has {notes[0]}: filter the tables to choose others"
        warnings.warn(message, ToolkitWarning, stacklevel=2)
    sent = token_counts(lp.choices)
    shown = np.minimum(sent, max_tokens)
    index = index_of(lp, listed, sent) | {
        "channels": schema.CHANNELS,
        "order": ORDER,
        "statuses": schema.STATUSES,
        "shown": shown.tolist(),
        "more": (sent - shown).sum(axis=1).tolist(),
        "token": TOKEN,
        "alternative": ALTERNATIVE,
        "none": NONE,
        "colours": [[ground, ink(ground)] for ground in _grounds()],
    }
    notes.append(f"{int(shown.sum()):,} tokens")
    packer = TokenPacker(lp, shown, sent, alternatives)
    return write_file(target, _fitting(index, packer, title, notes))


def _least_certain(
    lp: LogprobTables, listed: pd.DataFrame, most: int
) -> tuple[LogprobTables, pd.DataFrame]:
    """Return the tables and rows of the answers of the highest perplexity; unknown ones last."""
    rows = np.sort(np.argsort(-listed["perplexity"].to_numpy(), kind="stable")[:most])
    owner = lp.responses["response_key"].to_numpy().searchsorted(listed["response_key"])
    return lp._take(np.unique(owner[rows]), rows), listed.iloc[rows].reset_index(drop=True)


def _grounds() -> list[str]:
    return [*(colour("oranges", certainty) for certainty in range(101)), UNKNOWN]


def _fitting(index: dict[str, object], packer: TokenPacker, title: str, notes: list[str]) -> str:
    """Return the page; one above `MOST_BYTES` has fewer alternatives."""
    share = 1.0
    while True:
        packed = packer.pack(share)
        page = _page(index, packed, title, notes)
        excess = len(page) - MOST_BYTES
        if excess <= 0 or share <= _LEAST_SHARE or not any(packed.alternatives):
            return page
        size = sum(map(len, packed.alternatives)) * 4 / 3
        share = max(share * (1 - excess / size) * 0.9, _LEAST_SHARE)


def _page(index: dict[str, object], packed: Packed, title: str, notes: list[str]) -> str:
    least = packed.least_probability
    if least is not None:
        notes = [*notes, f"alternatives only of tokens less probable than {least:.3g}, for size"]
    data = index | {"texts": packed.texts, "first": packed.first, "least": least}
    raw = json.dumps(data, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()
    parts: dict[str, bytes] = {}
    for i, (tokens, others) in enumerate(zip(packed.tokens, packed.alternatives, strict=True)):
        parts |= {f"tokens-{i}": tokens, f"alternatives-{i}": others}
    style = style_sheet() + _own("page.css") + _own("browse.css")
    script = _own("browse.js")
    policy = _POLICY.format(script=_digest(script), style=_digest(style))
    values = {
        "policy": policy,
        "title": html.escape(plain(title, 80)),
        "notes": html.escape(" · ".join(notes)),
        "style": style,
        "index": _part("index", zlib.compress(raw)),
        "data": "".join(map(_part, parts, parts.values())),
        "script": script,
    }
    return re.sub(r"\{(\w+)\}", lambda found: values[found[1]], _own("browse.html"))


def _own(name: str) -> str:
    return files("toolkit.view").joinpath(name).read_text("utf-8")


def _digest(text: str) -> str:
    """Return the hash that lets a script or style sheet through the content security policy."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _part(name: str, raw: bytes) -> str:
    """Write compressed data as an element that no browser runs, in an alphabet without markup."""
    encoded = base64.b64encode(raw).decode()
    return f'<script type="application/octet-stream" id="{name}">{encoded}</script>\n'
