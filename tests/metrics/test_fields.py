"""Fields of JSON answers: each has its own tokens."""

import json
import math

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import toolkit
from tests.metrics.byte_pieces import body, cut, spoken, touching
from toolkit import schema
from toolkit.errors import ArgumentError
from toolkit.metrics import field_metrics

HEART = '{"a":"💙","b":7}'


@pytest.mark.parametrize("cuts", [[6, 7, 8, 9, 10], [6, 8], [7, 9, 12], [5, 6, 10, 15], range(20)])
def test_an_emoji_over_byte_tokens_leaves_each_field_its_own(cuts):
    raw = HEART.encode()
    pieces = cut(raw, list(cuts))
    fields = field_metrics(spoken(pieces)).set_index("path")
    emoji, seven = raw.index("💙".encode()), raw.index(b"7")
    for path, low, high in (("$.a", emoji, emoji + 4), ("$.b", seven, seven + 1)):
        own = [pieces[i][1] for i in touching(pieces, low, high)]
        assert fields.loc[path, "n_tokens"] == len(own)
        assert fields.loc[path, "sum_logprob"] == math.fsum(own) != 0.0
        assert fields.loc[path, "probability"] < 1.0
    assert fields["value"].tolist() == ["💙", "7"]


JSON = st.dictionaries(
    st.sampled_from(["a", "ключ", "x y", "💙"]),
    st.one_of(
        st.text(alphabet=st.sampled_from(list('ab"\\\n') + ["é", "💙"]), max_size=5),
        st.integers(-99, 99),
        st.lists(st.integers(0, 9), max_size=3),
        st.none(),
    ),
    min_size=1,
    max_size=4,
)


@given(
    JSON,
    st.booleans(),
    st.booleans(),
    st.lists(st.integers(0, 120)),
    st.sampled_from(["", " So: "]),
)
def test_fields_have_the_tokens_of_their_bytes(value, ascii_only, quotes, cuts, before):
    text = before + json.dumps(value, ensure_ascii=ascii_only)
    raw = text.encode()
    pieces = cut(raw, cuts)
    got = field_metrics(spoken(pieces), quotes=quotes)
    assert len(got) == sum(max(len(v), 1) if isinstance(v, list) else 1 for v in value.values())
    for row in got.itertuples():
        low, high = row.start, row.end
        if row.kind == "string" and not quotes:
            low, high = low + 1, high - 1
        low, high = len(text[:low].encode()), len(text[:high].encode())
        own = [pieces[i][1] for i in touching(pieces, low, high)]
        assert row.n_tokens == len(own)
        if own:
            assert math.isclose(row.sum_logprob, math.fsum(own), rel_tol=1e-12)
            assert math.isclose(row.first_probability, math.exp(own[0]), rel_tol=1e-12)
        else:
            assert math.isnan(row.sum_logprob)
            assert math.isnan(row.first_probability)


def test_the_first_token_tells_what_else_was_likely():
    others = [("7", math.log(0.5)), ("8", math.log(0.25))]
    pieces = [(b'{"a":', -0.1), (b"7", math.log(0.5), others), (b"}", 0.0)]
    row = field_metrics(spoken(pieces)).iloc[0]
    assert [(e["token"], round(e["probability"], 9)) for e in row["first_alternatives"]] == [
        ("7", 0.5),
        ("8", 0.25),
    ]
    assert row["first_margin"] == pytest.approx(0.25)
    assert row["first_entropy_lower"] > 0


def test_tokens_that_hold_syntax_too_are_partial():
    fields = field_metrics(spoken([(b'{"a":"', -1.0), (b'x"}', -0.5)]))
    assert fields[["n_tokens", "n_partial", "sum_logprob"]].values.tolist() == [[1, 1, -0.5]]
    fields = field_metrics(spoken([(b'{"a":"', -1.0), (b'x"}', -0.5)]), quotes=True)
    assert fields[["n_tokens", "n_partial", "sum_logprob"]].values.tolist() == [[2, 2, -1.5]]


def test_cut_answers_give_the_fields_that_are_there():
    fields = field_metrics(spoken([(b'{"a":"x","b":"yy', -1.0)]))
    assert fields["path"].tolist() == ["$.a", "$.b"]
    assert fields["value"].tolist() == ["x", "yy"]
    assert fields["is_complete"].tolist() == [True, False]
    assert fields["n_tokens"].tolist() == [1, 1]


def test_an_empty_string_has_no_token_but_its_quotes():
    pieces = [(b'{"a":', -1.0), (b'""', -0.5), (b"}", -0.1)]
    assert field_metrics(spoken(pieces))[["n_tokens", "sum_logprob"]].isna().values.tolist() == [
        [False, True]
    ]
    assert field_metrics(spoken(pieces), quotes=True)["sum_logprob"].tolist() == [-0.5]


def called(arguments, pieces, text=""):
    answer = body(pieces, text=text)
    call = {"id": "1", "type": "function", "function": {"name": "f", "arguments": arguments}}
    answer["choices"][0]["message"]["tool_calls"] = [call]
    return toolkit.from_responses(answer)


def test_arguments_of_tool_calls_where_their_tokens_are():
    lp = called(
        '{"a": 7}', [(b"<call>", -3.0), (b'{"a": ', -0.5), (b"7", -0.25), (b"}</call>", 0.0)]
    )
    row = field_metrics(lp, source="tool_calls").iloc[0]
    assert (row["path"], row["tool_call"], row["sum_logprob"]) == ("$.a", 0, -0.25)
    assert row["text_of"] == "sent"
    lp = called('{"a": 7}', [(b"something else", -3.0)])
    row = field_metrics(lp, source="tool_calls").iloc[0]
    assert (row["value"], row["n_tokens"]) == ("7", 0)
    assert math.isnan(row["probability"])
    assert pd.isna(row["text_of"])
    assert not row["is_aligned"]


WRITTEN = [(b'<call>{"a": ', -5.0), (b"7", -6.0), (b"}", -7.0)]


@pytest.mark.parametrize("written", [[], WRITTEN])
def test_a_call_that_the_content_speaks_of_is_not_the_call(written):
    said = [(b"I call ", -1.0), (b'{"a": ', -2.0), (b"7", -3.0), (b"} now.", -4.0)]
    lp = called('{"a": 7}', said + written, 'I call {"a": 7} now.')
    row = field_metrics(lp, source="tool_calls").iloc[0]
    assert row["is_aligned"] == bool(written)
    if written:
        assert (row["first_position"], row["sum_logprob"]) == (5, -6.0)
    else:
        assert row["n_tokens"] == 0
        assert math.isnan(row["sum_logprob"])
    row = field_metrics(lp).iloc[0]
    assert (row["path"], row["sum_logprob"]) == ("$.a", -3.0)


def test_calls_that_are_there_twice_are_not_known():
    lp = called('{"a": 7}', [(b'{"a": 7}', -1.0), (b'{"a": 7}', -2.0)])
    row = field_metrics(lp, source="tool_calls").iloc[0]
    assert (row["n_tokens"], row["is_aligned"]) == (0, False)


@pytest.mark.parametrize(
    ("text", "state"),
    [('{"a":1}', "closed"), ('{"a":1,"b":', "cut"), ('{"a":1 oh', "broken")],
)
def test_fields_say_how_their_document_ended(text, state):
    assert field_metrics(spoken([(text.encode(), -1.0)]))["document_state"].tolist() == [state]


def test_the_samples_have_four_fields_each(samples):
    lp = toolkit.read(samples / "structured.jsonl")
    fields = field_metrics(lp)
    assert list(fields) == schema.FIELD_METRICS.names
    assert fields.groupby("response_key").size().tolist() == [4] * 10
    assert fields["is_complete"].all()
    assert fields["is_covered"].all()
    assert fields["probability"].between(0, 1, inclusive="neither").all()
    texts = dict(
        zip(lp.choices["response_key"].to_pylist(), lp.choices["content"].to_pylist(), strict=True)
    )
    for row in fields.itertuples():
        value = texts[row.response_key][row.start : row.end]
        assert value.strip('"') == row.value


@settings(max_examples=50)
@given(st.lists(st.tuples(JSON, st.lists(st.integers(0, 60))), min_size=2, max_size=4))
def test_answers_do_not_touch_each_other(answers):
    parts = [
        spoken(cut(json.dumps(value, ensure_ascii=False).encode(), cuts)) for value, cuts in answers
    ]
    together = field_metrics(toolkit.concat(parts)).drop(columns="response_key")
    apart = pd.concat([field_metrics(part).drop(columns="response_key") for part in parts])
    pd.testing.assert_frame_equal(together, apart.reset_index(drop=True))


def test_nothing_usable_gives_no_value():
    for logprob in (-9999.0, None, 5.0, math.nan):
        row = field_metrics(spoken([(b'{"a":', -1.0), (b"7", logprob), (b"}", -1.0)])).iloc[0]
        assert (row["n_tokens"], row["n_ok"]) == (1, 0)
        assert row[["sum_logprob", "probability", "first_probability"]].isna().all()


def test_bad_arguments_are_named():
    lp = spoken([(b"ab", -0.5)])
    with pytest.raises(ArgumentError, match="source"):
        field_metrics(lp, source="text")
    with pytest.raises(ArgumentError, match="quotes"):
        field_metrics(lp, quotes=1)


def test_answers_without_json_have_no_row():
    got = field_metrics(spoken([(b"plain words", -0.5)]))
    assert len(got) == 0
    assert list(got) == schema.FIELD_METRICS.names


def test_a_field_names_its_request_and_model(data):
    lp = toolkit.read(data / "structured.jsonl")
    fields = field_metrics(lp)
    plain = fields.drop(columns=["custom_id", "model"])
    again = lp.attach(plain, "custom_id", "model")
    assert fields["model"].tolist() == again["model"].tolist()
    assert fields["custom_id"].fillna("-").tolist() == again["custom_id"].fillna("-").tolist()
    assert fields["model"].notna().all()
