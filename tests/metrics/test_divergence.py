"""The divergence report, against llama.cpp's definitions on whole distributions and plain loops."""

import math

import numpy as np
import pandas as pd
import pytest

import toolkit
from tests.metrics.byte_pieces import body
from toolkit import schema
from toolkit.errors import ArgumentError
from toolkit.metrics import compare_tokens, divergence

VOCABULARY = [f"w{i}" for i in range(12)]


def recorded(logprobs, said):
    """Load answers whose lists hold the whole distribution at each position."""
    answers = []
    for rows, tokens in zip(logprobs, said, strict=True):
        pieces = [
            (VOCABULARY[token].encode(), row[token], list(zip(VOCABULARY, row, strict=True)))
            for row, token in zip(rows.tolist(), tokens, strict=True)
        ]
        answers.append(body(pieces))
    return toolkit.from_responses(answers, custom_id=[str(i) for i in range(len(answers))])


@pytest.fixture(scope="module")
def whole():
    """Two models on the same ten texts of eight tokens, with whole distributions."""
    rng = np.random.default_rng(5)
    logits = rng.normal(0, 2, (10, 8, len(VOCABULARY)))
    other = logits + rng.normal(0, 0.5, logits.shape)
    a, b = (x - np.log(np.exp(x).sum(axis=2, keepdims=True)) for x in (logits, other))
    said = rng.integers(0, len(VOCABULARY), (10, 8))
    return a, b, said


def llama_percentile(values, share):
    """Return a percentile as llama.cpp's `percentile` does."""
    values = sorted(values)
    at = share * (len(values) - 1)
    low = int(at)
    high = values[min(low + 1, len(values) - 1)]
    return (1 - (at - low)) * values[low] + (at - low) * high


def test_whole_lists_give_the_figures_of_llama_cpp(whole):
    a, b, said = whole
    report = divergence(recorded(a, said), recorded(b, said)).set_index("measure")
    assert list(report.reset_index()) == schema.DIVERGENCE.names
    kl = [
        math.fsum(math.exp(x) * (x - y) for x, y in zip(p, q, strict=True))
        for p, q in zip(a.reshape(-1, 12).tolist(), b.reshape(-1, 12).tolist(), strict=True)
    ]
    chosen = [np.take_along_axis(x, said[..., None], 2).ravel() for x in (a, b)]
    delta = np.exp(chosen[1]) - np.exp(chosen[0])
    for name, values, tolerance in (
        ("kl_lower", kl, 1e-4),
        ("delta_p", delta, 1e-12),
        ("ln_ppl_ratio", chosen[0] - chosen[1], 1e-12),
    ):
        row = report.loc[name]
        assert row["n_positions"] == 80
        assert row["mean"] == pytest.approx(np.mean(values), abs=tolerance)
        assert row["rms"] == pytest.approx(math.sqrt(np.mean(np.square(values))), abs=tolerance)
        assert row["maximum"] == pytest.approx(max(values), abs=tolerance)
        assert row["minimum"] == pytest.approx(min(values), abs=tolerance)
        for column, share in schema.PERCENTILES.items():
            expected = llama_percentile(values, share)
            assert row[column] == pytest.approx(expected, abs=tolerance), column
    nll = [-x.mean() for x in chosen]
    assert report.loc["ln_ppl_ratio", "mean"] == pytest.approx(nll[1] - nll[0])
    correlation = np.corrcoef(chosen[0], chosen[1])[0, 1]
    assert report.loc["ln_ppl_ratio", "correlation"] == pytest.approx(correlation)
    same = (a.argmax(axis=2) == b.argmax(axis=2)).mean()
    assert report.loc["same_top1", "mean"] == pytest.approx(same)
    overlap = np.minimum(np.exp(a), np.exp(b)).sum(axis=2)
    for name in ("acceptance_lower", "acceptance_upper"):
        assert report.loc[name, "mean"] == pytest.approx(overlap.mean(), abs=1e-5)
    assert report.loc["tv_upper", "mean"] == pytest.approx(1 - overlap.mean(), abs=1e-5)


def test_the_intervals_are_those_of_texts_not_of_positions(whole):
    stats = pytest.importorskip("scipy.stats")
    a, b, said = whole
    report = divergence(recorded(a, said), recorded(b, said), level=0.9).set_index("measure")
    chosen = [np.take_along_axis(x, said[..., None], 2)[..., 0] for x in (a, b)]
    by_text = (chosen[0] - chosen[1]).mean(axis=1)  # texts are of one length
    theirs = stats.ttest_1samp(by_text, 0.0).confidence_interval(0.9)
    row = report.loc["ln_ppl_ratio"]
    assert (row["mean_lower"], row["mean_upper"]) == pytest.approx((theirs.low, theirs.high))
    assert (row["n_clusters"], row["cluster"]) == (10, "response_key")
    together = divergence(recorded(a, said), recorded(b, said), clusters=[0, 1] * 5, level=0.9)
    assert together["n_clusters"].tolist() == [2] * 8
    row = report.loc["same_top1"]
    assert row["mean_lower"] < row["mean"] < row["mean_upper"] <= 1


def test_it_is_the_mean_of_the_positions_of_compare_tokens(data):
    a, b = toolkit.read(data / "stories_k10.jsonl.gz"), toolkit.read(data / "pairs_whole.jsonl")
    for channel in ("content", "refusal"):
        tokens = compare_tokens(a, b, on="position", channel=channel)
        report = divergence(a, b, on="position", channel=channel).set_index("measure")
        for name in ("kl_lower", "tv_lower", "tv_upper"):
            own = tokens[name].dropna()
            assert report.loc[name, "n_positions"] == len(own)
            np.testing.assert_allclose(report.loc[name, "mean"], own.mean())
        assert (tokens["tv_lower"].dropna() <= tokens["tv_upper"].dropna()).all()


def test_bounds_of_two_real_models_enclose_their_whole_distributions(data):
    """The true figures, of all 49,152 entries, are those of data/README.md."""
    a, b = (toolkit.read(data / f"given_{name}.jsonl.gz") for name in ("q4_1", "q4_0"))
    mean = divergence(a, b, channel="prompt").set_index("measure")["mean"]
    assert 0.25 < mean["kl_lower"] < 0.4895
    assert 0.2 < mean["tv_lower"] < 0.3333 < mean["tv_upper"] < 0.55
    assert mean["same_top1"] == pytest.approx(0.5837, abs=5e-5)


def test_a_run_is_at_distance_0_from_itself_without_pretending_to_know_more(data):
    lp = toolkit.read(data / "pairs_whole.jsonl")
    report = divergence(lp, lp).set_index("measure")
    assert (report.loc[["kl_lower", "tv_lower", "delta_p", "ln_ppl_ratio"], "maximum"] == 0).all()
    assert report.loc["same_top1", "mean"] == 1
    assert report.loc["same_top1", "mean_lower"] < 0.9  # of 12 answers
    assert report.loc[["kl_lower", "delta_p"], ["mean_lower", "mean_upper"]].isna().all(axis=None)


def test_without_a_common_position_all_is_null():
    one = toolkit.from_responses(body([(b"x", -0.5)]))
    report = divergence(one, one.filter(response_key=[]), on="position")
    assert report["n_positions"].tolist() == [0] * 8
    assert report["mean"].isna().all()


def test_bad_options_are_named(data):
    lp = toolkit.read(data / "pairs_whole.jsonl")
    with pytest.raises(ArgumentError, match="level"):
        divergence(lp, lp, level=1)
    with pytest.raises(ArgumentError, match="5 labels for 12"):
        divergence(lp, lp, clusters=pd.Series([1] * 5))
