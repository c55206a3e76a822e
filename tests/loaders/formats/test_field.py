"""What people keep: inputs of servers, client libraries and public files, with their right results.

The inputs lie outside the repository, in ``../shared/field``; `SERVERS` has the right result of
each, as its index says it.
"""

import json
from typing import NamedTuple

import pyarrow.compute as pc
import pytest

import toolkit
from tests.conftest import ROOT
from tests.oracle import assert_conserved

FIELD = ROOT.parent / "shared" / "field"
pytestmark = [
    pytest.mark.skipif(not FIELD.is_dir(), reason="../shared/field is not there"),
    pytest.mark.filterwarnings("ignore::toolkit.errors.ToolkitWarning"),
]


class Answer(NamedTuple):
    """One choice: its tokens by channel as (text, logprob), and what lies around them."""

    tokens: dict
    text: str | None = None
    finish: str | None = None
    completion_tokens: int | None = None
    custom_id: str | None = None
    notes: tuple = ()
    kind: str = "completion"
    choice: int = 0


def content(*tokens, **more):
    return Answer({"content": list(tokens)}, **more)


I_AM = (("I", -0.26), (" am", -0.5))
A = (("A", -0.25),)
SERVERS = {
    "01": [
        content(
            (" Paris", -0.11), (".", -0.22), text=" Paris.", finish="length", completion_tokens=2
        )
    ],
    "02": [content((" Paris", -0.105), text=" Paris", finish="length", completion_tokens=1)],
    "04": [
        content(
            ("token_id:9906", -0.015625),
            ("token_id:0", -0.25),
            text="Hello!",
            finish="stop",
            completion_tokens=2,
        )
    ],
    "09": [
        Answer(
            {"content": [("a", -1.0), ("b", -0.5)], "prompt": [("a", None), ("b", -1.5)]},
            "ok",
            "length",
            2,
        )
    ],
    "11": [
        content(
            ("", 0.0),
            ("Machine", -0.011991554871201515),
            text="Machine",
            finish="length",
            completion_tokens=2,
        )
    ],
    "12": [
        Answer({"prompt": [("", None), (" capital", -3.1), (" of", -0.2)]}, " Paris", "length", 1)
    ],
    "14": [
        Answer(
            {},
            "Hello there, how can I help you today?\n",
            "stop",
            notes=("mean_logprob_only",),
            kind="stream",
        )
    ],
    "17": [
        content(
            ("\n", -1.9688251),
            ("\n", -0.33703142),
            ('"', -0.13510895),
            custom_id="cmpl-80MdSaou7NnPuff5ZyRMysWBmgSPS",
            text='\n\n"Fresh',
        )
    ],
    "19": [content((" Deep", -0.00023388863), text="Deep", finish="length", completion_tokens=1)],
    "21": [content((" Is", -1.1894531), text="Is", finish="length", completion_tokens=1)],
    "22": [content((",", -2.65625), (" where", -0.39575195), text=", where", kind="stream")],
    "23": [
        content(
            ("Hello", -0.02), ("!", -0.3), text="Hello!", finish="COMPLETE", completion_tokens=2
        )
    ],
    "25": [
        content(
            ("Hey", -1.0415299),
            (" there", -0.02),
            (".", -0.1),
            text="Hey there.",
            completion_tokens=5,
            custom_id="25-openai-transcription-logprobs",
        )
    ],
    "27": [content(*I_AM, text="I am", finish="stop", completion_tokens=2)],
    "29": [content(*I_AM, text="I am", finish="stop", completion_tokens=2)],
    "31": [content(("你好", -0.01), ("!", -0.2), text="你好!", finish="stop", completion_tokens=2)],
    "32": [
        content(
            ("你好", -0.01),
            ("!", -0.2),
            text="你好!",
            finish="stop",
            completion_tokens=2,
            kind="stream",
        )
    ],
    "33": [content(("Yes", -0.1), (".", -0.2), text="Yes.", finish="stop")],
    "35": [content((" Yes", -0.25), text=" Yes", finish="length", custom_id="id1")],
    "36": [
        content(*I_AM, text="I am", finish="stop", completion_tokens=2, custom_id="36-mlflow-trace")
    ],
    "39": [content(("Hi", -0.1), text="Hi", finish="stop", completion_tokens=2)],
    "41": [
        content(
            ("▁", -1.1920928244535389e-07),
            ("▁Hello", -2.706014311115723e-05),
            ("!", -0.0263030007481575),
            text="  Hello!",
            finish="stop",
            completion_tokens=2,
        )
    ],
    "43": [
        Answer(
            {"content": [("Yes", -0.25)], "reasoning": [("Okay", -0.5)]},
            "Yes",
            "eos",
            2,
            kind="stream",
        )
    ],
    "44": [content(*I_AM, text="I am", custom_id="q1")],
    "45": [content(*I_AM, text="I am", custom_id="q1")],
    "47": [content(*I_AM, custom_id="47-bare-logprobs")],
    "49": [
        content(
            ("A", -0.1),
            ("B", -0.1),
            text="AB",
            finish="eos",
            completion_tokens=1,
            kind="stream",
            notes=("cumulative_usage",),
        ),
        content(
            ("X", -0.2),
            ("Y", -0.2),
            text="XY",
            finish="eos",
            completion_tokens=1,
            kind="stream",
            choice=1,
            notes=("cumulative_usage",),
        ),
    ],
    "51": [
        Answer(
            {
                "content": [(" Paris", -0.1)],
                "prompt": [
                    ("The", None),
                    (" capital", -6.0),
                    (" of", -0.2),
                    (" France", -3.0),
                    (" is", -0.5),
                ],
            },
            " Paris",
            "length",
            1,
        )
    ],
    "53": [content(("4", -0.1), text="4", finish="stop", completion_tokens=2)],
    "56": [content(*I_AM, text="I am", finish="stop", completion_tokens=2)],
    "59": [
        content(
            ("YES", -0.1), text="YES", finish="STOP", completion_tokens=1, custom_id="request-1"
        )
    ],
    "61": [
        content(
            ("A", -0.1),
            ("B", -0.2),
            ("C", -0.3),
            text="ABC",
            finish="stop",
            kind="stream",
            notes=("cumulative_logprobs",),
        )
    ],
    "63": [content(("Hi", -0.1), text="Hi", kind="stream")],
    "65": [content(*I_AM, text="I am", finish="stop", completion_tokens=2, kind="stream")],
    "66": [content(*I_AM, text="I am", finish="stop", completion_tokens=2)],
    "67": [
        content(
            *I_AM, text="I am", finish="stop", completion_tokens=2, custom_id="67-haystack-replies"
        )
    ],
    "68": [
        content(
            ("token_id:10", -0.5),
            ("token_id:11", -0.3),
            ("token_id:12", -0.1),
            text="The answer is 4.",
        )
    ],
    "70": [content(("4", -0.1), (".", -0.2), text="4.")],
    "72": [
        content(
            ("Ex", -9999.0),
            ("Tur", -0.63),
            ("pl", -0.1),
            ("qu", -0.2),
            text="ExTurplqu",
            finish="length",
            kind="stream",
            notes=("index_finished_twice",),
        )
    ],
    "75": [content((" Paris", -0.1), (".", -0.2), text=" Paris.", finish="stop", kind="stream")],
    "77": [Answer({}, "Google", "completed", 1)],
    "78": [content(*I_AM, text="I am")],
    "80": [content((" sharp", -0.479), text=" sharp", kind="stream")],
    "81": [
        content(
            *A,
            text="A",
            finish="stop",
            completion_tokens=1,
            custom_id="1afa02df02c908a558b4036e80242fac",
        )
    ],
    "83": [content(*A, text="A", finish="stop", completion_tokens=1, custom_id="q1")],
    "85": [content(*A, text="A", finish="stop", completion_tokens=1, custom_id="q1")],
    "86": [content(*A, text="A", finish="stop", completion_tokens=1, custom_id="q1")],
    "88": [content(*A, text="A", finish="stop", completion_tokens=1, custom_id="q1")],
    "91": [content(("Hi", -0.1), ("!", -0.2), text="Hi!", kind="stream")],
    "93": [
        content(*A, text="A", finish="stop", completion_tokens=1, custom_id="q1"),
        content(*A, text="A", finish="stop", completion_tokens=1, custom_id="q1"),
    ],
}


PROMPT_TOKENS = {
    "inacioinvita-logprobs-mt-qe__QElogprob.json": 45,
    "huggingface-text-generation-inference__test_bloom_560m.json": 11,
}


def rows(lp):
    """Return what `Answer` holds of each choice."""
    responses = {row["response_key"]: row for row in lp.responses.to_pylist()}
    tokens = lp.tokens.to_pylist()
    for choice in lp.choices.to_pylist():
        key, index = choice["response_key"], choice["choice"]
        found = {}
        for row in tokens:
            if (row["response_key"], row["choice"]) == (key, index):
                found.setdefault(row["channel"], []).append((row["token"], row["logprob"]))
        response = responses[key]
        yield Answer(
            found,
            choice["content"],
            choice["finish_reason"],
            response["completion_tokens"],
            response["custom_id"],
            tuple(response["notes"]),
            response["kind"],
            index,
        )


@pytest.fixture(params=["native", "reference"])
def decoder(request, monkeypatch):
    """Read with each of the decoders."""
    if request.param == "reference":
        monkeypatch.setattr("toolkit.loaders.scanner._scan", None)
    assert toolkit.decoder() == request.param


def test_every_input_is_here():
    names = {path.name[:2] for path in (FIELD / "servers").glob("[0-9]*")}
    assert names == SERVERS.keys()


@pytest.mark.parametrize("number", SERVERS)
def test_a_shape_of_a_server(number, decoder):
    [path] = (FIELD / "servers").glob(f"{number}-*")
    lp = toolkit.read(path)
    assert_conserved(lp)
    assert list(rows(lp)) == SERVERS[number]


ALTERNATIVES = {  # by server: (status, rank, is_sampled) of each
    "19": [("ok", rank, rank == 1) for rank in range(1, 6)],
    "39": [("ok", 1, True), ("ok", 2, False), ("censored", 3, False)],
}


@pytest.mark.parametrize("number", ALTERNATIVES)
def test_alternatives_of_a_server(number):
    [path] = (FIELD / "servers").glob(f"{number}-*")
    rows = toolkit.read(path).alternatives.select(["status", "rank", "is_sampled"]).to_pylist()
    assert [tuple(row.values()) for row in rows] == ALTERNATIVES[number]


def test_stripped_alternatives_give_labels():
    [path] = (FIELD / "servers").glob("19-*")
    lp = toolkit.read(path)
    assert toolkit.token_metrics(lp)["entropy_lower"][0] == pytest.approx(0.0022, abs=1e-4)
    assert toolkit.token_metrics(lp)["probability"][0] == pytest.approx(0.9998, abs=1e-4)
    assert toolkit.label_distribution(lp, ["Deep"])["probability_lower"][0] > 0.9998
    assert "excess_mass" not in toolkit.check(lp)["code"].tolist()


GOLDEN = json.loads((FIELD / "files/golden.json").read_text()) if FIELD.is_dir() else {}


@pytest.mark.parametrize("name", [name for name in GOLDEN if GOLDEN[name]["kind"] == "stream"])
def test_a_public_stream(name, decoder):
    lp = toolkit.read(FIELD / "files" / name)
    assert_conserved(lp)
    [expected] = GOLDEN[name]["responses"]
    [response] = lp.responses.to_pylist()
    assert (response["kind"], response["n_chunks"]) == ("stream", expected["chunks"])
    assert response["system_fingerprint"] == expected["system_fingerprint"]
    assert response["completion_tokens"] == 10  # of the last choice: usage came for each choice
    assert response["notes"] == ["cumulative_usage"]
    choices = {str(row["choice"]): row for row in lp.choices.to_pylist()}
    assert choices.keys() == expected["choices"].keys()
    for index, choice in expected["choices"].items():
        assert choices[index]["finish_reason"] == choice["finish_reason"]
        assert len(choices[index]["content"]) == choice["text_len"]
        assert choices[index]["n_content_tokens"] == choice["content"]["n"]


def test_columns_of_answers(decoder):
    """A file of lists: prompts, responses and logprobs, which golden.json does not have."""
    lp = toolkit.read(FIELD / "files/cvs-health-uqlm__whitebox_results_file.json")
    assert_conserved(lp)
    assert (len(lp), lp.tokens.num_rows) == (5, 6)
    assert set(lp.choices["alignment"].to_pylist()) == {"exact"}


@pytest.mark.parametrize("name", [name for name in GOLDEN if GOLDEN[name]["kind"] == "whole"])
def test_a_public_file(name, decoder):
    expected = GOLDEN[name]
    lp = toolkit.read(FIELD / "files" / name)
    assert_conserved(lp)
    content = lp.tokens.filter(pc.equal(lp.tokens["channel"], "content"))
    assert len(lp) == expected["n_responses"]
    assert content.num_rows == expected["content"]["n"]
    assert content["n_alternatives"].to_numpy().sum() == expected["content"]["n_top"]
    assert sum(lp.choices["n_prompt_tokens"].to_pylist()) == PROMPT_TOKENS.get(name, 0)
    total = sum(content["logprob"].to_pylist())
    assert total == pytest.approx(expected["content"]["sum_logprob_excl_sentinel"], abs=1e-6)


INSPECT = "UKGovernmentBEIS-inspect_ai__log_read_sample"
RUBY = "crmne-ruby_llm__chat_basic_chat_functionality_vertexai_gemini-2_5-flash_*.yml"


def test_an_archive_of_inspect_has_the_answers_of_its_twin():
    packed, plain = (toolkit.read(FIELD / f"files/{INSPECT}.{each}") for each in ("eval", "json"))
    assert_conserved(packed)
    assert len(packed) == 1
    for table in ("responses", "choices", "tokens", "alternatives"):
        names = [name for name in packed[table].column_names if name not in ("source", "path")]
        assert packed[table].select(names).equals(plain[table].select(names)), table


def test_a_cassette_of_ruby():
    [path] = (FIELD / "files").glob(RUBY)
    lp = toolkit.read(path)
    assert_conserved(lp)
    assert list(rows(lp)) == [
        Answer({}, "2 + 2 = **4**", "STOP", 8, notes=("mean_logprob_only",)),
    ]
    assert lp.ledger["control"].to_pylist() == [1]  # the exchange that fetched an access token
