"""Token views as HTML: escaped text, a few elements, one style sheet."""

from __future__ import annotations

import html
import math
from functools import cache
from importlib.resources import files

from toolkit.palettes import PALETTES, UNKNOWN, colour, ink
from toolkit.view.answer import Answer, Channel, Scale, Token
from toolkit.visible_text import pieces, spelled, spelled_token

_BARS = "abcdefghij"
_BAR_TOP, _BAR_HEIGHT = 44, 18  # pixels: the padding and two lines of the panel; one line
_ALMOST_NOTHING = 5e-4  # alternatives that round to 0.000 are left out


class Drawn:
    """How tokens are drawn: the colours, and where the text is folded.

    Parameters
    ----------
    palette : str
    fold : int
        Tokens before the fold.
    """

    def __init__(self, palette: str, fold: int) -> None:
        self.palette = palette
        self.fold = fold


@cache
def style_sheet() -> str:
    """Return the style sheet; it never depends on data."""
    bars = ",".join(
        f"linear-gradient(var(--bar),var(--bar)) 0 {_BAR_TOP + _BAR_HEIGHT * i}px/"
        f"var(--{name},0) {_BAR_HEIGHT - 2}px no-repeat"
        for i, name in enumerate(_BARS)
    )
    sheet = files("toolkit.view").joinpath("style.css").read_text("utf-8")
    return "".join(sheet.replace("BARS #fff", f"{bars},var(--paper)").splitlines())


def answers_html(
    answers: list[Answer], scale: Scale, drawn: Drawn, parts: list[dict[str, int]]
) -> str:
    """Write answers, side by side if there are several, with their legend.

    Parameters
    ----------
    answers : list of Answer
    scale : Scale
    drawn : Drawn
    parts : list of dict
        For each answer and channel the position where the answers part.
    """
    views = [
        f'<div><div class="lp-title">{safe(answer.title)}</div>'
        + "".join(
            _channel_html(channel, scale, drawn, cut.get(channel.name), len(answer.channels) > 1)
            for channel in answer.channels
        )
        + ('<div class="lp-note">no text and no tokens</div>' if not answer.channels else "")
        + "</div>"
        for answer, cut in zip(answers, parts, strict=True)
    ]
    body = f'<div class="lp-pair">{"".join(views)}</div>' if len(views) > 1 else views[0]
    return f'<div class="lp lp-{drawn.palette}">{body}{_legend(answers, scale, drawn)}</div>'


def _channel_html(
    channel: Channel, scale: Scale, drawn: Drawn, cut: int | None, is_named: bool
) -> str:
    name = f'<div class="lp-name">{channel.name}</div>' if is_named else ""
    if not channel.tokens:
        text = "".join(_piece(piece.text, piece.is_mark) for piece in pieces(channel.text or ""))
        note = '<div class="lp-note">no logprobs for this text</div>'
        return f'{name}<div class="lp-text">{text}</div>{note}'
    spans = [token_html(token, scale, drawn.palette) for token in channel.tokens]
    if cut is not None:
        mark = '<span class="lp-cut">⟨here the answers part⟩</span>'
        spans.insert(cut, mark)
    label = f"{len(channel.tokens)} tokens of {channel.name}, coloured by {scale.column.name}"
    head, tail = spans[: drawn.fold], spans[drawn.fold :]
    text = f'<div class="lp-text" role="group" aria-label="{label}">{"".join(head)}'
    if tail:
        text += f"<details><summary>{len(tail):,} more tokens</summary>{''.join(tail)}</details>"
    more = f'<div class="lp-note">{channel.n_more:,} more tokens are not shown</div>'
    return f"{name}{text}</div>{more if channel.n_more else ''}"


def token_html(token: Token, scale: Scale, palette: str) -> str:
    """Write one token, and what a pointer or the keyboard brings up, as an attribute."""
    ground = UNKNOWN if token.certainty is None else colour(palette, token.certainty)
    style = f"background-color:{ground};color:{ink(ground)}"
    if token.certainty is not None:
        style += f";--q:{100 - token.certainty}"
    lines = [f"{spelled(token.text, token.rest)}", _facts(token)]
    entries = [entry for entry in token.entries if entry.probability >= _ALMOST_NOTHING]
    for name, entry in zip(_BARS, entries, strict=False):
        style += f";--{name}:{100 * entry.probability:.3g}%"
        mark = "▸" if entry.is_sampled else " "
        lines.append(
            f"{mark}{_number(entry.probability)}  {spelled_token(entry.token, entry.bytes, 30)}"
        )
    if token.missing >= _ALMOST_NOTHING:
        lines.append(f" {_number(token.missing)}  not listed")
    if scale.column.name not in ("probability", "logprob"):
        lines.append(f"{scale.column.name} {_number(token.value)} {_unit(scale)}".rstrip())
    lines.append(_place(token))
    kind = "lp-t"
    if token.rank is not None and token.rank > 1:
        kind += " lp-off"
    if token.certainty is None:
        kind += " lp-na"
    text = "".join(_piece(piece.text, piece.is_mark) for piece in pieces(token.text, token.rest))
    detail = html.escape("\n".join(lines))
    return f'<span class="{kind}" tabindex="0" style="{style}" data-d="{detail}">{text}</span>'


def _piece(text: str, is_mark: bool) -> str:
    """Write a piece; line ends end the line, and no `$` is left for a typesetter of formulas."""
    if is_mark:
        return f'<span class="lp-m">{html.escape(text)}</span>' + ("\n" if text == "↵" else "")
    return safe(text)


def safe(text: str) -> str:
    """Escape a text; no `$` is left for a typesetter of formulas."""
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
    """Write a number in few signs: three places, or a power of ten."""
    if value is None or math.isnan(value):
        return "unknown"
    if value == 0 or 5e-4 <= abs(value) < 1e4:
        return f"{value:.3f}"
    return f"{value:.1e}"


def _unit(scale: Scale) -> str:
    return "" if scale.column.unit == "1" else scale.column.unit


def _legend(answers: list[Answer], scale: Scale, drawn: Drawn) -> str:
    """Say what the colours and marks mean."""
    tokens = [
        token for answer in answers for channel in answer.channels for token in channel.tokens
    ]
    if not tokens:
        return ""
    steps = "".join(
        f'<span style="background-color:{colour(drawn.palette, step)};--q:{100 - step}"></span>'
        for step in range(0, 101, 100 // (len(PALETTES[drawn.palette]) + 3))
    )
    unit = f", {_unit(scale)}" if _unit(scale) else ""
    what = f"{scale.column.name}{unit} ({scale.column.direction}: more certain)"
    ends = (f"{end:.3g}" for end in (scale.doubt, scale.certain))
    left, right = ends
    parts = [
        f'<span class="lp-scale">{left}<span class="lp-steps" aria-hidden="true">{steps}</span>'
        f"{right}</span><span>{what}</span>"
    ]
    if any(token.rank is not None and token.rank > 1 for token in tokens):
        parts.append('<span><span class="lp-off">underlined</span>: not the likeliest token</span>')
    if any(token.certainty is None for token in tokens):
        parts.append('<span><span class="lp-swatch lp-na"></span>no value</span>')
    parts.append("<span>point at a token, or tab to it, for its alternatives</span>")
    return f'<div class="lp-legend">{"".join(parts)}</div>'
