"""Split a source into framed records: JSON lines, documents, server-sent events, cassettes."""
