"""Servers of S3 and Google Cloud Storage on loopback (extra ``stores``), with dummy credentials."""

from __future__ import annotations

import os
import subprocess
import sys
import urllib.request
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import pytest

from toolkit.loaders.sources import locations

MARKS = [
    pytest.mark.stores,
    pytest.mark.filterwarnings("ignore"),  # those of moto and its server
]


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The client of boto3 for a server with an empty bucket named ``buck``."""
    pytest.importorskip("moto.server", reason="the extra stores is not installed")
    import boto3

    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    host, port = _s3_server()
    for name, value in {
        "ACCESS_KEY_ID": "dummy",
        "SECRET_ACCESS_KEY": "dummy",
        "DEFAULT_REGION": "us-east-1",
        "EC2_METADATA_DISABLED": "true",  # else the SDK asks an address outside of loopback
        "ENDPOINT_URL": f"http://{host}:{port}",
    }.items():
        monkeypatch.setenv(f"AWS_{name}", value)
    locations._filesystem.cache_clear()
    reset = urllib.request.Request(f"http://{host}:{port}/moto-api/reset", method="POST")
    try:
        urllib.request.urlopen(reset).close()  # servers of one process share their buckets
        client = boto3.client("s3")
        client.create_bucket(Bucket="buck")
        yield client
    finally:
        locations._filesystem.cache_clear()


@cache
def _s3_server() -> tuple[str, int]:
    """Start the server of S3 once for a process; its thread ends with it."""
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    return server.get_host_and_port()


@contextmanager
def requests_of(monkeypatch: pytest.MonkeyPatch) -> Iterator[Counter[str]]:
    """Count the requests to the server of S3 by method."""
    from moto.moto_server import werkzeug_app

    seen: Counter[str] = Counter()
    call = werkzeug_app.DomainDispatcherApplication.__call__

    def counted(self: Any, environ: dict[str, Any], start: Any) -> Any:
        seen[environ["REQUEST_METHOD"]] += 1
        return call(self, environ, start)

    with monkeypatch.context() as patch:
        patch.setattr(werkzeug_app.DomainDispatcherApplication, "__call__", counted)
        yield seen


_GCS = """
import sys
from gcp_storage_emulator.server import create_server
server = create_server("127.0.0.1", 0, in_memory=True, default_bucket="buck")
server.start()
print(server._api._httpd.server_address[1], flush=True)
sys.stdin.read()
server.stop()
"""


@pytest.fixture
def gcs() -> Iterator[str]:
    """The options of a URI for a server of Google Cloud Storage with a bucket named ``buck``.

    It is another process, because Arrow holds the lock of Python while it opens a file.
    """
    pytest.importorskip("gcp_storage_emulator", reason="the extra stores is not installed")
    with subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", _GCS],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as server:
        assert server.stdout is not None
        port = server.stdout.readline().strip()
        yield f"?scheme=http&endpoint_override=127.0.0.1:{port}&retry_limit_seconds=1"
        server.kill()
