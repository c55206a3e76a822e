"""The sample data of the repository: what README and the notebooks build on."""

import json
import re

import pytest

import toolkit

pytestmark = pytest.mark.filterwarnings("ignore::toolkit.errors.ToolkitWarning")

MOCKS = {
    "mock_completion.json": {
        "kind": "completion",
        "model": "Expedition",
        "finish_reason": "tool_calls",
        "role": "assistant",
        "content": (3891.35, 3000.29),
        "refusal": (8863.05, 9078.76),
    },
    "mock_chunk.json": {
        "kind": "stream",
        "model": "Durango",
        "finish_reason": "stop",
        "role": "user",
        "content": (610.79, 7398.84),
        "refusal": (6725.82, 3044.46),
    },
}


@pytest.mark.parametrize("name", MOCKS)
def test_a_mock_body_loads_with_notes_and_without_a_perplexity(data, name):
    expected = MOCKS[name]
    lp = toolkit.read(data / name)
    assert lp.rejects.num_rows == 0
    (response,) = lp.responses.to_pylist()
    assert response["kind"] == expected["kind"]
    assert response["model"] == expected["model"]
    assert response["notes"] == ["bad_bytes", "bad_created", "bad_usage", "non_integer_index"]
    assert response["created"] is None
    assert response["completion_tokens"] is None
    (choice,) = lp.choices.to_pylist()
    assert choice["choice"] == 0
    assert choice["role"] == expected["role"]
    assert choice["finish_reason"] == expected["finish_reason"]
    assert (choice["content"], choice["refusal"]) == ("<value>", "<value>")
    assert json.loads(choice["tool_calls"])[0]["function"]["name"] == "<value>"
    assert lp.tokens["channel"].to_pylist() == ["content", "refusal"]
    assert lp.tokens["status"].to_pylist() == ["invalid", "invalid"]
    assert lp.tokens["bytes"].to_pylist() == [None, None]
    tokens, alternatives = lp.tokens["logprob"].to_pylist(), lp.alternatives["logprob"].to_pylist()
    assert (tokens[0], alternatives[0]) == expected["content"]
    assert (tokens[1], alternatives[1]) == expected["refusal"]
    metrics = toolkit.sequence_metrics(lp)
    assert metrics["perplexity"].isna().all()
    assert metrics["n_invalid"].tolist() == [1, 1]


@pytest.mark.parametrize("name", MOCKS)
def test_the_mock_bodies_are_verbatim(data, reference_files, name):
    together = re.sub(r"\s+", "", (reference_files / "seed-bodies.json").read_text())
    assert re.sub(r"\s+", "", (data / name).read_text()) in together


def test_the_twins_are_one_answer(data):
    whole = toolkit.read(data / "twin_completion.json")
    streamed = toolkit.read(data / "twin_chunks.jsonl")
    pair = toolkit.read(data / "pairs_whole.jsonl")
    assert whole.responses["kind"].to_pylist() == ["completion"]
    assert streamed.responses["kind"].to_pylist() == ["stream"]
    perplexities = [
        toolkit.sequence_metrics(lp)["perplexity"].iloc[0] for lp in (whole, streamed, pair)
    ]
    assert perplexities[0] > 1
    assert perplexities[0] == perplexities[1] == perplexities[2]
    for lp in (whole, streamed):
        (response,) = lp.responses.to_pylist()
        assert response["notes"] == []
        assert response["completion_tokens"] == 48
        assert response["finished"]
    assert whole.tokens.drop_columns("chunk").equals(streamed.tokens.drop_columns("chunk"))
    assert whole.alternatives.equals(streamed.alternatives)


def test_the_refusal_has_its_tokens(data):
    lp = toolkit.read(data / "refusal_stream.sse")
    (choice,) = lp.choices.to_pylist()
    assert choice["content"] is None
    assert choice["refusal"].startswith("I'm")
    assert (choice["n_content_tokens"], choice["n_refusal_tokens"]) == (0, 11)
    assert choice["refusal_alignment"] == "exact"


def test_malformed_lines_cost_only_themselves(data):
    lp = toolkit.read(data / "malformed.jsonl")
    rejected = lp.rejects.select(["line", "reason"]).to_pylist()
    assert [tuple(row.values()) for row in rejected] == [
        (2, "truncated"),
        (3, "bad_utf8"),
        (5, "duplicate_key"),
        (6, "logprob_not_number"),
        (10, "no_choices"),
        (11, "not_json"),
    ]
    assert [lp.text(i) for i in range(len(lp)) if lp.responses["error"][i].as_py() is None] == (
        ["Yes", "No", "Maybe", "Ja", "A", "A", "Oui"]
    )
    assert lp.tokens["status"].to_pylist().count("censored") == 1
    assert lp.tokens["status"].to_pylist().count("missing") == 1
    assert lp.responses["error"].drop_null().to_pylist() != []


def test_the_folder_is_described(data):
    listed = (data / "README.md").read_text()
    for path in data.iterdir():
        assert path.name == "README.md" or f"`{path.name}`" in listed, path.name
