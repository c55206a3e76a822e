"""Read VCR cassettes in YAML."""

import base64
import builtins
import gzip
import json
import textwrap

import pytest

import toolkit
from tests.oracle import assert_conserved
from toolkit.loaders.framing import cassettes

yaml = pytest.importorskip("yaml")

CHUNK = {
    "id": "a",
    "choices": [
        {
            "index": 0,
            "delta": {"content": "Hi: there"},
            "logprobs": {"content": [{"token": "Hi: there", "logprob": -0.5}]},
            "finish_reason": "stop",
        }
    ],
}
STREAM = f"data: {json.dumps(CHUNK)}\n\ndata: [DONE]\n\n"
WHOLE = {**CHUNK, "choices": [{**CHUNK["choices"][0], "message": {"content": "Hi: there"}}]}
del WHOLE["choices"][0]["delta"]


def cassette(*bodies, **more):
    interactions = [
        {"request": {"method": "POST", "body": "{}"}, "response": {"body": body, "status": 200}}
        for body in bodies
    ]
    return yaml.safe_dump({"interactions": interactions, "version": 1} | more, width=40).encode()


def test_bodies_of_all_kinds_with_their_lines():
    data = cassette({"string": STREAM}, {"string": json.dumps(WHOLE)}, STREAM)
    data = data.replace(b"interactions:\n", b"interactions:\n", 1)
    lp = toolkit.read(data)
    assert [lp.text(i) for i in range(3)] == ["Hi: there"] * 3
    assert lp.responses["kind"].to_pylist() == ["stream", "completion", "stream"]
    lines = data.decode().splitlines()
    for line in lp.responses["line"].to_pylist():
        assert lines[line - 2].strip() == "response:"
    assert lp.ledger["bytes"].to_pylist() == [len(data)]


@pytest.mark.parametrize("encode", [bytes, gzip.compress])
def test_bodies_of_bytes(encode):
    data = cassette({"string": encode("data: ü\n\n".encode() + STREAM.encode())})
    assert b"!!binary" in data
    with pytest.warns(toolkit.ToolkitWarning, match="1 not_json"):
        lp = toolkit.read(data)
    assert lp.text(0) == "Hi: there"


def test_a_parsed_body():
    text = yaml.safe_dump(
        {"interactions": [{"response": {"parsed_body": WHOLE, "body": {"string": "x"}}}]}
    )
    assert toolkit.read(text.encode()).text(0) == "Hi: there"


def test_the_same_in_json():
    lp = toolkit.read(
        json.dumps({"interactions": [{"response": {"body": {"string": STREAM}}}]}).encode()
    )
    assert lp.text(0) == "Hi: there"


def ruby(*bodies):
    """Return a cassette as Ruby writes it, which names the tag of bytes in its own way."""
    http = "http_interactions:\n"
    for body in bodies:
        http += "- request:\n    method: post\n  response:\n    status:\n      code: 200\n"
        http += f"    body:\n      encoding: ASCII-8BIT\n      {body}\n"
    return f"---\n{http}recorded_with: VCR 6.4.0\n".encode()


def in_base64(text, *, folded=False):
    code = base64.b64encode(text).decode()
    return textwrap.fill(code, 60, subsequent_indent="        ") if folded else code


@pytest.mark.parametrize(
    "body",
    [
        f"string: {json.dumps(STREAM)}",
        f"string: {json.dumps(json.dumps(WHOLE, indent=1))}",
        f"string: !binary |-\n        {in_base64(STREAM.encode(), folded=True)}",
        f"string: !binary |-\n        {in_base64(gzip.compress(STREAM.encode()), folded=True)}",
        f"base64_string: {in_base64(json.dumps(WHOLE).encode())}",
        f"string: !ruby/string {json.dumps(STREAM)}",
    ],
    ids=["text", "indented", "binary", "gzip", "base64_string", "another tag"],
)
def test_a_cassette_of_ruby(body):
    data = ruby(body)
    lp = toolkit.read([data, data])
    assert_conserved(lp)
    assert [lp.text(i) for i in range(2)] == ["Hi: there"] * 2
    assert lp.tokens["logprob"].to_pylist() == [-0.5] * 2
    assert lp.ledger["bytes"].to_pylist() == [len(data)] * 2


def test_the_same_of_ruby_in_json():
    packed = base64.b64encode(gzip.compress(STREAM.encode())).decode()
    bodies = [{"string": STREAM}, {"base64_string": packed}]
    session = {"http_interactions": [{"response": {"body": body}} for body in bodies]}
    lp = toolkit.read(json.dumps(session).encode())
    assert [lp.text(i) for i in range(2)] == ["Hi: there"] * 2


OTHER = {
    "deletion": {"id": "resp_1", "object": "response.deleted", "deleted": True},
    "embeddings": {
        "object": "list",
        "data": [{"object": "embedding", "index": 0, "embedding": [-0.5, 0.25]}],
        "model": "m",
        "usage": {"prompt_tokens": 2, "total_tokens": 2},
    },
    "models": {"object": "list", "data": [{"id": "m", "object": "model", "created": 1}]},
    "upload": {"id": "file-1", "object": "file", "bytes": 120, "purpose": "batch"},
    "token": {"access_token": "x", "expires_in": 3599},
}


@pytest.mark.parametrize("kind", OTHER)
@pytest.mark.parametrize("form", ["yaml", "json", "har", "entries"])
def test_other_traffic_is_counted_and_not_rejected(kind, form):
    texts = [json.dumps(OTHER[kind]), STREAM, "<html>ok</html>", "deleted"]
    interactions = [{"response": {"body": {"string": text}}} for text in texts]
    data = {
        "yaml": cassette(*({"string": text} for text in texts)),
        "json": json.dumps({"http_interactions": interactions}).encode(),
        "har": json.dumps(
            {"log": {"entries": [{"response": {"content": {"text": text}}} for text in texts]}}
        ).encode(),
        "entries": json.dumps({"Entries": [{"ResponseBody": text} for text in texts]}).encode(),
    }[form]
    lp = toolkit.read(data)
    assert_conserved(lp)
    assert (lp.text(0), lp.rejects.num_rows) == ("Hi: there", 0)
    assert lp.ledger["control"].to_pylist() == [3]


def test_a_sound_is_other_traffic_and_damaged_json_is_not():
    def interaction(kind):
        return {"response": {"headers": {"Content-Type": [kind]}, "body": {"string": b"\xff\xfb"}}}

    sound, damaged = interaction("audio/mpeg"), interaction("application/json")
    stream = {"response": {"content": STREAM, "status_code": 200}}  # as older httpx was recorded
    lp = toolkit.read(yaml.safe_dump({"interactions": [sound, stream]}).encode())
    assert_conserved(lp)
    assert (lp.text(0), lp.ledger["control"].to_pylist()) == ("Hi: there", [1])
    with pytest.warns(toolkit.ToolkitWarning, match="1 not_an_object"):
        toolkit.read(yaml.safe_dump({"interactions": [damaged, stream]}).encode())


@pytest.mark.filterwarnings("ignore::toolkit.errors.ToolkitWarning")
@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ('{"x": {"logprobs": [-0.5]}, "y": 1', "truncated"),
        ('{"x": {"token_logprobs": [-0.5, -1.5]}, "model": "m"}', "no_choices"),
        ('{"choices": 7}', "no_choices"),
        ("data: {broken\n\n", "not_json"),
    ],
)
def test_what_may_be_an_answer_is_still_rejected(body, reason):
    lp = toolkit.read(cassette({"string": body}, {"string": STREAM}))
    assert lp.rejects["reason"].to_pylist() == [reason]
    assert lp.text(0) == "Hi: there"
    assert lp.ledger["control"].to_pylist() == [0]


BODY = json.dumps(json.dumps(WHOLE))
LARGE = "9" * 5000
ODD = {
    "an alias": ("{response: {body: *a}}", "unsupported_format"),
    "an alias that is never named": ("{response: {status: *no, body: x}}", "unsupported_format"),
    "syntax": ("{response: {body: [}}", "not_json"),
    "a quote that is not closed": ('{response: {body: "x}}', "not_json"),
    "a control character": ("{response: {body: \x07}}", "not_json"),
    "a character out of range": ('{response: {body: "\\U99999999"}}', "not_json"),
    "a tag without a handle": ("{response: {body: !e!x y}}", "not_json"),
    "brackets": ("[" * 100_000 + "]" * 100_000, "too_deep"),
    "levels": ("{response: {body: " + "[" * 97 + "]" * 97 + "}}", "too_deep"),
    "levels of JSON": ("{response: {body: " + "[" * 96 + "]" * 96 + "}}", "too_deep"),
    "bytes": ("{response: {body: \udcff}}", "bad_utf8"),
    "not an object": ("7", "not_an_object"),
    "a response that is a text": ("{response: x}", "not_an_object"),
    "two responses": (f"{{response: {{body: {BODY}}}, response: {{}}}}", "not_an_object"),
}
READ = {
    "a date": "2024-01-01",
    "a time": "2024-01-01 10:11:12.5Z",
    "a bad date": "2024-13-45",
    "a large number": LARGE,
    "a large number with colons": "1:" * 5000 + "1",
    "a large float": f"{LARGE}.0",
    "an octal number": "0o17",
    "underscores": "1_0.0_5",
    "a tag": "!!python/object/apply:os.system [echo]",
    "a tag of a number": "!!int x",
    "a tag of bytes": "!!binary é",
    "a tag of a set": "!!set {a, b}",
    "a tag of pairs": "!!omap [a: 1]",
    "a merge key": "{<<: [{a: 1}, 7]}",
    "a merge key of a text": "{<<: x}",
    "an equals sign": "=",
    "a list as key": "{? [a, {b: c}] : d}",
    "an object as key": "{{a: b}: c}",
    "bytes as key": "{!!binary aGk=: 1}",
    "a date as key": "{2024-01-01: 1}",
    "null as key": "{~: 1, null: 2}",
    "not a number": "[.nan, -.inf, .inf]",
    "an anchor": "&a x",
}


def beside(odd, indent=""):
    """Return a cassette of an interaction, an odd one and another."""
    lines = [f"response: {{body: {{string: {BODY}}}}}", odd, f"response: {{body: {BODY}}}"]
    items = "".join(f"{indent}- {line}\n" for line in lines)
    return f"interactions:\n{items}version: 1\n".encode("utf-8", "surrogateescape")


@pytest.fixture(params=["C", "Python"])
def parser(request, monkeypatch):
    """Parse with and without the C library."""
    if request.param == "Python":
        monkeypatch.delattr(yaml, "CSafeLoader", raising=False)


@pytest.mark.filterwarnings("ignore::toolkit.errors.ToolkitWarning")
@pytest.mark.parametrize("indent", ["", "  "])
@pytest.mark.parametrize("name", ODD)
def test_an_odd_interaction_costs_only_itself(name, indent, parser):
    odd, reason = ODD[name]
    data = beside(odd, indent)
    lp = toolkit.read([data, cassette({"string": STREAM})])
    assert_conserved(lp)
    [reject] = lp.rejects.to_pylist()
    assert reject["reason"] == reason
    assert reject["line"] == 3
    assert data[reject["byte_offset"] :].startswith(
        (f"{indent}- {odd[:9]}".encode(), b"{", b"7", b"x")
    )
    assert "body" not in reject["message"]
    assert [lp.text(i) for i in range(3)] == ["Hi: there"] * 3
    assert lp.responses["line"].to_pylist()[:2] == [2, 4]


@pytest.mark.parametrize("place", ["response", "request", "interaction", "key"])
@pytest.mark.parametrize("name", READ)
def test_odd_values_beside_an_answer_cost_nothing(name, place, parser):
    value = READ[name]
    if place == "key" and value[0] in "{[&!":
        value = f"[{value}]"
    data = beside(
        {
            "response": f"response: {{x: {value}, body: {BODY}}}",
            "request": f"{{request: {{x: {value}}}, response: {{body: {BODY}}}}}",
            "interaction": f"{{recorded_at: {value}, response: {{body: {BODY}}}}}",
            "key": f"{{? {value} : x, response: {{? {value} : x, body: {BODY}}}}}",
        }[place]
    )
    lp = toolkit.read(data)
    assert_conserved(lp)
    assert [lp.text(i) for i in range(3)] == ["Hi: there"] * 3


def test_an_alias_in_a_request_costs_nothing():
    data = beside(f"{{request: [&a x, *a, *b], response: {{body: {BODY}}}}}")
    assert len(toolkit.read(data)) == 3


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("0.5", 0.5), ("-0.25", -0.25), ("-1.0e-05", -1e-05), ("-3", -3), ("+.5", 0.5),
        ("5.", 5), ("+4", 4), ("-.inf", float("-inf")),
        ("12345678901234567890", 12345678901234567890.0),
    ],
)  # fmt: skip
def test_numbers_of_a_parsed_body(text, found, parser):
    body = {**WHOLE, "choices": [{**WHOLE["choices"][0]}]}
    body["choices"][0]["logprobs"] = {"content": [{"token": "x", "logprob": "NUMBER"}]}
    data = yaml.safe_dump({"interactions": [{"response": {"parsed_body": body}}]}).encode()
    lp = toolkit.read(data.replace(b"NUMBER", text.encode()))
    assert lp.tokens["logprob"].to_pylist() == [found]


def test_texts_stay_texts(parser):
    texts = ["1:30", "no", "on", "2024-01-01", "0x1f", "1_000", "~", "null", "1e5", "007", ".5", ""]
    content = [{"token": text, "logprob": -0.5} for text in texts]
    choice = {"message": {"content": "".join(texts)}, "logprobs": {"content": content}}
    data = yaml.safe_dump({"interactions": [{"response": {"parsed_body": {"choices": [choice]}}}]})
    for hand in ("1:30", "no", "2024-01-01"):  # as a person writes them
        data = data.replace(f"'{hand}'", hand)
    assert toolkit.read(data.encode()).tokens["token"].to_pylist() == texts


@pytest.mark.filterwarnings("ignore::toolkit.errors.ToolkitWarning")
@pytest.mark.parametrize(
    "junk", ["junk", "- [", "a: b: c", "\t- x", "%YAML 1.1", "version: [", "@"]
)
def test_what_is_not_yaml_around_interactions_is_rejected(junk):
    data = cassette(STREAM) + f"{junk}\n".encode()
    lp = toolkit.read([data, cassette(STREAM)])
    assert_conserved(lp)
    assert [lp.text(i) for i in range(len(lp))] in (["Hi: there"] * 2, ["Hi: there"])
    assert lp.rejects["reason"].to_pylist() == ["not_json"]


def test_cassettes_that_were_joined_are_read():
    lp = toolkit.read(cassette(STREAM) + b"---\n" + ruby(f"string: {BODY}") + cassette(STREAM))
    assert_conserved(lp)
    assert [lp.text(i) for i in range(3)] == ["Hi: there"] * 3


@pytest.mark.parametrize(
    "text",
    [
        f"interactions:\n  [{{response: {{body: {BODY}}}}}, {{response: {{body: {BODY}}}}}]\n",
        f"interactions:\n-\n  response:\n    body: {BODY}\n# end\n- response: {{body: {BODY}}}",
        f"interactions:\r\n- response: {{body: {BODY}}}\r\n- response: {{body: {BODY}}}\r\n",
    ],
    ids=["in brackets", "comments", "CRLF"],
)
def test_other_ways_to_write_a_cassette(text):
    lp = toolkit.read(text.encode())
    assert_conserved(lp)
    assert [lp.text(i) for i in range(2)] == ["Hi: there"] * 2


def test_the_cost_of_an_interaction_does_not_depend_on_their_number():
    """Each interaction is parsed once, and no text is copied for each."""
    seen = []
    for n in (20, 40):
        copied, text = 0, _Counted(cassette(*[{"string": STREAM}] * n))
        for piece in cassettes._pieces(text):
            for frame, *_ in cassettes._framed(piece, yaml):
                copied += len(piece.text) + len(frame)
        seen.append(copied + text.copied)
    assert seen[1] < 2.05 * seen[0]


class _Counted(bytes):
    """A text that counts the bytes of its slices."""

    copied = 0

    def __getitem__(self, key):
        found = super().__getitem__(key)
        self.copied += len(found) if isinstance(key, slice) else 1
        return found


def test_an_interaction_without_a_response_costs_nothing_else():
    interactions = [{"request": {}}, {"response": {"body": {"string": STREAM}}}, {}]
    lp = toolkit.read(yaml.safe_dump({"interactions": interactions}).encode())
    assert lp.text(0) == "Hi: there"
    assert lp.ledger["records"].to_pylist() == [1]


@pytest.mark.filterwarnings("ignore::toolkit.errors.ToolkitWarning")
def test_a_body_without_text_costs_only_itself():
    data = cassette({"string": b"\x1f\x8b"}, {"string": STREAM})
    lp = toolkit.read(data)
    assert lp.rejects["reason"].to_pylist() == ["not_an_object"]
    assert lp.text(0) == "Hi: there"


def test_without_pyyaml_the_message_names_the_extra(monkeypatch):
    def refuse(name, *args, _import=builtins.__import__):
        if name == "yaml":
            raise ImportError
        return _import(name, *args)

    monkeypatch.setattr(builtins, "__import__", refuse)
    with pytest.raises(toolkit.errors.SourceError, match=r"logprob-toolkit\[yaml\]"):
        toolkit.read(cassette({"string": STREAM}))
