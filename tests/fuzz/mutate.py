"""Mutate records: most mutants keep their structure, some do not."""

from __future__ import annotations

import json
from collections.abc import Callable
from random import Random

from tests.fuzz import decimals
from tests.fuzz import odd_values as odd
from tests.fuzz.document import Document

Edit = tuple[int, int, bytes]

_ADOPTED = 0.02  # share of the taken mutants that become parents
_CHILDREN = 200  # number of adopted parents that are kept


class Mutator:
    """A generator of mutants.

    Parameters
    ----------
    rng : random.Random
    good, rest : list of bytes
        Seeds, all valid JSON: those that the scanner takes, which are the parents of most mutants,
        and all others.
    """

    def __init__(self, rng: Random, good: list[bytes], rest: list[bytes]) -> None:
        self.rng = rng
        self._good = [Document(raw) for raw in good]
        self._rest = [Document(raw) for raw in rest] or self._good
        self._children: list[Document] = []
        self._donors: dict[bytes, list[bytes]] = {}
        for document in self._good + self._rest:
            for start, stop, key in document.values:
                self._donors.setdefault(odd.snake(key), []).append(document.text((start, stop)))

    def mutant(self) -> bytes:
        """Return one more mutant."""
        rng = self.rng
        document = self._parent()
        how = rng.random()
        if how < 0.80:
            operations = _GENTLE
        elif how < 0.92:
            operations = _GENTLE + _HARSH
        else:
            operations = _HARSH
        edits: list[Edit] = []
        for _ in range(rng.choice((1, 1, 2, 3, 5))):
            edits += rng.choice(operations)(self, document)
        raw = document.edited(edits)
        if rng.random() < 0.1:
            raw = self._contain(raw)
        return self._blind(raw) if rng.random() < 0.06 else raw

    def contained(self) -> bytes:
        """Return one more mutant, mostly inside a row or an envelope."""
        raw = self.mutant()
        return self._contain(raw) if self.rng.random() < 0.8 else raw

    def _contain(self, raw: bytes) -> bytes:
        return odd.contained(self.rng.choice(odd.CONTAINERS_OF_ANSWERS), raw)

    def adopt(self, raw: bytes) -> None:
        """Make a mutant that the scanner took a parent, with a small probability."""
        if self.rng.random() < _ADOPTED and len(raw) < 4000:
            try:
                child = Document(raw)
            except (ValueError, IndexError, RecursionError):
                return
            if len(self._children) < _CHILDREN:
                self._children.append(child)
            else:
                self._children[self.rng.randrange(_CHILDREN)] = child

    def _parent(self) -> Document:
        which = self.rng.random()
        if which < 0.3 and self._children:
            return self.rng.choice(self._children)
        return self.rng.choice(self._good if which < 0.95 else self._rest)

    # Edits after which a record usually remains valid

    def _fitting(self, document: Document) -> list[Edit]:
        start, stop, key = self.rng.choice(document.values)
        fitting = odd.FITTING.get(odd.snake(key))
        return [(start, stop, self.rng.choice(fitting))] if fitting else self._graft(document)

    def _graft(self, document: Document) -> list[Edit]:
        start, stop, key = self.rng.choice(document.values)
        donors = self._donors.get(odd.snake(key))
        return [(start, stop, self.rng.choice(donors))] if donors else []

    def _number(self, document: Document) -> list[Edit]:
        if not document.numbers:
            return []
        rng = self.rng
        i = rng.choice(document.numbers)
        number = document.tokens[i]
        if b"." in number or b"e" in number:
            return [(i, i + 1, rng.choice(decimals.GENERATORS)(rng).encode())]
        return [(i, i + 1, number + rng.choice((b".0", b".00", b".0", b"0", b"e0", b".5")))]

    def _escape(self, document: Document) -> list[Edit]:
        """Write some characters of a string as escapes."""
        if not document.strings:
            return []
        rng = self.rng
        i = rng.choice(document.strings)
        try:
            text = json.loads(document.tokens[i])
        except ValueError:
            return []
        share = rng.choice((0.1, 0.5, 1.0))
        return [(i, i + 1, b'"' + b"".join(self._spelled(c, share) for c in text[:200]) + b'"')]

    def _spelled(self, character: str, share: float) -> bytes:
        code = ord(character)
        if self.rng.random() >= share and code >= 0x20 and character not in '"\\':
            return character.encode("utf-8", "surrogatepass")
        form = self.rng.choice(("\\u%04x", "\\u%04X"))
        if code < 0x10000:
            return (form % code).encode()
        code -= 0x10000
        return (form % (0xD800 + (code >> 10)) + form % (0xDC00 + (code & 0x3FF))).encode()

    def _space(self, document: Document) -> list[Edit]:
        rng = self.rng
        n = len(document.tokens)
        places = rng.choices(range(n + 1), k=rng.choice((1, 3, 20)))
        return [(at, at, rng.choice(odd.SPACES)) for at in places]

    def _squeeze(self, document: Document) -> list[Edit]:
        tokens = document.tokens
        return [(i, i + 1, b"") for i, token in enumerate(tokens) if token[0] in b" \t\r\n"]

    def _casing(self, document: Document) -> list[Edit]:
        if not document.keys:
            return []
        rng = self.rng
        keys = document.keys if rng.random() < 0.1 else [rng.choice(document.keys)]
        return [(i, i + 1, b'"' + odd.other_casing(document.tokens[i][1:-1]) + b'"') for i in keys]

    def _swap(self, document: Document) -> list[Edit]:
        spans = self.rng.choice(document.objects or [[]])
        if len(spans) < 2:
            return []
        one, other = self.rng.sample(spans, 2)
        return [(*one, document.text(other)), (*other, document.text(one))]

    def _drop(self, document: Document) -> list[Edit]:
        """Remove a member or an element, with its comma."""
        spans = self.rng.choice(document.objects + document.arrays or [[]])
        if len(spans) < 2:
            return [(*spans[0], b"")] if spans else []
        i = self.rng.randrange(len(spans))
        if i:
            return [(spans[i - 1][1], spans[i][1], b"")]
        return [(spans[0][0], spans[1][0], b"")]

    def _repeat(self, document: Document) -> list[Edit]:
        """Repeat an element of an array."""
        if not document.arrays:
            return []
        span = self.rng.choice(self.rng.choice(document.arrays))
        text = document.text(span)
        n = min(self.rng.choice((1, 1, 2, 7, 40)), max(1, 3000 // len(text)))
        return [(span[1], span[1], (b"," + text) * n)]

    def _foreign(self, document: Document) -> list[Edit]:
        """Add a member that is not read."""
        if not document.objects:
            return []
        rng = self.rng
        start = rng.choice(rng.choice(document.objects))[0]
        key = b"x%d" % rng.randrange(100) if rng.random() < 0.7 else rng.choice(odd.KEYS)
        value = rng.choice(
            rng.choice(list(self._donors.values())) if rng.random() < 0.5 else odd.ANY
        )
        return [(start, start, b'"' + key + b'":' + value[:1500] + b",")]

    def _column(self, document: Document) -> list[Edit]:
        """Add a member of a row to one of the outer objects."""
        if not document.objects:
            return []
        rng = self.rng
        spans = rng.choice(document.objects[-rng.choice((1, 2, 5)) :])  # the outer ones come last
        start, text = rng.choice(spans)[0], rng.choice(odd.COLUMNS)
        return [(start, start, b'"' + rng.choice(odd.ROW_KEYS) + b'":' + text + b",")]

    def _row_key(self, document: Document) -> list[Edit]:
        """Rename a member of one of the outer objects."""
        rng = self.rng
        keys = document.keys[: rng.choice((2, 5, 20))]
        if not keys:
            return []
        i = rng.choice(keys)
        return [(i, i + 1, b'"' + rng.choice(odd.ROW_KEYS) + b'"')]

    def _into_text(self, document: Document) -> list[Edit]:
        if not document.strings:
            return []
        rng = self.rng
        i = rng.choice(document.strings)
        text = document.tokens[i]
        at = rng.randint(1, max(1, len(text) - 1))
        return [(i, i + 1, text[:at] + rng.choice(odd.SNIPPETS) + text[at:])]

    # Edits that may make a record invalid

    def _odd_value(self, document: Document) -> list[Edit]:
        start, stop, _ = self.rng.choice(document.values)
        return [(start, stop, self.rng.choice(odd.ANY))]

    def _odd_number(self, document: Document) -> list[Edit]:
        if not document.numbers:
            return []
        i = self.rng.choice(document.numbers)
        return [(i, i + 1, self.rng.choice(odd.NUMBERS))]

    def _odd_bytes(self, document: Document) -> list[Edit]:
        spans = [(a, b) for a, b, key in document.values if key == b"bytes"]
        return [(*self.rng.choice(spans), self.rng.choice(odd.BYTES))] if spans else []

    def _twice(self, document: Document) -> list[Edit]:
        if not document.objects:
            return []
        span = self.rng.choice(self.rng.choice(document.objects))
        return [(span[1], span[1], b"," + document.text(span))]

    def _key(self, document: Document) -> list[Edit]:
        if not document.keys:
            return []
        rng = self.rng
        i = rng.choice(document.keys)
        key = document.tokens[i][1:-1]
        at = rng.randint(0, len(key))
        new = rng.choice((
            rng.choice(odd.KEYS), b"\\u%04x" % key[0] + key[1:] if key else b"\\u0000", key[:-1],
            key[:at] + rng.choice(odd.SNIPPETS) + key[at:], b"", key + b"_",
        ))  # fmt: skip
        return [(i, i + 1, b'"' + new + b'"')]

    def _token(self, document: Document) -> list[Edit]:
        """Remove, repeat or replace any token."""
        rng = self.rng
        i, j = rng.randrange(len(document.tokens)), rng.randrange(len(document.tokens))
        new = rng.choice((b"", document.tokens[i] * 2, document.tokens[j]))
        return [(i, i + 1, new)]

    def _bad_space(self, document: Document) -> list[Edit]:
        at = self.rng.randint(0, len(document.tokens))
        return [(at, at, self.rng.choice(odd.BAD_SPACES))]

    def _around(self, document: Document) -> list[Edit]:
        """Add a text before or after the record."""
        rng = self.rng
        n = len(document.tokens)
        at = rng.choice((0, n))
        other = rng.choice(self._good).tokens
        return [(at, at, rng.choice((*odd.ANY, b",", b"".join(other), b"\xef\xbb\xbf", b"\x00")))]

    def _blind(self, raw: bytes) -> bytes:
        """Change bytes at any position."""
        rng = self.rng
        at = rng.randint(0, len(raw))
        to = min(len(raw), at + rng.choice((1, 1, 2, 8, 64)))
        how = rng.randrange(7)
        if how == 0:
            return raw[:at] + bytes([rng.choice(odd.INTERESTING)]) + raw[at:]
        if how == 1:
            return raw[:at] + bytes([rng.choice(odd.INTERESTING)]) + raw[at + 1 :]
        if how == 2 and at < len(raw):
            return raw[:at] + bytes([raw[at] ^ (1 << rng.randrange(8))]) + raw[at + 1 :]
        if how == 3:
            return raw[:at] + raw[to:]
        if how == 4:
            return raw[:to] + raw[at:]
        if how == 5:
            return raw[:at]
        other = b"".join(self._parent().tokens)
        return raw[:at] + other[rng.randint(0, len(other)) :]


Operation = Callable[[Mutator, Document], list[Edit]]

_GENTLE: tuple[Operation, ...] = (
    Mutator._fitting, Mutator._fitting, Mutator._graft, Mutator._number, Mutator._number,
    Mutator._escape, Mutator._space, Mutator._squeeze, Mutator._casing, Mutator._swap,
    Mutator._drop, Mutator._repeat, Mutator._foreign, Mutator._into_text, Mutator._column,
    Mutator._column, Mutator._row_key,
)  # fmt: skip
_HARSH: tuple[Operation, ...] = (
    Mutator._odd_value, Mutator._odd_value, Mutator._odd_number, Mutator._odd_bytes, Mutator._twice,
    Mutator._key, Mutator._token, Mutator._bad_space, Mutator._around,
)  # fmt: skip
