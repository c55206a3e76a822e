"""Metrics of sequences and corpora against plain loops."""

import math

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

import toolkit
from toolkit import schema
from toolkit.errors import ArgumentError, SchemaError
from toolkit.metrics import (
    confidence_metrics,
    corpus_metrics,
    label_distribution,
    sequence_metrics,
    word_metrics,
)

V = 262_144
CLOSE = {"rtol": 1e-12, "atol": 1e-13}  # 1 - s loses digits where s is near 1


def mean(values):
    values = [value for value in values if value is not None]
    return math.fsum(values) / len(values) if values else math.nan


def naive_sequence(entries, naive, threshold):
    """All sequence metrics of ok tokens by the definitions."""
    tokens = [naive(entry, V) for entry in entries]
    logprobs = [-token["surprisal"] for token in tokens]
    n_bytes = sum(len(entry["bytes"]) for entry in entries)
    worst = sorted(logprobs)[: max(1, len(logprobs) // 10)]
    below = "".join("x" if token["probability"] < threshold else " " for token in tokens)
    nll = -math.fsum(logprobs)
    return {
        "n_tokens": len(entries),
        "n_ok": len(entries),
        "sum_logprob": -nll,
        "mean_logprob": -nll / len(entries),
        "perplexity": math.exp(nll / len(entries)),
        "perplexity_lower": math.exp(nll / len(entries)),
        "n_bytes": n_bytes,
        "bits_per_byte": nll / math.log(2) / n_bytes if n_bytes else math.nan,
        "min_logprob": min(logprobs),
        "min_probability": math.exp(min(logprobs)),
        "weakest_position": logprobs.index(min(logprobs)),
        "worst_decile_logprob": math.fsum(worst) / len(worst),
        "longest_run_below": max(map(len, below.split()), default=0),
        "n_below": below.count("x"),
        "n_ranked": len(entries),
        "n_off_top1": sum(token["off_top1"] for token in tokens),
        "off_top1_rate": mean(token["off_top1"] for token in tokens),
        "mean_margin": mean(token["margin"] for token in tokens),
        "n_entropy": len(entries),
        **{
            f"mean_{name}": mean(token[name] for token in tokens)
            for name in ("entropy_lower", "entropy_upper", "entropy_topk", "missing_mass")
        },
    }


@pytest.fixture(scope="module")
def answers(recorded):
    """(source ordinal, custom_id, body, choice) of every recorded choice."""
    return [
        (ordinal, record.get("custom_id"), body, choice)
        for ordinal, records in enumerate(recorded)
        for record in records
        for body in [record["response"]["body"] if "response" in record else record]
        for choice in body["choices"]
    ]


@pytest.fixture(scope="module")
def sequences(lp):
    return sequence_metrics(lp, vocab_size=V)


def of(make, *entries, **options):
    return sequence_metrics(make.tables([make.body(*entries)]), **options).iloc[0]


@pytest.mark.parametrize("threshold", [0.5, 0.9])
def test_recorded_sequences_equal_plain_arithmetic(lp, answers, naive, threshold):
    got = sequence_metrics(lp, vocab_size=V, threshold=threshold)
    expected = [naive_sequence(c["logprobs"]["content"], naive, threshold) for *_, c in answers]
    assert len(got) == len(expected) == 359
    for name in expected[0]:
        values = [row[name] for row in expected]
        np.testing.assert_allclose(got[name].astype(float), values, **CLOSE, err_msg=name)


def test_labels_are_those_of_response_and_choice(sequences, answers):
    assert sequences["source"].tolist() == [f"source-{ordinal}" for ordinal, *_ in answers]
    assert sequences["response_id"].tolist() == [body["id"] for *_, body, _ in answers]
    assert sequences["choice"].tolist() == [choice["index"] for *_, choice in answers]
    assert sequences["finish_reason"].tolist() == [c["finish_reason"] for *_, c in answers]
    custom_ids = [None if pd.isna(value) else value for value in sequences["custom_id"]]
    assert custom_ids == [custom_id for _, custom_id, *_ in answers]
    assert set(sequences["kind"]) == {"completion"}


@pytest.mark.parametrize("by", [None, "model"])
def test_columns_are_those_declared(sequences, by):
    assert list(sequences) == schema.SEQUENCE_METRICS.names
    pooled = corpus_metrics(sequences, by=by)
    assert list(pooled) == [by][: by is not None] + schema.CORPUS_METRICS.names
    for got, declared in (
        (sequences, schema.SEQUENCE_METRICS),
        (pooled, schema.CORPUS_METRICS),
    ):
        schema.conform(pa.Table.from_pandas(got, preserve_index=False), declared)


@pytest.mark.parametrize("block", [1, 900, 5000])
def test_blocks_and_chunks_make_no_difference(lp, make, sequences, monkeypatch, block):
    monkeypatch.setattr("toolkit.metrics._blocks.BLOCK_ROWS", block)
    got = sequence_metrics(make.rechunked(lp, 501), vocab_size=V)
    pd.testing.assert_frame_equal(got, sequences, check_exact=True)


def test_corpus_equals_plain_arithmetic(sequences, answers, naive):
    got = corpus_metrics(sequences, by="source")
    assert got["source"].tolist() == [f"source-{i}" for i in range(7)]
    for ordinal, row in got.iterrows():
        lists = [c["logprobs"]["content"] for number, *_, c in answers if number == ordinal]
        entries = [entry for one in lists for entry in one]
        tokens = [naive(entry, V) for entry in entries]
        nll = math.fsum(token["surprisal"] for token in tokens)
        means = [mean(-entry["logprob"] for entry in one) for one in lists]
        expected = {
            "n_sequences": len(lists),
            "n_tokens": len(entries),
            "sum_logprob": -nll,
            "perplexity": math.exp(nll / len(entries)),
            "perplexity_lower": math.exp(nll / len(entries)),
            "perplexity_geometric": math.exp(mean(means)),
            "bits_per_byte": nll / math.log(2) / sum(len(entry["bytes"]) for entry in entries),
            "off_top1_rate": mean(token["off_top1"] for token in tokens),
            "mean_entropy_lower": mean(token["entropy_lower"] for token in tokens),
            "mean_entropy_upper": mean(token["entropy_upper"] for token in tokens),
            "mean_missing_mass": mean(token["missing_mass"] for token in tokens),
        }
        for name, value in expected.items():
            np.testing.assert_allclose(row[name], value, **CLOSE, err_msg=name)


@pytest.mark.parametrize("by", [None, "model", ["source", "finish_reason"]])
def test_pooling_does_not_depend_on_parts_or_order(lp, make, sequences, by):
    whole = corpus_metrics(sequences, by=by)
    parts = [make.select(lp, lambda key, rest=rest: key % 3 == rest) for rest in range(3)]
    merged = pd.concat([sequence_metrics(part, vocab_size=V) for part in parts])
    pd.testing.assert_frame_equal(corpus_metrics(merged, by=by), whole, check_exact=True)
    shuffled = sequences.sample(frac=1, random_state=3)
    pd.testing.assert_frame_equal(corpus_metrics(shuffled, by=by), whole, check_exact=True)


def test_corpus_takes_tables_too(lp, sequences):
    expected = corpus_metrics(sequences).drop(columns="mean_entropy_upper")
    got = corpus_metrics(lp)
    assert got.pop("mean_entropy_upper").isna().all()
    pd.testing.assert_frame_equal(got, expected, check_exact=True)


def test_perplexities_are_pooled_not_averaged(make):
    long = make.body(*[make.entry("a", -1.0)] * 9)
    short = make.body(make.entry("a", -11.0))
    row = corpus_metrics(make.tables([long, short])).iloc[0]
    assert row["perplexity"] == pytest.approx(math.exp(20 / 10))
    assert row["perplexity_geometric"] == pytest.approx(math.exp((1 + 11) / 2))


def test_unreadable_tokens_are_counted_and_left_out(make):
    top = [("a", math.log(0.5)), ("b", math.log(0.25))]
    row = of(
        make,
        make.entry("a", -1.0),
        make.entry("z", -9999.0, top),
        make.entry("b", None),
        make.entry("d", -3.0),
        make.entry("e", 3e-5),
    )
    counts = ["n_tokens", "n_ok", "n_censored", "n_missing", "n_invalid"]
    assert row[counts].tolist() == [5, 3, 1, 1, 0]
    assert row["sum_logprob"] == -4.0
    assert row["perplexity"] == pytest.approx(math.exp(4 / 3))
    assert row["perplexity_lower"] == pytest.approx(math.exp((4 - math.log(0.25)) / 4))
    assert row["weakest_position"] == 3  # the token without a logprob keeps its position
    assert row["min_logprob"] == -3.0
    assert row["n_below"] == 3  # -1, -3, and -9999, which is at most 0.25
    assert row["longest_run_below"] == 2
    assert row["n_ranked"] == 0
    assert math.isnan(row["off_top1_rate"])


def test_an_answer_with_a_logit_has_no_metrics(make):
    """A logit below 0 looks like a logprob, so one above 0 makes those below 0 unusable."""
    top = [("a", -1.5), ("b", -2.5)]
    logits = make.body(
        make.entry("a", -1.5, top), make.entry("b", 7.25, top), make.entry("c", None, top)
    )
    good = make.body(make.entry("a", -1.0, [("a", -1.0), ("b", -2.0)]))
    lp = make.tables([logits, good])
    rows = sequence_metrics(lp)
    counts = ["n_tokens", "n_ok", "n_censored", "n_missing", "n_invalid", "n_ranked", "n_entropy"]
    assert rows[counts].values.tolist() == [[3, 0, 0, 1, 2, 0, 0], [1, 1, 0, 0, 0, 1, 1]]
    # Not select_dtypes: pandas 2.2 takes int64 for Int64, and so selects the keys and counts too.
    numbers = rows.loc[:, rows.dtypes.astype(str).isin(["float64", "Int32", "Int64"])]
    assert len(numbers.columns) == 19
    assert numbers.iloc[0].isna().all()
    alone = sequence_metrics(make.tables([good])).select_dtypes("float64").iloc[0]
    pd.testing.assert_series_equal(numbers[alone.index].iloc[1], alone, check_names=False)
    pooled = corpus_metrics(lp).iloc[0]
    assert pooled[["n_sequences", "n_scored", "n_ok", "n_invalid"]].tolist() == [2, 1, 1, 2]
    assert pooled["perplexity"] == pytest.approx(math.e)
    confidence = confidence_metrics(lp)
    assert confidence["n_ok"].tolist() == [0, 1]
    assert confidence.select_dtypes("float64").iloc[0].isna().all()
    words = word_metrics(lp)
    assert words["sum_logprob"].isna().tolist() == [True, False]
    assert words["n_invalid"].tolist() == [2, 0]
    labels = label_distribution(lp, ["a"])
    assert labels["probability_lower"].isna().tolist() == [True, False]
    assert labels["reason"].fillna("").tolist() == ["no_probabilities", ""]


def test_a_logit_concerns_the_channels_of_its_choice(make):
    body = make.body(make.entry("a", -1.0))
    body["choices"][0]["logprobs"]["reasoning"] = [make.entry("hm", 3.0)]
    body["choices"].append(
        {"index": 1, "finish_reason": None, "logprobs": {"content": [make.entry("b", -2.0)]}}
    )
    rows = sequence_metrics(make.tables([body]))
    assert rows["n_invalid"].tolist() == [1, 1, 0]
    assert rows["mean_logprob"].isna().tolist() == [True, True, False]


def test_minus_infinity_is_censored_not_infinite_perplexity(make):
    row = of(make, make.entry("a", -1.0), make.entry("b", -math.inf))
    assert row["perplexity"] == pytest.approx(math.e)
    assert row["perplexity_lower"] == pytest.approx(math.exp(0.5))  # no list: bounded by 0


def test_nothing_to_tell_is_null(make):
    empty = make.body()
    absent = make.body()
    absent["choices"][0]["logprobs"] = None
    unreadable = make.body(make.entry("a", None), make.entry("b", 7.0))
    rows = sequence_metrics(make.tables([empty, absent, unreadable]))
    assert rows["channel"].tolist() == ["content"] * 3
    assert rows["n_tokens"].tolist() == [0, 0, 2]
    assert rows["finish_reason"].tolist() == ["stop"] * 3
    counts = [name for name in rows if name.startswith("n_") and name != "n_below"]
    first = rows.columns.get_loc("n_tokens")
    metrics = [name for name in rows.columns[first:] if name not in counts]
    assert len(metrics) == 19
    assert rows[metrics].isna().all(axis=None)
    pooled = corpus_metrics(rows).iloc[0]
    assert pooled[["n_sequences", "n_scored", "n_tokens"]].tolist() == [3, 0, 2]
    assert pooled[["perplexity", "perplexity_geometric", "perplexity_lower"]].isna().all()
    assert pooled[["sum_logprob", "bits_per_byte", "off_top1_rate"]].isna().all()


def test_censored_tokens_alone_have_a_bound_but_no_point(make):
    row = of(make, make.entry("a", -9999.0, [("b", math.log(0.25)), ("c", math.log(0.25))]))
    assert math.isnan(row["perplexity"])
    assert row["perplexity_lower"] == pytest.approx(4)
    assert row["n_below"] == 1
    assert pd.isna(row["weakest_position"])


def test_bits_per_byte_leaves_out_tokens_without_bytes(make):
    row = of(
        make,
        make.entry("ab", -2.0 * math.log(2), bytes=[97, 98]),
        make.entry("c", -50.0),
        make.entry("d", -9999.0, bytes=[100]),
        make.entry("é", -4.0 * math.log(2), bytes=[195, 169]),
        make.entry("<end>", -2.0 * math.log(2), bytes=[]),
    )
    assert row["n_bytes"] == 4
    assert row["bits_per_byte"] == pytest.approx(8 / 4)
    assert row["sum_logprob"] == pytest.approx(-50 - 8 * math.log(2))
    assert math.isnan(of(make, make.entry("a", -1.0))["bits_per_byte"])


def test_the_prompt_is_a_sequence_and_not_an_answer(make):
    """Perplexity and bits per byte of given text: its bytes are those of the texts."""
    body = make.body(make.entry("x", -3.0))
    steps = [{"1": {"logprob": -2.0 * math.log(2), "decoded_token": text}} for text in ("é", "ab")]
    lost = {"2": {"logprob": -1.0, "decoded_token": "\ufffd"}}
    lp = toolkit.from_responses(body | {"prompt_logprobs": [None, *steps, lost]})
    rows = toolkit.sequence_metrics(lp).set_index("channel")
    assert rows.loc["content", "n_tokens"] == 1
    prompt = rows.loc["prompt"]
    assert (prompt["n_tokens"], prompt["n_missing"], prompt["n_bytes"]) == (4, 1, 4)
    assert prompt["perplexity"] == pytest.approx(math.exp((4 * math.log(2) + 1) / 3))
    assert prompt["bits_per_byte"] == pytest.approx(4 / 4)
    assert toolkit.corpus_metrics(lp)["n_tokens"].tolist() == [1]
    assert toolkit.usage(lp)["n_token_rows"].tolist() == [1]


@pytest.mark.filterwarnings("ignore:no response:toolkit.ToolkitWarning")
def test_a_choice_with_a_scored_prompt_alone_has_a_content_row(make):
    body = make.body(make.entry("x", -3.0))
    body["choices"][0]["logprobs"] = None
    step = {"1": {"logprob": -1.0, "decoded_token": "a"}}
    lp = toolkit.from_responses(body | {"prompt_logprobs": [None, step]})
    rows = toolkit.sequence_metrics(lp)
    assert rows[["channel", "n_tokens"]].values.tolist() == [["content", 0], ["prompt", 2]]


def test_perplexity_overflows_to_infinity(make):
    row = of(make, make.entry("a", -800.0), make.entry("b", -700.0))
    assert row["perplexity"] == math.inf
    assert row["mean_logprob"] == -750


def test_channels_are_sequences_of_their_own(make):
    body = make.body(make.entry("a", -1.0))
    body["choices"].append(
        {"index": 1, "finish_reason": None, "logprobs": {"refusal": [make.entry("no", -2.0)]}}
    )
    body["choices"][0]["logprobs"]["reasoning"] = [make.entry("hm", -3.0), make.entry("so", -5.0)]
    lp = make.tables([body])
    rows = sequence_metrics(lp)
    assert rows["choice"].tolist() == [0, 0, 1]
    assert rows["channel"].tolist() == ["content", "reasoning", "refusal"]
    assert rows["mean_logprob"].tolist() == [-1, -4, -2]
    assert rows["finish_reason"].isna().tolist() == [False, False, True]
    assert corpus_metrics(lp)["sum_logprob"].tolist() == [-1]
    assert corpus_metrics(lp, channel="refusal")["sum_logprob"].tolist() == [-2]
    every = corpus_metrics(lp, channel=None)
    assert every["channel"].tolist() == ["content", "reasoning", "refusal"]
    assert every["sum_logprob"].tolist() == [-1, -8, -2]
    pd.testing.assert_frame_equal(corpus_metrics(lp, by="channel"), every)
    both = corpus_metrics(lp, by=["choice", "channel"])
    assert both[["choice", "channel"]].astype(str).values.tolist() == [
        ["0", "content"], ["0", "reasoning"], ["1", "refusal"]
    ]  # fmt: skip


def test_grouping_by_a_null_and_by_a_count(make):
    bodies = [make.body(make.entry("a", -x), model=m) for x, m in ((1.0, None), (2.0, "m"))]
    lp = make.tables([*bodies, make.body(make.entry("a", -3.0), model=None)])
    rows = corpus_metrics(lp, by="model")
    assert rows["sum_logprob"].tolist() == [-2, -4]
    assert rows["model"].isna().tolist() == [False, True]
    assert corpus_metrics(lp, by="n_tokens")["n_tokens"].tolist() == [1]


def test_upper_entropy_is_unknown_if_one_part_has_none(make):
    lp = make.tables([make.body(make.entry("a", -1.0, [("a", -1.0), ("b", -2.0)]))])
    parts = [sequence_metrics(lp), sequence_metrics(lp, vocab_size=9)]
    row = corpus_metrics(pd.concat(parts)).iloc[0]
    assert math.isnan(row["mean_entropy_upper"])
    assert row["mean_entropy_lower"] == pytest.approx(parts[0]["mean_entropy_lower"][0])


def test_no_responses_at_all(make):
    lp = make.tables([])
    rows = sequence_metrics(lp)
    assert list(rows) == schema.SEQUENCE_METRICS.names
    assert len(rows) == 0
    assert corpus_metrics(lp)["n_sequences"].tolist() == [0]
    assert len(corpus_metrics(lp, by="model")) == 0
    assert len(corpus_metrics(lp, channel=None)) == 0


@pytest.mark.parametrize("threshold", [0, 1.5, math.nan, "half"])
def test_threshold_must_be_a_probability(make, threshold):
    with pytest.raises(ArgumentError, match="threshold"):
        of(make, make.entry("a", -1.0), threshold=threshold)


def test_bad_groups_name_the_choices(sequences):
    with pytest.raises(ArgumentError, match=r"by='models': expected one of .*'model'"):
        corpus_metrics(sequences, by="models")
    with pytest.raises(ArgumentError, match="expected each column once"):
        corpus_metrics(sequences, by=["model", "model"])
    with pytest.raises(ArgumentError, match="channel=.*: expected one of"):
        corpus_metrics(sequences, channel="answer")
    with pytest.raises(SchemaError, match=r"lacks columns \['n_ok'\]"):
        corpus_metrics(sequences.drop(columns="n_ok"))


def test_tables_must_belong_together_and_be_sorted(lp, make):
    for name, message in (("responses", "responses lacks"), ("choices", "choices lacks")):
        broken = make.select(lp, lambda key: True)
        setattr(broken, name, getattr(lp, name).slice(1))
        with pytest.raises(SchemaError, match=message):
            sequence_metrics(broken)
    broken = make.select(lp, lambda key: True)
    broken.tokens = lp.tokens.take(np.arange(lp.tokens.num_rows)[::-1])
    with pytest.raises(SchemaError, match="not sorted"):
        sequence_metrics(broken)
