"""Resolve paths, globs, directories, URIs, file objects and bytes, and read their blocks."""

from __future__ import annotations

import bz2
import gzip
import io
import os
import pickle
import re
import sys
import zlib
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyarrow import fs

import toolkit
from toolkit.errors import ArgumentError, SourceError
from toolkit.loaders.sources.resolve import resolve
from toolkit.loaders.sources.source import Source
from toolkit.schema import REASONS

RECORD = b'{"choices": []}\n'


def read(source: Source, block_bytes: int = 8 << 20) -> tuple[bytes, str | None]:
    """Return the bytes of a source and the reason of its fault, if there was one."""
    blocks, fault = [], None
    try:
        blocks.extend(source.blocks(block_bytes))
    except SourceError as error:
        fault = error
    assert all(0 < len(block) <= block_bytes for block in blocks)
    if fault is None:
        return b"".join(blocks), None
    assert fault.reason in REASONS
    assert str(fault).startswith(source.name)
    return b"".join(blocks), fault.reason


def read_all(sources: object) -> list[tuple[str, bytes, str | None]]:
    return [(source.name, *read(source)) for source in resolve(sources)]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(path: str | Path, data: bytes = RECORD) -> str:
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Path(path).write_bytes(data)
    return str(path)


# Compression


def zstd(data: bytes) -> bytes:
    return pa.compress(data, codec="zstd", asbytes=True)


def zstd_in_blocks(data: bytes) -> bytes:
    """Return one frame of several blocks, as a flushed stream writes."""
    sink = pa.BufferOutputStream()
    with pa.CompressedOutputStream(sink, "zstd") as stream:
        for start in range(0, len(data), 100):
            stream.write(data[start : start + 100])
            stream.flush()
    return sink.getvalue().to_pybytes()


# Hard to compress, so that the compressed forms have several hundred bytes.
DATA = b"".join(b'{"n": "%x"}\n' % pow(7, i, 10**40) for i in range(60, 72))
HALF = len(DATA) // 2
SKIPPABLE = b"\x50\x2a\x4d\x18\x03\x00\x00\x00abc"
PACKED = {
    "gzip": [gzip.compress(DATA)],
    "gzip members": [gzip.compress(DATA[:HALF]), gzip.compress(DATA[HALF:])],
    "bz2": [bz2.compress(DATA)],
    "bz2 streams": [bz2.compress(DATA[:HALF]), bz2.compress(DATA[HALF:])],
    "zstd": [zstd(DATA)],
    "zstd blocks": [zstd_in_blocks(DATA)],
    "zstd frames": [zstd(DATA[:HALF]), SKIPPABLE, zstd_in_blocks(DATA[HALF:])],
    "zstd after a skippable frame": [SKIPPABLE, zstd(DATA)],
}
MAGIC = 4  # bytes from which each of them is detected


@pytest.mark.parametrize("name", PACKED)
def test_compressed_data_is_read_whole(name: str) -> None:
    packed = b"".join(PACKED[name])
    for block_bytes in (1, 7, 100, 8 << 20):
        assert read(*resolve(packed), block_bytes) == (DATA, None)


@pytest.mark.parametrize("name", PACKED)
def test_a_cut_is_never_silent(name: str) -> None:
    packed = b"".join(PACKED[name])
    ends = {sum(map(len, PACKED[name][:n])) for n in range(1, len(PACKED[name]) + 1)}
    delivered = set()
    for stop in range(MAGIC, len(packed)):
        got, reason = read(*resolve(packed[:stop]))
        assert DATA.startswith(got)
        assert reason == (None if stop in ends else "truncated_source"), stop
        delivered.add(len(got))
    if "members" in name or "streams" in name or "frames" in name:
        assert HALF in delivered  # complete members are kept
    if name in ("gzip", "zstd blocks"):
        assert len(delivered) > 3


@pytest.mark.parametrize("name", PACKED)
def test_less_than_the_magic_is_plain_data(name: str) -> None:
    head = b"".join(PACKED[name])[:1]
    assert read(*resolve(head)) == (head, None)


@pytest.mark.parametrize("place", [-8, -1, 40])
def test_a_damaged_gzip_is_reported(place: int) -> None:
    good = gzip.compress(DATA)
    damaged = bytearray(gzip.compress(DATA))
    damaged[place] ^= 0x10
    got, reason = read(*resolve(good + bytes(damaged)))
    assert got.startswith(DATA)
    assert reason == "truncated_source"


@pytest.mark.parametrize("name", PACKED)
def test_data_after_compressed_data_is_reported(name: str) -> None:
    assert read(*resolve(b"".join(PACKED[name]) + b"garbage")) == (DATA, "truncated_source")


def test_zero_padding_after_gzip_is_ignored() -> None:
    one = gzip.compress(RECORD)
    for reader in (resolve(one + bytes(1000)), resolve(one + bytes(100_000) + one)):
        got, reason = read(*reader)
        assert (got.replace(RECORD, b""), reason) == (b"", None)


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress, zstd])
def test_blocks_stay_small_however_well_it_packs(pack: Callable[[bytes], bytes]) -> None:
    size = 5_000_000
    blocks = [len(block) for block in resolve(pack(bytes(size)))[0].blocks(100_000)]
    assert sum(blocks) == size
    assert max(blocks) <= 100_000
    assert min(blocks[:-1]) > 30_000  # and not tiny


class Odd(Exception):
    """An error of a class that nobody knows."""


class Crumbs(io.RawIOBase):
    """A file that gives three bytes at a time, and raises the fault at its end, if there is one."""

    def __init__(self, data: bytes, fault: Exception | None = None) -> None:
        super().__init__()
        self.data, self.fault = data, fault

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        if not self.data and self.fault:
            raise self.fault
        piece, self.data = self.data[: min(size, 3)], self.data[min(size, 3) :]
        return piece


@pytest.mark.parametrize("name", PACKED)
def test_short_reads(name: str) -> None:
    packed = b"".join(PACKED[name])
    assert read(*resolve(Crumbs(packed))) == (DATA, None)


@pytest.mark.parametrize("pack", [bytes, gzip.compress, zstd_in_blocks])
@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        (OSError(5, "io"), "unreadable_source"),
        (ValueError("closed"), "unreadable_source"),
        (RuntimeError("secret"), "unreadable_source"),
        (KeyError("secret"), "unreadable_source"),
        (StopIteration(), "unreadable_source"),
        (AssertionError(), "unreadable_source"),
        (Odd("secret"), "unreadable_source"),
        (EOFError(), "truncated_source"),
        (zlib.error(), "truncated_source"),
    ],
)
def test_a_file_that_fails_midway(
    pack: Callable[[bytes], bytes], fault: Exception, reason: str
) -> None:
    got, found = read(*resolve(Crumbs(pack(DATA)[:-20], fault)))
    assert DATA.startswith(got)
    assert len(got) >= 100
    assert found == reason


class Lazy:
    """A file object of which nothing is as expected."""

    def __init__(self, found: object) -> None:
        self.found = found

    @property
    def name(self) -> str:
        raise RuntimeError("secret")

    def read(self, size: int) -> object:
        if isinstance(self.found, BaseException):
            raise self.found
        return self.found


@pytest.mark.parametrize(
    "found",
    [RuntimeError("secret"), Odd("secret"), LookupError(), MemoryError(), 10**15, ["a"], {}],
)
def test_an_odd_file_object_costs_no_other_source(found: object) -> None:
    import toolkit

    good = b'{"choices": [{"message": {"content": "x"}}]}\n'
    with pytest.warns(toolkit.ToolkitWarning, match="unreadable_source") as caught:
        lp = toolkit.read([good, Lazy(found), io.BytesIO(good)])
    assert (len(lp), lp.rejects["reason"].to_pylist()) == (2, ["unreadable_source"])
    assert "secret" not in f"{lp.rejects.to_pylist()} {caught[0].message}"
    assert lp.rejects["source"].to_pylist() == ["<file-1>"]


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit])
def test_an_interrupt_is_not_a_fault(error: type[BaseException]) -> None:
    import toolkit

    with pytest.raises(error):
        toolkit.read(Lazy(error()))


@given(st.binary(max_size=300), st.integers(1, 400))
def test_plain_bytes_come_as_they_are(data: bytes, block_bytes: int) -> None:
    data = b"{" + data
    assert read(*resolve(data), block_bytes) == (data, None)


PACKED_MAGIC = [b"\x1f\x8b", b"BZh9", b"\x28\xb5\x2f\xfd"]
TABLE_MAGIC = [b"PAR1", b"ARROW1\0\0", b"\xff" * 4, b"PK\x03\x04", b"PK\x05\x06"]


@given(st.binary(max_size=200), st.sampled_from([*PACKED_MAGIC, *TABLE_MAGIC]))
def test_damaged_data_raises_source_errors_alone(data: bytes, magic: bytes) -> None:
    read(*resolve(magic + data))


def test_empty_sources_are_not_errors(folder: Path) -> None:
    assert read_all([b"", write("empty.jsonl", b""), io.BytesIO(), gzip.compress(b"")]) == [
        ("<bytes-1>", b"", None),
        ("empty.jsonl", b"", None),
        ("<file>", b"", None),
        ("<bytes-2>", b"", None),
    ]


def test_the_name_says_nothing_of_compression(folder: Path) -> None:
    write("plain.jsonl.gz")
    write("packed.jsonl", gzip.compress(RECORD))
    assert read_all(["plain.jsonl.gz", "packed.jsonl"]) == [
        ("plain.jsonl.gz", RECORD, None),
        ("packed.jsonl", RECORD, None),
    ]


# Paths, globs, directories


def test_order_and_repeats_are_kept(folder: Path) -> None:
    for name in ("b.jsonl", "a.jsonl", "logs/c.jsonl"):
        write(name, name.encode())
    found = read_all(["b.jsonl", [Path("a.jsonl"), ("*.jsonl",)], "b.jsonl", folder / "logs"])
    assert [name for name, _, _ in found[:-1]] == [
        "b.jsonl", "a.jsonl", "a.jsonl", "b.jsonl", "b.jsonl"
    ]  # fmt: skip
    assert found[-1] == (str(folder / "logs" / "c.jsonl"), b"logs/c.jsonl", None)


def test_generators_and_nothing() -> None:
    assert resolve([]) == []
    assert [source.name for source in resolve(x for x in (b"1", [b"2"]))] == [
        "<bytes-1>",
        "<bytes-2>",
    ]


def test_globs(folder: Path) -> None:
    for name in (
        "x/1.jsonl",
        "x/y/2.jsonl",
        "x/y/.hidden.jsonl",
        "x/3.md",
        "z[1].jsonl",
        "z1.jsonl",
    ):
        write(name)

    def names(pattern: str) -> list[str]:
        return [source.name for source in resolve(pattern)]

    assert names("x/*.jsonl") == ["x/1.jsonl"]
    assert names("**/*.jsonl") == ["x/1.jsonl", "x/y/2.jsonl", "z1.jsonl", "z[1].jsonl"]
    assert names("x/**") == ["x/1.jsonl", "x/3.md", "x/y/2.jsonl"]  # each file once
    assert names("x/[y]") == ["x/y/2.jsonl"]
    assert names("z[1].jsonl") == ["z[1].jsonl"]  # a file of exactly that name
    assert names("z?.jsonl") == ["z1.jsonl"]


def test_what_is_missing_does_not_stop_the_others(folder: Path) -> None:
    write("a.jsonl")
    sources = resolve(["no.jsonl", "*.sse", "a.jsonl", "a.jsonl/x", "nul\0", "", "é" * 300])
    assert [read(source) for source in sources] == [
        (RECORD, None) if i == 2 else (b"", "unreadable_source") for i in range(7)
    ]
    with pytest.raises(SourceError, match=r"no\.jsonl: no such file"):
        list(sources[0].blocks())
    with pytest.raises(SourceError, match="'': no such file: the name is empty"):
        list(sources[5].blocks())
    with pytest.raises(SourceError, match="pattern matches no file"):
        list(sources[1].blocks())


def test_directories(folder: Path) -> None:
    taken = {
        "a.jsonl": b"not even JSON",
        "b/c.NDJSON": b"",
        "b/d.json.gz": b"",
        "b/e.sse.zst": b"",
        "gpt-4.1": b'{"choices": []}',
        "noname": b"\xef\xbb\xbf \n[{}]",
        "response.txt": b"data: {}\n\n",
        "response.log.gz": gzip.compress(b": comment\n"),
        "response.bin": b"event: x\n",
        "x.chunks.txt": b'{"a": 1}\n',
        "page.har": b"{}",
        "cassette.yaml": b"# recorded\nversion: 1\ninteractions:\n- x\n",
        "cassette.yml": b"interactions:\n",
        "cut.bin.gz": gzip.compress(b"{}" * 100)[:-4],
    }
    left = {
        "prose.txt": b"Hello {",
        "data.csv": b"a,b\n1,2\n",
        "config.yaml": b"data: 1\n",
        "a.py": b"{}",
        "a.jsonl.md": b"{}",
        ".hidden.jsonl": b"{}",
        ".git/x.jsonl": b"{}",
        "empty": b"",
        "table.parquet": b"PAR1",
    }
    for name, data in {**taken, **left}.items():
        write(folder / "d" / name, data)
    *files, whole = resolve("d")
    assert [source.name for source in files] == sorted(f"d/{name}" for name in taken)
    assert read(whole) == (b"", None)
    assert whole.name == "d"
    assert whole.skipped == {
        ".csv without answers": 1,
        ".md": 1,
        ".parquet that cannot be read": 1,
        ".py": 1,
        ".txt": 1,
        ".yaml": 1,
        "without a suffix": 1,
    }


def test_a_directory_without_recordings(folder: Path) -> None:
    write("d/readme.md")
    [source] = resolve("d")
    assert source.skipped == {".md": 1}
    assert read(source) == (b"", "unreadable_source")
    with pytest.raises(SourceError, match=r"no recording .*1 \.md.* \.jsonl, .* \.txt"):
        list(source.blocks())


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root reads all")
def test_a_file_without_permission_is_reported(folder: Path) -> None:
    os.chmod(write("secret.jsonl"), 0)
    assert read_all("secret.jsonl") == [("secret.jsonl", b"", "unreadable_source")]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes here")
def test_pipes_and_devices_are_not_opened(folder: Path) -> None:
    os.mkfifo("pipe.jsonl")
    for name in ("pipe.jsonl", "pipe*", os.devnull):
        [source] = resolve(name)
        with pytest.raises(SourceError, match="pipe or a device.*'-'") as caught:
            list(source.blocks())
        assert caught.value.reason == "unreadable_source"
    assert "no recording" in str(pytest.raises(SourceError, list, resolve(".")[0].blocks()).value)


def test_names_that_are_not_utf8(folder: Path) -> None:
    try:
        Path(os.fsdecode(b"caf\xe9.jsonl")).write_bytes(RECORD)
    except OSError:
        pytest.skip("the file system takes UTF-8 names only")
    assert read_all(["."]) == [("./caf\ufffd.jsonl", RECORD, None)]
    pa.array([source.name for source in resolve("*.jsonl")])  # lone surrogates would raise


def test_home_is_expanded(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(folder))
    monkeypatch.setenv("USERPROFILE", str(folder))
    write("a.jsonl")
    assert read_all("~/a.jsonl") == [("~/a.jsonl", RECORD, None)]


# Standard input, file objects, bytes


def test_stdin(monkeypatch: pytest.MonkeyPatch) -> None:
    [source] = resolve("-")
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(gzip.compress(RECORD))))
    assert (source.name, *read(source)) == ("<stdin>", RECORD, None)
    monkeypatch.setattr(sys, "stdin", io.StringIO("{}"))
    assert read(source) == (b"{}", None)
    monkeypatch.setattr(sys, "stdin", None)
    assert read(source) == (b"", "unreadable_source")


def test_file_objects(folder: Path) -> None:
    write("a.jsonl", b"skip" + RECORD)
    named = io.BytesIO(RECORD)
    named.name = "mine"
    numbered = io.BytesIO(RECORD)
    numbered.name = 7
    with open("a.jsonl", "rb") as binary, open("a.jsonl", encoding="utf-8") as text:
        binary.seek(4)  # read from this position
        text.read(4)
        sources = [binary, text, named, numbered, io.StringIO("é\ud800")]
        assert read_all(sources) == [
            ("a.jsonl", RECORD, None),
            ("a.jsonl", RECORD, None),
            ("mine", RECORD, None),
            ("<file-1>", RECORD, None),
            ("<file-2>", b"\xc3\xa9\xed\xa0\x80", None),
        ]
        assert not binary.closed
        assert not text.closed
    assert read_all(binary) == [("a.jsonl", b"", "unreadable_source")]


def test_bytes_of_all_kinds() -> None:
    data = bytearray(RECORD)
    sources = resolve([data, memoryview(RECORD)[::-1]])
    data[:] = b"changed later"
    assert [(source.name, *read(source)) for source in sources] == [
        ("<bytes-1>", RECORD, None),
        ("<bytes-2>", RECORD[::-1], None),
    ]


def test_sources_are_read_again_and_travel(folder: Path) -> None:
    write("a.jsonl")
    for source in resolve(["a.jsonl", RECORD]):
        copy = pickle.loads(pickle.dumps(source))
        assert read(copy) == read(source) == read(source) == (RECORD, None)


@pytest.mark.parametrize("item", [7, None, {"choices": []}, '{"choices": []}', "a\nb", [["{}", 3]]])
def test_an_object_that_is_not_a_source(item: object) -> None:
    with pytest.raises(ArgumentError, match="from_responses") as caught:
        resolve(item)
    assert "choices" not in str(caught.value)


def test_tables_that_were_read_are_not_a_source() -> None:
    with pytest.raises(ArgumentError, match="found LogprobTables; .* write_parquet writes it"):
        resolve(toolkit.concat([]))


def test_block_bytes_is_checked() -> None:
    with pytest.raises(ArgumentError, match="block_bytes=0"):
        next(resolve(b"{}")[0].blocks(0))


# URIs


def test_file_uris(folder: Path) -> None:
    write("d/a b.jsonl")
    file = (folder / "d" / "a b.jsonl").as_uri()
    assert read_all(file) == [(file, RECORD, None)]
    assert read_all((folder / "d").as_uri()) == [(str(folder / "d" / "a b.jsonl"), RECORD, None)]
    missing = (folder / "no").as_uri()
    assert read_all(missing) == [(missing, b"", "unreadable_source")]


@pytest.mark.parametrize(
    "uri", ["http://127.0.0.1:9/x.jsonl", "HTTPS://me:secret@host/x", "odd://x"]
)
def test_uris_that_are_not_opened(uri: str) -> None:
    with pytest.raises(SourceError, match="download it|pass the file object") as caught:
        resolve(uri)
    assert "secret" not in str(caught.value)


@pytest.fixture
def bucket(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that replaces a remote store."""

    class Remote:
        @staticmethod
        def from_uri(uri: str) -> tuple[fs.FileSystem, str]:
            return fs.SubTreeFileSystem(str(folder), fs.LocalFileSystem()), re.sub(
                r"s3://(.*@)?", "", uri
            )

    monkeypatch.setattr(fs, "FileSystem", Remote)
    for name in ("b/1.jsonl", "b/x/2.jsonl", "b/x/.3.jsonl", "b/x/4.md", "b/x/5.txt"):
        write(name)
    write("b/x/6.txt", b"prose")
    return folder


@pytest.mark.parametrize(
    ("uri", "names"),
    [
        ("s3://b/1.jsonl", ["s3://b/1.jsonl"]),
        ("s3://b/*.jsonl", ["s3://b/1.jsonl"]),
        ("s3://b/**/*.jsonl", ["s3://b/1.jsonl", "s3://b/x/2.jsonl"]),
        ("s3://b/x/**", ["s3://b/x/2.jsonl", "s3://b/x/4.md", "s3://b/x/5.txt", "s3://b/x/6.txt"]),
        ("s3://b", ["s3://b/1.jsonl", "s3://b/x/2.jsonl", "s3://b/x/5.txt", "s3://b"]),
    ],
)
def test_remote_stores(bucket: Path, uri: str, names: list[str]) -> None:
    found = read_all(uri)
    assert [name for name, _, _ in found] == names
    assert {reason for _, _, reason in found} == {None}
    assert found[0][1] == RECORD


def test_exports_in_remote_stores_are_left_out(bucket: Path) -> None:
    export = ("manifest.json", "_SUCCESS", "responses/part-0.parquet", "tokens/part-0.parquet")
    for name in export:
        write(f"b/out/{name}")
    for uri in ("s3://b", "s3://b/**"):
        *files, folder = resolve(uri)
        assert not any("/out/" in source.name for source in files)
        kind = "of the exported dataset b/out (read_parquet reads it)"
        assert (folder.name, folder.skipped[kind]) == (uri, 4)


def test_remote_compression_and_missing_files(bucket: Path) -> None:
    write("b/1.jsonl", gzip.compress(RECORD))
    assert read_all("s3://b/1.jsonl") == [("s3://b/1.jsonl", RECORD, None)]
    assert read_all("s3://b/no/*.jsonl") == [("s3://b/no/*.jsonl", b"", "unreadable_source")]
    assert read_all("s3://key:secret@c") == [("s3://c", b"", "unreadable_source")]
    assert read_all("s3://key:secret@b/1.jsonl") == [("s3://b/1.jsonl", RECORD, None)]


# Files that change


@pytest.mark.parametrize("change", ["grow", "shrink", "rewrite"])
@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_a_file_that_changes_while_it_is_read_is_reported(
    folder: Path, change: str, pack: Callable[[bytes], bytes]
) -> None:
    data = pack(RECORD + b"\n")
    path = write("log.jsonl", data)
    (source,) = resolve(path)
    blocks = source.blocks(1 << 20)
    got = next(blocks)
    if change == "grow":
        with open(path, "ab") as file:
            file.write(b"\n")
    elif change == "shrink":
        os.truncate(path, 3)
    else:
        os.utime(path, ns=(1, 1))
    with pytest.raises(SourceError) as caught:
        got += b"".join(blocks)
    assert caught.value.reason in ("changed_source", "truncated_source")
    assert "log.jsonl" in str(caught.value)
    assert got.startswith(RECORD[:3])


def test_a_file_that_is_put_aside_is_read_to_its_end(folder: Path) -> None:
    path = write("log.jsonl")
    (source,) = resolve(path)
    blocks = source.blocks(1 << 20)
    got = next(blocks)
    os.rename(path, "log.jsonl.1")  # as log rotation does
    write("log.jsonl", b"{}")
    assert got + b"".join(blocks) == RECORD


def test_what_was_read_of_a_changing_file_is_kept(folder: Path, monkeypatch) -> None:
    import toolkit
    from toolkit.loaders.sources.locations import WatchedFile

    bodies = [b'{"id": "%d", "choices": [{"message": {"content": "x"}}]}' % i for i in range(4)]
    path = write("log.jsonl", b"\n".join(bodies))  # without a line end at the end
    check = WatchedFile.check_unchanged

    def grown(self: WatchedFile) -> None:
        with open(path, "ab") as file:
            file.write(b"{")
        check(self)

    monkeypatch.setattr(WatchedFile, "check_unchanged", grown)
    with pytest.warns(toolkit.ToolkitWarning, match="changed_source"):
        lp = toolkit.read(path)
    assert lp.rejects["reason"].to_pylist()[-1] == "changed_source"
    assert len(lp) == 4
    assert lp.rejects.num_rows == 1


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress])
def test_no_flipped_byte_is_silent(pack: Callable[[bytes], bytes]) -> None:
    """Every flip is reported, or changes no data; zstd has a checksum only on request."""
    data = b"".join(RECORD[:-2] + b', "n": %d}\n' % i for i in range(40))
    good = pack(data)
    silent = []
    for place in range(len(good)):
        damaged = bytearray(good)
        damaged[place] ^= 0xFF
        got, reason = read(*resolve(bytes(damaged)))
        if reason is None and got != data and got != bytes(damaged):
            silent.append(place)
    assert silent == []
