"""Fuzzing of the native scanner against the reference decoder.

Mutants of real and hand-made records go through both; every column must come out the same, bit for
bit. From the root of the project::

    python -m tests.fuzz --inputs 1000000 --jobs 2      # stops at the first difference or crash
    python -m tests.fuzz --replay fuzz-crashes/...      # a finding once more
    python -m tests.fuzz.decimals --count 2000000       # numbers, against float()
    python -m tests.fuzz.sanitize --inputs 100000       # under AddressSanitizer and UBSan
"""
