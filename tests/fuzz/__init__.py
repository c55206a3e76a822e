"""Fuzz the native scanner against the reference decoder.

Both read mutants of real and hand-made records; every column must be equal, bit for bit. Run from
the root of the project::

    python -m tests.fuzz --inputs 1000000 --jobs 2      # stops at the first difference or crash
    python -m tests.fuzz --replay fuzz-crashes/...      # reads a finding again
    python -m tests.fuzz.decimals --count 2000000       # compares numbers with float()
    python -m tests.fuzz.values --inputs 500000         # records of which the meaning is odd
    python -m tests.fuzz.sanitize --inputs 100000       # under AddressSanitizer and UBSan
"""
