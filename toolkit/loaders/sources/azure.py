"""Check that URIs of Azure come with credentials: `require_credentials`.

Where no identity is found, Azure's library raises what Arrow (26.0) does not catch, so that the
whole process ends. Another process therefore looks first.
"""

from __future__ import annotations

import subprocess
import sys
from functools import lru_cache
from urllib.parse import parse_qsl, urlsplit

from toolkit.errors import SourceError

SCHEMES = ("abfs", "abfss")
_LOOK = """
import sys
from pyarrow import fs
filesystem, path = fs.FileSystem.from_uri(sys.stdin.read())
filesystem.get_file_info(path or sys.argv[1])
"""
_EXPECTED = (
    "expected a shared access signature as its options (?sv=...&sig=...), or an identity, such as "
    "AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_CLIENT_SECRET in the environment"
)


def require_credentials(name: str, uri: str, path: str) -> None:
    """Raise `SourceError` if Arrow would find no credentials for a URI.

    Parameters
    ----------
    name : str
        The URI, without passwords and options.
    uri : str
        As it is given to Arrow.
    path : str
        The path in the file system: container and name.
    """
    found = urlsplit(uri)
    options = dict(parse_qsl(found.query))
    if found.password is not None:
        raise SourceError(
            f"{name}: Arrow takes no key of an account from a URI; {_EXPECTED}; or fsspec+abfs:// "
            "(pip install adlfs), which takes a key from AZURE_STORAGE_CONNECTION_STRING"
        )
    if "sig" in options or options.get("credential_kind") == "anonymous":
        return
    if not _has_identity(f"{found.scheme}://{found.netloc}?{found.query}", path.split("/")[0]):
        raise SourceError(f"{name}: no identity for Azure was found; {_EXPECTED}")


@lru_cache(maxsize=16)
def _has_identity(root: str, container: str) -> bool:
    """Return whether another process can ask for a container and lives."""
    command = [sys.executable, "-P", "-c", _LOOK, container]  # -P: no module of the folder
    look = subprocess.run(command, input=root.encode(), capture_output=True)
    return b"AuthenticationException" not in look.stderr
