"""Read the ZIP archives of Inspect, whole, compressed in new ways, and damaged."""

import io
import json
import struct
import zipfile
import zlib

import pyarrow as pa
import pytest

import toolkit
from tests.oracle import assert_conserved

quietly = pytest.mark.filterwarnings("ignore::toolkit.errors.ToolkitWarning")


def sample(id_="s", epoch=1, token="a"):
    choice = {
        "message": {"role": "assistant", "content": token},
        "stop_reason": "stop",
        "logprobs": {"content": [{"token": token, "logprob": -1.5}]},
    }
    output = {"model": "m", "choices": [choice], "usage": {"input_tokens": 3, "output_tokens": 1}}
    event = {"event": "model", "output": output}
    return {"id": id_, "epoch": epoch, "output": output, "events": [event]}


def log(*samples, method=zipfile.ZIP_DEFLATED, **members):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as archive:
        archive.writestr("_journal/start.json", "{}")
        for each in samples:
            name = f"samples/{each['id']}_epoch_{each['epoch']}.json"
            archive.writestr(name, json.dumps(each, indent=2))
        archive.writestr("_journal/summaries/1.json", json.dumps(list(samples)))
        archive.writestr("summaries.json", json.dumps(list(samples)))
        archive.writestr("header.json", json.dumps({"status": "success"}))
        for name, text in members.items():
            archive.writestr(name, text)
    return out.getvalue()


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_each_sample_once_in_the_order_of_inspect(method, tmp_path):
    samples = [sample(id_, epoch) for epoch in (2, 1) for id_ in (10, 9, "b", "a")]
    data = log(*samples, method=method)
    (tmp_path / "a.eval").write_bytes(data)
    for source in (tmp_path / "a.eval", tmp_path, data, io.BytesIO(data)):
        lp = toolkit.read(source)
        assert_conserved(lp)
        assert lp.responses["custom_id"].to_pylist() == ["9", "10", "a", "b"] * 2
        assert lp.tokens["logprob"].to_pylist() == [-1.5] * 8
        assert lp.responses["line"].to_pylist() == list(range(1, 9))
        assert lp.responses["completion_tokens"].to_pylist() == [1] * 8


def test_the_twin_of_a_log_in_json():
    samples = [sample(i) for i in range(12)]
    packed = toolkit.read(log(*samples))
    plain = toolkit.read(json.dumps({"version": 2, "samples": samples}, indent=1).encode())
    for name in ("tokens", "choices"):
        columns = [each for each in plain[name].column_names if each != "response_key"]
        assert packed[name].select(columns).equals(plain[name].select(columns))


def zstd(data, member, *, crc=0):
    """Return an archive whose stored member, compressed with zstd, is declared as such."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        text = archive.read(member)
    out = io.BytesIO()
    code = pa.compress(text, "zstd", asbytes=True)
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("header.json", "{}")
        archive.writestr(member, code)
    patched = bytearray(out.getvalue())
    name = member.encode()
    sizes = (zlib.crc32(text) ^ crc, len(code), len(text))
    for start, method, fields in (
        (patched.index(name) - 30, 8, 14),
        (patched.rindex(name) - 46, 10, 16),
    ):
        struct.pack_into("<H", patched, start + method, 93)
        struct.pack_into("<III", patched, start + fields, *sizes)
    return bytes(patched)


def test_members_in_zstd():
    lp = toolkit.read(zstd(log(sample()), "samples/s_epoch_1.json"))
    assert_conserved(lp)
    assert lp.tokens["logprob"].to_pylist() == [-1.5]


@quietly
def test_a_member_in_zstd_that_is_damaged_is_reported():
    lp = toolkit.read(zstd(log(sample()), "samples/s_epoch_1.json", crc=1))
    assert lp.rejects["reason"].to_pylist() == ["truncated_source"]


@quietly
def test_a_damaged_sample_costs_itself():
    data = bytearray(log(sample(1), sample(2), sample(3)))
    data[data.index(b"samples/2_epoch_1.json") + 40] ^= 0xFF
    lp = toolkit.read(bytes(data))
    assert_conserved(lp)
    assert {"1", "3"} <= set(lp.responses["custom_id"].to_pylist())
    assert "truncated_source" in lp.rejects["reason"].to_pylist()
    assert any("1 of 3 samples" in each for each in lp.rejects["message"].to_pylist())


@quietly
def test_a_bomb_is_cut():
    text = sample(token="a" * 30_000_000)
    data = log(text, sample(2))
    assert len(data) < 1 << 20
    lp = toolkit.read([data, log(sample(3))], limits=toolkit.Limits(expansion=50))
    assert_conserved(lp)
    assert "source_over_limit" in lp.rejects["reason"].to_pylist()
    assert "3" in lp.responses["custom_id"].to_pylist()


def test_names_of_members_are_no_paths(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    members = {
        "../out.json": "{}",
        "samples/../../x_epoch_1.json": json.dumps(sample(7)),
        "/etc/x": "",
    }
    lp = toolkit.read(log(sample(), **members))
    assert sorted(lp.responses["custom_id"].to_pylist()) == ["7", "s"]
    assert not list(tmp_path.parent.glob("*out.json"))
    assert not list(tmp_path.iterdir())
