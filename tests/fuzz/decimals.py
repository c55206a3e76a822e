"""Decimal numbers that are hard to read, and a check of the scanner's doubles against ``float``.

``python -m tests.fuzz.decimals --count 2000000 --seed 1``
"""

from __future__ import annotations

import json
import math
import struct
import time
from collections.abc import Callable
from fractions import Fraction
from random import Random
from typing import NamedTuple

import click
import numpy as np

from tests.fuzz.compare import framed
from toolkit.loaders.decoding.native import scan_frames

_PER_RECORD = 100
_RECORDS = 50  # of one block


class Tally(NamedTuple):
    """How many numbers were read, and how many of them the scanner took."""

    numbers: int
    taken: int
    seconds: float


class WrongNumber(AssertionError):
    """The scanner read a number otherwise than ``float`` does."""


def check(count: int, seed: int, generators: tuple[Callable[[Random], str], ...] = ()) -> Tally:
    """Read numbers as logprobs and compare their bits with those of ``float``.

    Parameters
    ----------
    count, seed : int
    generators : tuple of callable
        Where the numbers come from; default: all kinds.

    Raises
    ------
    WrongNumber
        With the number, both readings and the bits.
    """
    rng, numbers, taken, start = Random(seed), 0, 0, time.perf_counter()
    generators = generators or GENERATORS
    while numbers < count:
        groups = [
            [(generator := rng.choice(generators))(rng)]
            + [generator(rng) for _ in range(_PER_RECORD - 1)]
            for _ in range(_RECORDS)
        ]
        numbers += _RECORDS * _PER_RECORD
        for again in (False, True):
            scanned = scan_frames(framed([_record(group) for group in groups]))
            rows = np.flatnonzero(scanned.verdicts)
            logprob = scanned.tables[2]["logprob"]
            read = logprob.to_numpy(zero_copy_only=False).view(np.int64)
            sent = [number for row in rows for number in groups[row]]
            _compare(sent, read)
            taken += len(sent)
            if again or len(rows) == len(groups):
                break
            deferred = set(range(len(groups))) - set(rows.tolist())
            groups = [[number] for row in deferred for number in groups[row]]
    return Tally(numbers, taken, time.perf_counter() - start)


def _record(numbers: list[str]) -> bytes:
    entries = ",".join(f'{{"token":"","logprob":{number}}}' for number in numbers)
    return f'{{"choices":[{{"delta":{{}},"logprobs":{{"content":[{entries}]}}}}]}}'.encode()


def _compare(sent: list[str], read: np.ndarray) -> None:
    # As JSON reads them: the integer -0 is 0.
    expected = np.array([float(json.loads(n)) for n in sent], np.float64).view(np.int64)
    if len(read) != len(expected):
        raise WrongNumber(f"{len(expected)} numbers went in, {len(read)} came out")
    wrong = np.flatnonzero(read != expected)
    if len(wrong):
        i = wrong[0]
        found = read[i : i + 1].view(np.float64)[0]
        bits = f"bits {read[i]:#018x}, expected {expected[i]:#018x}"
        raise WrongNumber(f"{sent[i]} was read as {found!r}, expected {float(sent[i])!r}; {bits}")


# The kinds of numbers, each a text


def _digits(rng: Random, n: int) -> str:
    return str(rng.randrange(10 ** (n - 1), 10**n))


def _pointed(rng: Random, digits: str) -> str:
    """Put a point somewhere, perhaps in front of everything."""
    at = rng.randint(-6, len(digits))
    if at <= 0:
        return "0." + "0" * -at + digits
    return digits[:at] + ("." + digits[at:] if at < len(digits) else "")


def _signed(rng: Random, number: str) -> str:
    return "-" + number if rng.random() < 0.8 else number


def common(rng: Random) -> str:
    """A logprob as servers write it: up to 17 significant digits."""
    return _signed(rng, rng.choice((repr, str, lambda x: f"{x:.{rng.randint(1, 20)}f}"))(
        rng.choice((rng.expovariate(1), rng.expovariate(1) * 10 ** -rng.randint(0, 12)))
    ))  # fmt: skip


def long_digits(rng: Random) -> str:
    """15 to 22 digits with a point, perhaps with an exponent."""
    number = _pointed(rng, _digits(rng, rng.randint(15, 22)))
    return _signed(rng, number + (f"e{rng.randint(-30, 30)}" if rng.random() < 0.3 else ""))


def any_double(rng: Random) -> str:
    """Shortest or 17-digit text of random bits: all exponents alike."""
    value = math.inf
    while not math.isfinite(value):
        (value,) = struct.unpack("<d", rng.randbytes(8))
    return rng.choice((repr, lambda x: f"{x:.17e}", lambda x: f"{x:.16e}"))(value)


def halfway(rng: Random) -> str:
    """Exactly between two doubles, or a hair above or below."""
    exponent = rng.choice((rng.randint(-60, 60), rng.randint(-1074, 900)))
    half = Fraction(2 * rng.getrandbits(53) + 1) * Fraction(2) ** (exponent - 1)
    return _signed(rng, _exact(half) + rng.choice(("", "0", "000001", "1")) if half.denominator > 1
                   else str(int(half) + rng.randint(-1, 1)))  # fmt: skip


def _exact(value: Fraction) -> str:
    """Write a fraction whose denominator is a power of two, in full."""
    places = value.denominator.bit_length() - 1
    digits = str(value.numerator * 5**places).rjust(places + 1, "0")
    return digits[:-places] + "." + digits[-places:]


def clinger(rng: Random) -> str:
    """Around 2^53 times powers of ten up to 10^22 and beyond: where one rounding is exact."""
    mantissa = 2**53 + rng.choice((rng.randint(-3, 3), -rng.getrandbits(rng.randint(1, 50))))
    power = rng.choice((-23, -22, -21, 21, 22, 23, rng.randint(-40, 40)))
    return _signed(rng, f"{mantissa}e{power}" if power else str(mantissa))


def around_64_bits(rng: Random) -> str:
    """Mantissas about 2^63, 2^64 and 10^19, where an integer of 64 bits overflows."""
    base = rng.choice((2**63, 2**64, 10**19, 10**18, 2**53))
    return _signed(rng, _pointed(rng, str(base + rng.randint(-2000, 2000))))


def denormal(rng: Random) -> str:
    """Below the least normal double, down to the least of all; some would underflow to 0."""
    value = rng.getrandbits(rng.randint(1, 53)) * 2.0**-1074
    return _signed(rng, f"{value:.{rng.randint(0, 25)}e}")


def extreme(rng: Random) -> str:
    """Exponents at both ends of the range; some are over them."""
    digits = _digits(rng, rng.randint(1, 20))
    return _signed(
        rng, f"{digits[0]}.{digits[1:] or 0}e{rng.choice((1, -1)) * rng.randint(285, 330)}"
    )


def zeros(rng: Random) -> str:
    """Zeros in front, behind, and nothing but zeros."""
    number = rng.choice(("0", _digits(rng, rng.randint(1, 19))))
    before = "0." + "0" * rng.choice((0, 1, 5, 18, 19, 30, 300)) + number
    behind = number + "." + "0" * rng.choice((1, 2, 18, 19, 20, 100))
    exponent = rng.choice(("", "e0", "E+0", "e-00", f"e{rng.randint(-20, 20):+04d}"))
    return _signed(rng, rng.choice((before, behind, number)) + exponent)


def very_long(rng: Random) -> str:
    """30 to 800 digits."""
    return _signed(rng, _pointed(rng, _digits(rng, rng.randint(30, rng.choice((60, 120, 800))))))


def whole(rng: Random) -> str:
    """Integers of 1 to 25 digits."""
    return _signed(rng, _digits(rng, rng.randint(1, 25)))


GENERATORS = (
    common, common, common, long_digits, long_digits, any_double, halfway, clinger, around_64_bits,
    denormal, extreme, zeros, very_long, whole,
)  # fmt: skip


@click.command(help=__doc__)
@click.option("--count", default=2_000_000, show_default=True)
@click.option("--seed", default=1, show_default=True)
def main(count: int, seed: int) -> None:
    tally = check(count, seed)
    share = tally.taken / tally.numbers
    click.echo(f"{tally.numbers} numbers, {share:.1%} taken, {tally.seconds:.0f} s: all as float()")


if __name__ == "__main__":
    main()
