"""Read CSV: what the standard library reads, whatever the blocks, and people's own ways."""

import csv
import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

import toolkit
from tests.oracle import assert_conserved
from toolkit.loaders.sources.cells import listed
from toolkit.loaders.sources.csv_rows import csv_lines
from toolkit.loaders.sources.size_limits import OverLimitError

ENTRIES = [{"token": "a", "logprob": -0.5}, {"token": "b", "logprob": -1.5}]


def rows(*blocks, delimiter=None, max_bytes=1 << 20):
    return [json.loads(line or b"null") for line in _lines(blocks, delimiter, max_bytes)]


def _lines(blocks, delimiter, max_bytes):
    return [line.strip() for line in csv_lines(blocks, delimiter, max_bytes)]


CELL = st.text(st.sampled_from('ab,;"\n\r\té{[ '), max_size=6)


@given(
    st.lists(st.lists(CELL, min_size=3, max_size=3), max_size=5),
    st.sampled_from(",;\t|"),
    st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
    st.integers(1, 40),
)
def test_what_the_standard_library_wrote_is_read(table, delimiter, quoting, size):
    out = io.StringIO()
    csv.writer(out, delimiter=delimiter, quoting=quoting).writerows([["x", "y", "z"], *table])
    data = out.getvalue().encode()
    blocks = [data[i : i + size] for i in range(0, len(data), size)]
    for given_delimiter in (None, delimiter.encode()):
        found = rows(*blocks, delimiter=given_delimiter)
        expected = [
            {name: cell for name, cell in zip("xyz", row, strict=True) if cell or quoting}
            for row in table
        ]
        assert [row or {} for row in found] == expected


@given(st.binary(max_size=60), st.integers(1, 60))
def test_no_block_boundary_matters(data, size):
    blocks = [data[i : i + size] for i in range(0, len(data), size)]
    assert _lines(blocks, b",", 1000) == _lines([data], b",", 1000)


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"\xef\xbb\xbfa,b\r\n1,2\r\n", [{"a": "1", "b": "2"}]),
        (b"a,b\n1\n1,2,3\n", [{"a": "1"}, {"a": "1", "b": "2", "column_3": "3"}]),
        (b"a,a\n1,2\n", [{"a": "1", "a.1": "2"}]),
        (b'a,b\n,""\n', [{"b": ""}]),
        (b"a,b\n\n1,2", [None, {"a": "1", "b": "2"}]),
        (b'a,b\n5" disk,"x"y\n', [{"a": '5" disk', "b": "xy"}]),
        (b'a,b\n1,"never closed\n3,4\n', [{"a": "1", "b": '"never closed\n3,4\n'}]),
        (b"a\rb\rc", [{"a": "b"}, {"a": "c"}]),
        (b"", []),
        (b"a,b\n", []),
        (b"\n\na\n1\n", [{"a": "1"}]),
    ],
)
def test_odd_files(data, expected):
    assert rows(data) == rows(*(data[i : i + 1] for i in range(len(data)))) == expected


def test_an_endless_row_is_not_held_in_memory():
    def blocks():
        yield b'a\n"'
        for _ in range(1000):
            yield b"x" * 1000

    with pytest.raises(OverLimitError, match="a quote is never closed"):
        rows(*blocks(), max_bytes=10_000)


def test_bytes_that_are_not_utf8_cost_their_row(tmp_path):
    body = json.dumps(
        {"choices": [{"message": {"content": "a"}, "logprobs": {"content": ENTRIES}}]}
    )
    quoted = '"' + body.replace('"', '""') + '"'
    path = tmp_path / "a.csv"
    path.write_bytes(b"response\n" + quoted.encode() + b"\n\xff{\n" + quoted.encode())
    with pytest.warns(toolkit.ToolkitWarning, match="1 bad_utf8"):
        lp = toolkit.read(path)
    assert_conserved(lp)
    assert lp.responses["line"].to_pylist() == [1, 3]


# Lists of tokens that CSV has as texts


@pytest.mark.parametrize("write", [json.dumps, repr], ids=["JSON", "Python"])
@pytest.mark.parametrize(
    "row",
    [
        {"logprobs": ENTRIES},
        {"tokens": ["a", "b"], "logprobs": [-0.5, -1.5]},
        {"logprobs": {"content": ENTRIES}},
    ],
    ids=["entries", "arrays", "object"],
)
def test_lists_are_read_as_a_dataframe_writes_them(row, write, tmp_path):
    path = tmp_path / "a.csv"
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, ["id", "answer", *row])
        writer.writeheader()
        writer.writerow(
            {"id": 7, "answer": "ab"} | {name: write(value) for name, value in row.items()}
        )
    lp = toolkit.read(path)
    assert_conserved(lp)
    assert (lp.text(0), lp.responses["custom_id"].to_pylist()) == ("ab", ["7"])
    assert lp.tokens["token"].to_pylist() == ["a", "b"]
    assert lp.tokens["logprob"].to_pylist() == [-0.5, -1.5]


def test_a_body_that_python_wrote():
    text = repr({"id": "x", "choices": [{"logprobs": None, "message": {"content": "it's"}}]})
    assert listed("response", text)["choices"][0]["message"]["content"] == "it's"


@pytest.mark.parametrize(
    "text",
    [
        "[__import__('os').getpid()]",
        "['a', open('x')]",
        "{'choices': 1 .real}",
        "['\\d']",
        "[" * 5000,
        "['a'" * 5000,
        "[1, 2",
        "{'a': 1}",
        "plain",
    ],
)
def test_texts_stay_texts_and_nothing_is_executed(text):
    name = "answer" if text == "{'a': 1}" else "logprobs"
    assert listed(name, text) == text
