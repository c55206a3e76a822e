"""Merge the chunks of streams into responses.

`merger` keeps unfinished responses from batch to batch. `assign_block`, or `assign` chunk by chunk,
finds the response of each chunk; `responses` merges them, with `final_copies` and `tool_calls`.
"""
