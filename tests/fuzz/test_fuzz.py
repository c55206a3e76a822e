"""Run the fuzzers for a short time; `tests.fuzz` describes long runs."""

import json
import re
import subprocess
import sys

import numpy as np
import pyarrow as pa
import pytest

import toolkit
from tests.conftest import ROOT
from tests.fuzz import compare, coverage_guided, decimals, sanitize, values
from tests.fuzz.__main__ import Finding, run
from tests.fuzz.seeds import HAND_MADE
from tests.loaders.formats.samples import SAMPLES, TOGETHER_STREAM
from toolkit.limits import LIMITS

pytestmark = pytest.mark.skipif(
    toolkit.decoder() != "native", reason="the native scanner was not built"
)


def test_mutants_read_alike():
    inputs, taken = run(20_000, seed=1)
    assert inputs == 20_000
    # Otherwise too little is compared; of rows with path=, id= or keep= most mutants are deferred.
    assert taken > 0.25 * inputs


def test_numbers_are_read_as_float_reads_them():
    tally = decimals.check(50_000, seed=1)
    assert tally.taken > 0.9 * tally.numbers


@pytest.mark.slow
def test_a_million_numbers():
    decimals.check(1_000_000, seed=2)


def test_a_planted_difference_is_found_and_shrunk():
    def wrong(frames, lookup=compare.CONTENT):
        decoded = compare.native(frames, lookup)
        logprob = decoded.tokens["logprob"].to_numpy().copy()
        at = np.flatnonzero(logprob < -1)
        if not len(at):
            return decoded
        logprob[at[0]] = np.nextafter(logprob[at[0]], 0)
        place = decoded.tokens.schema.get_field_index("logprob")
        column = pa.array(logprob, mask=decoded.tokens["logprob"].is_null().to_numpy())
        return decoded._replace(tokens=decoded.tokens.set_column(place, "logprob", column))

    with pytest.raises(Finding) as found:
        run(20_000, seed=1, read=wrong)
    assert compare.differ([found.value.record], wrong)
    assert len(found.value.record) < 400
    assert not compare.differ([found.value.record])


def test_negative_zero_differs_from_zero():
    record = b'{"choices":[{"delta":{},"logprobs":{"content":[{"token":"","logprob":%s}]}}]}'
    decoded = [compare.native(compare.framed([record % zero])) for zero in (b"0.0", b"-0.0", b"-0")]
    assert not compare.same(decoded[0], decoded[1]._replace(bodies=decoded[0].bodies))
    assert compare._bits(decoded[0].tokens).equals(compare._bits(decoded[2].tokens))


def nested_to(value, depth, level=0):
    """Yield copies of a value in which one object has one more key, nested to a given depth."""
    inner = list(enumerate(value)) if isinstance(value, list) else []
    if isinstance(value, dict):
        inner = list(value.items())
        lists = depth - level - 1
        for place in sorted({0, len(inner) // 2, len(inner)}):
            more = ("deep", json.loads("[" * lists + "]" * lists))
            yield dict([*inner[:place], more, *inner[place:]])
    for key, child in inner:
        for changed in nested_to(child, depth, level + 1):
            copy = value.copy()
            copy[key] = changed
            yield copy


@pytest.mark.parametrize("seed", HAND_MADE, ids=range(len(HAND_MADE)))
def test_nesting_is_counted_alike_wherever_it_occurs(seed):
    """Joined chunks are read from their choices on, and usual keys by a short cut."""
    body = json.loads(seed)
    for depth in (LIMITS.nesting, LIMITS.nesting + 1):
        compact = {"separators": (",", ":")}
        records = [json.dumps(b, **compact).encode() for b in nested_to(body, depth)]
        assert not compare.differ(records)
        if b'"delta"' in seed:
            assert not any(compare.joins_differ([seed, record]) for record in records)
        if depth > LIMITS.nesting:
            assert compare.reference(compare.framed(records)).rejects.num_rows == len(records)
            assert not compare.taken(records)


OTHERS = [
    body
    for sample in (*SAMPLES.values(), TOGETHER_STREAM)
    for body in (sample.whole, *(sample.stream or ()))
    if body
]


NAMES = re.findall(r'\{"(\w+)"', (ROOT / "toolkit/native/keys.h").read_text())


def objects(value):
    """Yield the objects inside a value, itself included."""
    if isinstance(value, dict):
        yield value
    for inner in value.values() if isinstance(value, dict) else value:
        if isinstance(inner, dict | list):
            yield from objects(inner)


@pytest.mark.parametrize("seed", HAND_MADE[:6], ids=range(6))
@pytest.mark.parametrize("more", ['"%s":0,"%s":0', '"%s":0', '"%s":null', '"%s":{"%s":[]}'])
def test_a_key_that_is_read_elsewhere(seed, more):
    """Each name that the scanner knows, once and twice, at the beginning of each object."""
    body = json.loads(seed)
    records = []
    for place in objects(body):
        place["@"] = 0
        text = json.dumps(body)
        del place["@"]
        records += [text.replace('"@": 0', more.replace("%s", name)) for name in sorted({*NAMES})]
    assert not compare.differ([record.encode() for record in records])


OBJECTS = [seed for seed in HAND_MADE if seed.lstrip().startswith(b"{")]


@pytest.mark.parametrize("seed", OBJECTS, ids=range(len(OBJECTS)))
def test_keys_of_other_formats_make_no_difference_to_the_scanner_alone(seed):
    """The scanner skips keys that it does not read; some of them may belong to another format."""
    body = json.loads(seed)
    mixed = [each for other in OTHERS for each in (other | body, body | other)]
    response = body.get("response")
    inner = response.get("body") if isinstance(response, dict) else None
    if isinstance(inner, dict):  # and not JSON text
        mixed += [
            {**body, "response": {"body": each}}
            for other in OTHERS
            for each in (other | inner, inner | other)
        ]
    records = [json.dumps(each).encode() for each in mixed]
    assert not compare.differ(records), [each for each in records if compare.differ([each])]


def test_odd_values_raise_nothing():
    assert list(values.run(2_000, seed=1))[-1] == 2_000


@pytest.fixture(scope="session")
def sanitized(tmp_path_factory):
    if lacking := sanitize.missing():
        pytest.skip(f"the sanitizers cannot be used: {lacking}")
    return sanitize.build(tmp_path_factory.mktemp("sanitized"), "-O0")  # builds in half the time


def test_sanitizers_report_nothing(sanitized):
    result = sanitize.fuzz(sanitized, 5_000, seed=3)
    assert result.returncode == 0, result.stderr[-3000:]
    assert "no report" in result.stdout


def test_the_sanitizer_is_on(sanitized):
    code = """
import ctypes
malloc = ctypes.CDLL(None).malloc
malloc.restype = ctypes.c_void_p
ctypes.memset(malloc(ctypes.c_size_t(8)), 0, 64)
"""
    assert "AddressSanitizer: heap-buffer-overflow" in sanitize.run(sanitized, code).stderr


def test_inputs_that_are_guided_by_coverage():
    """A short run; the long one is ``python -m tests.fuzz.coverage_guided --seconds 3600``."""
    pytest.importorskip("atheris", reason="atheris does not exist for this platform")
    done = subprocess.run(
        [sys.executable, "-m", "tests.fuzz.coverage_guided", "--inputs", "1300"],
        capture_output=True, text=True, check=False, cwd=ROOT,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    n_seeds = int(re.search(r"seed corpus: files: (\d+)", done.stderr)[1])
    assert int(re.search(r"Done (\d+) runs", done.stderr)[1]) >= 1300 > 2 * n_seeds


def test_what_is_guided_by_coverage_is_checked(monkeypatch):
    data = b"\x05" + b'{"choices": [{"message": {"content": "x"}}]}\n'
    coverage_guided.check(data)
    with monkeypatch.context() as patch:
        other = compare.native
        patch.setattr(compare, "native", lambda frames: other(frames)._replace(envelopes=9))
        with pytest.raises(AssertionError, match="decoders differ"):
            coverage_guided.check(data)
    monkeypatch.setattr(coverage_guided, "_flat", id)
    with pytest.raises(AssertionError, match="blocks of 6"):
        coverage_guided.check(data)
