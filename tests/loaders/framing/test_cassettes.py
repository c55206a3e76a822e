"""Read VCR cassettes in YAML."""

import base64
import builtins
import gzip
import json
import textwrap

import pytest

import toolkit
from tests.oracle import assert_conserved

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


@pytest.mark.filterwarnings("ignore::toolkit.errors.ToolkitWarning")
@pytest.mark.parametrize(
    ("data", "message"),
    [
        (
            b"interactions:\n- response: &a {body: x}\n- response: *a\n",
            "line 3: a cassette with YAML al",
        ),
        (b"interactions:\n- response: {body: [\n", "not valid YAML: line 3"),
        (
            b"interactions:\n- " + b"[" * 100_000 + b"]" * 100_000,
            "line 2: a cassette nested deeper",
        ),
        (b"interactions:\n- response: {body: \xff}\n", "not valid YAML"),
    ],
)
def test_what_cannot_be_read_is_said(data, message):
    lp = toolkit.read([data, cassette({"string": STREAM})])
    [reject] = lp.rejects.to_pylist()
    assert reject["reason"] == "unreadable_source"
    assert message in reject["message"]
    assert len(lp) == 1


def test_an_interaction_without_a_response_costs_nothing_else():
    interactions = [{"request": {}}, {"response": {"body": {"string": STREAM}}}, {}]
    lp = toolkit.read(yaml.safe_dump({"interactions": interactions}).encode())
    assert lp.text(0) == "Hi: there"
    assert lp.ledger["records"].to_pylist() == [1]


@pytest.mark.filterwarnings("ignore::toolkit.errors.ToolkitWarning")
@pytest.mark.parametrize(("depth", "reason"), [(100, "too_deep"), (101, "unreadable_source")])
def test_nesting_of_cassettes_has_a_limit(depth, reason):
    """The limit of YAML, because its parser is recursive; below it, the limit of records."""
    body = "[" * (depth - 4) + "]" * (depth - 4)
    text = f"interactions:\n- response: {{body: {body}}}\n".encode()
    lp = toolkit.read([text, cassette({"string": STREAM})])
    assert lp.rejects["reason"].to_pylist() == [reason]


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
