"""Checks of a load: each finding is planted once, and clean data have none."""

import json
import math

import numpy as np
import pytest

import toolkit
from tests.metrics.byte_pieces import body
from tests.oracle import load
from toolkit import schema
from toolkit.errors import ArgumentError
from toolkit.metrics import check
from toolkit.metrics._check_messages import KINDS, message

TOP = [("a", -0.1234567), ("b", -2.7654321), ("c", -4.4567891)]


def clean(n=3, **fields):
    """Return an answer that nothing is wrong with."""
    answer = body([(b"a", -0.1234567, TOP)] * n, **fields)
    answer["choices"][0]["finish_reason"] = "stop"
    answer["object"] = "chat.completion"
    answer["usage"] = {"prompt_tokens": 1, "completion_tokens": n, "total_tokens": n + 1}
    return answer


def tokens_of(answer):
    return answer["choices"][0]["logprobs"]["content"]


def found(*answers, **options):
    """Return the findings by code."""
    return check(toolkit.from_responses(list(answers), **options)).set_index("code")


def test_clean_data_are_silent():
    got = check(toolkit.from_responses([clean(id="a"), clean(id="b")], custom_id=["1", "2"]))
    assert len(got) == 0
    assert list(got) == schema.CHECK.names


def change_entry(answer, i=1, **fields):
    tokens_of(answer)[i].update(fields)


def change_top(answer, top, i=1):
    tokens_of(answer)[i]["top_logprobs"] = [
        {"token": t, "logprob": p, "bytes": list(t.encode())} for t, p in top
    ]


PLANTED = {
    "invalid_logprobs": lambda a: change_entry(a, logprob=7.5),
    "excess_mass": lambda a: change_top(
        a, [("a", -0.1234567), ("b", -0.1234567), ("c", -4.4567891)]
    ),
    "censored_logprobs": lambda a: change_entry(a, logprob=-9999.0),
    "missing_logprobs": lambda a: change_entry(a, logprob=None),
    "replacement_characters": lambda a: change_entry(a, token="\ufffd", bytes=None),
    "missing_bytes": lambda a: change_entry(a, bytes=None),
    "no_alternatives": lambda a: change_top(a, []),
    "short_lists": lambda a: change_top(a, TOP[:2]),
    "invalid_alternatives": lambda a: change_top(a, [*TOP[:2], ("c", 2.5)]),
    "sampled_contradicted": lambda a: change_entry(a, logprob=0.0),
    "duplicated_alternatives": lambda a: change_top(a, [TOP[0], TOP[1], TOP[1]]),
    "repeated_entry": lambda a: change_top(a, [TOP[0], TOP[0], *TOP[1:]]),
    "unsorted_lists": lambda a: change_top(a, [TOP[1], TOP[0], TOP[2]]),
}


@pytest.mark.parametrize("code", PLANTED)
def test_a_token_that_is_odd_is_found_and_placed(code):
    answer = clean()
    PLANTED[code](answer)
    lp = toolkit.from_responses([clean(id="x"), {**answer, "id": "y"}])
    got = check(lp).set_index("code")
    row = got.loc[code]
    assert (row["count"], row["n"], row["of"]) == (1, 6, "tokens")
    assert row["share"] == pytest.approx(1 / 6)
    assert row["response_key"] == lp.responses["response_key"][1].as_py()
    assert (row["choice"], row["channel"], row["position"]) == (0, "content", 1)
    assert row["severity"] == KINDS[code].severity
    assert row["message"] == KINDS[code].message
    place = lp.responses.select(["source", "line"]).to_pylist()[1]
    assert {name: row[name] for name in place} == place
    assert row["model"] == "m"


def test_a_sampled_token_below_the_list_is_an_extra_entry():
    answer = clean()
    change_entry(answer, token="z", bytes=[122], logprob=-9.1234567)
    change_top(answer, [*TOP, ("z", -9.1234567)])
    got = found({**answer, "usage": None})
    assert got.loc["extra_entry", "count"] == 1
    assert "sampled_unlisted" not in got.index
    change_top(answer, TOP)
    assert found(answer).loc["sampled_unlisted", "count"] == 1


def test_the_two_logprobs_of_a_sampled_token_may_differ_by_rounding():
    for own, listed, is_found in (
        (0.0, -23.03, True),
        (-0.12, -0.1234567, False),
        (-20.0, -20.125, False),  # of 8 bits of precision
        (-0.1, -0.15, True),
        (-9999.0, -0.15, False),  # a sentinel is another finding
        (1e-5, -0.0, False),
    ):
        answer = clean()
        change_entry(answer, logprob=own)
        change_top(answer, [("a", listed), ("b", -27.0), ("c", -28.0)])
        assert ("sampled_contradicted" in found(answer).index) == is_found, (own, listed)


def with_ids(answer, *entries, i=1):
    """Give a position alternatives of (text, bytes, id)."""
    tokens_of(answer)[i]["top_logprobs"] = [
        {"token": text, "logprob": -1.0 - n, "bytes": raw, "token_id": id_}
        for n, (text, raw, id_) in enumerate(entries)
    ]
    return found(answer).index


def test_alternatives_that_only_look_alike_are_not_duplicates():
    assert "duplicated_alternatives" not in with_ids(
        clean(), ("\ufffd", [240], None), ("\ufffd", [241], None), ("\ufffd", [242], None)
    )
    assert "duplicated_alternatives" in with_ids(
        clean(), ("x", None, 5), ("x", None, 6), ("x", None, 5)
    )
    assert "duplicated_alternatives" in with_ids(clean(), ("x", None, None), ("x", None, None))


def test_the_first_token_of_a_prompt_has_no_logprob():
    scored = [{"5": {"logprob": -0.5, "rank": 1, "decoded_token": "b"}}]
    one = {**clean(), "prompt_logprobs": [None, *scored]}
    lp = toolkit.from_responses(one)
    assert lp.tokens["channel"].to_pylist().count("prompt") == 2
    assert not {"missing_logprobs", "no_alternatives"} & set(check(lp)["code"])
    got = found({**clean(), "prompt_logprobs": [None, *scored, None]})
    assert got.loc["missing_logprobs", ["count", "position"]].tolist() == [1, 2]


def test_whole_numbers_that_occur_again_are_sentinels():
    def entries(*low):
        return [body([(b"a", -0.1234567, [TOP[0], ("b", each)])], id=str(each)) for each in low]

    for low, count in (
        ((-100.0, -100.0), 2),
        ((-999.0, -999.0, -150.5), 2),
        ((-100.0, -101.0), 0),  # each once
        ((-150.5, -150.5), 0),  # not whole
        ((-99.0, -99.0), 0),
        ((-1000.0, -1000.0), 0),  # censored already
    ):
        got = found(*entries(*low))
        assert ("sentinel_logprobs" in got.index) == bool(count), low
        if count:
            assert got.loc["sentinel_logprobs", ["severity", "count"]].tolist() == [
                "warning",
                count,
            ]
    sampled = body([(b"a", -250.0), (b"b", -0.5), (b"c", -250.0)])
    assert found(sampled).loc["sentinel_logprobs", "count"] == 2
    listed = body([(b"a", -250.0, [("a", -250.0), ("b", -0.1)])])  # one value, sent twice
    assert "sentinel_logprobs" not in found(listed).index


def test_an_answer_of_logits_is_found_by_choice():
    logits = clean(id="x")
    change_entry(logits, logprob=7.5)
    above = body([(b"a", 7.5), (b"b", 3.5)], id="y")
    got = found(logits, above, clean(id="z"))
    assert got.loc["mixed_signs", ["severity", "count", "n"]].tolist() == ["error", 1, 3]
    assert got.loc["invalid_logprobs", "count"] == 3


def test_habits_of_a_server_are_found():
    zero = body([(b"a", 0.0)] * 5)
    assert found(zero).loc["all_zero", ["severity", "count"]].tolist() == ["error", 5]
    clamp = [("a", -0.1234567), ("b", -100.0), ("c", -100.0)]
    got = found(body([(b"a", -0.1234567, clamp)] * 6))
    assert got.loc["clamped", "count"] == 6
    coarse = found(body([(b"a", -0.12)] * 25))
    assert coarse.loc["low_precision", "count"] == 25
    assert "low_precision" not in found(body([(b"a", -0.12)] * 5)).index


def with_choice(**fields):
    answer = clean()
    answer["choices"][0].update(fields)
    return answer


@pytest.mark.parametrize(
    ("code", "answer"),
    [
        ("unfinished", with_choice(finish_reason=None)),
        ("cut_by_length", with_choice(finish_reason="length")),
        ("content_filter", with_choice(finish_reason="content_filter")),
        ("no_logprobs", with_choice(logprobs=None)),
        ("no_answer", with_choice(logprobs=None, message={"content": None})),
        ("no_answer", with_choice(logprobs=None, message={"content": ""})),
        (
            "bare_tool_call",
            with_choice(logprobs=None, message={"content": None, "tool_calls": [{"id": "1"}]}),
        ),
        ("tokens_short", with_choice(message={"content": "aaab"})),
        ("tokens_extra", with_choice(message={"content": "aa"})),
        ("mismatch", with_choice(message={"content": "something"})),
    ],
)
def test_a_choice_that_is_odd_is_found(code, answer):
    got = found(clean(id="x"), {**answer, "id": "y"})
    row = got.loc[code]
    assert (row["count"], row["n"], row["of"]) == (1, 2, "choices")
    assert row["severity"] == KINDS[code].severity


def test_responses_that_are_odd_are_found():
    got = found(clean(id="x"), clean(id="x"), {**clean(id="z"), "created": "yesterday"})
    assert got.loc["duplicate_response_id", "count"] == 2
    assert got.loc["note_bad_created", "count"] == 1
    got = found(clean(id="x"), clean(id="y"), custom_id=["1", "1"])
    assert got.loc["duplicate_custom_id", "count"] == 2
    got = found(clean(id="x"), {**clean(id="y"), "choices": []})
    assert got.loc["no_choices", ["count", "n"]].tolist() == [1, 2]
    failed = {**clean(), "error": {"message": "overloaded"}}
    assert found(failed).loc["failed", "count"] == 1


def test_usage_is_compared_with_what_came():
    answer = clean()
    answer["usage"]["completion_tokens"] = 6
    row = found(answer).loc["coverage_low"]
    assert (row["count"], row["n"], row["share"]) == (3, 6, 0.5)
    answer["usage"]["completion_tokens"] = 2
    assert found(answer).loc["coverage_high", "share"] == 1.5


def test_what_is_mixed_is_said_once():
    got = found(clean(id="x"), {**clean(id="y"), "model": "other"})
    assert got.loc["mixed_models", ["count", "n"]].tolist() == [2, 2]
    assert got["model"].isna()["mixed_models"]
    assert "mixed_formats" not in got.index


def test_findings_are_told_model_by_model():
    odd = clean(id="y")
    change_entry(odd, logprob=None)
    got = check(toolkit.from_responses([odd, {**odd, "id": "z", "model": "other"}]))
    rows = got[got["code"] == "missing_logprobs"]
    assert sorted(rows["model"]) == ["m", "other"]
    assert rows["n"].tolist() == [3, 3]


@pytest.mark.filterwarnings("ignore::toolkit.ToolkitWarning")
def test_lost_records_are_told(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_text('{"choices": []}\nnot json\n{"x": 1}\n{"y": 1}\n')
    got = check(toolkit.read(path)).set_index("code")
    assert got.loc["rejected_unknown_format", ["count", "n"]].tolist() == [2, 4]
    assert got.loc["rejected_not_json", "severity"] == "warning"
    assert got.loc["rejected_unknown_format", ["source", "line"]].tolist() == [str(path), 3]
    assert "no_responses" not in got.index
    path.write_text("not json\n")
    assert check(load(path)).iloc[0]["code"] == "no_responses"


def test_the_gravest_come_first(realdata):
    with pytest.warns(toolkit.ToolkitWarning):
        lp = toolkit.read([str(path) for path in sorted(realdata.glob("*.json"))])
    got = check(lp)
    order = [schema.results.checks.SEVERITIES.index(severity) for severity in got["severity"]]
    assert order == sorted(order)
    logits = got[got["code"] == "invalid_logprobs"].iloc[0]
    assert "gpt2" in logits["model"]
    assert logits["share"] == 1.0
    # Naive: counted in plain Python.
    statuses = lp.tokens["status"].to_pylist()
    censored = got[got["code"] == "censored_logprobs"]["count"].sum()
    assert censored == statuses.count("censored")
    assert got[got["code"] == "missing_bytes"]["count"].sum() == lp.tokens["bytes"].null_count


def test_parts_find_what_the_whole_finds(samples):
    lp = toolkit.read(samples / "arithmetic_n5.jsonl")
    whole = check(lp).set_index("code")
    keys = lp.responses["response_key"].to_pylist()
    parts = [check(lp.filter(response_key=keys[i::2])) for i in range(2)]
    for code in ("sampled_unlisted", "cut_by_length"):
        if code in whole.index:
            total = sum(part.loc[part["code"] == code, "count"].sum() for part in parts)
            assert total == whole.loc[code, "count"]


def test_streams_are_wholes(samples):
    a, b = (
        check(toolkit.read(samples / f"pairs_{name}")) for name in ("whole.jsonl", "stream.sse")
    )
    assert a["code"].tolist() == b["code"].tolist()
    np.testing.assert_array_equal(a["count"], b["count"])


def test_every_note_and_reason_is_a_finding():
    assert {f"note_{note}" for note in schema.NOTES} <= set(KINDS)
    assert {f"rejected_{reason}" for reason in schema.REASONS} <= set(KINDS)


def test_advice_fits_the_format():
    assert "generationConfig" in message("no_logprobs", "gemini")
    assert "top_logprobs=20" in message("no_logprobs", "openai_chat")
    assert "path=" in message("note_unread_logprobs", None)
    assert message("unfinished", "gemini") == KINDS["unfinished"].message


def test_findings_name_a_place(tmp_path):
    path = tmp_path / "a.jsonl"
    rows = [{"custom_id": f"c-{i}", "response": {"body": clean()}} for i in range(3)]
    change_entry(rows[2]["response"]["body"], logprob=None)
    path.write_text("\n" + "".join(json.dumps(row) + "\n" for row in rows))
    row = check(toolkit.read(path)).set_index("code").loc["missing_logprobs"]
    assert row[["source", "line", "custom_id"]].tolist() == [str(path), 4, "c-2"]
    mixed = found(clean(id="x"), {**clean(id="y"), "model": "other"}).loc["mixed_models"]
    assert mixed[["source", "line", "custom_id", "response_key"]].isna().all()


def test_every_kind_says_what_it_means():
    for code, kind in KINDS.items():
        assert kind.severity in schema.results.checks.SEVERITIES, code
        assert kind.message.endswith((".", "?")), code
        assert not math.isnan(len(kind.message))


def test_bad_tables_are_named():
    with pytest.raises(ArgumentError, match="lp is a list: expected LogprobTables"):
        check([])
