"""Load saved responses: from bytes and objects to `LogprobTables`.

A record passes these modules, in this order:

- `read` (or `objects`) checks the options (`options`) and starts a load (`session`, `batches`).
- `sources` opens files, URIs and file objects, and yields blocks of decompressed bytes.
- `framing` cuts the blocks into records: lines, documents, or events of a stream.
- `decoding` turns the records into column buffers (`buffers`). The native scanner (`scanner`) reads
  most of them; the reference decoder parses the others and asks `formats` for the response in them.
- `merging` finds the response of each chunk and merges the chunks.
- `assembling` gives keys and positions to the rows, and builds the five tables.
"""
