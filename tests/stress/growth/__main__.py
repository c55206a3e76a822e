"""Measure every shape, or those named, and print a table; the exit code is 1 if one grows too fast.

``python -m tests.stress.growth`` takes a few minutes; ``python -m tests.stress.growth events rows``
measures two shapes. With ``--memory`` only memory counts.
"""

import argparse
import sys

from tests.stress.growth.measure import growth, warm
from tests.stress.growth.shapes import SHAPES

EXPONENT = 1.15
MEMORY = 20  # bytes for each byte of the input
# For rejects that are listed, a block as Python's objects, and a batch of 1,024 small sources.
FIXED = 64 << 20


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("shapes", nargs="*")
    parser.add_argument("--scale", type=float, default=1, help="multiplies every n")
    parser.add_argument("--memory", action="store_true", help="measure once, and judge no time")
    options = parser.parse_args()
    warm()
    failed = 0
    for name in options.shapes or SHAPES:
        make, n = SHAPES[name]
        n = max(int(n * options.scale), 2)
        repeats = 1 if options.memory else 2
        seconds, exponent, memory, size = growth(make, n, repeats)
        is_slow = exponent > EXPONENT and not options.memory
        is_large = memory > MEMORY * size + FIXED
        failed += is_slow or is_large
        times = " ".join(f"{each:8.3f}" for each in seconds)
        mark = "  <-- time" * is_slow + "  <-- memory" * is_large
        print(f"{name:36} {n:8,} {times} {exponent:6.2f} {memory / size:8.1f}{mark}", flush=True)
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
