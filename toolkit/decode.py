"""Framed records in, column buffers out.

The one door to the decoders: `Decoder` takes blocks of framed records of one source, in order, and
gives their columns. All records go to the reference decoder.
"""

from __future__ import annotations

from toolkit.reference import ReferenceDecoder as Decoder

__all__ = ["Decoder"]
