"""pandas.json_normalize over the records of the standard library's parser."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa

from benchmarks.corpus import Spec
from benchmarks.flat import Entries, Flat, assembled
from benchmarks.loops import collector_paused, dict_records


def read(path: Path, spec: Spec, threads: int) -> Flat:
    """Normalise the entries of all records, then their lists."""
    with collector_paused():
        records = [
            {"id": name, "content": entries}
            for name, entries in dict_records(path, json.loads, spec)
        ]
        tokens = pd.json_normalize(records, "content")
        alternatives = pd.json_normalize(tokens[spec.top].explode().dropna().tolist())
        return assembled(
            _entries(np.array([len(record["content"]) for record in records]), tokens),
            _entries(tokens[spec.top].str.len().to_numpy(np.int64), alternatives),
            [record["id"] for record in records] if spec.streamed else None,
        )


def _entries(counts: np.ndarray, frame: pd.DataFrame) -> Entries:
    return Entries(
        counts,
        pa.array(frame["token"], pa.large_string()),
        pa.array(
            [None if raw is None else bytes(raw) for raw in frame["bytes"]], pa.large_binary()
        ),
        pa.array(frame["logprob"], pa.float64()),
    )
