"""Compare how the scanner reads decimal numbers that are hard to read with ``float``.

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

_PER_RECORD = 100  # numbers
_RECORDS = 50  # records of one block


class Tally(NamedTuple):
    """The number of numbers that were read, and of those that the scanner took."""

    numbers: int
    taken: int
    seconds: float


class WrongNumber(AssertionError):
    """The scanner read a number as another double than ``float`` does."""


def check(count: int, seed: int, generators: tuple[Callable[[Random], str], ...] = ()) -> Tally:
    """Read numbers as logprobs and compare their bits with those of ``float``.

    Parameters
    ----------
    count, seed : int
    generators : tuple of callable
        Functions that make the numbers; default: those of all kinds.

    Raises
    ------
    WrongNumber
        With the number, both doubles and their bits.
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
            logprob = scanned.tokens["logprob"]
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
    # The numbers are read as JSON, because the integer -0 is 0 there.
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
    """Put a decimal point somewhere, also before all digits."""
    at = rng.randint(-6, len(digits))
    if at <= 0:
        return "0." + "0" * -at + digits
    return digits[:at] + ("." + digits[at:] if at < len(digits) else "")


def _signed(rng: Random, number: str) -> str:
    return "-" + number if rng.random() < 0.8 else number


def common(rng: Random) -> str:
    """Return a logprob as servers write it, with up to 17 significant digits."""
    return _signed(rng, rng.choice((repr, str, lambda x: f"{x:.{rng.randint(1, 20)}f}"))(
        rng.choice((rng.expovariate(1), rng.expovariate(1) * 10 ** -rng.randint(0, 12)))
    ))  # fmt: skip


def long_digits(rng: Random) -> str:
    """Return 15 to 22 digits with a point, some with an exponent."""
    number = _pointed(rng, _digits(rng, rng.randint(15, 22)))
    return _signed(rng, number + (f"e{rng.randint(-30, 30)}" if rng.random() < 0.3 else ""))


def any_double(rng: Random) -> str:
    """Return a double of random bits, so that all exponents are equally likely."""
    value = math.inf
    while not math.isfinite(value):
        (value,) = struct.unpack("<d", rng.randbytes(8))
    return rng.choice((repr, lambda x: f"{x:.17e}", lambda x: f"{x:.16e}"))(value)


def halfway(rng: Random) -> str:
    """Return a number exactly between two doubles, or slightly above or below."""
    exponent = rng.choice((rng.randint(-60, 60), rng.randint(-1074, 900)))
    half = Fraction(2 * rng.getrandbits(53) + 1) * Fraction(2) ** (exponent - 1)
    return _signed(rng, _exact(half) + rng.choice(("", "0", "000001", "1")) if half.denominator > 1
                   else str(int(half) + rng.randint(-1, 1)))  # fmt: skip


def _exact(value: Fraction) -> str:
    """Write a fraction whose denominator is a power of two with all its digits."""
    places = value.denominator.bit_length() - 1
    digits = str(value.numerator * 5**places).rjust(places + 1, "0")
    return digits[:-places] + "." + digits[-places:]


def clinger(rng: Random) -> str:
    """Return a number near the limits of Clinger's method: 2^53 times 10^22."""
    mantissa = 2**53 + rng.choice((rng.randint(-3, 3), -rng.getrandbits(rng.randint(1, 50))))
    power = rng.choice((-23, -22, -21, 21, 22, 23, rng.randint(-40, 40)))
    return _signed(rng, f"{mantissa}e{power}" if power else str(mantissa))


def around_64_bits(rng: Random) -> str:
    """Return a number whose digits are near 2^63, 2^64 or 10^19, where 64 bits overflow."""
    base = rng.choice((2**63, 2**64, 10**19, 10**18, 2**53))
    return _signed(rng, _pointed(rng, str(base + rng.randint(-2000, 2000))))


def denormal(rng: Random) -> str:
    """Return a denormal number; rounded digits may make some underflow to 0."""
    value = rng.getrandbits(rng.randint(1, 53)) * 2.0**-1074
    return _signed(rng, f"{value:.{rng.randint(0, 25)}e}")


def extreme(rng: Random) -> str:
    """Return a number with an exponent at an end of the range, or outside it."""
    digits = _digits(rng, rng.randint(1, 20))
    return _signed(
        rng, f"{digits[0]}.{digits[1:] or 0}e{rng.choice((1, -1)) * rng.randint(285, 330)}"
    )


def zeros(rng: Random) -> str:
    """Return a number with leading or trailing zeros, or only zeros."""
    number = rng.choice(("0", _digits(rng, rng.randint(1, 19))))
    before = "0." + "0" * rng.choice((0, 1, 5, 18, 19, 30, 300)) + number
    after = number + "." + "0" * rng.choice((1, 2, 18, 19, 20, 100))
    exponent = rng.choice(("", "e0", "E+0", "e-00", f"e{rng.randint(-20, 20):+04d}"))
    return _signed(rng, rng.choice((before, after, number)) + exponent)


def very_long(rng: Random) -> str:
    """Return a number of 30 to 800 digits."""
    return _signed(rng, _pointed(rng, _digits(rng, rng.randint(30, rng.choice((60, 120, 800))))))


def whole(rng: Random) -> str:
    """Return an integer of 1 to 25 digits."""
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
    click.echo(
        f"{tally.numbers} numbers, {share:.1%} taken, {tally.seconds:.0f} s: all equal to float()"
    )


if __name__ == "__main__":
    main()
