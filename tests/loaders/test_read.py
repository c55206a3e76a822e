"""`read` and `from_responses`: accepted sources and objects, errors, and warnings."""

import io
import json
import pathlib
import warnings

import openai
import pytest
from openai.types.chat import ChatCompletion, ChatCompletionChunk

import toolkit
from tests.loaders.merging.test_merger import USAGE, chunk, entry, part, stream
from tests.oracle import assert_conserved, read_naively, read_tables, rows_by_response


def whole(text="hi", id_="x", **fields):
    choice = {
        "index": 0,
        "message": {"role": "assistant", "content": text, "refusal": None},
        "logprobs": {"content": [entry(token) for token in text], "refusal": None},
        "finish_reason": "stop",
    }
    metadata = {"id": id_, "object": "chat.completion", "created": 1_700_000_000, "model": "m"}
    return {**metadata, "choices": [choice]} | fields


def load(responses, **options):
    lp = toolkit.from_responses(responses, **options)
    assert_conserved(lp)
    return lp


def texts(lp):
    return [lp.text(row) for row in range(len(lp))]


quietly = pytest.mark.filterwarnings("ignore::toolkit.errors.ToolkitWarning")


# One response


@pytest.mark.parametrize(
    "form",
    [
        lambda body: body,
        json.dumps,
        lambda body: json.dumps(body).encode(),
        lambda body: json.dumps(body, indent=2),
        ChatCompletion.model_validate,
        lambda body: [body],
        lambda body: (body,),
        lambda body: iter([body]),
        lambda body: [json.dumps(body)],
        lambda body: [[body]],
    ],
    ids=["dict", "str", "bytes", "indented", "SDK", "list", "tuple", "iterator", "texts", "nested"],
)
def test_one_response(form):
    lp = load(form(whole()))
    assert len(lp) == 1
    assert texts(lp) == ["hi"]
    assert lp.responses["kind"].to_pylist() == ["completion"]
    assert lp.responses["source"].to_pylist() == ["<memory>"]
    assert rows_by_response(lp) == rows_by_response(load(whole()))


def test_as_read_from_a_file(tmp_path):
    bodies = [whole("ab", "a"), whole("cd", "b")]
    path = tmp_path / "a.jsonl"
    path.write_text("\n".join(json.dumps(body) for body in bodies))
    assert rows_by_response(load(bodies)) == rows_by_response(toolkit.read(path))


def test_sdk_objects_of_real_recordings(realdata, samples):
    """The SDK adds nulls and defaults of its own; none of them changes a row."""
    path = samples / "pairs_whole.jsonl"
    bodies = [json.loads(line) for line in path.read_text().splitlines()]
    lp = load([ChatCompletion.model_validate(body) for body in bodies])
    assert read_tables(lp) == read_naively(path.read_bytes())
    body = json.loads((realdata / "Robby955-logprobe-topk_5.json").read_bytes())
    lp = load(ChatCompletion.model_validate(body))
    assert read_tables(lp) == read_naively(json.dumps(body).encode())


def test_sdk_chunks_of_a_real_recording(samples):
    text = (samples / "pairs_stream.sse").read_text()
    payloads = [line[6:] for line in text.splitlines() if line.startswith("data: {")]
    chunks = [ChatCompletionChunk.model_validate_json(payload) for payload in payloads]
    lp = load(chunks)
    assert read_tables(lp) == read_naively((samples / "pairs_stream.sse").read_bytes())


# Streams


@pytest.mark.parametrize(
    "form",
    [
        list,
        tuple,
        iter,
        lambda chunks: (each for each in chunks),
        lambda chunks: [chunks],
        lambda chunks: [iter(chunks)],
        lambda chunks: iter([tuple(chunks)]),
        lambda chunks: [json.dumps(each) for each in chunks],
        lambda chunks: [json.dumps(each).encode() for each in chunks],
        lambda chunks: [ChatCompletionChunk.model_construct(**each) for each in chunks],
    ],
    ids=[
        *("list", "tuple", "iterator", "generator", "nested", "nested iterator", "iterator of"),
        *("texts", "bytes", "SDK"),
    ],
)
def test_one_stream(form):
    lp = load(form([*stream("x", "ab"), chunk("x", usage=USAGE)]))
    assert texts(lp) == ["ab"]
    assert lp.responses["n_chunks"].to_pylist() == [5]
    assert lp.responses["total_tokens"].to_pylist() == [7]


def test_streams_and_completions_side_by_side():
    lp = load([stream("x", "ab"), whole("cd", "y"), iter(stream("z", "ef"))])
    assert texts(lp) == ["ab", "cd", "ef"]
    assert lp.responses["kind"].to_pylist() == ["stream", "completion", "stream"]


@pytest.mark.parametrize("id_", ["", "same"])
@pytest.mark.parametrize("lengths", [(2, 2), (2, 1), (1, 2), (1, 1), (1, 1, 1)])
def test_each_list_is_a_stream_of_its_own(id_, lengths):
    """Also where the ids are the same, or none, and no chunk has a finish reason."""
    streams = [[chunk(id_, [part(0, f"{i}{j}")]) for j in range(n)] for i, n in enumerate(lengths)]
    with pytest.warns(toolkit.ToolkitWarning, match="no response has logprobs"):
        lp = load(streams)
    assert texts(lp) == ["".join(f"{i}{j}" for j in range(n)) for i, n in enumerate(lengths)]


@pytest.mark.parametrize("id_", ["", "same"])
def test_a_list_is_apart_from_chunks_beside_it(id_):
    """Chunks outside of streams are one stream, which the list cuts in two."""
    before, first, last, after = (chunk(id_, [part(0, text)]) for text in "abcd")
    with pytest.warns(toolkit.ToolkitWarning, match="no response has logprobs"):
        lp = load([before, [first, last], after])
    assert texts(lp) == ["a", "bc", "d"]


def test_lists_of_finished_streams_without_ids():
    lp = load([stream("", "ab"), stream("", "cd")])
    assert texts(lp) == ["ab", "cd"]


# custom_id


def test_custom_ids():
    lp = load([whole("a"), stream("s", "b"), whole("c")], custom_id=["k1", "k2", "k3"])
    assert lp.responses["custom_id"].to_pylist() == ["k1", "k2", "k3"]
    assert lp.text("k2") == "b"
    lp = load(whole("a"), custom_id="k")
    assert lp.responses["custom_id"].to_pylist() == ["k"]
    lp = load(stream("s", "ab"), custom_id="k")
    assert lp.responses["custom_id"].to_pylist() == ["k"]
    lp = load(whole("a"), custom_id=iter(["k"]))
    assert lp.responses["custom_id"].to_pylist() == ["k"]


def test_a_custom_id_replaces_that_of_a_batch_line():
    line = {"custom_id": "old", "response": {"status_code": 200, "body": whole()}}
    assert load(line).responses["custom_id"].to_pylist() == ["old"]
    assert load(line, custom_id="new").responses["custom_id"].to_pylist() == ["new"]


@pytest.mark.parametrize(
    ("n", "ids"), [(2, ["a", "b", "c"]), (3, ["a", "b"]), (2, []), (2, ["a"]), (2, "a")]
)
def test_as_many_custom_ids_as_responses(n, ids):
    with pytest.raises(toolkit.errors.ArgumentError, match="custom_id"):
        toolkit.from_responses([whole(id_=f"r{i}") for i in range(n)], custom_id=ids)


def test_custom_ids_that_are_no_text():
    lp = load([whole("a"), whole("b")], custom_id=[7, None])
    assert lp.responses["custom_id"].to_pylist() == [None, None]
    assert lp.responses["notes"].to_pylist() == [["bad_custom_id"], []]


# What cannot be read


def test_what_cannot_be_read_is_rejected_with_its_ordinal():
    with pytest.warns(toolkit.ToolkitWarning, match=r"3 records were rejected"):
        lp = load([whole("a"), None, "{bad", 5, whole("b")])
    assert texts(lp) == ["a", "b"]
    assert lp.rejects["record"].to_pylist() == [1, 2, 3]
    assert lp.rejects["line"].to_pylist() == [2, 3, 4]
    assert lp.rejects["reason"].to_pylist() == ["not_an_object", "not_json", "not_an_object"]
    with pytest.raises(toolkit.errors.RecordError, match=r"^<memory>:2"):
        toolkit.from_responses([whole("a"), None], on_error="raise")


@pytest.mark.parametrize(
    "nothing", [[], (), iter([]), [[]]], ids=["list", "tuple", "iterator", "list of a list"]
)
def test_nothing_is_no_load(nothing):
    with pytest.raises(toolkit.errors.NoRecordsError):
        toolkit.from_responses(nothing)


def test_objects_are_not_changed():
    body = {**whole("a"), "model": "half \ud800"}
    before = json.dumps(body)
    load(body)
    assert json.dumps(body) == before


# read


@pytest.fixture
def files(tmp_path):
    for name, body in {"b.jsonl": whole("b", "2"), "a.jsonl": whole("a", "1")}.items():
        (tmp_path / name).write_text(json.dumps(body))
    return tmp_path


@pytest.mark.parametrize(
    "form",
    [
        lambda root: root,
        str,
        lambda root: str(root / "*.jsonl"),
        lambda root: [root / "a.jsonl", root / "b.jsonl"],
        lambda root: iter([str(root / "a.jsonl"), str(root / "b.jsonl")]),
        lambda root: [root / "a.jsonl", (root / "b.jsonl").read_bytes()],
        lambda root: [(root / "a.jsonl").open("rb"), io.StringIO((root / "b.jsonl").read_text())],
        lambda root: (root / "a.jsonl").read_bytes() + b"\n" + (root / "b.jsonl").read_bytes(),
        lambda root: f"file://{root}/",
    ],
    ids=["dir", "dir str", "glob", "list", "iter", "bytes in list", "files", "bytes", "URI"],
)
def test_what_read_takes(form, files):
    sources = form(files)
    lp = toolkit.read(sources)
    assert_conserved(lp)
    assert texts(lp) == ["a", "b"]
    for source in sources if isinstance(sources, list) else []:
        if hasattr(source, "close"):
            assert not source.closed
            source.close()


def test_sources_are_named(files):
    lp = toolkit.read(files)
    assert lp.responses["source"].to_pylist() == [str(files / "a.jsonl"), str(files / "b.jsonl")]
    assert lp.responses["response_key"].to_pylist() == [0, 2**32]


def test_a_directory_that_was_exported_is_read_as_tables(files, tmp_path):
    lp = toolkit.read(files)
    out = toolkit.export(files, tmp_path / "out")
    for path in (out, str(out)):
        assert toolkit.read(path).equals(lp)


def test_standard_input(files, monkeypatch):
    class Stdin:
        buffer = io.BytesIO((files / "a.jsonl").read_bytes())

    monkeypatch.setattr("sys.stdin", Stdin())
    lp = toolkit.read("-")
    assert (texts(lp), lp.responses["source"].to_pylist()) == (["a"], ["<stdin>"])


@pytest.mark.parametrize(
    "wrong",
    [5, None, {"choices": []}, [5], object()],
    ids=["number", "None", "dict", "list", "object"],
)
def test_what_is_no_source(wrong):
    with pytest.raises(toolkit.errors.ArgumentError, match="source"):
        toolkit.read(wrong)


def test_the_text_of_a_record_is_no_path():
    with pytest.raises(toolkit.errors.ArgumentError, match="from_responses"):
        toolkit.read(json.dumps(whole()))


def test_a_missing_file():
    with pytest.raises(toolkit.errors.SourceError, match=r"nowhere\.jsonl"):
        toolkit.read("nowhere.jsonl")
    with pytest.raises(toolkit.errors.SourceError, match=r"nowhere\.jsonl"):
        toolkit.read(pathlib.Path("nowhere.jsonl"), on_error="raise")


@pytest.mark.parametrize("wrong", ["ignore", None, True, "RAISE"])
def test_on_error_is_one_of_two(wrong):
    for call in (toolkit.read, toolkit.from_responses):
        with pytest.raises(toolkit.errors.ArgumentError, match="on_error"):
            call(b"{}", on_error=wrong)


@pytest.mark.parametrize("progress", [True, False, None])
def test_progress_goes_to_stderr(progress, files, capsys):
    toolkit.read(files, progress=progress)
    out, err = capsys.readouterr()
    assert out == ""
    assert bool(err) == (progress is True)


# Warnings


def test_no_warning_where_all_is_well():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        load(whole())


def test_one_warning_for_all_that_is_amiss(files):
    (files / "c.jsonl").write_text("{bad\n{}\n{}\n")
    (files / "d.jsonl").write_text("{bad\n")
    with pytest.warns(toolkit.ToolkitWarning) as caught:
        toolkit.read(files)
    assert len(caught) == 1
    assert str(caught[0].message).startswith("4 records were rejected (2 not_json, 2 no_choices)")
    assert caught[0].filename == __file__


def test_a_warning_where_nothing_has_logprobs():
    body = whole("a")
    body["choices"][0]["logprobs"] = None
    with pytest.warns(toolkit.ToolkitWarning, match="no response has logprobs") as caught:
        load(body)
    assert caught[0].filename == __file__


def test_the_warning_points_at_the_caller():
    with pytest.warns(toolkit.ToolkitWarning) as caught:
        toolkit.from_responses([whole(), 5])
    assert caught[0].filename == __file__


def test_the_sdk_is_recent_enough():
    """The promise includes objects of the SDK; an old version would prove nothing."""
    assert int(openai.__version__.split(".")[0]) >= 1


# An oracle of another kind: the SDK's own accumulation


@quietly
def test_the_sdk_merges_chunks_alike(samples):
    from openai.lib.streaming.chat import ChatCompletionStreamState

    text = (samples / "pairs_stream.sse").read_text()
    streams = [block for block in text.split("data: [DONE]") if "data: {" in block]
    lp = toolkit.read(samples / "pairs_stream.sse")
    assert len(lp) == len(streams)
    for row, block in enumerate(streams):
        state = ChatCompletionStreamState()
        for line in block.splitlines():
            if line.startswith("data: {"):
                state.handle_chunk(ChatCompletionChunk.model_validate_json(line[6:]))
        completion = state.current_completion_snapshot
        assert lp.text(row) == completion.choices[0].message.content
        tokens = rows_by_response(lp)[row]["tokens"]
        assert [(each["token"], each["logprob"]) for each in tokens] == [
            (each.token, each.logprob) for each in completion.choices[0].logprobs.content
        ]
