"""Refuse files of known kinds by name, once; in folders, count them."""

import gzip
import io
import json
import pickle
import sqlite3
import tarfile
import zipfile
from contextlib import suppress

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import toolkit
from tests.oracle import assert_conserved
from toolkit.errors import SourceError
from toolkit.loaders.sources.resolve import resolve

GOOD = (
    b'{"choices": [{"message": {"content": "a"}, "logprobs": {"content": '
    b'[{"token": "a", "logprob": -1}]}}]}\n'
)


class Bomb:
    """An object that fails the test if its pickle is loaded."""

    def __reduce__(self):
        return pytest.fail, ("a pickle was loaded",)


def archive(*names):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as file:
        for name in names:
            file.writestr(name, pickle.dumps(Bomb()))
    return out.getvalue()


def saved(save, *values, **arrays):
    out = io.BytesIO()
    save(out, *values, **arrays)
    return out.getvalue()


def tar():
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as file:
        info = tarfile.TarInfo("a.jsonl")
        info.size = len(GOOD)
        file.addfile(info, io.BytesIO(GOOD))
    return out.getvalue()


def database(path):
    connection = sqlite3.connect(path)
    connection.execute("create table answers (raw text)")
    connection.close()
    return path.read_bytes()


KNOWN = {
    **{f"{n}.pkl": (pickle.dumps([Bomb(), {"choices": []}], n), "a pickle") for n in range(6)},
    **{f"{n}.pickle": (pickle.dumps({"a": np.zeros(2)}, n), "a pickle") for n in range(6)},
    "m.pt": (archive("archive/data.pkl", "archive/version"), "a file of torch"),
    "a.npy": (saved(np.save, np.zeros(3)), "a NumPy array"),
    "a.npz": (saved(np.savez, a=np.zeros(3)), "a file of NumPy arrays"),
    "a.zip": (archive("a.jsonl"), "a ZIP archive; unpack it"),
    "none.zip": (archive(), "a ZIP archive"),
    "a.xlsx": (archive("xl/workbook.xml"), "an Excel workbook"),
    "pointer.jsonl": (
        b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a2146\nsize 12345\n",
        "a Git LFS pointer, not the file: run git lfs pull",
    ),
    "a.png": (b"\x89PNG\r\n\x1a\n" + bytes(64), "an image"),
    "a.jpg": (b"\xff\xd8\xff\xe0" + bytes(64), "an image"),
    "a.webp": (b"RIFF\x10\0\0\0WEBPVP8 ", "an image"),
    "a.pdf": (b"%PDF-1.7\n%\n", "a PDF document"),
    "a.h5": (b"\x89HDF\r\n\x1a\n" + bytes(64), "an HDF5 file"),
    "a.orc": (b"ORC\x0a\x03" + bytes(64), "a table in ORC"),
    "a.gguf": (b"GGUF\x03\0\0\0" + bytes(64), "the weights of a model"),
    "a.safetensors": ((64).to_bytes(8, "little") + b'{"__metadata__": {}}', "the weights of a"),
    "a.tar": (tar(), "a tar archive"),
    "a.tar.gz": (gzip.compress(tar()), "a tar archive"),
    "a.xz": (b"\xfd7zXZ\0\0\x04", "an archive"),
    "page.json": (b"\n<!DOCTYPE html>\n<html><body>{}</body></html>\n", "a web page"),
}


@pytest.mark.parametrize("name", KNOWN)
def test_a_known_file_is_one_reject_that_names_it(name, tmp_path):
    data, kind = KNOWN[name]
    path = tmp_path / name
    path.write_bytes(data)
    for source in (path, data, io.BytesIO(data)):
        with pytest.warns(toolkit.ToolkitWarning, match="1 unsupported_format"):
            lp = toolkit.read([source, GOOD])
        assert_conserved(lp)
        [reject] = lp.rejects.to_pylist()
        assert f"this is {kind}" in reject["message"]
        assert len(lp) == 1
    with pytest.raises(toolkit.errors.SourceError, match=kind):
        toolkit.read(path)


def test_a_database_is_one_reject(tmp_path):
    with pytest.raises(toolkit.errors.SourceError, match="a SQLite database"):
        toolkit.read(database(tmp_path / "a.db"))


@pytest.mark.parametrize(
    "data",
    [
        b"(dp",
        b"ORC,a\n",
        b"\x80",
        b"version 2\n",
        b"x" * 257 + b"ustar of words",
        b"P",
        b"PK",
        b"data: {}\n",
    ],
)
def test_texts_are_not_taken_for_other_kinds(data, tmp_path):
    with pytest.warns(toolkit.ToolkitWarning) as caught:
        toolkit.read([data, GOOD])
    assert "unsupported" not in str(caught[0].message)


@pytest.mark.parametrize("name", ["cut.parquet", "cut.eval", "cut.arrow"])
def test_a_damaged_file_is_reported_by_name(name, tmp_path):
    magic = {"cut.parquet": b"PAR1", "cut.eval": b"PK\x03\x04", "cut.arrow": b"ARROW1\0\0"}[name]
    path = tmp_path / name
    path.write_bytes(magic + bytes(999))
    with pytest.raises(toolkit.errors.SourceError, match="cut or corrupt"):
        toolkit.read(path)


def files_of_tables():
    """Return a small file of each kind that is read by its structure."""
    answer = json.loads(GOOD)
    table = pa.table({"response": [GOOD.decode()] * 5, "parsed": [answer] * 5})
    sink = io.BytesIO()
    with pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table)
    sample = json.dumps({"id": 1, "epoch": 1, "output": answer})
    log = io.BytesIO()
    with zipfile.ZipFile(log, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("header.json", "{}")
        file.writestr("samples/1_epoch_1.json", sample)
    return {
        "parquet": saved(lambda out: pq.write_table(table, out)),
        "arrow": sink.getvalue(),
        "eval": log.getvalue(),
    }


@pytest.mark.parametrize("kind", ["parquet", "arrow", "eval"])
def test_no_flipped_byte_breaks_more_than_the_source(kind):
    data = files_of_tables()[kind]
    assert list(resolve(data)[0].blocks())
    for at in range(4, len(data), 3):
        for bit in (0x01, 0x80):
            damaged = bytearray(data)
            damaged[at] ^= bit
            with suppress(SourceError):
                for _ in resolve(bytes(damaged))[0].blocks():
                    pass
