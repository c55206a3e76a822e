"""Load recorded responses: bytes and objects to `LogprobTables`.

The rooms stand in the order in which data flows: sources, framing, formats, decoding, merging,
assembling.
"""
