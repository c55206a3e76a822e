"""Servers of object stores on loopback, with dummy credentials.

Those of S3 and Google Cloud Storage come with the extra ``stores``. That of Azure is Azurite, a
program of Node: ``npm install -g azurite``.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import re
import shutil
import subprocess
import sys
import urllib.request
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from pyarrow import fs

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


_ACCOUNT = "devstoreaccount1"  # of Azurite, with a key that its documentation lists
_KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="


@pytest.fixture
def azure(tmp_path: Path) -> Iterator[tuple[str, str]]:
    """A container named ``buck`` on a server of Azure Blob Storage: its URI, and the options."""
    program = shutil.which("azurite-blob") or shutil.which("azurite")
    if program is None:
        pytest.skip("azurite-blob is not installed (npm install -g azurite)")
    services = ["blob"] if "azurite-blob" in program else ["blob", "queue", "table"]
    ports = [part for service in services for part in (f"--{service}Port", "0")]
    (tmp_path / "azurite").mkdir()
    with subprocess.Popen(
        [program, "--inMemoryPersistence", "--disableTelemetry", "--skipApiVersionCheck", *ports],
        cwd=tmp_path / "azurite",
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as server:
        assert server.stdout is not None
        listens = (re.search(r"Blob .*listens on http://(\S+)", line) for line in server.stdout)
        address = next(filter(None, listens))[1]
        uri, options = f"abfs://{_ACCOUNT}@{address}/buck", f"?enable_tls=false&{_signature()}"
        filesystem, path = fs.FileSystem.from_uri(uri + options)
        filesystem.create_dir(path)
        yield uri, options
        server.kill()


def connection_string(uri: str) -> str:
    """Return what gives fsspec the key of the account for the server of a URI."""
    endpoint = f"http://{uri.split('@')[1].split('/')[0]}/{_ACCOUNT}"
    return f"AccountName={_ACCOUNT};AccountKey={_KEY};BlobEndpoint={endpoint};"


def _signature() -> str:
    """Return a shared access signature of the account, because Arrow takes no key in a URI."""
    given = {"sv": "2021-12-02", "ss": "b", "srt": "sco", "sp": "rwdlac"}
    given |= {"se": "2099-01-01T00:00:00Z", "spr": "https,http"}
    signed = [_ACCOUNT, *(given[name] for name in ("sp", "ss", "srt")), ""]
    signed += [given["se"], "", given["spr"], given["sv"], "", ""]
    digest = hmac.digest(base64.b64decode(_KEY), "\n".join(signed).encode(), hashlib.sha256)
    return urlencode(given | {"sig": base64.b64encode(digest)})
