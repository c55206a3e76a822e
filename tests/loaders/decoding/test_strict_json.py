"""JSON that is valid, JSON that is not, and what is for each implementation to decide.

Every case is a member that nobody looks at, or a whole line, on line 2 of 3; the lines around it
are always read, and the verdict is the same for both decoders. Each case is a source of its own,
and a subtest; the sources of a test are read in one load.
"""

import json

import pytest

import toolkit
from tests.loaders.decoding.many_sources import read_each

pytestmark = pytest.mark.filterwarnings("ignore::toolkit.ToolkitWarning")


def record(token, more=b""):
    entry = b'{"token": "%s", "logprob": -0.25, "top_logprobs": []}' % token
    return b'{%s"choices": [{"message": {"content": "%s"}, "logprobs": {"content": [%s]}}]}' % (
        more,
        token,
        entry,
    )


BEFORE, AFTER = record(b"before"), record(b"after")
MEMBER = record(b"here", b'"member": %s, ')
DEEP = 63  # levels that a member may have


def nested(opening, closing, depth, inside=b""):
    return opening * depth + inside + closing * depth


VALID = {
    "numbers": b"""
        0 -0 1 -1 10 123456789 0.5 -0.5 1.0 -1.25 0.000001 1e5 1E5 1e+5 1E+5 1e-5 1E-5 1.5e10
        -1.5E-10 0e1 0E1 0e+1 0E-1 0.0e0 -0.0 -0e5 1e0 1e00 1e-007 123.456e+78 1e-400 -1e-400
        5e-324 2.2250738585072014e-308 1.7976931348623157e308 9007199254740993
        18446744073709551616 -18446744073709551617
        100000000000000000000000000000000000000000000000000000000000000000000000000000000
        0.1000000000000000055511151231257827021181583404541015625 3.141592653589793238462643 """,
    "strings": rb"""
        "" "a" "abc" "\"" "\\" "\/" "/" "\b" "\f" "\n" "\r" "\t" "\u0041" "\u00e9" "\u00E9"
        "\u0000" "\u001f" "\u0022" "\u005C" "\u2028" "\ud83d\ude00" "\uD83D\uDE00" "\uffff"
        "\uFFFE" "\ufeff" "\\u0041" "\\\"" "\\\\" "\"\\\"" "[" "]" "{" "}" "[{" "}]" "," ":"
        "//" "/*" "#" "'" "null" "-" "<script>" "\u0060" "\u012a" "\u0821" "\u10aF" "[DONE]"
        "data:" """,
    "structures": rb"""
        [] {} [[]] [{}] {"a":1} {"":0} {"a":{}} {"a":[]} [1,2] [null] [true,false,null] [[],[]]
        [[[]]] {"a":1,"b":2} {"a":{"b":{"c":[]}}} {"a":1,"a":2} {"a":{"x":1,"x":2}}
        [{"a":1},{"a":2}] {"\u0061":1} {"\n":1} {"choices":1} {"choices":[],"choices":[]}
        {"logprobs":"x"} [0,-0,"",{},[]] {"a":[1,{"b":[2,{"c":3}]}]} [1,[2,[3,[4]]]] """,
    "literals": b"true false null",
}
VALID_TEXTS = [case for cases in VALID.values() for case in cases.split()] + [
    b'"a b"',
    b" 1",
    b"\t1\t",
    b"[ ]",
    b"{ }",
    b" [ 1 , 2 ] ",
    b'{ "a" : 1 , "b" : [ ] }',
    b"[\t1\t]",
    '"é"'.encode(),
    '"日本語"'.encode(),
    '"😀"'.encode(),
    '"\u2028\u2029"'.encode(),
    '"\uffff\ufffe\ufdd0"'.encode(),
    '"\U0010ffff"'.encode(),
    '"\x7f\x80\x9f"'.encode(),
    '"\ufeff"'.encode(),
    '{"é": "ü"}'.encode(),
    b'"' + b"x" * 10_000 + b'"',
    b"[" + b"0," * 5000 + b"0]",
    b'"' + rb"\\" * 5000 + b'"',
    nested(b"[", b"]", DEEP),
    nested(b'{"a":', b"}", DEEP, b"1"),
    b'"' + b"[" * 100 + b'"',
]

INVALID = {
    "numbers": b"""
        01 -01 00 007 -00 +1 +0 .5 -.5 +.5 1. -1. 0. 1.e1 0.e1 2.e+3 1e 1E 1e+ 1E- 0e 0e+ 1.5e
        1.0e- - -- --1 ++1 +-1 -+1 -a 0x1F 0xa 0b1 0o7 1_000 1a 1a2 1L 1f 1.2.3 0.1.2 1e1.5 1ee2
        1e2e3 1/2 1%2 1e1e 9.e+ -.1e1 1.2a-3 0.3e 1.8011670033376514H-308 $1 #1 1! ^1 Inf inf
        nan NAN -NaN -nan +Infinity +NaN infinity Infinit Infinityy -Infinit NaN1 1NaN INFINITY
        1,5 1.000,5 """,
    "strings": rb'''
        "a "\" "\x41" "\a" "\0" "\v" "\'" "\U0041" "\u" "\u1" "\u12" "\u123" "\u12G4" "\uZZZZ"
        "\u+041" "\ud8 "\ud83d\u "\ud83d\ "\uD800\u1" "\uD800\u1x" "\ 'a' a abc a" `a` "a"b"
        "a"1 "a""" "a"'b' \"a\" \u0041 \n "a' '"a"' " ''',
    "structures": rb"""
        [1,] [,1] [1,,2] [,] [,,] [1,,] [1:2] [1;2] {"a":1,} {,} {,"a":1} {"a":1,,"b":2} {"a"}
        {"a":} {:1} {"a"::1} {"a":1:2} {"a","b"} {"a"=1} {"a"=>1} {1:1} {a:1} {'a':1} {null:1}
        {true:1} {[]:1} {{}:1} {"a":1}} {"a":1}] [1]] [1]} [ ] { } [[ {{ [} {] [1} {"a":1] [[1]
        [{] {"a":[} {"a":[1} {"a":{"b":1} [[]]] ["a" ["a", {"a" {"a": {"a":1 {"a":1, [" {" (1)
        (1,2) <null> {"a":(1)} [*] ... [...] @ * & ; = ! ? % ^ ~ | \\ [1,2,3 """,
    "literals": b"""
        nul tru fals n t f nulll truee falsee Null NULL True TRUE False FALSE None undefined Nil
        nil yes no on off [nul] [tru] [fals] {"a":nul} {"a":True} nullnull truefalse null1 1null""",
}
INVALID_TEXTS = [case for cases in INVALID.values() for case in cases.split()] + [
    b"",
    b" ",
    b"1 2",
    b"1 000",
    b"- 1",
    b"1 e5",
    b"true false",
    b'"a" "b"',
    b"[1 2]",
    b'{"a" 1}',
    b'{"a":1 "b":2}',
    b"[1,2",
    b"/* comment */ 1",
    b"1 // comment",
    b"# comment",
    b'{"a": 1 /* comment */}',
    b"<!-- 1 -->",
    b"\x0c1",
    b"\x0b1",
    b"[\x0c]",
    b"\xc2\xa01",  # a blank, but not one of JSON's
    "\u30001".encode(),
    "\u20601".encode(),
    "\ufeff1".encode(),
    "\u20281".encode(),
    "１".encode(),  # a digit, but not one of JSON's
    "1e٣".encode(),
    "∞".encode(),
    "é".encode(),
    "“a”".encode(),
    b'"\t"',
    b'"\x00"',
    b'"\x01"',
    b'"\x1f"',
    b'"a\rb"',
    b'{"a\tb": 1}',
    b"\x00",
    b"1\x00",
    b"[\x00]",
    b'"\\\t"',
    '"\\é"'.encode(),
    '"\\😀"'.encode(),
    b'"\\u\xc3\xa9"',
    b'"\xff"',  # from here on, not UTF-8
    b'"\xfe\xff"',
    b'"\x80"',
    b'"\xe9"',
    b'"\xc0\x80"',
    b'"\xc1\xbf"',
    b'"\xe0\x80\x80"',
    b'"\xe2\x82"',
    b'"\xed\xa0\x80"',
    b'"\xed\xa0\xbd\xed\xb8\x80"',
    b'"\xf0\x80\x80\x80"',
    b'"\xf4\x90\x80\x80"',
    b'"\xf8\x88\x80\x80\x80"',
    b'"\xfc\x83\xbf\xbf\xbf\xbf"',
    b"\xff",
    b"[\xff]",
    b'{"\xb9": 1}',
    b"1\xe5",
    b"-123\x85",
]

# As a member: what is read or rejected, and why so.
DECIDED = {
    b"NaN": "read",  # servers write it for a logprob that they do not have
    b"Infinity": "read",
    b"-Infinity": "read",
    b"[NaN]": "read",
    b'{"a": -Infinity}': "read",
    b"1e400": "read",  # a number that no member we read can be
    b"-1e400": "read",
    b"1e999999999": "read",
    b"123456789012345678901234567890e400": "read",
    b"1" * 4000: "read",
    b"1" * 5000: "read",  # more digits than int() takes
    b"-" + b"9" * 10_000: "read",
    b"0." + b"1" * 10_000: "read",
    rb'"\ud800"': "read",  # half a pair: U+FFFD where it is kept
    rb'"\udc00"': "read",
    rb'"\ud800\ud800"': "read",
    rb'"\udc00\ud800"': "read",
    rb'"\ud83d\u0041"': "read",
    rb'"\ud83d"': "read",
    rb'"a\ud800b"': "read",
    rb'{"\ud800": 1}': "read",
    rb'"\uDFAA"': "read",
    rb'["\uDADA"]': "read",
    nested(b"[", b"]", DEEP + 1): "too_deep",
    nested(b"{", b"}", 1, b'"a":' + nested(b"[", b"]", DEEP)): "too_deep",
    nested(b"[", b"]", 500): "too_deep",
    nested(b'{"a":', b"}", 500, b"1"): "too_deep",
    nested(b"[", b"]", 100_000): "too_deep",
    nested(b'{"a":', b"}", 50_000, b"1"): "too_deep",
    b"[" * 100_000: "too_deep",
    b'[{"a":' * 50_000: "too_deep",
}

# As a whole line: responses that are read of it, and the reason of its reject if there is one.
LINES = {
    b" " + record(b"here"): (1, None),
    b"\t" + record(b"here") + b"\t ": (1, None),
    record(b"here") + b"\r": (1, None),
    b"\xef\xbb\xbf" + record(b"here"): (1, None),  # files that were joined
    record(b"here") + record(b"there"): (2, None),  # a line end that was lost
    record(b"here") + b" " + record(b"there"): (2, None),
    b"[" + record(b"here") + b"]": (1, None),
    b"[" + record(b"here") + b"," + record(b"there") + b"]": (2, None),
    b"data: " + record(b"here"): (1, None),
    record(b"here") + b",": (0, "trailing_garbage"),
    record(b"here") + b"x": (0, "trailing_garbage"),
    record(b"here") + b"]": (0, "trailing_garbage"),
    record(b"here") + b"}": (0, "trailing_garbage"),
    record(b"here") + b"\x00": (0, "trailing_garbage"),
    record(b"here") + b" // comment": (0, "trailing_garbage"),
    record(b"here")[:-1]: (0, "truncated"),
    record(b"here")[:50]: (0, "truncated"),
    record(b"here")[1:]: (0, "trailing_garbage"),
    b'"a": 1}': (0, "trailing_garbage"),
    b"{": (0, "truncated"),
    b"}": (0, "not_json"),
    b"[": (0, "truncated"),
    b"]": (0, "not_json"),
    b'"': (0, "truncated"),
    b",": (0, "not_json"),
    b"=": (0, "not_json"),
    b"::": (0, "comments"),
    b"1": (0, "not_an_object"),
    b"-0.5e3": (0, "not_an_object"),
    b'"a"': (0, "not_an_object"),
    b"null": (0, "not_an_object"),
    b"true": (0, "not_an_object"),
    b"NaN": (0, "not_an_object"),
    b"[]": (0, "empty_record"),
    b"[1]": (0, "not_an_object"),
    b"[[]]": (0, "not_an_object"),
    b"{}": (0, "no_choices"),
    b'{"a": 1}': (0, "unknown_format"),
    b"\x00": (0, "not_json"),
    b"\x0c": (0, "not_json"),
    b"\xff\xfe" + "{}".encode("utf-16-le"): (0, "bad_utf8"),
    b"\xfe\xff" + "{}".encode("utf-16-be"): (0, "bad_utf8"),
    "{}".encode("utf-16-le"): (0, "not_json"),
    b"\xff": (0, "bad_utf8"),
    b"<html></html>": (0, "not_json"),
    b"--- a: 1": (0, "not_json"),
    b"a,b,c": (0, "not_json"),
    b"": (0, "blank"),
    b" \t ": (0, "blank"),
    b"[DONE]": (0, "done"),
    b"data: [DONE]": (0, "done"),
    b": a comment": (0, "comments"),
    b"event: ping": (0, "control"),
    b"data:": (0, "control"),
}
COUNTED = ("blank", "done", "comments", "control")


@pytest.fixture(params=["native", "reference"])
def decoder(request, monkeypatch):
    if request.param == "reference":
        monkeypatch.setattr("toolkit.loaders.scanner._scan", None)
    elif toolkit.decoder() != "native":
        pytest.skip("the native scanner was not built")


def short(case):
    return f"{case[:40]!r}{len(case)}" if len(case) > 40 else repr(case)


def read_between(lines):
    """Read each line between two good ones; check that these are as if it were absent."""
    sources = [BEFORE + b"\n" + line + b"\n" + AFTER + b"\n" for line in lines]
    for line, data, found in zip(lines, sources, read_each(sources), strict=True):
        tokens = found.column("tokens", "token")
        assert (tokens[0], tokens[-1]) == ("before", "after"), line
        places = found.column("responses", "line")
        assert (places[0], places[-1]) == (1, 3), line
        for reject in found.rejects:
            start = reject["byte_offset"]
            assert reject["line"] == 2, line
            assert data[start : start + reject["length"]] == line
        yield found


def reasons_of(found):
    return [row["reason"] for row in found.rejects]


def test_there_are_enough_of_each_kind():
    assert len(set(VALID_TEXTS)) >= 120
    assert len(set(INVALID_TEXTS)) >= 250
    assert len(DECIDED) >= 30


def test_an_independent_reader_has_the_same_verdicts():
    for case in VALID_TEXTS:
        json.loads(case)
    for case in INVALID_TEXTS:
        with pytest.raises(ValueError):  # noqa: PT011
            json.loads(MEMBER % case.decode("utf-8").encode())


def test_what_is_valid_is_read(decoder, subtests):
    loads = read_between([MEMBER % case for case in VALID_TEXTS])
    for case, found in zip(VALID_TEXTS, loads, strict=True):
        with subtests.test(short(case)):
            assert reasons_of(found) == []
            assert found.column("tokens", "token") == ["before", "here", "after"]


def test_what_is_invalid_is_rejected(decoder, subtests):
    loads = read_between([MEMBER % case for case in INVALID_TEXTS])
    for case, found in zip(INVALID_TEXTS, loads, strict=True):
        with subtests.test(short(case)):
            assert len(found.rows) == 2
            [reason] = reasons_of(found)
            assert reason in ("not_json", "bad_utf8", "truncated", "trailing_garbage")
            try:
                case.decode()
            except UnicodeDecodeError:
                assert reason == "bad_utf8"
            assert len(found.rejects[0]["message"]) < 120


def test_what_is_for_us_to_decide(decoder, subtests):
    loads = read_between([MEMBER % case for case in DECIDED])
    for (case, verdict), found in zip(DECIDED.items(), loads, strict=True):
        with subtests.test(short(case)):
            n, reasons = len(found.rows) - 2, reasons_of(found)
            assert (n, reasons) == ((1, []) if verdict == "read" else (0, [verdict]))


def test_whole_lines(decoder, subtests):
    for (line, (n, reason)), found in zip(LINES.items(), read_between(list(LINES)), strict=True):
        with subtests.test(short(line)):
            assert len(found.rows) - 2 == n
            assert reasons_of(found) == ([] if reason is None or reason in COUNTED else [reason])
            for name in COUNTED:
                assert found.ledger[name] == int(reason == name)


BROKEN = [b'"a\nb"', b"[1,\n", b'{"a":\n1', b'"\\\n"', b"1\n2", b"nu\nll"]


def test_broken_over_two_lines_each_line_is_rejected(decoder, subtests):
    loads = read_each([b"\n".join([BEFORE, MEMBER % case, AFTER]) for case in BROKEN])
    for case, found in zip(BROKEN, loads, strict=True):
        with subtests.test(short(case)):
            assert found.column("tokens", "token") == ["before", "after"]
            assert [row["line"] for row in found.rejects] == [2, 3]


def test_as_an_element_of_an_array(decoder, subtests):
    """Elements before are always read; a valid one costs nothing after it either."""
    cases = VALID_TEXTS + INVALID_TEXTS
    sources = [b"[%s,\n%s,\n%s]" % (BEFORE, MEMBER % case, AFTER) for case in cases]
    for case, found in zip(cases, read_each(sources), strict=True):
        with subtests.test(short(case)):
            tokens = found.column("tokens", "token")
            assert tokens[0] == "before"
            if case in VALID_TEXTS:
                assert tokens == ["before", "here", "after"]
            else:
                # A piece of a broken array may be a whole choice, which is read without an id.
                assert tokens.count("here") <= 1
                assert len(found.rejects) >= 1
