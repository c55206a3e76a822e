"""Open what a caller names: paths, globs, folders, URIs, file objects, bytes."""
