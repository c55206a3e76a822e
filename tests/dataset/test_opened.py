"""Metrics of an export that is not loaded are those of the loaded tables, bit by bit."""

import math
import random

import duckdb
import numpy as np
import pandas as pd
import polars
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

import toolkit
from tests.conftest import ROOT
from toolkit.dataset import batches, opened, read, snapshot
from toolkit.metrics import checks, corpora, distributions
from toolkit.metrics._check_answers import ID_REDUCERS, ids_partial, repeated
from toolkit.metrics._check_tokens import HABIT_REDUCERS, habits, habits_partial
from toolkit.metrics._partial import expansion, merged
from toolkit.metrics.usage import REDUCERS, quantile, usage_partial, usage_table
from toolkit.tables import joined

DATA = ROOT / "data"
KEPT = ROOT / "tests" / "dataset" / "kept"
SOURCES = [DATA / "capitals_batch.jsonl", DATA / "pairs_whole.jsonl"]
KEYS = ["response_key", "choice", "channel"]
TABLES = ("responses", "choices", "tokens", "alternatives")
CORPUS = (
    {},
    {"by": "model"},
    {"by": ["source", "kind"], "channel": None},
    {"by": ["finish_reason", "n_censored", "channel"]},
    {"by": "custom_id", "channel": "reasoning"},
)


@pytest.fixture(scope="module")
def out(tmp_path_factory):
    """Every kind of recording, in shards; streams end in later batches than they began in."""
    folder = tmp_path_factory.mktemp("opened")
    with pytest.warns(toolkit.ToolkitWarning):
        return toolkit.export(DATA, folder / "out", shard_bytes=1 << 20)


@pytest.fixture(scope="module")
def lp(out):
    return toolkit.read_parquet(out)


@pytest.fixture(scope="module")
def parts(out):
    """Small batches, of the same export."""
    with pytest.MonkeyPatch.context() as patch:
        small(patch)
        return list(toolkit.open_dataset(out).batches())


def small(monkeypatch):
    monkeypatch.setattr(batches, "_TOKENS", 1000)
    monkeypatch.setattr(batches, "_RESPONSES", 100)
    monkeypatch.setattr(batches, "_ROWS", 700)


def assert_same(found, expected):
    pd.testing.assert_frame_equal(found, expected, check_exact=True)


def test_batches_hold_every_row(parts, lp):
    assert len(parts) > 15
    whole = joined(parts)
    for name in TABLES:
        assert whole[name].equals(lp[name]), name


def test_sequences_are_streamed(out, lp, monkeypatch):
    small(monkeypatch)
    frames = list(toolkit.open_dataset(out).sequence_metrics(vocab_size=200_000, threshold=0.9))
    found = pd.concat(frames[1:], ignore_index=True).sort_values(KEYS, ignore_index=True)
    assert_same(found, toolkit.sequence_metrics(lp, vocab_size=200_000, threshold=0.9))
    assert frames[0].dtypes.equals(found.dtypes)


@pytest.mark.parametrize("options", CORPUS, ids=str)
def test_corpus_metrics_in_any_order_and_grouping(options, parts, lp):
    expected = toolkit.corpus_metrics(lp, **options)
    channel = options.get("channel", "content")
    partials = [
        corpora.corpus_partial(
            toolkit.sequence_metrics(part), by=options.get("by"), channel=channel
        )
        for part in parts
    ]
    for seed in range(2):
        assert_same(corpora.pooled(_shuffled(partials, seed, corpora.REDUCERS), channel), expected)


def _shuffled(partials, seed, reducers):
    """Merge partials in another order, in groups, and groups of groups."""
    draw = random.Random(seed)
    pool = draw.sample(partials, len(partials))
    while len(pool) > 1:
        n = draw.randint(2, 5)
        pool = [*pool[n:], merged(pool[:n], reducers)]
    return pool[0]


@pytest.mark.parametrize("options", CORPUS[:2], ids=str)
def test_corpus_metrics_of_the_export(options, out, lp):
    found = toolkit.open_dataset(out).corpus_metrics(**options)
    assert_same(found, toolkit.corpus_metrics(lp, **options))


PRICES = {"gpt-4o-mini": (0.15, 0.6), "m": (0.1, 0.7)}
USAGE = ({}, {"by": "model", "prices": PRICES}, {"by": ["source", "format"]})


@pytest.mark.parametrize("options", USAGE, ids=str)
def test_usage_in_any_order_and_grouping(options, out, parts, lp):
    options = {"by": None, "prices": None} | options
    expected = pd.DataFrame(toolkit.usage(lp, **options))
    assert_same(pd.DataFrame(toolkit.open_dataset(out).usage(**options)), expected)
    partials = [usage_partial(part, **options) for part in parts]
    for seed in range(2):
        found = usage_table(_shuffled(partials, seed, REDUCERS))
        assert_same(pd.DataFrame(found), expected)


def test_usage_reads_no_tokens_and_no_texts(tmp_path):
    lp = toolkit.read(DATA / "pairs_whole.jsonl")
    mine = lp.write_parquet(tmp_path / "out")
    for path in [*mine.glob("tokens/*"), *mine.glob("alternatives/*")]:
        path.unlink()
    [path] = mine.glob("choices/*")
    pq.write_table(pq.read_table(path).drop_columns(["content", "alignment"]), path)
    found = toolkit.open_dataset(mine).usage(by="model")
    assert_same(pd.DataFrame(found), pd.DataFrame(toolkit.usage(lp, by="model")))


@pytest.mark.parametrize("n_ids", [1 << 20, 250])
def test_check_of_the_export(n_ids, out, lp, monkeypatch):
    small(monkeypatch)
    monkeypatch.setattr(opened, "_IDS", n_ids)
    expected = toolkit.check(lp)
    assert len(set(expected["code"])) > 25
    assert_same(toolkit.open_dataset(out).check(), expected)
    ignored = ["unfinished", "duplicate_response_id"]
    assert_same(toolkit.open_dataset(out).check(ignore=ignored), toolkit.check(lp, ignore=ignored))


def test_check_in_any_order_and_grouping(parts, lp):
    records = checks.Records.of([lp.rejects], [lp.ledger])
    for seed in range(2):
        usual = habits(_shuffled([habits_partial(part) for part in parts], seed, HABIT_REDUCERS))
        found = [checks.check_partial(part, usual) for part in parts]
        ids = _shuffled([ids_partial(part.responses) for part in parts], seed, ID_REDUCERS)
        pooled = _shuffled([*found, repeated(ids)], seed, checks.REDUCERS)
        assert_same(checks.check_table(usual, pooled, records, lp.responses, ()), toolkit.check(lp))


def test_check_of_habits_that_only_the_whole_shows(tmp_path, monkeypatch):
    """A clamp, sentinels and lists of two lengths, each seen in several batches."""
    small(monkeypatch)
    monkeypatch.setattr(batches, "_TOKENS", 4)
    bodies = [
        {
            "id": f"r-{i % 9}",
            "model": (None, "m")[i % 2],
            "choices": [{"message": {"content": "a"}, "logprobs": {"content": [entry]}}],
        }
        for i in range(24)
        for low in [(-15.0, -120.0 if i % 3 else -9.5)[i % 2]]
        for top in [[-0.5 - i / 64, -1.5, low, *([-3.5] if i % 12 > 1 else [])]]
        for entry in [
            {
                "token": "t0",
                "logprob": top[0],
                "top_logprobs": [{"token": f"t{k}", "logprob": p} for k, p in enumerate(top)],
            }
        ]
    ]
    lp = toolkit.from_responses(bodies)
    expected = toolkit.check(lp)
    codes = {"clamped", "sentinel_logprobs", "short_lists", "duplicate_response_id"}
    assert codes <= set(expected["code"])
    assert_same(toolkit.open_dataset(lp.write_parquet(tmp_path / "out")).check(), expected)


HISTOGRAMS = (
    ("probability", {}),
    ("logprob", {"by": "model", "bins": 5}),
    ("entropy_lower", {"by": ["source", "kind"], "bins": [0, 0.5, 2]}),
    ("surprisal", {"channel": "prompt", "bins": 3}),
)


@pytest.mark.parametrize(("column", "options"), HISTOGRAMS, ids=str)
def test_token_histograms_in_any_order_and_grouping(column, options, out, parts, lp):
    expected = toolkit.metrics.token_histogram(lp, column, **options)
    assert_same(toolkit.open_dataset(out).token_histogram(column, **options), expected)
    own = {"by": options.get("by"), "channel": options.get("channel", "content")}
    edges = np.array([*expected["low"].unique(), expected["high"].max()])
    partials = [
        distributions.histogram_partial(distributions.token_values(part, column, **own), edges)
        for part in parts
    ]
    found = _shuffled(partials, 1, distributions.HISTOGRAM_REDUCERS)
    assert_same(distributions.histogram_table(found, edges), expected)


@given(st.lists(st.integers(0, 50), min_size=1, max_size=40), st.floats(0, 1))
def test_a_quantile_of_counted_values_is_that_of_numpy(values, q):
    distinct, counts = np.unique(np.array(values, float), return_counts=True)
    assert quantile(distinct, counts, q) == np.quantile(np.array(values, float), q)


@given(st.lists(st.floats(-1e300, 1e300), max_size=20), st.integers(0, 20))
def test_an_expansion_has_the_exact_sum(values, cut):
    pieces = [*expansion(_floats(values[:cut])), *expansion(_floats(values[cut:]))]
    assert math.fsum(pieces) == math.fsum(values)
    assert math.fsum(expansion(_floats([*pieces, 0.1]))) == math.fsum([*values, 0.1])


def _floats(values):
    return pd.Series(values, dtype=float).to_numpy()


def test_an_expansion_of_what_is_not_finite():
    assert math.isnan(math.fsum(expansion(_floats([1.0, math.nan]))))
    assert expansion(_floats([1.0, -math.inf])) == [-math.inf]


def test_engines_find_the_same_on_the_files(out, lp):
    files = toolkit.open_dataset(out).files("tokens")
    query = f"""
        WITH content AS (FROM read_parquet({files}) WHERE channel = 'content'),
        invalid AS (SELECT response_key, choice FROM content WHERE status = 'invalid')
        SELECT count(*), exp(-avg(least(logprob, 0))) FROM content ANTI JOIN invalid
        USING (response_key, choice) WHERE status = 'ok'"""
    [(n, perplexity)] = duckdb.sql(query).fetchall()
    valid = toolkit.sequence_metrics(lp).query("n_invalid == 0 and channel == 'content'")
    pooled = toolkit.corpus_metrics(valid).iloc[0]
    assert n == pooled["n_ok"]
    assert perplexity == pytest.approx(pooled["perplexity"], rel=1e-12)
    scanned = polars.scan_parquet(files).select(polars.len()).collect()
    assert scanned.item() == lp.tokens.num_rows


@pytest.mark.parametrize("path", sorted(KEPT.glob("version_*")), ids=lambda path: path.name)
def test_exports_of_earlier_versions(path):
    lp = toolkit.read_parquet(path)
    dataset = toolkit.open_dataset(path)
    assert joined(list(dataset.batches())).equals(_keyed(lp))
    assert_same(dataset.corpus_metrics(channel=None), toolkit.corpus_metrics(lp, channel=None))
    assert_same(dataset.check(), toolkit.check(lp))
    assert_same(pd.DataFrame(dataset.usage(by="kept")), pd.DataFrame(toolkit.usage(lp, by="kept")))


def _keyed(lp):
    return toolkit.LogprobTables(
        **{name: lp[name] for name in TABLES}, rejects=toolkit.schema.REJECTS.empty()
    )


def test_no_answers(tmp_path):
    lp = toolkit.concat([])
    dataset = toolkit.open_dataset(lp.write_parquet(tmp_path / "out"))
    assert_same(dataset.corpus_metrics(), toolkit.corpus_metrics(lp))
    assert_same(dataset.corpus_metrics(by="model"), toolkit.corpus_metrics(lp, by="model"))
    assert_same(pd.DataFrame(dataset.usage()), pd.DataFrame(toolkit.usage(lp)))
    assert_same(dataset.check(), toolkit.check(lp))


def test_a_result_of_an_export_that_is_replaced_meanwhile(tmp_path, monkeypatch):
    monkeypatch.setattr(read, "_PAUSE", 0)
    monkeypatch.setattr(snapshot, "_MOST_OPEN", 1)
    one, other = (
        toolkit.read(DATA / f"{name}.jsonl") for name in ("capitals_batch", "pairs_whole")
    )
    dataset = toolkit.open_dataset(one.write_parquet(tmp_path / "out"))
    parse, seen = read.parse_manifest, []

    def replaced_meanwhile(raw):
        seen.append(raw)
        if len(seen) == 1:
            other.write_parquet(tmp_path / "out", overwrite=True)
        return parse(raw)

    monkeypatch.setattr(read, "parse_manifest", replaced_meanwhile)
    assert_same(dataset.corpus_metrics(by="model"), toolkit.corpus_metrics(other, by="model"))
    assert len(seen) == 2


def test_batches_that_are_half_taken_go_on_in_the_old_export(tmp_path, monkeypatch):
    small(monkeypatch)
    one, other = (
        toolkit.read(DATA / f"{name}.jsonl") for name in ("capitals_batch", "pairs_whole")
    )
    taken = toolkit.open_dataset(one.write_parquet(tmp_path / "out")).batches()
    found = [next(taken), next(taken)]
    other.write_parquet(tmp_path / "out", overwrite=True)
    assert joined([*found, *taken]).tokens.equals(one.tokens)


def test_batches_of_files_that_are_gone(out, tmp_path, monkeypatch):
    monkeypatch.setattr(snapshot, "_MOST_OPEN", 4)
    lp = toolkit.read(DATA / "pairs_whole.jsonl")
    mine = tmp_path / "out"
    toolkit.export(SOURCES, mine, shard_bytes=1)
    taken = toolkit.open_dataset(mine).batches()
    next(taken)
    lp.write_parquet(mine, overwrite=True)
    with pytest.raises(toolkit.errors.SourceError, match="replaced while it was read"):
        list(taken)


def test_what_is_not_an_export(out, tmp_path):
    with pytest.raises(toolkit.errors.SourceError, match="not an export"):
        toolkit.open_dataset(tmp_path)
    with pytest.raises(toolkit.errors.ArgumentError, match="table"):
        toolkit.open_dataset(out).files("words")


def test_a_damaged_file(tmp_path):
    mine = toolkit.read(DATA / "pairs_whole.jsonl").write_parquet(tmp_path / "out")
    (mine / "tokens" / "part-00000.parquet").write_bytes(b"PAR1")
    with pytest.raises(toolkit.errors.SourceError, match="tokens/part-00000.parquet cannot"):
        toolkit.open_dataset(mine).corpus_metrics()
