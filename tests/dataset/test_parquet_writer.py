"""In the files of a shard keys rise, also where streams end long after later ones began."""

import json
import random

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import toolkit
from tests.stress.exports import files
from toolkit.dataset import parquet_writer
from toolkit.dataset.layout import part_name
from toolkit.dataset.parquet_writer import in_order

WINDOW = 200  # records after which a stream is closed
KEYED = ("responses", "choices", "tokens", "alternatives")


def chunk(stream, i):
    top = [{"token": f"a{k}", "logprob": -1.0 - k} for k in range(2)]
    entry = {"token": f"{stream}.{i} ", "logprob": -0.25, "top_logprobs": top}
    choice = {"index": 0, "delta": {"content": entry["token"]}, "logprobs": {"content": [entry]}}
    return {"id": f"stream-{stream}", "choices": [choice]}


def interleaved(n_streams, seed, most_open=12, n_chunks=30):
    """Return the chunks of streams of which many are open at once; the first two end last."""
    draw = random.Random(seed)
    left = {i: draw.randint(1, n_chunks) for i in range(n_streams)}
    begun, lines = [0, 1], [chunk(0, 0), chunk(1, 0)]
    waiting = list(range(2, n_streams))
    while waiting or len(begun) > 2:
        while waiting and len(begun) < most_open:
            begun.append(waiting.pop(0))
        at = draw.randrange(2, len(begun))
        stream = begun[at]
        lines.append(chunk(stream, left[stream]))
        left[stream] -= 1
        if not left[stream]:
            begun.pop(at)
        if len(lines) % (WINDOW // 3) == 0:
            lines += [chunk(0, len(lines)), chunk(1, len(lines))]
    return "".join(json.dumps(line) + "\n" for line in lines)


@pytest.fixture(params=[1 << 30, 5_000, 1], ids=["one run", "some runs", "a run for each batch"])
def _small(request, monkeypatch):
    monkeypatch.setattr("toolkit.dataset.exporting._BATCH_BYTES", 30_000)
    monkeypatch.setattr(parquet_writer, "_RUN_ROWS", 70)
    add = parquet_writer._Files._on_time

    def on_time(self, table):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(parquet_writer, "_PART_BYTES", request.param)
            return add(self, table)

    monkeypatch.setattr(parquet_writer, "_PART_BYTES", 2_000)
    monkeypatch.setattr(parquet_writer._Files, "_on_time", on_time)


@pytest.mark.usefixtures("_small")
def test_keys_rise_in_each_table(tmp_path, monkeypatch):
    again = []
    rewrite = parquet_writer._Files.sort
    monkeypatch.setattr(
        parquet_writer._Files, "sort", lambda self: again.append(len(self._runs)) or rewrite(self)
    )
    source = tmp_path / "log.jsonl"
    source.write_text(interleaved(150, seed=3))
    out = toolkit.export(source, tmp_path / "out", threads=1, stream_window=WINDOW)
    assert sum(n > 0 for n in again) == 4
    expected = toolkit.read(source, stream_window=WINDOW)
    dataset = toolkit.open_dataset(out)
    for name in KEYED:
        paths = dataset.files(name)
        assert len(paths) > 1 or name == "responses"
        assert [path.rsplit("/", 1)[1] for path in paths] == [
            part_name(0, i) for i in range(len(paths))
        ]
        table = pa.concat_tables([pq.read_table(path) for path in paths])
        assert table.num_rows == expected[name].num_rows
        keys = table["response_key"].to_numpy()
        assert np.all(keys[1:] >= keys[:-1]), name
        assert table["response_key"].equals(expected[name]["response_key"])
    assert toolkit.read_parquet(out).equals(expected)
    assert {path.name[0] for path in out.rglob("*") if path.is_file()} <= set("pm_")
    toolkit.export(source, tmp_path / "again", threads=3, stream_window=WINDOW)
    assert files(tmp_path / "again") == files(out)


def test_what_is_in_order_is_written_once(tmp_path, monkeypatch):
    monkeypatch.setattr(parquet_writer, "_PART_BYTES", 2_000)
    monkeypatch.setattr("toolkit.dataset.exporting._BATCH_BYTES", 30_000)
    monkeypatch.setattr(parquet_writer, "in_order", None)
    source = tmp_path / "log.jsonl"
    source.write_text(
        "".join(interleaved(3, seed).replace("stream", f"{seed}") for seed in range(9))
    )
    out = toolkit.export(source, tmp_path / "out")
    assert toolkit.read_parquet(out).equals(toolkit.read(source))


def test_a_failure_while_rows_are_sorted_leaves_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr("toolkit.dataset.exporting._BATCH_BYTES", 30_000)
    monkeypatch.setattr(parquet_writer, "_PART_BYTES", 2_000)

    def failing(runs):
        yield next(runs[0])
        raise OSError("disk full")

    monkeypatch.setattr(parquet_writer, "in_order", failing)
    source = tmp_path / "log.jsonl"
    source.write_text(interleaved(150, seed=4))
    with pytest.raises(toolkit.errors.ExportError, match="disk full"):
        toolkit.export(source, tmp_path / "out", stream_window=WINDOW)
    assert [path.name for path in tmp_path.iterdir() if path.name != ".out.lock"] == ["log.jsonl"]


@settings(deadline=None)
@given(st.lists(st.lists(st.integers(0, 30), max_size=40), max_size=5), st.integers(1, 9))
def test_runs_are_merged(runs, size):
    """Each run is sorted, and no key is in two runs."""
    tables = []
    for i, run in enumerate(runs):
        keys = np.array(sorted(key * len(runs) + i for key in run), np.int64)
        table = pa.table({"response_key": keys, "row": np.arange(len(keys))})
        tables.append([table.slice(at, size) for at in range(0, len(keys), size)])
    found = list(in_order([iter(each) for each in tables]))
    whole = [row for each in found for row in each.to_pylist()]
    assert whole == sorted(
        (row for each in tables for table in each for row in table.to_pylist()),
        key=lambda row: (row["response_key"], row["row"]),
    )
