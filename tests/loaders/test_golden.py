"""Public recordings against figures that an independent parser found in them."""

import ast
import json
import math

import pytest

import toolkit
from tests.oracle import (
    CHANNELS,
    assert_conserved,
    is_censored,
    load,
    read_naively,
    read_tables,
    rows_by_response,
)

WHOLE = (
    "Robby955-logprobe-gpt2_logits_openai.json",
    "Robby955-logprobe-gpt4o_mini_code.json",
    "Robby955-logprobe-lang_japanese.json",
    "Robby955-logprobe-topk_5.json",
    "arena-ai-structured-logprobs-simple_parsed_completion.json",
)
STREAMS = (
    "openai-openai-python-173417d55340.bin",
    "openai-openai-python-4cc50a6135d2.bin",
    "openai-openai-python-569c877e6942.bin",
    "openai-openai-python-a491adda08c3.bin",
    "openai-openai-python-c6aa7e397b71.bin",
    "microsoft-semantic-kernel-chatcompletion_test_stream_response.txt",
    "vercel-ai-azure-model-router.1.chunks.txt",
)
# In an envelope.
ENVELOPED_WHOLE = (
    "openai-openai-dotnet-TokenLogProbabilities-True.json",
    "tatsu-lab-alpaca_eval-annotations.json",
)
ENVELOPED_STREAMS = (
    "ogx-ai-ogx-068176027664.json",
    "ogx-ai-ogx-0746c8e1e3c0.json",
    "ogx-ai-ogx-19510c47c85d.json",
    "ogx-ai-ogx-c846de49942e.json",
    "openai-openai-dotnet-TokenLogProbabilitiesStreaming-True.json",
    "open-telemetry-opentelemetry-python-contrib-test_chat_completion_multiple_choices_streaming"
    ".yaml",
    "posit-dev-chatlas-test_openai_logprobs.yaml",
)
# Without golden figures: (format, responses, tokens, alternatives) as the index lists them.
OTHER_FORMATS = {
    "microsoft-semantic-kernel-textgeneration_test_stream_response.txt": (
        "tgi_generate",
        1,
        150,
        0,
    ),
    "EleutherAI-lm-evaluation-harness-gpt3_test_"
    "0deb8e9bde8e8327bbc48157f638ff3ba06b0cd816dad2beb8ad90f7fbe795c7.json": (
        *("openai_legacy", 1, 2, 5),
    ),
    "EleutherAI-lm-evaluation-harness-gpt3_test_"
    "8025023377febbd8c5f2b9f26705c394ff375d0cad7c89c10fd9b8e1eb66ff1c.json": (
        *("openai_legacy", 1, 619, 3030),
    ),
    "openai-openai-dotnet-responses-TokenLogProbabilitiesStreaming-True.json": (
        *("openai_responses", 1, 422, 1266),
    ),
    "pydantic-pydantic-ai-test_openai_instructions_with_responses_logprobs.yaml": (
        *("openai_responses", 1, 9, 0),
    ),
    "vercel-ai-lmstudio-tool-call.1.chunks.txt": ("openai_responses", 1, 13, 0),
}
# Refused: reason, records, and what the message must name.
OBJECTS = "antirez-ds4-short_reasoning_plain.official.json"
SAMPLES = (
    "arithmetic_n5.jsonl",
    "bytes_stream.sse",
    "bytes_whole.jsonl",
    "capitals_batch.jsonl",
    "pairs_stream.sse",
    "pairs_whole.jsonl",
    "sentiment_k20.jsonl",
    "stories_k10.jsonl",
    "structured.jsonl",
)

quietly = pytest.mark.filterwarnings("ignore::toolkit.errors.ToolkitWarning")


@pytest.fixture(scope="session")
def golden(realdata):
    return json.loads((realdata / "golden.json").read_text())


def channel_figures(lp, channel, choice=None):
    """Compute the figures of one channel, over all choices or in one, as golden.json names them."""
    rows = [
        row
        for row in lp.tokens.to_pylist()
        if row["channel"] == channel and choice in (None, row["choice"])
    ]
    logprobs = [row["logprob"] for row in rows]
    return {
        "n": len(rows),
        "n_top": sum(row["n_alternatives"] for row in rows),
        "n_sentinel": sum(map(is_censored, logprobs)),
        "sum_logprob_excl_sentinel": math.fsum(x for x in logprobs if not is_censored(x)),
        "first": rows[0]["token"] if rows else None,
        "last": rows[-1]["token"] if rows else None,
    }


def assert_figures(found, expected):
    rounded = 1e-5 + 5e-7 * found["n"]  # the figures are sums of numbers with six decimals
    assert {**found, "sum_logprob_excl_sentinel": None} | {
        "sum_logprob_excl_sentinel": pytest.approx(found["sum_logprob_excl_sentinel"], abs=rounded)
    } == {name: expected.get(name, found[name]) for name in found}


def test_every_golden_file_is_accounted_for(golden, realdata):
    files = {path.name for path in realdata.iterdir()} - {"INDEX.md", "golden.json"}
    checked = {*WHOLE, *STREAMS, *ENVELOPED_WHOLE, *ENVELOPED_STREAMS}
    assert files == {*checked, *OTHER_FORMATS, OBJECTS}
    assert set(golden) == checked


@quietly  # three of the judge's rows have no answer
@pytest.mark.parametrize("name", [*WHOLE, *ENVELOPED_WHOLE])
def test_whole_responses_have_the_golden_figures(name, golden, realdata):
    lp = toolkit.read(realdata / name)
    expected = golden[name]
    assert expected["kind"] == "whole"
    assert_conserved(lp)
    assert len(lp) == expected["n_responses"]
    assert lp.choices.num_rows == expected["n_choices"]
    states = lp.choices["logprobs_state"].to_pylist()
    assert states.count("absent") == expected["logprobs_null_choices"]
    assert_figures(channel_figures(lp, "content"), expected["content"])
    assert channel_figures(lp, "refusal")["n"] == expected["refusal_n"]
    assert lp.alternatives.num_rows == expected["content"]["n_top"]
    assert set(lp.responses["kind"].to_pylist()) == {"completion"}
    assert lp.rejects.num_rows == (3 if name.startswith("tatsu") else 0)


@quietly  # six of the seven have no logprobs
@pytest.mark.parametrize("name", [*STREAMS, *ENVELOPED_STREAMS])
def test_streams_have_the_golden_figures(name, golden, realdata):
    lp = toolkit.read(realdata / name)
    expected = golden[name]
    assert expected["kind"] == "stream"
    assert_conserved(lp)
    assert lp.rejects.num_rows == 0
    assert len(lp) == len(expected["responses"]) == 1
    [response], [stream] = lp.responses.to_pylist(), expected["responses"]
    assert response["kind"] == "stream"
    assert response["response_id"] == (stream["ids"][0] if stream["ids"] else None)
    assert response["n_chunks"] == stream["chunks"]
    assert response["system_fingerprint"] == stream["system_fingerprint"]
    counts = ("prompt_tokens", "completion_tokens", "total_tokens")
    assert {key: response[key] for key in counts} == (stream["usage"] or dict.fromkeys(counts))
    choices = {str(row["choice"]): row for row in lp.choices.to_pylist()}
    assert choices.keys() == stream["choices"].keys()
    for index, wanted in stream["choices"].items():
        choice = choices[index]
        assert choice["finish_reason"] == wanted["finish_reason"]
        assert len(choice["content"] or "") == wanted["text_len"]
        assert len(choice["refusal"] or "") == wanted["refusal_len"]
        calls = json.loads(choice["tool_calls"] or "[]")
        assert "".join(call["function"]["arguments"] for call in calls) == wanted["tool_args"]
        assert choice["tool_calls"] is None or choice["tool_calls"] == json.dumps(
            calls, sort_keys=True, separators=(",", ":"), ensure_ascii=False
        )
        for channel in ("content", "refusal"):
            assert_figures(channel_figures(lp, channel, int(index)), wanted[channel])
    assert response["finished"]


def test_first_and_last_tokens_of_whole_responses(realdata):
    """The documents contain them; the figures of completions do not."""
    for name in WHOLE:
        entries = json.loads((realdata / name).read_bytes())["choices"][0]["logprobs"]["content"]
        found = channel_figures(toolkit.read(realdata / name), "content")
        assert (found["first"], found["last"]) == (entries[0]["token"], entries[-1]["token"])


def test_raw_logits_are_invalid_and_kept(realdata):
    lp = toolkit.read(realdata / "Robby955-logprobe-gpt2_logits_openai.json")
    assert set(lp.tokens["status"].to_pylist()) == {"invalid"}
    assert min(lp.tokens["logprob"].to_pylist()) > 1


def test_refusal_tokens_of_a_stream(realdata):
    lp = toolkit.read(realdata / "openai-openai-python-569c877e6942.bin")
    [choice] = lp.choices.to_pylist()
    assert choice["n_refusal_tokens"] == 11
    assert choice["n_content_tokens"] == 0
    assert choice["refusal_alignment"] == "exact"
    assert choice["alignment"] == "unknown"
    assert set(lp.tokens["channel"].to_pylist()) == {"refusal"}


@pytest.mark.parametrize("name", OTHER_FORMATS)
def test_other_formats_have_the_figures_of_the_index(name, realdata):
    lp = toolkit.read(realdata / name)
    assert_conserved(lp)
    assert lp.rejects.num_rows == 0
    [format_] = set(lp.responses["format"].to_pylist())
    found = (format_, len(lp), lp.tokens.num_rows, lp.alternatives.num_rows)
    assert found == OTHER_FORMATS[name]
    assert lp.responses["finished"].to_pylist() == [True]


def test_tokens_of_an_event_stream_count_once_and_precisely(realdata):
    lp = toolkit.read(
        realdata / "openai-openai-dotnet-responses-TokenLogProbabilitiesStreaming-True.json"
    )
    assert lp.choices["alignment"].to_pylist() == ["exact"]
    assert lp.responses["n_chunks"].to_pylist() == [429]
    assert lp.ledger["control"].to_pylist() == [1]  # response.content_part.added
    decimals = [len(repr(x).partition(".")[2]) for x in lp.tokens["logprob"].to_pylist()]
    assert max(decimals) > 6  # the final copy is rounded


def test_legacy_echo_prompts_and_spelled_bytes(realdata):
    [path] = realdata.glob("EleutherAI*_8025*.json")
    lp = toolkit.read(path)
    assert lp.choices["choice"].to_pylist() == list(range(13))
    tokens = lp.tokens.to_pylist()
    firsts = [row for row in tokens if row["position"] == 0]
    assert {row["status"] for row in firsts} == {"missing"}
    assert {row["status"] for row in tokens if row["position"]} == {"ok"}
    spelled = [row for row in lp.alternatives.to_pylist() if row["token"].startswith("bytes:")]
    assert spelled
    for row in spelled:
        assert row["bytes"] == ast.literal_eval(f"b{row['token'][6:]!r}".replace("\\\\", "\\"))


def test_rows_of_an_experiment_by_their_path(realdata):
    path = realdata / "tatsu-lab-alpaca_eval-annotations.json"
    with pytest.warns(toolkit.ToolkitWarning, match="3 no_choices"):
        lp = toolkit.read(path, path="raw_completion")
    with pytest.warns(toolkit.ToolkitWarning, match="3 unknown_format"):
        found = toolkit.read(path)
    for table in ("responses", "choices", "tokens", "alternatives"):
        assert lp[table].equals(found[table]), table
    assert set(lp.rejects["path"].to_pylist()) == {"$.raw_completion"}


def test_tokens_that_are_objects(realdata):
    """Entries whose token is ``{"text", "bytes"}``, in a row with the answer beside them."""
    lp = load(realdata / OBJECTS)
    assert_conserved(lp)
    assert lp.responses["custom_id"].to_pylist() == ["short_reasoning_plain"]
    assert lp.choices["content"].to_pylist() == ["16"]
    assert lp.choices["alignment"].to_pylist() == ["exact"]
    assert (lp.tokens.num_rows, lp.alternatives.num_rows) == (1, 20)
    assert lp.tokens["sampled_rank"].to_pylist() == [1]
    assert lp.alternatives["status"].to_pylist().count("censored") == 19


@quietly
@pytest.mark.parametrize("name", [*WHOLE, *STREAMS])
def test_recordings_equal_the_naive_reader(name, realdata):
    lp = toolkit.read(realdata / name)
    if name.startswith("vercel"):  # its first chunk has no id, so the naive reader skips it
        expected = read_naively((realdata / name).read_bytes())
        expected[0]["chunks"] += 1
    else:
        expected = read_naively((realdata / name).read_bytes())
    assert read_tables(lp) == expected


@pytest.mark.parametrize("name", SAMPLES)
def test_samples_equal_the_naive_reader(name, samples):
    lp = toolkit.read(samples / name)
    assert_conserved(lp)
    assert lp.rejects.num_rows == 0
    assert read_tables(lp) == read_naively((samples / name).read_bytes())
    assert lp.ledger["bytes"].to_pylist() == [(samples / name).stat().st_size]


@pytest.mark.parametrize("pair", ["pairs", "bytes"])
def test_recorded_pairs_are_equal_whole_and_streamed(pair, samples):
    """Rule 2 on a real server's answers; ids differ because each prompt was sent twice."""
    whole = toolkit.read(samples / f"{pair}_whole.jsonl")
    streamed = toolkit.read(samples / f"{pair}_stream.sse")
    excepted = ("response_key", "chunk")
    for table in ("choices", "tokens", "alternatives"):
        a, b = (
            [{k: v for k, v in row.items() if k not in excepted} for row in lp[table].to_pylist()]
            for lp in (whole, streamed)
        )
        if table == "choices":  # this server omits the role where text comes at once
            unsaid = [row["role"] is None for row in b]
            assert sum(unsaid) == {"pairs": 0, "bytes": 3}[pair]
            for i in (i for i, is_unsaid in enumerate(unsaid) if is_unsaid):
                assert a[i].pop("role") == "assistant"
                b[i].pop("role")
        assert a == b, table
    metadata = ("model", "n_choices", "prompt_tokens", "completion_tokens", "total_tokens")
    for name in (*metadata, "finished", "notes", "error", "system_fingerprint", "service_tier"):
        assert whole.responses[name].equals(streamed.responses[name]), name
    assert [len(each["tokens"]) for each in rows_by_response(whole)] == [
        len(each["tokens"]) for each in rows_by_response(streamed)
    ]
    assert set(whole.tokens["channel"].to_pylist()) <= set(CHANNELS)


def test_the_mock_bodies_load(reference_files):
    """Generated examples with index 360.34, bytes 9521.43 and logprob 3891.35 are kept."""
    lp = toolkit.read(reference_files / "seed-bodies.json")
    assert_conserved(lp)
    assert lp.rejects.num_rows == 0
    assert lp.responses["kind"].to_pylist() == ["completion", "stream"]
    for notes in lp.responses["notes"].to_pylist():
        assert {"non_integer_index", "bad_bytes", "bad_created", "bad_usage"} == set(notes)
    assert lp.choices["choice"].to_pylist() == [0, 0]
    assert lp.choices["finish_reason"].to_pylist() == ["tool_calls", "stop"]
    assert lp.tokens["logprob"].to_pylist() == [3891.35, 8863.05, 610.79, 6725.82]
    assert lp.tokens["channel"].to_pylist() == ["content", "refusal"] * 2
    assert set(lp.tokens["status"].to_pylist()) == {"invalid"}
    assert set(lp.tokens["bytes"].to_pylist()) == {None}
    assert lp.alternatives["logprob"].to_pylist() == [3000.29, 9078.76, 7398.84, 3044.46]
    assert lp.alternatives["is_sampled"].to_pylist() == [True] * 4
