"""Compute bounds on the probability of labels from alternatives, along exact paths of tokens.

An answer **states** the longest label that it begins with and that ends where a token ends. Thus
``1`` and ``0`` in two tokens state 10, not 1, if both are labels; ``positively`` as one token does
not state positive.

The distribution is known at every step of the sampled path, and off this path only at the first
step. The mass of an alternative therefore counts for a label only if nothing that can follow would
change it. If it begins a (longer) label and was not sampled, it is ambiguous.
"""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from typing import NamedTuple

from toolkit.errors import ArgumentError


class Option(NamedTuple):
    """A token that could come next: its bytes, its probability, and whether it was sampled."""

    raw: bytes
    probability: float
    is_sampled: bool


class Step(NamedTuple):
    """One position: the known options, and the mass of the unknown ones."""

    options: list[Option]
    missing: float


class Masses(NamedTuple):
    """The probability mass of labels.

    Attributes
    ----------
    lower, upper : list of float
        Bounds on the probability that the answer states each label.
    seen : list of float
        `lower`; but if the answer ends with a label that a longer one could have continued (1, of
        1 and 10), this label has all of the mass of its path, as if the end had been certain.
    other, ambiguous, unobserved : float
        Mass of no label, of paths that are not known to their end, and outside of the lists. With
        the sum of `lower` they add up to 1.
    """

    lower: list[float]
    upper: list[float]
    seen: list[float]
    other: float
    ambiguous: float
    unobserved: float


class Labels:
    """The texts that state each label, and how other texts are compared with them.

    Parameters
    ----------
    forms : list of list of str
        Texts of each label.
    ignore_case, ignore_space : bool
        Whether to ignore case, and white space around the label.
    """

    def __init__(self, forms: list[list[str]], *, ignore_case: bool, ignore_space: bool) -> None:
        self._ignore_case = ignore_case
        self._ignore_space = ignore_space
        self.n = len(forms)
        self.of_form: dict[bytes, int] = {}
        for label, own in enumerate(forms):
            for form in own:
                normal = self._normal(form.encode("utf-8", "replace"))
                if self.of_form.setdefault(normal, label) != label:
                    raise ArgumentError(f"labels: the text {form!r} states two labels")

    def stated(self, text: bytes) -> int | None:
        """Return the label that a text states exactly, or None."""
        normal = self._normal(text)
        return self.of_form.get(normal.rstrip() if self._ignore_space else normal)

    def ahead(self, text: bytes) -> set[int]:
        """Return the labels that a text is the beginning of, but not all of."""
        whole = self._normal(text)
        if self._ignore_case:  # an incomplete character has no case
            whole = self._normal(text[: len(text) - _incomplete(text)])
        return {
            label
            for form, label in self.of_form.items()
            if form != whole and form.startswith(whole)
        }

    def _normal(self, text: bytes) -> bytes:
        if self._ignore_space:
            text = text.lstrip()
        if self._ignore_case:
            decoded = text.decode("utf-8", "surrogateescape").casefold()
            text = decoded.encode("utf-8", "surrogateescape")
        return text


def _incomplete(text: bytes) -> int:
    """Return how many bytes at the end belong to an incomplete character."""
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    decoder.decode(text)
    return len(decoder.getstate()[0])


def masses(labels: Labels, steps: Iterator[Step]) -> Masses:
    """Follow the sampled path while it may still lead to a label, and add up masses.

    Parameters
    ----------
    labels : Labels
    steps : iterator of Step
        From the position at which the label begins; read as far as needed.
    """
    tally = _Tally(labels.n)
    text = b""
    reached: int | None = None  # the longest label that the path has stated
    weight = 1.0  # probability of the path
    for step in steps:
        ahead = labels.ahead(text)
        tally.unobserved += weight * step.missing
        tally.add_open(ahead, reached, weight * step.missing)
        follow = None
        for option in step.options:
            mass = weight * option.probability
            longer = text + option.raw
            label = labels.stated(longer)
            label = reached if label is None else label
            further = labels.ahead(longer)
            if not further:
                tally.add_stated(label, mass)
            elif option.is_sampled and follow is None:
                follow = longer, label, mass
            else:
                tally.ambiguous += mass
                tally.add_open(further, label, mass)
        if follow is None:
            break
        text, reached, weight = follow
    else:  # the answer ends where a longer label could still follow
        tally.ambiguous += weight
        tally.add_open(labels.ahead(text), reached, weight)
        tally.ended = {reached: weight}
    return tally.masses()


def stated(labels: Labels, path: Iterator[bytes]) -> int | None:
    """Return the label that an answer states, or None."""
    text = b""
    reached: int | None = None
    for raw in path:
        text += raw
        label = labels.stated(text)
        reached = reached if label is None else label
        if not labels.ahead(text):
            break
    return reached


class _Tally:
    """Masses of labels that are added up along a path."""

    def __init__(self, n: int) -> None:
        self.lower = [0.0] * n
        self.open = [0.0] * n
        self.other = 0.0
        self.ambiguous = 0.0
        self.unobserved = 0.0
        self.ended: dict[int | None, float] = {}

    def add_stated(self, label: int | None, mass: float) -> None:
        if label is None:
            self.other += mass
        else:
            self.lower[label] += mass

    def add_open(self, ahead: set[int], reached: int | None, mass: float) -> None:
        for label in ahead if reached is None else ahead | {reached}:
            self.open[label] += mass

    def masses(self) -> Masses:
        upper = [min(1.0, a + b) for a, b in zip(self.lower, self.open, strict=True)]
        seen = [mass + self.ended.get(label, 0.0) for label, mass in enumerate(self.lower)]
        return Masses(self.lower, upper, seen, self.other, self.ambiguous, self.unobserved)


def ratio_bounds(values: list[float], found: Masses) -> tuple[float, float] | None:
    """Return the least and greatest mean of values, weighted by the probabilities of labels.

    Unassigned mass goes to the lowest (highest) values first, up to the upper bound of each label,
    while that moves the mean. None if no label is possible.
    """
    room = found.ambiguous + found.unobserved
    bounds = []
    for sign in (1.0, -1.0):
        order = sorted(range(len(values)), key=lambda i: sign * values[i])
        total = sum(found.lower)
        mean = sum(v * p for v, p in zip(values, found.lower, strict=True))
        left = room
        for i in order:
            extra = min(found.upper[i] - found.lower[i], left)
            if extra <= 0.0 or (total > 0.0 and sign * (values[i] - mean / total) >= 0.0):
                continue
            total, mean, left = total + extra, mean + extra * values[i], left - extra
        if total <= 0.0:
            return None
        bounds.append(mean / total)
    return bounds[0], bounds[1]
