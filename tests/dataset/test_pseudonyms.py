"""An export without texts holds none of them, and its figures are those of the texts."""

import json
import re
import warnings

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

import toolkit
from tests.conftest import ROOT
from tests.dataset import recordings
from tests.dataset.recordings import SHARD_BYTES
from tests.stress.exports import files
from toolkit import metrics, schema
from toolkit.cli.entry import main
from toolkit.dataset import (
    Shard,
    ShardReport,
    export_shard,
    exporting,
    finish_export,
    plan_export,
    pseudonyms,
    shard_files,
)
from toolkit.errors import ArgumentError, ExportError

pytestmark = pytest.mark.filterwarnings("ignore::toolkit.ToolkitWarning")
DATA = ROOT / "data"
OF_TEXTS = ["bits_per_byte", "n_bytes", "sum_logprob_bytes"]
KEY = "5a" * 32
PSEUDONYM = re.compile("\ufffd[0-9a-f]{16}")
STAYS = {  # columns of texts that name things and were not written by people
    *("source", "format", "response_id", "custom_id", "model", "system_fingerprint"),
    *("service_tier", "object", "path", "role", "finish_reason", "reason", "message"),
}


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    """Every kind of recording, with texts and without."""
    folder = tmp_path_factory.mktemp("both")
    with warnings.catch_warnings(action="ignore"):
        return [
            toolkit.export(DATA, folder / f"{texts}", keep=["prompt"], texts=texts)
            for texts in (True, False)
        ]


@pytest.fixture(scope="module")
def loads(both):
    return [toolkit.read_parquet(out) for out in both]


def assert_same(found, expected):
    pd.testing.assert_frame_equal(found, expected, check_exact=True)


@pytest.mark.parametrize(
    "measure",
    [
        lambda lp: toolkit.token_metrics(lp, vocab_size=300_000).drop(columns="token"),
        lambda lp: toolkit.sequence_metrics(lp).drop(columns=OF_TEXTS),
        lambda lp: toolkit.corpus_metrics(lp, by="model").drop(columns=OF_TEXTS),
        lambda lp: pd.DataFrame(toolkit.usage(lp, by=["model", "kind"])),
        lambda lp: metrics.token_histogram(lp, "entropy_lower", by=["kind", "model"]),
        toolkit.confidence_metrics,
        metrics.position_metrics,
        lambda lp: toolkit.answers(lp).drop(columns=["text", "weakest_token"]),
    ],
)
def test_figures_are_those_of_the_texts(measure, loads):
    with_texts, without = map(measure, loads)
    assert len(with_texts)
    assert_same(without, with_texts)


def test_check_finds_the_same_but_what_concerns_texts(loads):
    of_texts = ["note_texts_left_out", "missing_bytes", "replacement_characters"]
    found = [toolkit.check(lp, ignore=of_texts) for lp in loads]
    assert_same(found[1], found[0])
    own = toolkit.check(loads[1]).set_index("code")
    assert of_texts[0] in own.index
    assert not set(of_texts[1:]) & set(own.index)


def test_what_needs_texts_is_null_or_says_so(loads, tmp_path):
    lp = loads[1]
    assert toolkit.sequence_metrics(lp)["bits_per_byte"].isna().all()
    assert toolkit.answers(lp)["text"].isna().all()
    for fails in (
        lambda: lp.text(0),
        lambda: toolkit.word_metrics(lp),
        lambda: toolkit.field_metrics(lp),
        lambda: metrics.text_metrics(lp),
        lambda: toolkit.label_distribution(lp, ["yes", "no"]),
        lambda: toolkit.agreement(lp),
        lambda: toolkit.compare(lp, lp),
        lambda: toolkit.show(lp, response=0),
        lambda: toolkit.browse(lp, tmp_path / "page.html"),
        lambda: toolkit.plot.token_confidence(lp, response=2),
    ):
        with pytest.raises(ArgumentError, match="texts=False"):
            fails()


def test_summaries_and_reports_need_no_texts(both, tmp_path):
    for arguments in (["summary"], ["usage"], ["answers"], ["check", "--fail-on", "never"]):
        found = CliRunner().invoke(main, [*arguments, str(both[1])])
        assert found.exit_code == 0, (arguments, found.output)
    page = toolkit.report(toolkit.read_parquet(both[1]), tmp_path / "report.html").read_text()
    assert "texts_left_out" in page
    assert "\ufffd" not in page


def written(out):
    """Yield every text of every file of an export, with the name of its column."""
    for path in out.rglob("*.parquet"):
        for name, column in zip((t := pq.read_table(path)).column_names, t.columns, strict=True):
            kind = column.type
            if pa.types.is_list(kind):
                column = column.combine_chunks().flatten()
            if pa.types.is_dictionary(column.type):
                column = column.cast(kind.value_type)
            if not pa.types.is_primitive(column.type):
                yield from ((path.parent.name, name, value) for value in column.to_pylist())
        yield path.parent.name, "metadata", repr(pq.read_metadata(path).to_dict())
    yield "manifest", "manifest", (out / "manifest.json").read_text()


def test_no_text_is_written(both):
    n = 0
    for table, name, value in written(both[1]):
        n += 1
        if name == "token":
            assert PSEUDONYM.fullmatch(value), (table, name)
        elif name in ("bytes", "kept") or (table, name) == ("rejects", "path"):
            assert value is None, (table, name)
        elif name in (*schema.ANSWER_CHANNELS, "tool_calls", "error"):
            assert value in (None, ""), (table, name)
        elif name == "message":
            assert value in schema.REASONS.values()
        else:
            is_of_file = name in ("metadata", "manifest")
            is_label = is_of_file or getattr(schema, table.upper())[name].labels
            assert is_label or name in STAYS or name == "notes", (table, name)
    assert n > 10_000


def entry(text, *others):
    top = [{"token": each, "logprob": -1.0 - i, "token_id": i} for i, each in enumerate(others)]
    sent = {"token": text, "logprob": -0.5, "token_id": 7, "bytes": list(text.encode())}
    return {**sent, "top_logprobs": top}


def test_the_texts_of_an_input_are_in_no_file(tmp_path):
    names = ["token", "other", "answer", "thought", "refusal", "call", "kept", "error", "broken"]
    names += ["given", "chunk", "key"]
    secret = {name: f"secret-{name}-{i}é" for i, name in enumerate(names)}
    message = {
        "content": secret["token"] + secret["answer"],
        "reasoning_content": secret["thought"],
        "refusal": secret["refusal"],
        "tool_calls": [{"function": {"name": secret["call"], "arguments": secret["call"]}}],
    }
    body = {
        "choices": [
            {"message": message, "logprobs": {"content": [entry(secret["token"], secret["other"])]}}
        ],
        "error": {"message": secret["error"]},
        "prompt_logprobs": [
            None,
            {"5": {"logprob": -0.5, "rank": 1, "decoded_token": secret["given"]}},
        ],
    }
    chunk = {"delta": {"content": secret["chunk"]}, "logprobs": {"content": [entry("x")]}}
    lines = [
        {"custom_id": "id-1", "question": secret["kept"], "response": {"body": body}},
        {"id": "s", "choices": [{"index": 0, **chunk}]},
        {secret["key"]: 1, "choices": [{"logprobs": {"content": [{secret["broken"]: 1}]}}]},
    ]
    raw = "\n".join(json.dumps(line, ensure_ascii=False) for line in lines)
    source = tmp_path / "log.jsonl"
    source.write_text(f'{raw}\n{{"{secret["broken"]}": 1, "{secret["broken"]}": 2}}\n', "utf-8")
    full, bare = (
        toolkit.export(source, tmp_path / f"{texts}", keep="question", texts=texts)
        for texts in (True, False)
    )
    everything = "".join(str(value) for _, _, value in written(full))
    missing = {name for name, text in secret.items() if text[:-1] not in everything}
    assert missing <= {"broken", "key"}, "the test searches for what no export has"
    for path in bare.rglob("*"):
        assert path.is_dir() or b"secret" not in path.read_bytes()
    for table, name, value in written(bare):
        assert "secret" not in str(value), (table, name)
        assert not isinstance(value, bytes), (table, name)
    manifest = json.loads((bare / "manifest.json").read_text())
    assert manifest["texts"] is False
    assert set(manifest["sources"][0]) == {"source", "bytes", "modified_ns"}
    assert "texts" not in json.loads((full / "manifest.json").read_text())
    assert toolkit.read_parquet(bare).responses["custom_id"].to_pylist()[0] == "id-1"


def test_equal_tokens_have_equal_pseudonyms_and_others_not(loads):
    for name in ("tokens", "alternatives"):
        texts, bare = (lp[name].select(["token", "bytes", "token_id"]).to_pylist() for lp in loads)
        names = {}
        for row, found in zip(texts, bare, strict=True):
            raw = row["token"].encode() if row["bytes"] is None else row["bytes"]
            assert names.setdefault(raw, found["token"]) == found["token"]
            assert (row["token_id"] is None) == (found["token_id"] is None)
        assert len(set(names.values())) == len(names) > 100


def test_files_depend_on_the_plan_and_not_on_who_runs_it(tmp_path, monkeypatch):
    folder = tmp_path / "recordings"
    folder.mkdir()
    sources = [recordings.make(folder)[0], DATA / "pairs_whole.jsonl"]  # the first one is cut
    shards = plan_export(sources, shard_bytes=SHARD_BYTES, texts=False)
    assert sum(shard.part_of is not None for shard in shards) > 1
    shards = [Shard.from_json(json.loads(json.dumps(shard.to_json()))) for shard in shards]
    for name, order in (("one", 1), ("two", -1)):
        reports = [export_shard(shard, tmp_path / name) for shard in shards[::order]]
        reports = [ShardReport.from_json(json.loads(json.dumps(r.to_json()))) for r in reports]
        finish_export(reports, tmp_path / name)
    expected = files(tmp_path / "one")
    assert files(tmp_path / "two") == expected
    monkeypatch.setattr(exporting, "new_key", lambda: shards[0].texts_key)
    for name, options in (("three", {}), ("four", {"workers": 2})):
        out = toolkit.export(
            sources, tmp_path / name, shard_bytes=SHARD_BYTES, texts=False, **options
        )
        assert files(out) == expected
    assert shards[0].texts_key not in repr(shards[0])


def test_two_exports_share_no_pseudonym(loads, tmp_path):
    again = toolkit.export(DATA / "capitals_batch.jsonl", tmp_path / "out", texts=False)
    own = toolkit.read_parquet(again).tokens["token"].to_pylist()
    assert not set(own) & set(loads[1].tokens["token"].to_pylist())


def test_a_resumed_export_goes_on_with_its_key(tmp_path, monkeypatch):
    sources = [DATA / "capitals_batch.jsonl", DATA / "pairs_whole.jsonl"]
    options = {"shard_bytes": 1, "texts": False, "resume": True}
    write, n_written = shard_files.write_files, []

    def failing(batches, folder, shard, *args):
        if len(n_written) == 1:
            raise OSError("disk full")
        n_written.append(shard)
        return write(batches, folder, shard, *args)

    monkeypatch.setattr(shard_files, "write_files", failing)
    with pytest.raises(ExportError, match="disk full"):
        toolkit.export(sources, tmp_path / "out", **options)
    [kept] = tmp_path.glob(".out.staging-*/checkpoints/key")
    key = kept.read_text()
    n_written.append(-1)
    lp = toolkit.read_parquet(toolkit.export(sources, tmp_path / "out", **options))
    assert n_written == [0, -1, 1]
    assert not list(tmp_path.rglob("key"))
    raw = toolkit.read(sources)
    expected = pseudonyms.without_texts(raw, key)
    assert lp.tokens.equals(expected.tokens)


def test_nothing_is_appended_to_an_export_without_texts(both, tmp_path):
    with pytest.raises(ExportError, match="key of its pseudonyms"):
        toolkit.export(DATA / "pairs_whole.jsonl", both[1], append=True)
    with pytest.raises(ArgumentError, match="append or texts=False"):
        toolkit.export(DATA / "pairs_whole.jsonl", both[0], append=True, texts=False)


def test_the_command(tmp_path):
    found = CliRunner().invoke(
        main, ["export", str(DATA / "pairs_whole.jsonl"), "-o", str(tmp_path / "out"), "--no-texts"]
    )
    assert found.exit_code == 0, found.output
    assert json.loads((tmp_path / "out" / "manifest.json").read_text())["texts"] is False


def test_the_manifest_of_loaded_tables_says_so_too(loads, tmp_path):
    for lp, texts in zip(loads, (None, False), strict=True):
        out = lp.write_parquet(tmp_path / str(texts))
        assert json.loads((out / "manifest.json").read_text()).get("texts") is texts


def test_loads_with_and_without_texts_can_be_joined(loads):
    both = toolkit.concat([toolkit.read(DATA / "pairs_whole.jsonl"), loads[1]])
    assert both.text(0)
    with pytest.raises(ArgumentError, match="texts=False"):
        both.text(len(both) - 1)


@given(st.lists(st.integers(-(2**31), 2**31 - 1), unique=True, max_size=200))
def test_ids_are_permuted(ids):
    found = pseudonyms._permuted(np.array(ids, np.int32), bytes.fromhex(KEY)).tolist()
    assert len(set(found)) == len(ids)
    assert [each < 0 for each in found] == [each < 0 for each in ids]


def test_ids_of_a_vocabulary_are_spread():
    ids = np.arange(200_000, dtype=np.int32)
    found = pseudonyms._permuted(ids, bytes.fromhex(KEY))
    assert len(np.unique(found)) == len(ids)
    counts = np.histogram(found, 64, (0, 2**31))[0]
    assert counts.min() > 0.9 * counts.mean()
