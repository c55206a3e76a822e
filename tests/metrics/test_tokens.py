"""Metrics of tokens against plain loops, and entropy bounds against whole distributions."""

import math

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from toolkit import schema
from toolkit.errors import ArgumentError, SchemaError
from toolkit.metrics import token_metrics

SLACK = 1e-12


def metrics_of(make, *entries, **options):
    return token_metrics(make.tables([make.body(*entries)]), **options)


def one(make, entry, **options):
    return metrics_of(make, entry, **options).iloc[0]


def truth(p):
    return -math.fsum(x * math.log(x) for x in p if x > 0)


def test_recorded_tokens_equal_plain_arithmetic(recorded, lp, naive):
    entries = [
        entry
        for records in recorded
        for record in records
        for choice in record.get("response", {"body": record})["body"]["choices"]
        for entry in choice["logprobs"]["content"]
    ]
    got = token_metrics(lp, vocab_size=262_144)
    expected = pd.DataFrame([naive(entry, 262_144) for entry in entries])
    assert len(got) == len(expected) > 3000
    assert got["token"].tolist() == [entry["token"] for entry in entries]
    assert got["logprob"].tolist() == [entry["logprob"] for entry in entries]
    for name in expected:
        # 1 - s loses digits where s is near 1, whoever computes it
        atol = 1e-13 if name in ("missing_mass", "margin") or "entropy" in name else 0
        np.testing.assert_allclose(
            got[name].astype(float), expected[name].astype(float), rtol=1e-12, atol=atol,
            err_msg=name,
        )  # fmt: skip


def test_columns_are_those_declared(lp):
    got = token_metrics(lp)
    assert list(got) == schema.TOKEN_METRICS.names
    assert schema.conform(
        pa.Table.from_pandas(got, preserve_index=False), schema.TOKEN_METRICS
    ).schema.equals(schema.TOKEN_METRICS.arrow)
    assert got["entropy_upper"].isna().all()
    keys = list(schema.TOKENS.keys)
    assert got[keys].astype(str).equals(lp.tokens.select(keys).to_pandas().astype(str))


def random_positions(make, rng, n, vocab_size):
    """Yield (true entropy, entry): full distributions cut to their top k."""
    alphas = [0.02, 0.1, 0.5, 1.0, 10.0, 1000.0]
    for number in range(n):
        support = int(rng.integers(1, vocab_size + 1))
        p = rng.dirichlet(np.full(support, alphas[number % len(alphas)]))
        p = np.sort(np.where(p < 1e-290, 0.0, p))[::-1]
        p = p[p > 0] / math.fsum(p)
        k = int(rng.integers(0, min(20, len(p), vocab_size - 2) + 1))
        sampled = int(rng.choice(len(p), p=p / p.sum()) if number % 2 else rng.integers(len(p)))
        top = [{"token": str(i), "logprob": math.log(p[i])} for i in range(k)]
        if sampled >= k and number % 3:  # one more entry, last in the list
            top.append({"token": str(sampled), "logprob": math.log(p[sampled])})
        yield truth(p), make.entry(str(sampled), math.log(p[sampled]), top)


@pytest.mark.parametrize(("n", "vocab_size"), [(16_000, 64), (4_000, 4)])
def test_bounds_hold_the_entropy_of_the_whole_distribution(make, n, vocab_size):
    rng = np.random.default_rng(vocab_size)
    entropy, entries = zip(*random_positions(make, rng, n, vocab_size), strict=True)
    entropy = np.array(entropy)
    got = metrics_of(make, *entries, vocab_size=vocab_size)
    assert not got["excess_mass"].any()
    assert (got["entropy_lower"] <= entropy + SLACK).all()
    assert (got["entropy_upper"] >= entropy - SLACK).all()
    assert (got["entropy_topk"] <= entropy + SLACK).all()
    assert (got["entropy_lower"] >= 0).all()
    # and they are not trivially wide
    full = (got["missing_mass"] < 1e-12).to_numpy()
    assert full.sum() > n / 20
    np.testing.assert_allclose(got["entropy_lower"][full], entropy[full], atol=1e-9)
    assert (got["entropy_lower"] > 0.9 * entropy).mean() > 0.4


def test_extra_sampled_entry_adds_mass_but_sets_no_cap(make):
    top = [("a", math.log(0.5)), ("b", math.log(0.2))]
    rare = math.log(0.01)
    for entry in (make.entry("z", rare, top), make.entry("z", rare, [*top, ("z", rare)])):
        row = one(make, entry)
        assert row["top_mass"] == pytest.approx(0.71)
        # 0.29 outside, at most 0.2 a token
        assert row["entropy_lower"] == pytest.approx(truth([0.5, 0.2, 0.01, 0.2, 0.09]))
        assert row["entropy_topk"] == pytest.approx(truth(np.array([0.5, 0.2, 0.01]) / 0.71))
        assert row["off_top1"]


def test_only_the_sampled_token_is_known(make):
    row = one(make, make.entry("a", math.log(0.7)), vocab_size=4)
    assert row["n_entries"] == 0
    assert row["missing_mass"] == pytest.approx(0.3)
    assert row["entropy_lower"] == pytest.approx(truth([0.7, 0.3]))
    assert row["entropy_upper"] == pytest.approx(truth([0.7, 0.1, 0.1, 0.1]))
    assert row["entropy_topk"] == 0
    assert pd.isna(row["off_top1"])
    assert math.isnan(row["margin"])


def test_no_logprob_at_all_is_nan(make):
    row = one(make, make.entry("a", None, [("b", None)]), vocab_size=4)
    for name in ("surprisal", "surprisal_lower", "probability", "top_mass", "missing_mass"):
        assert math.isnan(row[name])
    for name in ("entropy_lower", "entropy_upper", "entropy_topk", "margin"):
        assert math.isnan(row[name])
    assert pd.isna(row["off_top1"])
    assert pd.isna(row["sampled_rank"])
    assert row["n_entries"] == 0


def test_copies_of_the_sampled_token_count_once(make):
    own = {"token": "a", "logprob": -0.7, "bytes": [97], "id": 5}
    other = {"token": "b", "logprob": -1.5, "bytes": [98], "id": 6}
    plain = one(make, make.entry("a", -0.7, [own, other], bytes=[97], id=5), vocab_size=9)
    twice = one(make, make.entry("a", -0.7, [own, other, own], bytes=[97], id=5), vocab_size=9)
    assert plain.equals(twice)
    assert twice["n_entries"] == 2
    assert twice["margin_logprob"] == pytest.approx(0.8)


@pytest.mark.parametrize(
    "other", [{"id": 6}, {"id": None, "bytes": [98]}, {"id": None, "bytes": None, "token": "b"}]
)
def test_a_tie_with_another_token_is_no_copy(make, other):
    own = {"token": "a", "logprob": -0.7, "bytes": [97], "id": 5}
    row = one(make, make.entry("a", -0.7, [own, own | other], bytes=[97], id=5))
    assert row["n_entries"] == 2
    assert row["top_mass"] == pytest.approx(2 * math.exp(-0.7))
    assert row["margin"] == 0
    assert not row["off_top1"]


def test_equal_texts_of_other_logprob_are_distinct_entries(make):
    row = one(make, make.entry("a", -0.7, [("a", -0.7), ("a", -2.0)]))
    assert row["n_entries"] == 2


def test_a_tie_with_the_top_counts_as_top(make):
    rows = metrics_of(
        make,
        make.entry("b", -0.7, [("a", -0.7), ("b", -0.7)]),
        make.entry("b", -0.8, [("a", -0.7), ("b", -0.8)]),
        make.entry("b", 0.0, [("a", 3e-5), ("b", 0.0)]),
        make.entry("b", -0.70001, [("a", -0.7), ("b", -0.7)]),  # its own entry decides
    )
    assert rows["off_top1"].tolist() == [False, True, False, False]


@pytest.mark.parametrize("sentinel", [-9999.0, -9998.0, -1000.0, -3.4e38, -math.inf])
def test_censored_tokens_are_bounded_from_below(make, sentinel):
    top = [("a", math.log(0.5)), ("b", math.log(0.2))]
    rows = metrics_of(
        make,
        make.entry("z", sentinel, top),
        make.entry("z", sentinel, [("a", math.log(0.9)), ("b", math.log(0.09))]),
        make.entry("z", sentinel, [*top, ("z", sentinel)]),
        make.entry("z", sentinel),
        make.entry("z", sentinel, [("a", 0.0)]),
        make.entry("b", sentinel, top),
    )
    assert (rows["status"] == "censored").all()
    assert rows["surprisal"].isna().all()
    expected = [
        -math.log(0.2),  # no likelier than the last of the list
        -math.log(0.01 + 1e-6),  # nor than what the list leaves
        -math.log(0.2),
        0.0,
        -math.log(1e-6),
        -math.log(0.2),  # the list knows better
    ]
    np.testing.assert_allclose(rows["surprisal_lower"], expected, rtol=1e-9)
    assert rows["n_entries"].tolist() == [2, 2, 2, 0, 1, 2]
    assert rows["off_top1"].isna().all()
    assert rows["entropy_lower"].notna().tolist() == [True] * 3 + [False] + [True] * 2


def test_missing_keeps_its_position_and_values_stay_as_sent(make):
    rows = metrics_of(
        make, make.entry("a", -1.0), make.entry("b", None), make.entry("c", 3e-5),
        make.entry("d", 5.0), make.entry("e", -math.inf),
    )  # fmt: skip
    assert rows["position"].tolist() == [0, 1, 2, 3, 4]
    assert rows["status"].tolist() == ["ok", "missing", "ok", "invalid", "censored"]
    np.testing.assert_array_equal(rows["logprob"], [-1.0, np.nan, 3e-5, 5.0, -np.inf])
    np.testing.assert_array_equal(rows["surprisal"], [1.0, np.nan, 0.0, np.nan, np.nan])
    np.testing.assert_array_equal(rows["surprisal_lower"], [1.0, np.nan, 0.0, np.nan, 0.0])
    assert not np.signbit(rows["surprisal"][2])


def test_unreadable_alternatives_leave_the_list_and_its_cap(make):
    top = [("a", math.log(0.5)), ("b", None), ("c", math.log(0.1)), ("d", -9999.0)]
    row = one(make, make.entry("a", math.log(0.5), top))
    assert row["n_entries"] == 2
    # the entry without a logprob may be likelier than 0.1
    assert row["entropy_lower"] == pytest.approx(truth([0.5, 0.1, 0.4]))


def test_logits_are_no_probabilities(make):
    row = one(make, make.entry("a", 5.0, [("a", 5.0), ("b", 3.0), ("c", 2.5)]))
    assert row["n_entries"] == 0
    assert math.isnan(row["top_mass"])
    assert math.isnan(row["entropy_lower"])
    assert not row["excess_mass"]


def test_mass_above_one_by_rounding_is_one(make):
    p = np.array([0.4004, 0.3002, 0.2003, 0.0991])
    top = [(str(i), round(math.log(x), 4)) for i, x in enumerate(p / p.sum() * 1.00003)]
    row = one(make, make.entry("0", top[0][1], top), vocab_size=10)
    assert row["top_mass"] > 1 + 1e-6
    assert not row["excess_mass"]
    assert row["missing_mass"] == 0
    assert row["entropy_lower"] < truth(p) < row["entropy_upper"]
    assert row["entropy_upper"] == pytest.approx(row["entropy_lower"], rel=1e-3)


@pytest.mark.parametrize("digits", [2, 3, 4, 5, 6])
def test_bounds_hold_the_entropy_of_rounded_lists(make, digits):
    """Where all logprobs of a list are rounded, the mass outside of it is an interval."""
    rng = np.random.default_rng(digits)
    entropy, entries = [], []
    for true, entry in random_positions(make, rng, 1500, 64):
        top = [(each["token"], round(each["logprob"], digits)) for each in entry["top_logprobs"]]
        if len(top) < 3:  # trailing zeros hide how many decimals were sent
            continue
        entropy.append(true)
        entries.append(make.entry(entry["token"], round(entry["logprob"], digits), top))
    got = metrics_of(make, *entries, vocab_size=64)
    assert not got["excess_mass"].any()
    assert (got["entropy_lower"] <= np.array(entropy) + SLACK).all()
    assert (got["entropy_upper"] >= np.array(entropy) - SLACK).all()
    width = got["entropy_upper"] - got["entropy_lower"]
    assert (width < 0.1).mean() > 0.2


def test_bounds_are_never_inverted(make):
    peaked = [("a", -0.01), *((str(i), -float(i)) for i in range(12, 31))]
    vanishing = [("a", -745.2), ("b", -9000.0)]
    for top in (peaked, vanishing):
        row = one(make, make.entry("a", top[0][1], top), vocab_size=100_000)
        assert 0 <= row["entropy_lower"] <= row["entropy_upper"] <= math.log(100_000)
    assert one(make, make.entry("a", peaked[0][1], peaked))["entropy_lower"] < 0.17


def test_half_precision_is_not_rounding(make):
    top = [("a", -0.5), ("b", -1.25), ("c", -20.125)]
    row = one(make, make.entry("a", -0.5, top), vocab_size=4)
    p = np.exp([value for _, value in top])
    assert row["entropy_upper"] == pytest.approx(truth([*p, 1 - p.sum()]))


def test_mass_above_one_beyond_rounding_has_no_entropy(make):
    top = [("a", -0.1054), ("b", -1.6094)]  # 0.9 and 0.2
    rows = metrics_of(make, make.entry("a", -0.1054, top), make.entry("z", -9999.0, top),
                      vocab_size=10)  # fmt: skip
    assert rows["excess_mass"].tolist() == [True, True]
    np.testing.assert_allclose(rows["top_mass"], 1.1, rtol=1e-3)
    for name in ("missing_mass", "entropy_lower", "entropy_upper", "entropy_topk"):
        assert rows[name].isna().all()
    assert rows["surprisal"][0] == 0.1054
    assert rows["surprisal_lower"][1] == 0  # such a list tells nothing


def test_single_precision_leaves_a_little_over_one(make):
    top = [("a", -1.1920928955078125e-07), ("b", -13.815510749816895)]
    row = one(make, make.entry("a", top[0][1], top))
    assert 1 < row["top_mass"] < 1 + 1e-6
    assert not row["excess_mass"]
    assert row["missing_mass"] == 0


def test_underflowing_probabilities(make):
    row = one(make, make.entry("a", -800.0, [("b", -0.0), ("a", -800.0)]), vocab_size=5)
    assert row["probability"] == 0
    assert row["entropy_lower"] == row["entropy_upper"] == row["entropy_topk"] == 0
    assert row["off_top1"]


@pytest.mark.parametrize("block", [1, 7, 100])
def test_blocks_and_chunks_make_no_difference(lp, make, monkeypatch, block):
    whole = token_metrics(lp, vocab_size=262_144)
    monkeypatch.setattr("toolkit.metrics._blocks.BLOCK_ROWS", block * 20)
    part = make.select(make.rechunked(lp, 37), lambda key: key < 20)
    got = token_metrics(part, vocab_size=262_144)
    pd.testing.assert_frame_equal(got, whole[whole["response_key"] < 20], check_exact=True)


def test_no_tokens(make):
    got = metrics_of(make)
    assert list(got) == schema.TOKEN_METRICS.names
    assert len(got) == 0


@pytest.mark.parametrize("value", [0, -5, 2.5, "many", True])
def test_vocab_size_must_be_a_positive_integer(make, value):
    with pytest.raises(ArgumentError, match="vocab_size"):
        metrics_of(make, make.entry("a", -1.0), vocab_size=value)


def test_vocab_size_must_exceed_the_list(make):
    entry = make.entry("z", -4.0, [("a", -1.0), ("b", -2.0)])
    with pytest.raises(ArgumentError, match="vocab_size=3: expected more .* one has 3"):
        metrics_of(make, entry, vocab_size=3)
    assert metrics_of(make, entry, vocab_size=np.int64(4))["entropy_upper"].notna().all()


def test_tables_must_belong_together(make):
    entries = [make.entry("a", -1.0, [("a", -1.0), ("b", -2.0)]) for _ in range(2)]
    lp = make.tables([make.body(*entries)])
    short = make.tables([make.body(*entries)])
    short.alternatives = lp.alternatives.slice(1)
    with pytest.raises(SchemaError, match="n_alternatives adds up to 4"):
        token_metrics(short)
    lp.alternatives = lp.alternatives.take([2, 3, 0, 1])
    with pytest.raises(SchemaError, match="alternatives.position does not follow"):
        token_metrics(lp)
