"""List object stores and other file systems that Arrow opens by a URI: `Store`.

A listing keeps the size and time of each object, so that no object needs a request of its own.
"""

from __future__ import annotations

import posixpath
import re
from collections import Counter
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, quote

import pyarrow as pa

from toolkit.errors import SourceError
from toolkit.loaders.sources import azure, globs
from toolkit.loaders.sources.folders import outside_exports
from toolkit.loaders.sources.locations import Remote

_URI = re.compile(r"([^:]+://)(?:([^/@?]*)@)?([^/?]*)([^?]*)(.*)", re.DOTALL)
_QUOTED = ":/?@!$&'()*+,;=%"  # characters that stay: all others are quoted
_PLAIN_OPTIONS = {  # options of a URI that hold no secret, so that they may travel with a shard
    *("region", "scheme", "endpoint_override", "enable_tls"),
    *("blob_storage_authority", "dfs_storage_authority"),
    *("blob_storage_scheme", "dfs_storage_scheme", "credential_kind", "tenant_id", "client_id"),
}


class Store(NamedTuple):
    """A file system that Arrow opened, and a path or pattern in it.

    Attributes
    ----------
    filesystem : pyarrow.fs.FileSystem
    path : str
    scheme : str
    name : str
        The URI, without passwords and options.
    root : str or None
        The URI of the file system, from which another process can open it; None: the URI has
        credentials.
    known : dict of str to FileInfo
        The objects that were listed.
    """

    filesystem: Any
    path: str
    scheme: str
    name: str
    root: str | None
    known: dict[str, Any]

    @classmethod
    def open(cls, uri: str, scheme: str) -> Store:
        """Open the file system of a URI.

        Raises
        ------
        SourceError
            If it cannot be opened.
        """
        from pyarrow import fs

        name, whole, root = parse_uri(uri)
        if scheme in ("http", "https"):
            raise SourceError(
                f"{name}: nothing is fetched over {scheme}; download it, pass the file"
            )
        try:
            filesystem, path = fs.FileSystem.from_uri(whole)
        except (pa.ArrowException, ValueError, ImportError, OSError) as error:
            # The error quotes the URI, so it is shown only if that has no credentials.
            raise SourceError(
                f"{name}: cannot open this kind of URI ({type(error).__name__}); expected file://, "
                "s3://, gs://, abfs:// or another that pyarrow.fs.FileSystem.from_uri accepts; "
                "otherwise open it yourself and pass the file object"
            ) from (None if root is None else error)
        if scheme in azure.SCHEMES:
            azure.require_credentials(name, whole, path)
        return cls(filesystem, path, scheme, name, root, {})

    @property
    def is_local(self) -> bool:
        """Whether the paths are those of local files."""
        from pyarrow import fs

        return isinstance(self.filesystem, fs.LocalFileSystem)

    def name_of(self, path: str) -> str:
        """Return the name of a file as a source."""
        return self.name if path == self.path else f"{self.scheme}://{path}"

    def location(self, path: str) -> Remote:
        """Return the location of a file that was listed."""
        info = self.known[path]
        return Remote(self.filesystem, path, self.root, info.size, info.mtime_ns)

    def files(self) -> tuple[bool, list[str], Counter[str]]:
        """Return whether the path is a folder, and its file or the sorted files that it names.

        Those of exported datasets are left out, and counted.
        """
        from pyarrow import fs

        info = self.filesystem.get_file_info(self.path)
        if info.type == fs.FileType.File:
            self.known[self.path] = info
            return False, [self.path], Counter()
        is_folder = info.type == fs.FileType.Directory
        magic = globs.MAGIC.search(self.path)
        if is_folder or magic is None:
            base = self.path
        else:
            base = posixpath.dirname(self.path[: magic.start()])
        if not (is_folder or magic):
            return False, [], Counter()
        listed = self._listed(base)
        known = {*listed, *map(posixpath.dirname, listed)}
        parts = self.path.split("/")
        found = listed if is_folder else [p for p in listed if globs.matches(p.split("/"), parts)]
        return is_folder, *outside_exports(found, base, known.__contains__)

    def _listed(self, base: str) -> list[str]:
        from pyarrow import fs

        selector = fs.FileSelector(base, recursive=True, allow_not_found=True)
        for info in self.filesystem.get_file_info(selector):
            if info.type == fs.FileType.File and "/." not in info.path[len(base) :]:
                self.known[info.path] = info
        return sorted(self.known)

    def why_empty(self) -> str:
        """Return why there is no file: the bucket or the file is missing."""
        from pyarrow import fs

        bucket = self.path.split("/")[0]
        try:
            found = self.filesystem.get_file_info(bucket).type
        except (OSError, ValueError, pa.ArrowException):
            found = None
        if bucket and found == fs.FileType.NotFound:
            return (
                f"no such bucket or folder: {bucket}; check its name, and the region if it has one"
            )
        return "no such file, and no recording matches it or lies below it"


def parse_uri(uri: str) -> tuple[str, str, str | None]:
    """Return name, URI with quoted characters, and URI of the file system without credentials."""
    found = _URI.fullmatch(uri)
    assert found is not None
    scheme, user, host, path, query = found.groups()
    options = [key for key, _ in parse_qsl(query[1:])]
    if query and not options:  # the question mark of a pattern
        path, query = path + query, ""
        options = []
    quoted = quote(path, safe=_QUOTED.replace("?", ""))
    at = "" if user is None else f"{user}@"
    # The part of abfs://container@account before the @ is a container, not a password.
    shown = f"{user.split(':')[0]}@" if user and scheme.startswith("abfs") else ""
    root = f"{scheme}{at}{host}{query}"
    is_plain = ":" not in (user or "") and _PLAIN_OPTIONS.issuperset(options)
    return (
        f"{scheme}{shown}{host}{path}",
        f"{scheme}{at}{host}{quoted}{query}",
        (root if is_plain else None),
    )
