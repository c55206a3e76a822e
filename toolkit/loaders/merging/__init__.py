"""Merge the chunks of streams into responses.

`merger` keeps unfinished responses from batch to batch. `assign_block`, or `assign` chunk by chunk,
finds the response of each chunk (`streams` has both); `responses` merges them, with `final_copies`,
`cumulative` and `tool_calls`.
"""
