"""Read VCR cassettes in YAML."""

import builtins
import gzip
import json

import pytest

import toolkit

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
