"""`show`, the token view of one answer or of two side by side."""

from __future__ import annotations

import os
from pathlib import Path

from toolkit.errors import ArgumentError
from toolkit.palettes import PALETTES
from toolkit.tables import LogprobTables, Selector
from toolkit.view.answer import Answer, Scale, checked_options, read_answers
from toolkit.view.html import Drawn, answers_html, style_sheet
from toolkit.view.terminal import answer_lines

_COLOURS = (0, 256, 1 << 24)
_PAGE = (
    '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
    '<meta name="viewport" content="width=device-width,initial-scale=1">'
    "<title>Token view</title><style>{style}body{{margin:1em;font-family:sans-serif}}</style>"
    "</head><body><main>{body}</main></body></html>\n"
)


class TokenView:
    """What `toolkit.show` returns: it shows itself in a notebook, and as text elsewhere.

    Attributes
    ----------
    html : str
        One element with no style sheet; `style_sheet` of a page goes with it.
    """

    def __init__(self, answers: list[Answer], scale: Scale, drawn: Drawn) -> None:
        self._answers = answers
        self._scale = scale
        self._drawn = drawn
        self._parts = _partings(answers)
        self.html = answers_html(answers, scale, drawn, self._parts)

    def _repr_html_(self) -> str:
        return f"<style>{style_sheet()}</style>{self.html}"

    def __repr__(self) -> str:
        """Return the text with the least certain tokens listed."""
        return self.text()

    def text(self, colours: int = 0) -> str:
        """Return the view as text.

        Parameters
        ----------
        colours : {0, 256, 16777216}
            Colours that the terminal can show; with 0 there is no escape sequence in it.

        Returns
        -------
        str
        """
        if isinstance(colours, bool) or colours not in _COLOURS:
            raise ArgumentError(f"colours={colours!r}; choose one of {_COLOURS}")
        lines = answer_lines(self._answers, self._scale, self._drawn.palette, self._parts, colours)
        return "\n".join(lines).rstrip("\n")

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the view as a page of its own, which loads nothing from anywhere.

        Parameters
        ----------
        path : path
            An existing file is replaced.

        Returns
        -------
        pathlib.Path
        """
        target = Path(path)
        target.write_text(_PAGE.format(style=style_sheet(), body=self.html), encoding="utf-8")
        return target


def show(
    lp: LogprobTables,
    other: LogprobTables | None = None,
    /,
    *,
    response: Selector | tuple[Selector, Selector] = 0,
    choice: int | tuple[int, int] = 0,
    channel: str | None = None,
    by: str = "probability",
    palette: str = "oranges",
    alternatives: int = 5,
    fold: int = 600,
    max_tokens: int = 5000,
) -> TokenView:
    """Show the text of an answer, each token on a ground of its certainty.

    In a notebook a pointer or the Tab key brings up the token, its logprob, rank and bytes, and
    its likeliest alternatives as bars. Blanks that would not show, line ends, controls, joiners
    and parts of characters are made visible. Tokens that were not the likeliest are underlined;
    those without a value are grey and hatched. Text is escaped, and there is no script.

    Parameters
    ----------
    lp : LogprobTables
    other : LogprobTables, optional
        A second answer, side by side; the place where the two part is marked.
    response : int or str, or a pair of them
        Row number, ``response_id`` or ``custom_id``; a pair chooses one from each tables.
    choice : int, or a pair of them
        Index of the choice, as sent.
    channel : {"content", "refusal", "reasoning"}, optional
        Default: all that the answer has.
    by : str
        A column of `token_metrics` that has a direction: ``"probability"``, ``"entropy_lower"``,
        ``"margin"``, … Its legend tells the unit and which end is more certain.
    palette : {"oranges", "cividis"}
        The first keeps what is certain near the colour of paper.
    alternatives : int
        As many of the likeliest are told of each token, 0 to 10. Those that round to 0.000 are not.
    fold : int
        Tokens after so many are folded away until asked for.
    max_tokens : int
        Tokens after so many are counted and not written.

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
    toolkit.token_metrics : gives what is coloured.
    toolkit.plot.token_confidence : draws the same with matplotlib.

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
    if palette not in PALETTES:
        raise ArgumentError(f"palette={palette!r}; choose one of {tuple(PALETTES)}")
    if isinstance(fold, bool) or not isinstance(fold, int) or fold < 1:
        raise ArgumentError(f"fold={fold!r}; give a positive integer")
    for name, tables in (("lp", lp), ("other", other)):
        if not isinstance(tables, LogprobTables) and not (name == "other" and tables is None):
            raise ArgumentError(f"{name} is {type(tables).__name__}; give LogprobTables")
    n = 1 if other is None else 2
    picks = list(
        zip(
            [lp, other][:n],
            _each("response", response, n),
            _each("choice", choice, n),
            strict=True,
        )
    )
    answers, scale = read_answers(picks, options)
    return TokenView(answers, scale, Drawn(palette, fold))


def _each(name: str, value: object, n: int) -> list:
    """Give every answer its own of a pair, or the one that is given for all."""
    if not isinstance(value, tuple):
        return [value] * n
    if len(value) != n:
        raise ArgumentError(f"{name}={value!r}; give one, or one for each of {n} tables")
    return list(value)


def _partings(answers: list[Answer]) -> list[dict[str, int]]:
    """Return for each answer and channel the first position where two answers differ."""
    if len(answers) < 2:
        return [{} for _ in answers]
    channels = [{channel.name: channel.tokens for channel in answer.channels} for answer in answers]
    partings: dict[str, int] = {}
    for name in channels[0].keys() & channels[1].keys():
        said = [[(token.text, token.rest) for token in tokens[name]] for tokens in channels]
        same = 0
        while same < min(map(len, said)) and said[0][same] == said[1][same]:
            same += 1
        if same < max(map(len, said)):
            partings[name] = same
    return [partings, partings]
