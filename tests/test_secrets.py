"""Errors, rejects, warnings and logs tell where and what kind, and nothing of what people wrote."""

import copy
import gzip
import json
import logging
import traceback
import warnings

import pytest
from click.testing import CliRunner

import toolkit
from tests.loaders.formats import samples
from tests.oracle import load
from toolkit.cli.entry import main

CANARY = "MyDearCanary asked"  # no name of a field, which errors may tell
KEY = "sk-MyDearCanary0123456789"
SECRETS = ("MyDearCanary", "mydearcanary", b"MyDear".hex())


def answer():
    """A record in which every text, and every key that is not a field's name, is a secret."""
    entry = {
        "token": CANARY,
        "logprob": -0.5,
        "bytes": list(CANARY.encode()),
        "top_logprobs": [{"token": CANARY, "logprob": -0.5, "bytes": None, CANARY: CANARY}],
        CANARY: CANARY,
    }
    call = {"id": CANARY, "function": {"name": CANARY, "arguments": f'{{"{CANARY}": "{KEY}"}}'}}
    message = {"role": CANARY, "content": CANARY, "refusal": CANARY, "tool_calls": [call]}
    choice = {
        "index": 0,
        "message": message,
        "logprobs": {"content": [entry], "refusal": [entry]},
        "finish_reason": CANARY,
    }
    return {
        "id": CANARY,
        "object": CANARY,
        "created": 1,
        "model": CANARY,
        "system_fingerprint": CANARY,
        "service_tier": CANARY,
        "choices": [choice],
        "usage": {"prompt_tokens": 1, "completion_tokens": 1, CANARY: 1},
        "headers": {"Authorization": f"Bearer {KEY}"},
        CANARY: {CANARY: [CANARY]},
    }


def paths(value, at=()):
    yield at
    if isinstance(value, dict | list):
        for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
            yield from paths(inner, (*at, key))


ODD = [CANARY, [CANARY], {CANARY: CANARY}, [[CANARY]], [{CANARY: CANARY}], 7, -0.5, None, True, []]


def with_odd_values():
    """Every value replaced by every odd one."""
    whole = answer()
    for path in paths(whole):
        for odd in ODD:
            record = copy.deepcopy(whole)
            if not path:
                yield odd
                continue
            inner = record
            for key in path[:-1]:
                inner = inner[key]
            inner[path[-1]] = odd
            yield record


def broken_texts():
    """Cut at many places, broken, repeated, and not UTF-8."""
    text = json.dumps(answer()).encode()
    yield from (text[:n] for n in range(1, len(text), 3))
    yield from (text[:n] + b"\xff" + text[n:] for n in range(0, len(text), 40))
    yield from (text[:n] + b"}" + text[n:] for n in range(0, len(text), 40))
    for key in ("choices", "content", "logprobs", "token", "logprob", CANARY):
        name = b'"%s":' % key.encode()
        yield text.replace(name, name + b'"%s",' % CANARY.encode() + name)
    yield text + CANARY.encode()
    yield CANARY.encode()
    yield b'"%s"' % CANARY.encode()
    yield b"data: " + text[:-9] + b"\n\nevent: " + CANARY.encode()
    yield b"interactions:\n- %s: !!python/object:%s {}\n" % (CANARY.encode(), CANARY.encode())
    yield b"interactions:\n- response: {body: {string: '%s'}}\n" % text[:-9]
    yield b"interactions: [%s: [\n" % CANARY.encode()


def in_envelopes():
    text = json.dumps(answer())
    for body in (answer(), CANARY, {CANARY: CANARY}, {"choices": CANARY}, {"error": CANARY}):
        yield {"custom_id": CANARY, "response": {"status_code": 200, "body": body}}
        yield {"custom_id": CANARY, "response": {"status_code": 500, "body": body}, "error": CANARY}
        yield {"custom_id": CANARY, "response": body}
        yield {"type": "response.completed", "response": body}
        yield {"candidates": [body]}
        yield {"output": {"raw": body}, "id": CANARY}
        yield {"data": json.dumps(body)}
        yield {"log": {"entries": [{"response": {"content": {"text": json.dumps(body)[:-3]}}}]}}
    yield {"Entries": [{"ResponseBody": text[:-9], CANARY: CANARY}]}
    yield {"generated_text": CANARY, "details": {"tokens": [{"text": CANARY}]}}


def lines(records):
    return [r if isinstance(r, bytes) else json.dumps(r).encode() for r in records]


RECORDS = {
    "odd values": with_odd_values,
    "broken texts": broken_texts,
    "envelopes": in_envelopes,
}


def assert_silent(*texts):
    for text in texts:
        assert not [secret for secret in SECRETS if secret in text], text


def texts_of(error):
    """Return all that a traceback shows of an error, and what it holds."""
    chain, seen = error, []
    while chain is not None:
        seen += [str(chain), repr(chain), *map(str, getattr(chain, "args", ()))]
        chain = chain.__cause__ or (None if chain.__suppress_context__ else chain.__context__)
    return ["".join(traceback.format_exception(error)), *seen]


@pytest.fixture(autouse=True)
def _logged(caplog):
    caplog.set_level(logging.DEBUG)
    yield
    assert_silent(caplog.text)


@pytest.mark.parametrize("name", RECORDS)
def test_rejects_and_warnings_are_silent(name):
    data = b"\n".join(line.replace(b"\n", b" ") for line in lines(RECORDS[name]()))
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        lp = load(data)
    assert lp.rejects.num_rows > 20
    assert_silent(*(str(each.message) for each in warned))
    for column in ("reason", "path", "message"):
        assert_silent(*filter(None, lp.rejects[column].to_pylist()))
    assert_silent(*(str(notes) for notes in lp.responses["notes"].to_pylist()))


@pytest.mark.parametrize("name", RECORDS)
def test_errors_are_silent(name):
    """Of bytes, and of objects in memory; of many records each third, which has every odd value."""
    n = 0
    records = lines(RECORDS[name]())
    for line in records[:: 3 if len(records) > 600 else 1]:
        for call in (toolkit.read, toolkit.from_responses):
            with warnings.catch_warnings(action="ignore"):
                try:
                    call(line, on_error="raise")
                except toolkit.ToolkitError as error:
                    n += 1
                    assert_silent(*texts_of(error))
    assert n > 40


def test_objects_of_wrong_kinds_are_silent():
    class Odd:
        def __repr__(self):
            return CANARY

        def model_dump(self, **_):
            raise ValueError(CANARY)

    for odd in (
        Odd(),
        {"choices": Odd()},
        [{"choices": [Odd()]}],
        {"choices": [{"message": Odd()}]},
    ):
        with warnings.catch_warnings(record=True) as warned:
            warnings.simplefilter("always")
            lp = None
            try:
                lp = toolkit.from_responses(odd)
            except toolkit.ToolkitError as error:
                assert_silent(str(error), repr(error))
            except ValueError as error:  # what the object itself raises is its own
                assert type(odd) is Odd and str(error) == CANARY  # noqa: PT017, PT018
        assert_silent(*(str(each.message) for each in warned))
        if lp is not None:
            assert_silent(str(lp.rejects.select(["reason", "path", "message"]).to_pylist()))


@pytest.mark.parametrize("fault", ["cut", "corrupt", "missing", "directory", "userinfo"])
def test_faults_of_sources_are_silent(tmp_path, fault):
    data = gzip.compress(json.dumps(answer()).encode() * 50)
    path = tmp_path / "recording.gz"
    named = path
    if fault == "cut":
        path.write_bytes(data[:-20])
    elif fault == "corrupt":
        path.write_bytes(data[:100] + b"\xff\xff" + data[102:])
    elif fault == "directory":
        path.mkdir()
    elif fault == "userinfo":
        named = f"https://{CANARY}:{KEY}@127.0.0.1/x"
    with pytest.raises(toolkit.ToolkitError) as caught:
        toolkit.read(named, on_error="raise")
    assert_silent(*texts_of(caught.value))


@pytest.mark.parametrize("command", ["summary", "read", "check", "tokens"])
def test_the_command_line_is_silent_on_stderr(tmp_path, command):
    path = tmp_path / "recording.jsonl"
    path.write_bytes(b"\n".join([*lines(broken_texts())[:50], *lines(in_envelopes())[:5]]))
    done = CliRunner().invoke(main, [command, str(path)])
    assert_silent(done.stderr)
    assert done.stderr
    again = CliRunner().invoke(main, ["read", str(path), "--table", "rejects", "--json"])
    assert len(again.stdout.splitlines()) > 40
    assert_silent(again.stdout, again.stderr)


def test_a_damaged_export_is_reported_silently(tmp_path):
    lp = toolkit.from_responses(answer())
    out = lp.write_parquet(tmp_path / "out")
    manifest = out / "manifest.json"
    for damage in (CANARY, json.dumps([CANARY]), json.dumps({"schema": "1", "tables": CANARY})):
        manifest.write_text(damage)
        with pytest.raises(toolkit.ToolkitError) as caught:
            toolkit.read_parquet(out)
        assert_silent(str(caught.value), repr(caught.value))


@pytest.mark.parametrize("name", samples.SAMPLES)
def test_every_format_is_rejected_silently(name):
    """With a text where something else belongs."""
    sample = samples.SAMPLES[name]
    records = []
    for whole in [sample.whole, *(sample.stream or ())[:3]]:
        for path in list(paths(whole))[1:]:
            record = copy.deepcopy(whole)
            inner = record
            for key in path[:-1]:
                inner = inner[key]
            inner[path[-1]] = CANARY
            records.append(record)
    with warnings.catch_warnings(action="ignore"):
        lp = load(b"\n".join(lines(records)))
    assert lp.rejects.num_rows
    assert_silent(str(lp.rejects.select(["reason", "path", "message"]).to_pylist()))
