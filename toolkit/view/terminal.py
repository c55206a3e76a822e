"""Write token views as text: coloured for a terminal, or plain with a list of doubtful tokens."""

from __future__ import annotations

import math
from collections.abc import Iterator

from toolkit.palettes import colour, ink
from toolkit.view.answer import FORK, Answer, Channel, Scale, Token
from toolkit.visible_text import pieces, spelled

_WEAKEST = 5  # tokens in the list
_RESET = "\x1b[0m"
_CUBE = (0, 95, 135, 175, 215, 255)  # levels of red, green and blue in the palette of 256


def answer_lines(
    answers: list[Answer],
    scale: Scale,
    palette: str,
    forks: list[dict[str, int]],
    colours: int,
) -> Iterator[str]:
    """Yield the lines of answers, one answer after the other.

    Parameters
    ----------
    answers, scale, palette, forks
        As in `toolkit.view.html.answers_html`.
    colours : {0, 256, 16777216}
        Number of colours of the terminal; with 0 the least certain tokens are listed instead.
    """
    for answer, fork in zip(answers, forks, strict=True):
        yield _bold(answer.title, colours)
        for channel in answer.channels:
            if len(answer.channels) > 1:
                yield f"[{channel.name}]"
            yield from _text(channel, palette, colours, fork.get(channel.name)).split("\n")
            yield from _notes(channel, scale, colours)
        if not answer.channels:
            yield "(no text and no tokens)"
        yield ""
    if colours and any(channel.tokens for answer in answers for channel in answer.channels):
        yield from _legend(scale, palette, colours)


def _text(channel: Channel, palette: str, colours: int, fork: int | None) -> str:
    if not channel.tokens:
        return _spell(channel.text or "", b"")
    shown = []
    for token in channel.tokens:
        if token.position == fork:
            shown.append(FORK)
        text = _spell(token.text, token.rest)
        shown.append(_painted(text, token, palette, colours) if colours else text)
    return "".join(shown)


def _notes(channel: Channel, scale: Scale, colours: int) -> Iterator[str]:
    if not channel.tokens:
        yield "(no logprobs for this text)"
        return
    if channel.n_more:
        yield f"({channel.n_more:,} more tokens are not shown)"
    if not colours:
        sign = 1 if scale.column.direction == "higher" else -1
        known = [
            token
            for token in channel.tokens
            if token.certainty is not None and token.certainty < 100
        ]
        known.sort(key=lambda token: (token.value * sign, token.position))
        weakest = [
            f"{spelled(token.text, token.rest, 20)} {_number(token.value)} (position "
            f"{token.position})"
            for token in known[:_WEAKEST]
        ]
        if weakest:
            yield f"least certain by {scale.column.name}: {', '.join(weakest)}"


def _spell(text: str, rest: bytes) -> str:
    return "".join(
        piece.text + ("\n" if piece.text == "↵" and piece.is_mark else "")
        for piece in pieces(text, rest)
    )


def _painted(text: str, token: Token, palette: str, colours: int) -> str:
    """Colour the background of a token, line by line; underline it if another was likelier."""
    if token.certainty is None:
        begin = "\x1b[7;2m"
    else:
        ground = colour(palette, token.certainty)
        begin = f"\x1b[48;{_code(ground, colours)};38;{_code(_long(ink(ground)), colours)}"
        begin += ";4m" if token.is_off_top1 else "m"
    return "\n".join(f"{begin}{line}{_RESET}" if line else "" for line in text.split("\n"))


def _code(colour: str, colours: int) -> str:
    """Return the escape code of a colour, or of the nearest one of 256."""
    rgb = tuple(int(colour[i : i + 2], 16) for i in (1, 3, 5))
    if colours > 256:
        return "2;" + ";".join(map(str, rgb))
    red, green, blue = (
        min(range(6), key=[abs(level - c) for level in _CUBE].__getitem__) for c in rgb
    )
    return f"5;{16 + 36 * red + 6 * green + blue}"


def _long(short: str) -> str:
    return "#" + "".join(2 * c for c in short[1:])


def _bold(text: str, colours: int) -> str:
    return f"\x1b[1m{text}{_RESET}" if colours else text


def _legend(scale: Scale, palette: str, colours: int) -> Iterator[str]:
    """Yield the lines that say what colours and underlines mean, each below 80 columns."""
    steps = "".join(
        f"\x1b[48;{_code(colour(palette, step), colours)}m {_RESET}" for step in range(0, 101, 10)
    )
    unit = "" if scale.column.unit == "1" else f", {scale.column.unit}"
    what = f"{scale.column.name}{unit} ({scale.column.direction}: more certain)"
    yield f"{scale.doubt:.3g} {steps} {scale.certain:.3g}  {what}"
    yield "underlined: not the likeliest token"


def _number(value: float) -> str:
    return "unknown" if math.isnan(value) else f"{value:.3g}"
