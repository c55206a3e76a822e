"""URIs of Azure without credentials end in an error, not in the end of the process."""

from __future__ import annotations

import subprocess
import sys

import pytest

import toolkit
from toolkit.dataset import abandon_exports
from toolkit.errors import SourceError

# Azure's library refuses an identity without TLS before it asks any server.
NOBODY = "abfs://account@127.0.0.1:9/box/x.jsonl?enable_tls=false"


@pytest.mark.parametrize("call", ["read({!r})", "export('data/pairs_whole.jsonl', {!r})"])
def test_without_an_identity(call: str) -> None:
    """In another process, which Arrow would end."""
    script = f"import toolkit; toolkit.{call.format(NOBODY)}"
    found = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert found.returncode == 1
    last = found.stderr.strip().splitlines()[-1]
    assert "abfs://account@127.0.0.1:9/box/x.jsonl: no identity for Azure was found" in last
    assert "AZURE_CLIENT_SECRET" in last


@pytest.mark.parametrize(
    "uri",
    [
        "abfs://box:hidden@account.dfs.core.windows.net/x",
        "abfss://account:hidden@127.0.0.1:9/box/x",
    ],
)
def test_the_key_of_an_account(uri: str) -> None:
    for call in (toolkit.read, toolkit.open_dataset, abandon_exports):
        with pytest.raises(SourceError, match="no key of an account .*sig=") as found:
            call(uri)
        assert "hidden" not in str(found.value)
