"""Framed records in, column buffers out: the one door to the decoders.

`Decoder` takes blocks of framed records of one source, in order, and gives their columns and
rejects. The reference decoder, which reads everything, is the only one so far; a faster one reads
what it is certain of here and leaves the other rows of the block to ``frames(block, rows)``.
"""

from __future__ import annotations

from toolkit.reference import ReferenceDecoder as Decoder

__all__ = ["Decoder"]
