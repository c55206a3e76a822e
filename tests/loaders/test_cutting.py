"""The parts of a cut file give the tables of the whole file, or refuse."""

import gzip
import json
import os
from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

import toolkit
from tests.oracle import load
from toolkit.limits import LIMITS
from toolkit.loaders import cutting
from toolkit.loaders.options import ReadOptions
from toolkit.loaders.plan import CannotCutError, open_lines
from toolkit.loaders.session import ReadSession
from toolkit.loaders.sources.resolve import resolve
from toolkit.tables import joined

pytestmark = pytest.mark.filterwarnings("ignore::toolkit.ToolkitWarning")


def answer(text, logprob=-0.5):
    entry = {"token": text, "logprob": logprob, "top_logprobs": [{"token": "é", "logprob": -1.5}]}
    return {"choices": [{"message": {"content": text}, "logprobs": {"content": [entry]}}]}


def line(value):
    return json.dumps(value, ensure_ascii=False).encode()


def chunk(text, id_="s"):
    entry = {"token": text, "logprob": -0.25}
    delta = {"index": 0, "delta": {"content": text}, "logprobs": {"content": [entry]}}
    return {"id": id_, "choices": [delta]}


MESSY = [
    line(answer("Hi")),
    line(answer("wörld 😀", None)),
    line(answer("n" * 300)),
    line({"custom_id": "r1", "response": {"status_code": 200, "body": answer("batch")}}),
    line({"error": {"message": "no"}}),
    b"",
    b" \t",
    b"[DONE]",
    b"data: [DONE]",
    b"data: " + line(answer("event")),
    b": comment",
    b"event: x",
    b"BZh9 broken",
    b"\x1f\x8b broken",
    b'{"choices": [',
    b"\xff\xfe",
    b"null",
]
ENDS = (b"\n", b"\r\n")


@st.composite
def files_and_cuts(draw):
    lines = [line(answer("first")), *draw(st.lists(st.sampled_from(MESSY), max_size=12))]
    text = b"".join(each + draw(st.sampled_from(ENDS)) for each in lines)
    if draw(st.booleans()):
        text = text.rstrip(b"\r\n")
    if draw(st.booleans()):
        text = b"\xef\xbb\xbf" + text
    cuts = draw(st.lists(st.integers(0, len(text)), max_size=4))
    return text, [0, *sorted(cuts), len(text)]


def parts_of(path, bounds):
    [source] = resolve(str(path))
    file = open_lines(source, 0, LIMITS)
    try:
        spans = cutting.counted(file, cutting.spans_of(file, bounds), LIMITS)
        return [replace(source, span=span) for span in spans]
    finally:
        file.close()


def tables_of(parts):
    session = ReadSession(ReadOptions(threads=1), fingerprints=True)
    return joined([batch for part in parts for batch in session.batches([(0, part)])])


def added(ledger):
    counts = Counter()
    for row in ledger.to_pylist():
        counts.update({name: n for name, n in row.items() if name != "source"})
    return dict(counts)


@given(files_and_cuts())
def test_any_cut_gives_the_tables_of_the_whole(tmp_path_factory, drawn):
    text, bounds = drawn
    path = tmp_path_factory.mktemp("cut") / "messy.jsonl"
    path.write_bytes(text)
    whole, found = load(path), tables_of(parts_of(path, bounds))
    assert found.equals(whole)
    assert added(found.ledger) == added(whole.ledger)
    assert found.ledger["bytes"].to_pylist()[0] <= len(text)


def written(tmp_path, lines):
    path = tmp_path / "a.jsonl"
    path.write_bytes(b"\n".join(map(line, lines)) + b"\n")
    return path


def test_a_part_with_chunks_refuses(tmp_path):
    path = written(tmp_path, [answer("a"), chunk("b"), chunk("c")])
    size = path.stat().st_size
    first, second = parts_of(path, [0, 10, size])
    assert len(tables_of([first])) == 1
    with pytest.raises(CannotCutError, match="chunks of streams"):
        tables_of([second])


def test_a_part_with_lines_of_several_records_refuses(tmp_path):
    """A row with two answers is two records, which the count of lines does not know."""
    path = written(tmp_path, [answer("a"), [answer("b"), answer("c")], answer("d")])
    assert load(path).ledger["records"].to_pylist() == [4]
    size = path.stat().st_size
    parts = parts_of(path, [0, 10, size])
    with pytest.raises(CannotCutError, match="lines of several records"):
        tables_of(parts)


@pytest.mark.parametrize("change", ["longer", "touched", "gone"])
def test_a_file_that_changed_after_it_was_cut_refuses(tmp_path, change):
    path = written(tmp_path, [answer("a"), answer("b")])
    parts = parts_of(path, [0, 10, path.stat().st_size])
    if change == "longer":
        with path.open("ab") as file:
            file.write(b"\n")
    elif change == "touched":
        os.utime(path, ns=(1, 1))
    else:
        path.unlink()
    with pytest.raises(CannotCutError, match="changed"):
        tables_of(parts)


@pytest.mark.parametrize(
    ("kind", "is_cut"),
    [("lines", True), ("chunks", False), ("gz", False), ("array", False), ("memory", False)],
)
def test_which_sources_are_cut(tmp_path, kind, is_cut):
    path = written(tmp_path, [answer("a")] * 9)
    if kind == "chunks":
        path = written(tmp_path, [chunk("b")] * 9)
    elif kind == "array":
        path.write_bytes(line([answer("a")] * 9))
    elif kind == "gz":
        path.write_bytes(gzip.compress(path.read_bytes()))
    [source] = resolve(path.read_bytes() if kind == "memory" else str(path))
    parts = cutting.cut(source, 300, LIMITS)
    assert (len(parts) > 1) == is_cut
    if is_cut:
        assert [part.span.start for part in parts[1:]] == [part.span.stop for part in parts[:-1]]
        assert parts[-1].span.stop == path.stat().st_size
        assert all(part.size() >= 300 for part in parts)
    else:
        assert parts == [source]


def test_the_records_of_a_part_are_numbered_in_the_file(tmp_path):
    path = written(tmp_path, [answer(str(i)) for i in range(20)])
    parts = parts_of(path, [0, path.stat().st_size // 2, path.stat().st_size])
    keys = tables_of(parts[1:]).responses["response_key"].to_pylist()
    assert keys == list(range(20))[-len(keys) :]
    assert 0 < len(keys) < 20
    assert toolkit.read(path).responses["response_key"].to_pylist()[-len(keys) :] == keys
