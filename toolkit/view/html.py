"""Write token views as HTML: escaped text, few kinds of elements, one style sheet."""

from __future__ import annotations

import html
import math
from collections.abc import Iterator
from functools import cache
from importlib.resources import files
from typing import NamedTuple

from toolkit.palettes import PALETTES, UNKNOWN, colour, ink
from toolkit.view.answer import FORK, Answer, Channel, Entry, Scale, Token
from toolkit.visible_text import Piece, pieces, spelled, spelled_token

_BARS = "abcdefghij"  # custom properties that hold the lengths of the bars
_PADDING, _LINE, _BAR = 8, 18, 3  # pixels of the panel: above its lines, of a line, of a bar
LEAST = 5e-4
"""Alternatives below this probability round to 0.000 and are omitted."""


class Style(NamedTuple):
    """The palette of the tokens, and the number of tokens before the fold."""

    palette: str
    fold: int


@cache
def style_sheet() -> str:
    """Return the style sheet of token views and cards; it never depends on data."""
    bars = ",".join(
        f"linear-gradient(var(--bar),var(--bar)) 0 {_PADDING + _LINE * i - _BAR + 1}px/"
        f"var(--{name},0) {_BAR}px no-repeat"  # below its line: it crosses no number
        for i, name in enumerate(_BARS, 3)  # after the lines of the token and its logprob
    )
    sheet = files("toolkit.view").joinpath("style.css").read_text("utf-8")
    return "".join(sheet.replace("BARS #fff", f"{bars},var(--paper)").splitlines())


def answers_html(
    answers: list[Answer], scale: Scale, style: Style, forks: list[dict[str, int]]
) -> str:
    """Write answers with their legend, two of them side by side.

    Parameters
    ----------
    answers : list of Answer
    scale : Scale
    style : Style
    forks : list of dict
        For each answer: channel to the position from which the answers differ.
    """
    views = [
        f'<div><div class="lp-title">{safe(answer.title)}</div>'
        + "".join(
            _channel_html(channel, scale, style, fork.get(channel.name), len(answer.channels) > 1)
            for channel in answer.channels
        )
        + ('<div class="lp-note">no text and no tokens</div>' if not answer.channels else "")
        + "</div>"
        for answer, fork in zip(answers, forks, strict=True)
    ]
    body = f'<div class="lp-pair">{"".join(views)}</div>' if len(views) > 1 else views[0]
    return f'<div class="lp lp-{style.palette}">{body}{_legend(answers, scale, style)}</div>'


def _channel_html(
    channel: Channel, scale: Scale, style: Style, fork: int | None, is_named: bool
) -> str:
    name = f'<div class="lp-name">{channel.name}</div>' if is_named else ""
    if not channel.tokens:
        text = _text_html(pieces(channel.text or ""))
        note = '<div class="lp-note">no logprobs for this text</div>'
        return f'{name}<div class="lp-text">{text}</div>{note}'
    spans = [token_html(token, scale, style.palette) for token in channel.tokens]
    if fork is not None:
        spans.insert(fork, f'<span class="lp-cut">{FORK}</span>')
    label = f"{len(channel.tokens)} tokens of {channel.name}, coloured by {scale.column.name}"
    head, tail = spans[: style.fold], spans[style.fold :]
    text = f'<div class="lp-text" role="group" aria-label="{label}">{"".join(head)}'
    if tail:
        text += f"<details><summary>{len(tail):,} more tokens</summary>{''.join(tail)}</details>"
    more = f'<div class="lp-note">{channel.n_more:,} more tokens are not shown</div>'
    return f"{name}{text}</div>{more if channel.n_more else ''}"


def token_html(token: Token, scale: Scale, palette: str) -> str:
    """Write one token; its details are an attribute, shown to a pointer or the keyboard."""
    ground = UNKNOWN if token.certainty is None else colour(palette, token.certainty)
    style = f"background-color:{ground};color:{ink(ground)}"
    if token.certainty is not None:
        style += f";--q:{100 - token.certainty}"
    entries = [entry for entry in token.entries if entry.probability >= LEAST]
    for name, entry in zip(_BARS, entries, strict=False):
        style += f";--{name}:{100 * entry.probability:.3g}%"
    kind = "lp-t"
    if token.is_off_top1:
        kind += " lp-off"
    if token.certainty is None:
        kind += " lp-na"
    text = _text_html(pieces(token.text, token.rest))
    detail = html.escape("\n".join(_details(token, entries, scale)))
    return f'<span class="{kind}" tabindex="0" style="{style}" data-d="{detail}">{text}</span>'


def _details(token: Token, entries: list[Entry], scale: Scale) -> Iterator[str]:
    """Yield the lines of the panel: the token, its logprob, alternatives and position."""
    yield spelled(token.text, token.rest)
    yield _facts(token)
    for entry in entries[: len(_BARS)]:
        mark = "▸" if entry.is_sampled else " "
        text = spelled_token(entry.token, entry.bytes, 30)
        yield f"{mark}{_number(entry.probability)}  {text}"
    if token.missing >= LEAST:
        yield f" {_number(token.missing)}  not listed"
    if scale.column.name not in ("probability", "logprob"):
        yield f"{scale.column.name} {_number(token.value)} {_unit(scale)}".rstrip()
    yield _place(token)


def _text_html(shown: list[Piece]) -> str:
    """Write the pieces of a text; a line ends after the mark of a line end."""
    return "".join(
        f'<span class="lp-m">{html.escape(text)}</span>' + ("\n" if text == "↵" else "")
        if is_mark
        else safe(text)
        for text, is_mark in shown
    )


def safe(text: str) -> str:
    """Escape a text; a ``$`` becomes an element, so that no typesetter reads a formula."""
    return html.escape(text).replace("$", "<span>$</span>")


def _facts(token: Token) -> str:
    if token.status != "ok":
        sent = "null" if token.logprob is None else f"{token.logprob:g}"
        return f"{token.status}: logprob sent as {sent}"
    facts = [f"p {_number(token.probability)}", f"logprob {_number(token.logprob)}"]
    if token.rank is not None:
        facts.append(f"rank {token.rank}")
    elif token.n_alternatives:
        facts.append(f"not among {token.n_alternatives} listed")
    return " · ".join(facts)


def _place(token: Token) -> str:
    raw = token.raw
    if raw is None:
        return f"position {token.position} · no bytes sent"
    shown = raw[:10].hex(" ") + (" …" if len(raw) > 10 else "")
    return f"position {token.position} · bytes {shown or 'none'}"


def _number(value: float | None) -> str:
    """Write a number with three decimal places, or with an exponent."""
    if value is None or math.isnan(value):
        return "unknown"
    if value == 0 or 5e-4 <= abs(value) < 1e4:
        return f"{value:.3f}"
    return f"{value:.1e}"


def _unit(scale: Scale) -> str:
    return "" if scale.column.unit == "1" else scale.column.unit


def _legend(answers: list[Answer], scale: Scale, style: Style) -> str:
    """Explain the colours and marks."""
    tokens = [
        token for answer in answers for channel in answer.channels for token in channel.tokens
    ]
    if not tokens:
        return ""
    steps = "".join(
        f'<span style="background-color:{colour(style.palette, step)};--q:{100 - step}"></span>'
        for step in range(0, 101, 100 // (len(PALETTES[style.palette]) + 3))
    )
    unit = f", {_unit(scale)}" if _unit(scale) else ""
    what = f"{scale.column.name}{unit} ({scale.column.direction}: more certain)"
    parts = [
        f'<span class="lp-scale">{scale.doubt:.3g}<span class="lp-steps" aria-hidden="true">'
        f"{steps}</span>{scale.certain:.3g}</span><span>{what}</span>"
    ]
    if any(token.is_off_top1 for token in tokens):
        parts.append('<span><span class="lp-off">underlined</span>: not the likeliest token</span>')
    if any(token.certainty is None for token in tokens):
        parts.append('<span><span class="lp-swatch lp-na"></span>no value</span>')
    parts.append("<span>point at a token, or tab to it, for its alternatives</span>")
    return f'<div class="lp-legend">{"".join(parts)}</div>'
