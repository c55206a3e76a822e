"""`raw` gives the records of a response as they were recorded."""

import bz2
import gzip
import json
import random
import warnings
from pathlib import Path

import pyarrow as pa
import pytest

import toolkit
from tests.loaders.merging.test_merger import DONE, chunk, part, sse, stream
from tests.loaders.test_read import whole
from tests.oracle import load
from toolkit.errors import ArgumentError, SelectionError, SourceError

pytestmark = pytest.mark.filterwarnings("ignore::toolkit.errors.ToolkitWarning")
DATA = Path(__file__).parents[2] / "data"
RECORDINGS = sorted(
    path.name for path in DATA.iterdir() if path.name.endswith((".jsonl", ".sse", ".json", ".gz"))
)


def lines(*records):
    return "".join(json.dumps(record) + "\n" for record in records).encode()


def written(path, raw):
    path.write_bytes(raw)
    return toolkit.read(path)


def meaning(lp, key):
    """Return what is compared of a response: its id, texts, tokens and alternatives."""
    one = lp.filter(response_key=key)
    tables = [one.choices, one.tokens, one.alternatives]
    rows = [table.drop_columns(["response_key"]).to_pylist() for table in tables]
    return [one.responses["response_id"].to_pylist(), *rows]


def assert_gives_itself(lp, row, texts):
    """The texts of a response, read again, give that response."""
    again = toolkit.read("\n".join(texts).encode())
    found = [meaning(again, key) for key in again.responses["response_key"].to_pylist()]
    assert meaning(lp, lp.responses["response_key"][row].as_py()) in found


@pytest.mark.parametrize("name", RECORDINGS)
def test_responses_of_the_data_read_back(name):
    lp = toolkit.read(DATA / name)
    assert len(lp)
    chunks = lp.responses["n_chunks"].to_pylist()
    for row in range(0, len(lp), 1 + len(lp) // 40):
        texts = lp.raw(row)
        assert len(texts) == (chunks[row] or 1)
        assert_gives_itself(lp, row, texts)


def test_responses_of_the_samples_read_back(samples):
    for path in [*samples.glob("*.jsonl"), *samples.glob("*.sse")]:
        lp = toolkit.read(path)
        for row in range(0, len(lp), 5):
            assert_gives_itself(lp, row, lp.raw(row))


def test_public_recordings_read_back(realdata):
    n = 0
    for path in sorted(realdata.iterdir()):
        if path.suffix == ".md" or path.name == "golden.json":
            continue
        lp = load(path)
        for row in range(0, len(lp), 40):
            assert_gives_itself(lp, row, lp.raw(row))
            n += 1
    assert n > 30


# Containers


ANSWERS = [whole("hi", "x"), whole("né\n{", "y"), whole("ho", "z")]
CONTAINERS = {
    "lines": lines(*ANSWERS),
    "lines with CRLF and a BOM": b"\xef\xbb\xbf" + lines(*ANSWERS).replace(b"\n", b"\r\n"),
    "gzip": gzip.compress(lines(*ANSWERS)),
    "bz2": bz2.compress(lines(*ANSWERS)),
    "zstd": pa.compress(lines(*ANSWERS), "zstd", asbytes=True),
    "array": json.dumps(ANSWERS).encode(),
    "indented array": json.dumps(ANSWERS, indent=2).encode(),
    "indented documents": "\n\n".join(json.dumps(each, indent=2) for each in ANSWERS).encode(),
    "one line": b" ".join(json.dumps(each).encode() for each in ANSWERS),
    "events": sse(*ANSWERS),
    "events of several data lines": b"".join(
        b"".join(
            b"data: " + line + b"\n" for line in json.dumps(each, indent=1).encode().split(b"\n")
        )
        + b"\n"
        for each in ANSWERS
    ),
}


@pytest.mark.parametrize("container", CONTAINERS)
def test_a_record_is_found_in_every_container(container, tmp_path):
    lp = written(tmp_path / "log", CONTAINERS[container])
    assert len(lp) == 3
    for row, answer in enumerate(ANSWERS):
        [text] = lp.raw(row)
        assert json.loads(text) == answer
        assert text.strip() == text
        place = f"{tmp_path / 'log'}:{lp.responses['line'][row].as_py()}"
        if container not in ("array", "one line"):
            assert lp.raw(place) == [text]


def test_an_indented_document_keeps_its_layout(tmp_path):
    lp = written(tmp_path / "log", CONTAINERS["indented documents"])
    assert lp.raw("y") == [json.dumps(ANSWERS[1], indent=2)]


def test_an_envelope_is_whole(tmp_path):
    batch = [
        {"custom_id": f"c{i}", "response": {"status_code": 200, "body": each}, "error": None}
        for i, each in enumerate(ANSWERS)
    ]
    lp = written(tmp_path / "log", lines(*batch))
    assert [json.loads(text) for text in lp.raw("c1")] == [batch[1]]
    row = toolkit.sequence_metrics(lp).iloc[2]
    assert [json.loads(text) for text in lp.raw(row)] == [batch[2]]


def test_two_answers_of_a_row_have_the_same_record(tmp_path):
    row = {"a": whole("hi", "x"), "b": whole("ho", "y")}
    lp = written(tmp_path / "log", lines({"n": 1}, row))
    assert lp.responses["response_id"].to_pylist() == ["x", "y"]
    assert [json.loads(text) for text in lp.raw("x")] == [row]
    assert lp.raw("x") == lp.raw("y")


def test_a_cassette_gives_its_interaction_as_json(tmp_path):
    yaml = pytest.importorskip("yaml")
    body = json.dumps(whole("hi", "x"))
    interactions = [
        {"request": {}, "response": {"body": {"string": text}}} for text in (body, "{}")
    ]
    lp = written(tmp_path / "log.yaml", yaml.safe_dump({"interactions": interactions}).encode())
    [text] = lp.raw("x")
    assert json.loads(text) == {"interactions": [{"response": {"body": {"string": body}}}]}
    assert_gives_itself(lp, 0, [text])


def test_a_stream_inside_a_record_is_that_record(tmp_path):
    events = sse(*stream("s", "abc"), DONE).decode()
    har = {"log": {"entries": [{"response": {"content": {"text": events}}}]}}
    lp = written(tmp_path / "log.har", json.dumps(har).encode())
    assert lp.responses["n_chunks"].to_pylist() == [5]
    assert [json.loads(text) for text in lp.raw("s")] == [har]


# Streams


def interleaved(streams, seed):
    """Mix streams at random, each in its own order."""
    rest, mixed, draw = [list(each) for each in streams], [], random.Random(seed)
    while any(rest):
        mixed.append(draw.choice([each for each in rest if each]).pop(0))
    return mixed


@pytest.mark.parametrize("form", [lines, sse], ids=["lines", "events"])
@pytest.mark.parametrize("seed", range(5))
def test_interleaved_streams_are_told_apart_by_id(form, seed, tmp_path):
    streams = [stream(id_, "abcdefg") for id_ in "pqrs"]
    mixed = interleaved(streams, seed)
    mixed.insert(3, whole("between", "w"))
    lp = written(tmp_path / "log", form(*mixed))
    for id_, sent in zip("pqrs", streams, strict=True):
        assert [json.loads(text) for text in lp.raw(id_)] == sent
    assert [json.loads(text) for text in lp.raw("w")] == [whole("between", "w")]


def test_streams_without_ids_follow_each_other(tmp_path):
    streams = [stream(None, text) for text in ("ab", "cd", "ef")]
    events = [event for each in streams for event in [*each, DONE]]
    lp = written(tmp_path / "log.sse", sse(*events))
    assert len(lp) == 3
    for row, sent in enumerate(streams):
        assert [json.loads(text) for text in lp.raw(row)] == sent


@pytest.mark.parametrize("seed", range(40))
def test_every_chunk_belongs_to_one_response_or_reject(seed, tmp_path):
    """Whatever the rules of streams decide, ids or none, `raw` follows them."""
    draw = random.Random(seed)
    streams = []
    for i in range(draw.randint(2, 5)):
        id_ = draw.choice([None, "", "same", f"s{i}"])
        sent = stream(id_, "abcd"[: draw.randint(1, 4)], n=i)[: draw.choice([None, -1])]
        streams.append([*sent, DONE] if draw.random() < 0.7 else sent)
    events = interleaved(streams, seed) if draw.random() < 0.7 else sum(streams, [])
    lp = written(tmp_path / "log.sse", sse(*events))
    found = [text for row in range(len(lp)) for text in lp.raw(row)]
    found += [text for i in range(lp.rejects.num_rows) for text in lp.raw(lp.rejects.slice(i, 1))]
    sent = [json.dumps(event) for event in events if event != DONE]
    assert sorted(found) == sorted(sent)
    for row, n in enumerate(lp.responses["n_chunks"].to_pylist()):
        texts = lp.raw(row)
        assert len(texts) == n
        joined = "".join(
            piece["delta"].get("content") or ""
            for each in texts
            for piece in json.loads(each)["choices"]
        )
        assert joined == (lp.text(row) or "")


def test_a_stream_with_a_bad_chunk_keeps_its_other_chunks(tmp_path):
    sent = stream("s", "abc")
    raw = sse(*sent[:2], "{broken", *sent[2:])
    lp = written(tmp_path / "log.sse", raw)
    assert [json.loads(text) for text in lp.raw("s")] == sent
    assert lp.raw(lp.rejects) == ["{broken"]


def test_a_long_stream_crosses_blocks(tmp_path):
    other = whole("hi", "long", padding="x" * 5_000_000)
    sent = stream("s", "abcdef")
    lp = written(
        tmp_path / "log", lines(*sent[:3], other, *sent[3:5], other | {"id": "m"}, *sent[5:])
    )
    assert [json.loads(text) for text in lp.raw("s")] == sent
    assert json.loads(lp.raw("m")[0])["id"] == "m"


def test_options_of_the_load_decide_what_belongs_to_a_stream(tmp_path):
    first, second = stream("s", "ab"), stream("s", "cd")
    first.pop()  # no finish reason
    raw = lines(*first, *[whole("hi", f"w{i}") for i in range(5)], *second)
    path = tmp_path / "log"
    path.write_bytes(raw)
    lp = toolkit.read(path, stream_window=3)
    sizes = lp.filter(kind="stream").responses["n_chunks"].to_pylist()
    assert sizes == [3, 4]
    assert [json.loads(text) for text in lp.raw(0, stream_window=3)] == first
    with pytest.raises(SourceError, match=r"stream_window"):
        toolkit.read(path).raw(0, stream_window=3)
    with pytest.raises(ArgumentError, match="stream_window=0"):
        lp.raw(0, stream_window=0)


def test_an_answer_at_a_path_is_found_with_that_path(tmp_path):
    rows = [
        {"id": i, "out": {"a": whole("hi", f"a{i}"), "b": whole("ho", f"b{i}")}} for i in (1, 2)
    ]
    path = tmp_path / "log"
    path.write_bytes(lines(*rows))
    lp = toolkit.read(path, path="out.b")
    assert json.loads(lp.raw("b2", path="out.b")[0]) == rows[1]
    assert json.loads(lp.raw("b2")[0]) == rows[1]


def test_an_answer_of_a_shape_is_found_with_that_shape(tmp_path):
    rows = [
        {"n": n, "steps": [{"tok": "a", "lp": -0.5}, {"tok": str(n), "lp": -1}]} for n in (1, 2)
    ]
    path = tmp_path / "log"
    path.write_bytes(lines(*rows))
    shape = toolkit.Shape(tokens="steps[].tok", logprobs="steps[].lp")
    lp = toolkit.read(path, shape=shape, id="n")
    assert lp.text("2") == "a2"
    assert json.loads(lp.raw("2", shape=shape)[0]) == rows[1]
    assert json.loads(lp.raw("2", shape=shape, id="n", keep="n")[0]) == rows[1]


# Which response


def test_filtered_and_joined_tables_still_find_their_records(tmp_path):
    first = written(tmp_path / "a", lines(*ANSWERS))
    second = written(tmp_path / "b", sse(*stream("s", "ab")))
    both = toolkit.concat([first, second])
    assert json.loads(both.filter(response_id="z").raw()[0]) == ANSWERS[2]
    assert len(both.raw("s")) == 4
    out = both.write_parquet(tmp_path / "out")
    assert toolkit.read_parquet(out).raw("s") == both.raw("s")


def test_one_choice_of_a_response_has_its_record(tmp_path):
    body = whole("ab", "two")
    body["choices"].append(whole("cd")["choices"][0] | {"index": 1})
    lp = written(tmp_path / "log", lines(body))
    assert json.loads(lp.filter(choice=1).raw(0)[0]) == body
    assert json.loads(lp.only(0, 1).raw(0)[0]) == body


def test_a_relative_path_is_relative_to_the_current_directory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "log").write_bytes(lines(*ANSWERS))
    lp = toolkit.read("log")
    assert lp.raw(0)
    monkeypatch.chdir("/")
    with pytest.raises(SourceError, match="log: no such file"):
        lp.raw(0)


@pytest.mark.parametrize("source", [lines(*ANSWERS), [lines(*ANSWERS)] * 2])
def test_bytes_cannot_be_read_again(source):
    with pytest.raises(SourceError, match=r"<bytes.* was not a file.*save the recording"):
        toolkit.read(source).raw(0)


def test_objects_cannot_be_read_again():
    with pytest.raises(SourceError, match="<memory>"):
        toolkit.from_responses(ANSWERS).raw(0)
    with pytest.raises(SelectionError, match="no response 9"):
        toolkit.from_responses(ANSWERS).raw(9)


CHANGES = {
    "another answer": lines(whole("hi", "q"), *ANSWERS[1:]),
    "other logprobs": lines(*ANSWERS).replace(b"-0.5", b"-0.6"),
    "cut": lines(*ANSWERS)[:10],
    "empty": b"",
    "moved": b'{"id": 1}\n' + lines(*ANSWERS),
    "not JSON": b"x" * len(lines(*ANSWERS)),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_source_that_changed_is_refused(change, tmp_path):
    path = tmp_path / "log"
    lp = written(path, lines(*ANSWERS))
    path.write_bytes(CHANGES[change])
    with pytest.raises(SourceError, match=r"log:1: the records here do not give this response"):
        lp.raw(0)


def test_a_stream_that_changed_is_refused(tmp_path):
    path = tmp_path / "log.sse"
    sent = stream("s", "abc")
    lp = written(path, sse(*sent))
    for raw in (sse(*sent[:-1]), sse(*ANSWERS), b": only a comment\n", b"\n" + sse(*sent)):
        path.write_bytes(raw)
        with pytest.raises(SourceError, match="the source has changed"):
            lp.raw(0)
    path.write_bytes(sse(*sent, *ANSWERS))  # more was appended
    assert len(lp.raw(0)) == 5


# Rejects


def test_rejects_give_their_bytes(data):
    path = data / "malformed.jsonl"
    lp = toolkit.read(path)
    raw = path.read_bytes()
    frame = lp.to_pandas("rejects")
    assert len(frame) == 6
    for i, row in enumerate(lp.rejects.to_pylist()):
        at = row["byte_offset"]
        text = raw[at : at + row["length"]].decode("utf-8", "replace")
        place = f"{row['source']}:{row['line']}"
        for form in (row, frame.iloc[i], lp.rejects.slice(i, 1), place):
            assert lp.raw(form) == [text]
    assert "\ufffd" in lp.raw(frame[frame["reason"] == "bad_utf8"].iloc[0])[0]


def test_a_row_that_names_a_line_has_its_record(data):
    lp = toolkit.read(data / "malformed.jsonl")
    place = {"response_key": None, "source": str(data / "malformed.jsonl")}
    assert lp.raw(place | {"line": 3.0}) == lp.raw(lp.rejects.slice(1, 1))
    assert lp.raw(place | {"line": 1}) == lp.raw(0)
    assert lp.locate(place | {"line": 1}) == 0
    with pytest.raises(SelectionError, match="no response has"):
        lp.raw(place | {"line": 999})


def test_rejects_of_compressed_files_are_found(tmp_path):
    good = lines(*ANSWERS)
    path = tmp_path / "log.gz"
    path.write_bytes(gzip.compress(good + b"{broken\n" + good))
    lp = toolkit.read(path)
    assert lp.raw(lp.to_pandas("rejects").iloc[0]) == ["{broken"]
    path.write_bytes(gzip.compress(b"short"))
    with pytest.raises(SourceError, match="the source has changed"):
        lp.raw(lp.rejects)


def test_a_reject_about_a_source_has_no_text(tmp_path):
    path = tmp_path / "log.gz"
    path.write_bytes(gzip.compress(lines(*ANSWERS, *([ANSWERS[0]] * 50)))[:-40])
    lp = toolkit.read(path)
    fault = lp.rejects.filter(
        pa.array([r == "truncated_source" for r in lp.rejects["reason"].to_pylist()])
    )
    with pytest.raises(SelectionError, match="as a whole, and has no text"):
        lp.raw(fault)


def test_a_late_chunk_is_a_record_too(tmp_path):
    sent = stream("s", "ab")
    late = chunk("s", [part(0, "late", tokens=["late"])])
    lp = written(tmp_path / "log.sse", sse(*sent, DONE, late))
    assert lp.rejects["reason"].to_pylist() == ["late_chunk"]
    assert [json.loads(text) for text in lp.raw(lp.rejects)] == [late]
    assert [json.loads(text) for text in lp.raw(0)] == sent


def test_nothing_is_warned_about(tmp_path):
    lp = written(tmp_path / "log", lines(*ANSWERS, {"not": "an answer"}))
    with warnings.catch_warnings(action="error"):
        assert lp.raw(0)
