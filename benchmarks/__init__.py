"""The toolkit beside its peers, on the same seeded corpora: ``python -m benchmarks``."""
