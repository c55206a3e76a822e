"""Engines run the shards of an export, each while one of its workers is killed.

``pip install -e '.[engines]' && pytest -n 0 -m engines``
"""

import json
import os
import re
import shutil
import signal
import sys
import threading
import time
from concurrent.futures import Executor

import pyarrow as pa
import pytest

import toolkit
from tests.conftest import ROOT
from tests.dataset import recordings
from tests.dataset.recordings import SHARD_BYTES
from tests.dataset.test_machines import tree
from tests.stress.exports import contents
from toolkit.dataset import Shard, ShardReport, export_shard, finish_export, plan_export

pytestmark = [
    pytest.mark.engines,
    pytest.mark.filterwarnings("ignore"),  # those of the engines
]


@pytest.fixture(scope="module")
def sources(tmp_path_factory):
    return recordings.make(tmp_path_factory.mktemp("recordings"))


@pytest.fixture(scope="module")
def alone(sources, tmp_path_factory):
    folder = tmp_path_factory.mktemp("alone")
    return toolkit.export(sources, folder / "out", shard_bytes=SHARD_BYTES)


def killed_once(folder, fn, *args):
    """Call a function; the process that is the third to do so is killed while it writes."""
    folder.mkdir(exist_ok=True)
    for n in range(3):
        try:
            (folder / str(n)).touch(exist_ok=False)
        except FileExistsError:
            continue
        if n == 2:
            threading.Thread(target=kill_while_it_writes, args=(folder.parent,)).start()
            fn(*args)
            os.kill(os.getpid(), signal.SIGKILL)
        break
    return fn(*args)


def kill_while_it_writes(folder):
    while not any(folder.glob(".out.*/**/.part-*")):
        time.sleep(0.001)
    os.kill(os.getpid(), signal.SIGKILL)


class Killing(Executor):
    """An executor of which one worker is killed; counts the calls."""

    def __init__(self, executor, folder):
        self.calls = 0
        self._executor, self._folder = executor, folder

    def submit(self, fn, /, *args):
        self.calls += 1
        return self._executor.submit(killed_once, self._folder, fn, *args)


def exported(sources, tmp_path, executor):
    """Export while a worker is killed, which the engine repairs without the toolkit."""
    killing = Killing(executor, tmp_path / "kills")
    out = toolkit.export(sources, tmp_path / "out", executor=killing, shard_bytes=SHARD_BYTES)
    assert len(contents(tmp_path / "kills")) == 3
    assert contents(tmp_path) == ["kills", "out"]
    assert killing.calls == 11  # 9 shards, and two files that should not have been cut
    return out


def test_dask(sources, alone, tmp_path):
    distributed = pytest.importorskip("distributed", reason="the extra engines is not installed")
    settings = {"n_workers": 2, "threads_per_worker": 1, "dashboard_address": None}
    with distributed.Client(processes=True, **settings) as client:
        executor = client.get_executor(retries=3, pure=False)
        assert tree(exported(sources, tmp_path, executor)) == tree(alone)


def test_ray(sources, alone, tmp_path):
    ray = pytest.importorskip("ray", reason="the extra engines is not installed")

    class RayExecutor(Executor):
        def submit(self, fn, /, *args):
            return ray.remote(max_retries=3)(fn).remote(*args).future()

    ray.init(
        num_cpus=2, include_dashboard=False, object_store_memory=100 << 20, log_to_driver=False
    )
    try:
        assert tree(exported(sources, tmp_path, RayExecutor())) == tree(alone)
    finally:
        ray.shutdown()


def test_ray_data(tmp_path):
    """The stage of docs/machines.md, and what it is for: dicts of token ids as text."""
    ray = pytest.importorskip("ray", reason="the extra engines is not installed")
    data = pytest.importorskip("ray.data", reason="ray is installed without ray[data]")
    page = (ROOT / "docs" / "machines.md").read_text()
    [stage] = re.findall(
        r"^```python\n(import pyarrow.*?)^table = ", page, re.DOTALL | re.MULTILINE
    )
    scope = {"json": json}
    exec(stage, scope)
    token_rows, answer = scope["token_rows"], scope["answer"]
    ray.init(
        num_cpus=2, include_dashboard=False, object_store_memory=100 << 20, log_to_driver=False
    )
    try:
        dataset = data.from_items([answer(i) for i in range(50)])
        batches = dataset.map_batches(token_rows, batch_format="pyarrow", batch_size=7)
        rows = batches.to_pandas()
        dataset.write_parquet(os.fspath(tmp_path / "answers"))
    finally:
        ray.shutdown()
    assert len(rows) == len(rows[["id", "position"]].drop_duplicates()) == 100
    lp = toolkit.read(sorted((tmp_path / "answers").glob("*.parquet")), id="id")
    assert sorted(lp.responses["custom_id"].to_pylist()) == sorted(set(rows["id"]))
    assert lp.tokens.num_rows == 100


def test_spark(sources, alone, tmp_path, monkeypatch):
    if shutil.which("java") is None:
        pytest.skip("Spark needs Java")
    sql = pytest.importorskip("pyspark.sql", reason="pyspark is not installed")
    monkeypatch.setenv("PYSPARK_PYTHON", sys.executable)
    monkeypatch.setenv("PYTHONPATH", os.fspath(ROOT))
    monkeypatch.setenv("SPARK_LOCAL_IP", "127.0.0.1")
    out, kills = tmp_path / "out", tmp_path / "kills"

    def run(batches):
        for batch in batches:
            for text in batch["shard"].to_pylist():
                shard = Shard.from_json(json.loads(text))
                report = killed_once(kills, export_shard, shard, out)
                yield pa.RecordBatch.from_pydict({"report": [json.dumps(report.to_json())]})

    session = sql.SparkSession.builder.master("local[2,4]").config("spark.ui.enabled", "false")
    spark = session.getOrCreate()
    try:
        shards = plan_export(sources, shard_bytes=SHARD_BYTES)
        texts = [(json.dumps(shard.to_json()),) for shard in shards]
        rows = spark.createDataFrame(texts, "shard string").repartition(len(texts))
        found = rows.mapInArrow(run, "report string").collect()
        finish_export([ShardReport.from_json(json.loads(row.report)) for row in found], out)
        dataset = toolkit.open_dataset(out)
        n_rows = spark.read.parquet(*dataset.files("tokens")).count()
    finally:
        spark.stop()
    assert n_rows == dataset.n_rows()["tokens"] > 0
    assert len(contents(kills)) == 3
    assert contents(tmp_path) == ["kills", "out"]
    assert tree(out) == tree(alone)
