"""Decode framed records into column buffers.

`decoder` joins the two ways: `native` for what the native scanner has read, `reference` for the
other records. The reference decoder parses JSON (`strict_json`), walks the canonical body
(`body_reader`, `entry_reader`) and ranks the alternatives (`ranks`). `ordinals` counts the records.
"""
