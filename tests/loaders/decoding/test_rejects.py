"""The first rejects of each reason in a source are listed; the others are counted."""

import gzip
import json
import warnings
from unittest import mock

import pytest
from hypothesis import given
from hypothesis import strategies as st

import toolkit
from tests.oracle import assert_sources
from toolkit.cli.summary import summarise, summary_lines
from toolkit.loaders.decoding import reference
from toolkit.loaders.decoding.rejects import Listing

MOST = 3


def answer(id_):
    choice = {"message": {"content": "hi"}, "logprobs": None, "finish_reason": "stop"}
    return json.dumps({"id": id_, "choices": [choice]}).encode() + b"\n"


def chunk(id_, finish=None):
    choice = {"index": 0, "delta": {"content": "hi"}, "finish_reason": finish}
    return json.dumps({"id": id_, "choices": [choice]}).encode() + b"\n"


SOURCES = [
    answer("a") + b"{}\n{\n" * 5 + answer("b") + b"{}\n" * 5,  # two reasons, an answer between
    b"{}\n" * 2 + answer("c"),  # fewer than the limit
    chunk("d", "stop") + b"[DONE]\n" + chunk("d") * 5 + b'"' + b"\n",  # late chunks
    b"[" + b"1," * 6 + b"1]",
    b'{"x": "' + b"y" * 100 + b'"}\n' + b"{} " * 6 + b"\n",
]
LISTED = [6, 2, 4, 3, 4]
REJECTED = [15, 2, 6, 7, 7]


@pytest.fixture
def few():
    with mock.patch("toolkit.loaders.batches.LISTED", MOST):
        yield


def load(sources, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return toolkit.read(sources, **options)


def listed(lp):
    return lp.rejects.select(["source", "record", "reason"]).to_pylist()


@pytest.mark.usefixtures("few")
@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("batch_bytes", [1, 50, 1 << 20])
def test_the_first_of_each_reason_are_listed(threads, batch_bytes, tmp_path):
    paths = [tmp_path / f"{i}.jsonl" for i in range(len(SOURCES))]
    for path, data in zip(paths, SOURCES, strict=True):
        path.write_bytes(data)
    with warnings.catch_warnings(action="ignore"):
        lp = toolkit.concat(toolkit.scan(paths, threads=threads, batch_bytes=batch_bytes))
    ledger = lp.ledger.to_pylist()
    assert [row["rejected"] for row in ledger] == REJECTED
    assert [row["rejected"] - row["unlisted"] for row in ledger] == LISTED
    assert_sources(ledger, lp.responses.to_pylist(), lp.rejects.to_pylist())
    every = load(paths, rejects="all")
    assert [row["unlisted"] for row in every.ledger.to_pylist()] == [0] * len(SOURCES)
    assert every.rejects.num_rows == sum(REJECTED)
    seen, first = {}, []
    for row in listed(every):
        key = (row["source"], row["reason"])
        seen[key] = seen.get(key, 0) + 1
        if seen[key] <= MOST:
            first.append(row)
    assert sorted(map(str, listed(lp))) == sorted(map(str, first))
    assert lp.responses.equals(every.responses)


@pytest.mark.usefixtures("few")
def test_an_export_and_its_warning_count_what_is_not_listed(tmp_path):
    source = tmp_path / "log.jsonl.gz"
    source.write_bytes(gzip.compress(SOURCES[0]))
    with pytest.warns(toolkit.ToolkitWarning, match="15 records were rejected"):
        out = toolkit.export(source, tmp_path / "out")
    [row] = toolkit.read_parquet(out).ledger.to_pylist()
    assert (row["rejected"], row["unlisted"]) == (15, 9)
    with pytest.warns(toolkit.ToolkitWarning, match="15 records were rejected"):
        out = toolkit.export(source, tmp_path / "all", rejects="all")
    assert toolkit.read_parquet(out).rejects.num_rows == 15


@pytest.mark.usefixtures("few")
def test_whoever_counts_rejects_counts_the_unlisted(tmp_path):
    source = tmp_path / "log.jsonl"
    source.write_bytes(SOURCES[0])
    lp = load(source)
    assert lp.n_unlisted == 9
    assert "15 records: " in lp._repr_html_()
    assert "9 unlisted" in lp._repr_html_()
    assert "Rejected: 15 records" in toolkit.report(lp, tmp_path / "r.html").read_text("utf-8")
    findings = toolkit.check(lp).set_index("code")["count"]
    assert findings["rejects_unlisted"] == 9
    assert findings.filter(like="rejected_").sum() == 6
    document = summarise(lp, None, None)
    assert document["records"]["unlisted"] == 9
    assert any("9 more, beyond the first of a reason" in line for line in summary_lines(document))


@pytest.mark.usefixtures("few")
def test_records_that_are_not_listed_are_gaps_too():
    """A stream is marked if a record was rejected while it was open, and only then."""
    before, later = b"{}\n" * 5, b"{}\n" * 2
    data = before + chunk("a", "stop") + b"[DONE]\n" + chunk("b") + later + chunk("b", "stop")
    lp = load(data + b"[DONE]\n" + chunk("c") + chunk("c", "stop"))
    assert lp.responses["notes"].to_pylist() == [[], ["gap"], []]


SHORT = [
    *(b"{}", b"[]", b"{", b"1", b" {", b"{} x", b"x", b"{}{}", b"{}[1", b"[1", b"[1,2]", b"nul"),
    *(
        b"\xef\xbb\xbf{}",
        b"\xef\xbb\xbf{",
        b"\xff",
        b"data: {}",
        b"data: {",
        b"[DONE]",
        b": x",
        b"",
    ),
    *(b'{"error": {"message": "slow down"}}', b'{"a": {}}', b'[{"a": 1}, {}]'),
    *(answer("a")[:-1], chunk("b")[:-1], chunk("b", "stop")[:-1]),
]


@given(
    st.lists(st.sampled_from(SHORT) | st.just(b"{}"), max_size=40),
    st.sampled_from((1, 30)),
)
def test_what_is_remembered_of_short_texts_changes_nothing(lines, batch_bytes):
    """Texts that were rejected are not decoded again, and are counted together if not listed."""
    data = answer("z") + b"\n".join(lines)

    def tables():
        with warnings.catch_warnings(action="ignore"):
            lp = toolkit.concat(toolkit.scan(data, batch_bytes=batch_bytes, threads=1))
        return [table.to_pylist() for table in (lp.responses, lp.tokens, lp.rejects, lp.ledger)]

    with mock.patch("toolkit.loaders.batches.LISTED", MOST):
        with mock.patch.object(reference, "_SHORT", 0):
            expected = tables()
        with mock.patch.multiple(reference, _FEW=3, _MOST_KNOWN=5):
            assert tables() == expected


def test_rejects_takes_two_values():
    with pytest.raises(toolkit.errors.ArgumentError, match="'first', 'all'"):
        toolkit.read(b"{}", rejects="none")


def test_a_listing_counts_by_source():
    listing = Listing(most=2)
    listing.add({"not_json": 1})
    listing.add({"not_json": 4, "late_chunk": 2})
    listing.begin_source()
    listing.add({"not_json": 3})
    assert listing.unlisted == {"not_json": 3 + 1}
