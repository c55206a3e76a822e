"""Show one answer, or two side by side, each token coloured by its certainty."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from toolkit import arguments
from toolkit.files import write_file
from toolkit.palettes import PALETTES
from toolkit.tables import LogprobTables, Selector, require_tables
from toolkit.tables.rows import pick
from toolkit.view.answer import Answer, Scale, checked_options, read_answers
from toolkit.view.html import Style, answers_html, style_sheet
from toolkit.view.terminal import answer_lines

_COLOURS = (0, 256, 1 << 24)  # numbers of colours that terminals have
_PAGE = (
    '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
    '<meta name="viewport" content="width=device-width,initial-scale=1">'
    "<title>Token view</title><style>{style}body{{margin:1em;font-family:sans-serif}}</style>"
    "</head><body><main>{body}</main></body></html>\n"
)


class TokenView:
    """A view of one or two answers: HTML in a notebook, text elsewhere.

    Attributes
    ----------
    html : str
        One element without the style sheet that belongs to it.
    """

    def __init__(self, answers: list[Answer], scale: Scale, style: Style) -> None:
        self._answers = answers
        self._scale = scale
        self._style = style
        self._forks = _forks(answers)
        self.html = answers_html(answers, scale, style, self._forks)

    def _repr_html_(self) -> str:
        return f"<style>{style_sheet()}</style>{self.html}"

    def __repr__(self) -> str:
        """Return the text, with a list of the least certain tokens."""
        return self.text()

    def text(self, colours: int = 0) -> str:
        """Return the view as text.

        Parameters
        ----------
        colours : {0, 256, 16777216}
            Number of colours of the terminal; with 0 the text has no escape sequence.

        Returns
        -------
        str
        """
        arguments.one_of("colours", colours, _COLOURS)
        lines = answer_lines(self._answers, self._scale, self._style.palette, self._forks, colours)
        return "\n".join(lines).rstrip("\n")

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the view as a self-contained HTML page.

        Parameters
        ----------
        path : path
            An existing file is replaced.

        Returns
        -------
        pathlib.Path

        Raises
        ------
        ExportError
            If the page cannot be written.
        """
        return write_file(
            arguments.target("path", path), _PAGE.format(style=style_sheet(), body=self.html)
        )


def show(
    lp: LogprobTables,
    other: LogprobTables | None = None,
    /,
    *,
    response: Selector | tuple[Selector, Selector] = 0,
    choice: int | tuple[int, int] | None = None,
    channel: str | None = None,
    by: str = "probability",
    palette: str = "oranges",
    alternatives: int = 5,
    fold: int = 600,
    max_tokens: int = 5000,
) -> TokenView:
    """Show the text of an answer, each token coloured by its certainty.

    In a notebook, pointing at a token or tabbing to it opens a panel with its logprob, rank and
    bytes, and with its most probable alternatives as bars. Hidden characters are made visible:
    blanks that would go unseen, line ends, control characters, joiners, bytes of an incomplete
    character. Tokens that were not the likeliest are underlined; tokens without a value are grey
    and hatched. Texts are escaped, and the HTML has no script.

    Parameters
    ----------
    lp : LogprobTables
    other : LogprobTables, optional
        Tables of a second answer, shown beside the first; a mark is where the two begin to differ.
    response : int, str or row, or a pair of them
        As in `LogprobTables.locate`: a row number, an id, or a row of a table; a pair chooses one
        from each of the tables, and so does a row of `compare`.
    choice : int, or a pair of them, optional
        Index of the choice, as sent. Default: that of the row, else 0.
    channel : {"content", "prompt", "reasoning", "refusal"}, optional
        Default: that of the row, else all that the model wrote; the prompt is shown if it is asked
        for.
    by : str
        A column of `token_metrics` that has a direction: ``"probability"``, ``"entropy_lower"``,
        ``"margin"`` and similar. The legend says the unit and which end is more certain.
    palette : {"oranges", "cividis"}
        In oranges, certain tokens are nearly as light as paper.
    alternatives : int
        Number of alternatives in the panel of each token, 0 to 10, the most probable first; those
        that round to 0.000 are omitted.
    fold : int
        Number of tokens before the fold; a click opens the others.
    max_tokens : int
        Number of tokens that are written, at most 100,000; a note counts the others.

    Returns
    -------
    TokenView
        With ``_repr_html_``, `text` and `save`.

    Raises
    ------
    SelectionError
        If there is no such response or choice.
    ArgumentError
        If an option is out of range.

    See Also
    --------
    toolkit.token_metrics : the table with the measures.
    toolkit.plot.token_confidence : the same with matplotlib.

    Examples
    --------
    >>> import toolkit
    >>> entries = [{"token": "Hi", "logprob": -0.5}, {"token": "\\n", "logprob": 0.0}]
    >>> choice = {"message": {"content": "Hi\\n"}, "logprobs": {"content": entries}}
    >>> toolkit.show(toolkit.from_responses({"model": "m", "choices": [choice]}))
    m · perplexity 1.28
    Hi↵
    <BLANKLINE>
    least certain by probability: Hi 0.607 (position 0)
    """
    options = checked_options(channel, by, alternatives, max_tokens)
    arguments.one_of("palette", palette, PALETTES)
    fold = arguments.whole("fold", fold)
    tables = [require_tables(lp)]
    if other is not None:
        if isinstance(other, str | int):
            expected = "LogprobTables to compare with; the option response selects an answer of lp"
            raise arguments.invalid("other", other, expected)
        tables.append(require_tables(other, "other"))
    responses = _each("response", response, len(tables))
    choices = _each("choice", choice, len(tables))
    sides = ("_a", "_b") if other is not None else ("",)
    asked = zip(responses, choices, sides, strict=True)
    picks = [pick(response, choice, channel, side) for response, choice, side in asked]
    answers, scale = read_answers(tables, picks, options)
    return TokenView(answers, scale, Style(palette, fold))


def _each(name: str, value: Any, n: int) -> list[Any]:
    """Return the option for each of `n` tables: the items of a pair, or one value for all."""
    is_pair = isinstance(value, tuple) and not hasattr(value, "_fields")  # not a namedtuple
    values = list(value) if is_pair else [value] * n
    if len(values) != n:
        raise arguments.invalid(name, value, f"one value, or one for each of {n} tables")
    return values


def _forks(answers: list[Answer]) -> list[dict[str, int]]:
    """Return for each answer and channel the first position at which two answers differ."""
    if len(answers) < 2:
        return [{} for _ in answers]
    channels = [{channel.name: channel.tokens for channel in answer.channels} for answer in answers]
    forks: dict[str, int] = {}
    for name in channels[0].keys() & channels[1].keys():
        first, second = ([(token.text, token.rest) for token in own[name]] for own in channels)
        same = 0
        while same < min(len(first), len(second)) and first[same] == second[same]:
            same += 1
        if same < max(len(first), len(second)):
            forks[name] = same
    return [forks, forks]
