"""Decode framed records into column buffers: the native scanner and the reference decoder."""
