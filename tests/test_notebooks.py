"""The notebooks run from top to bottom."""

import os
import re

import nbformat
import numpy as np
import pandas as pd
import pytest

import toolkit
from tests.conftest import ROOT
from tools.notebooks import MADE_WITH, clean, execute, versions

NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))


@pytest.mark.slow
@pytest.mark.filterwarnings("default")  # Jupyter's own packages warn about each other
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook_runs(path, tmp_path, monkeypatch):
    monkeypatch.setenv("MPLBACKEND", "module://matplotlib_inline.backend_inline")
    monkeypatch.setenv("TQDM_DISABLE", "1")
    monkeypatch.setenv("PYTHONPATH", os.fspath(ROOT))
    (tmp_path / "data").symlink_to(ROOT / "data")
    (tmp_path / "notebooks").mkdir()
    notebook = execute(path, tmp_path / "notebooks")
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    assert not [output for output in outputs if output.get("name") == "stderr"]
    assert any("image/png" in output.get("data", {}) for output in outputs)
    if versions() != MADE_WITH.read_text():  # others print numbers and sizes otherwise
        return
    kept = nbformat.read(path, as_version=4)
    for new, old in zip(notebook.cells, kept.cells, strict=True):
        assert texts(new) == texts(old), new.source


def texts(cell):
    """Return what a cell prints as text, without addresses and sizes that change."""
    return [
        output.get("text") or output.get("data", {}).get("text/plain")
        for output in cell.get("outputs", [])
    ]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook_is_kept_with_the_outputs_of_one_clean_run(path):
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    counts = [cell.execution_count for cell in notebook.cells if cell.cell_type == "code"]
    assert counts == list(range(1, len(counts) + 1))
    assert clean(nbformat.read(path, as_version=4)) == notebook
    assert os.fspath(ROOT) not in path.read_text()


def test_there_are_notebooks():
    assert NOTEBOOKS


# What the prose says


def test_confidence_says_what_is_so(data):
    sums = toolkit.read(data / "arithmetic_n5.jsonl")
    expected = pd.read_csv(data / "arithmetic_labels.csv")["expected"].astype(str)

    def number(text):
        return (re.findall(r"-?\d+", text) or [None])[0]

    found = toolkit.agreement(sums, answer=number, weight="mean_probability")
    correct = found["majority"] == expected
    assert (correct.sum(), (found["weighted_majority"] == expected).sum()) == (5, 6)
    lower = {
        name: toolkit.selective(sign * found[name], correct)["auroc_lower"].iloc[0]
        for name, sign in (("majority_share", 1), ("vote_entropy", -1), ("semantic_entropy", -1))
    }
    assert lower["semantic_entropy"] > 0.5 > max(lower["majority_share"], lower["vote_entropy"])

    reviews = toolkit.read(data / "sentiment_k20.jsonl")
    labels = toolkit.label_distribution(reviews, ["positive", "negative"], renormalise=True)
    share = labels.loc[labels["label"] == "positive", "share"].to_numpy()
    truth = pd.read_csv(data / "sentiment_labels.csv")["expected"] == "positive"
    assert (share > 0.5).sum() == 16
    assert ((share > 0.5) == truth).mean() == 0.7
    assert toolkit.selective(share, truth)["auroc"].iloc[0] == 1.0
    unseen = labels.groupby("response_key")[["ambiguous", "unobserved"]].first().mean().sum()
    assert 0.045 < unseen < 0.055

    fields = toolkit.field_metrics(toolkit.read(data / "structured.jsonl"))
    medians = fields.groupby("path")[["probability", "first_probability"]].median()
    assert medians["probability"].idxmin() == "$.year"
    assert medians.loc["$.year", "first_probability"] > 0.98
    worst = fields[fields["path"] == "$.field"].nsmallest(1, "probability").iloc[0]
    assert worst["first_alternatives"][0]["token"] != worst["value"]


def test_calibration_says_what_is_so(data):
    answers = toolkit.join_labels(
        toolkit.confidence_metrics(toolkit.read(data / "capitals_batch.jsonl")),
        pd.read_csv(data / "capitals_labels.csv"),
    )
    confidence, correct = answers["probability"], answers["correct"]
    table = toolkit.reliability(confidence, correct)
    assert (table["gap"].dropna() < 0).all()
    found = toolkit.calibration(confidence, correct).iloc[0]
    assert round(found["gap"], 2) == -0.21
    assert found["ece"] == pytest.approx(-found["gap"])
    assert 0.4 < found["ece_if_calibrated"] / found["ece"] < 0.5
    ranked = toolkit.selective(confidence, correct).iloc[0]
    assert [round(ranked[f"auroc{end}"], 2) for end in ("", "_lower", "_upper")] == [
        0.77,
        0.6,
        0.87,
    ]
    assert ranked["n_wrong"] == 13
    length = toolkit.selective(confidence, correct, n_tokens=answers["n_tokens"]).iloc[0]
    assert round(length["auroc_length"], 2) == 0.66
    assert round(length["auroc_within_length"], 2) == 0.84
    assert length["length_correlation"] < 0
    promised = [
        toolkit.threshold_for(confidence, correct, accuracy=target).iloc[0]
        for target in (0.8, 0.85, 0.9)
    ]
    assert [row["coverage"] for row in promised[:2]] == [1.0, 0.24]
    assert (promised[2]["reason"], promised[2]["observed_coverage"]) == ("not_reached", 0.92)
    half = np.random.default_rng(0).permutation(100) < 50
    gaps = {
        method: toolkit.calibration(
            toolkit.fit_calibrator(confidence[half], correct[half], method=method)(
                confidence[~half]
            ),
            correct[~half],
        )["gap"].iloc[0]
        for method in ("temperature", "platt", "isotonic")
    }
    assert gaps["temperature"] < -0.2
    assert abs(gaps["platt"]) < 0.05
    assert abs(gaps["isotonic"]) < 0.05


def test_comparison_says_what_is_so(data):
    cold, warm = (toolkit.read(data / n) for n in ("pairs_whole.jsonl", "stories_k10.jsonl.gz"))
    row = toolkit.compare_summary(toolkit.compare(cold, warm, on="position")).iloc[0]
    assert round(row["delta_nll"], 2) == 0.23
    assert row["delta_nll_lower"] < 0 < row["delta_nll_upper"]
    assert round(row["share_above_0"], 2) == 0.95
    assert row["flip_rate"] == 0
    assert row["js_lower"] < 1e-3


def test_same_model_says_what_is_so(data):
    repeats, later, coarser, rollout, trainer = (
        toolkit.read(data / f"{name}.jsonl.gz")
        for name in (
            *("repeats_bf16", "repeats_bf16_later", "repeats_q4_0"),
            *("rollout_bf16", "rollout_fp32"),
        )
    )
    keys = repeats.responses["response_key"].to_pylist()
    first, second = (repeats.filter(response_key=keys[i : i + 20]) for i in (0, 20))
    noise = toolkit.metrics.noise_floor(first, second).iloc[0]
    assert noise[["n_bit_equal", "n_flips", "n_near_ties"]].tolist() == [6, 4, 4]
    assert round(noise["p90_abs_difference"], 2) == 0.05
    last = toolkit.metrics.prefix_survival(first, second).iloc[-1]
    found = last[["survival", "survival_lower", "survival_upper"]].round(2)
    assert (last["position"], *found) == (23, 0.6, 0.35, 0.78)
    same, other = (toolkit.metrics.same_model(repeats, run).iloc[0] for run in (later, coarser))
    assert same[["difference", "expected_difference", "p_value"]].round(3).tolist() == [
        *(0.018, 0.019, 0.544),
    ]
    assert other[["excess", "excess_lower", "excess_upper"]].round(2).tolist() == [0.3, 0.23, 0.37]
    assert other["p_value"] == other["p_least"]
    gap = toolkit.metrics.rollout_mismatch(rollout, trainer).set_index("weighting")
    assert round(gap.loc["token", "k3"], 3) == 0.002
    assert gap.loc["token", "share_above_2"] == 0
    assert gap.loc["sequence", ["ess", "share_above_2"]].round(2).tolist() == [0.68, 0.1]


def test_comparison_of_models_says_what_is_so(data):
    finer, coarser = (toolkit.read(data / f"given_{q}.jsonl.gz") for q in ("q4_1", "q4_0"))
    report = toolkit.metrics.divergence(finer, coarser, channel="prompt").set_index("measure")
    mean = report["mean"].round(2)
    assert mean[["kl_lower", "tv_lower", "tv_upper", "same_top1"]].tolist() == [
        0.27,
        0.25,
        0.51,
        0.58,
    ]
    assert mean[["acceptance_lower", "acceptance_upper"]].tolist() == [0.49, 0.75]
    assert report["n_clusters"].eq(30).all()
    assert report.loc["kl_lower", ["median", "p99"]].round(2).tolist() == [0.16, 1.98]
    bits = [toolkit.metrics.text_perplexity(lp)["bits_per_byte"][0] for lp in (finer, coarser)]
    assert [round(x, 2) for x in bits] == [1.25, 1.3]
    options = pd.read_csv(data / "options.csv")
    scores = [
        toolkit.metrics.option_scores(toolkit.read(data / f"options_{q}.jsonl.gz"), options)
        for q in ("q4_1", "q4_0")
    ]
    chosen = [toolkit.metrics.multiple_choice(each) for each in scores]
    by_norm = chosen[0][chosen[0]["measure"] == "acc_norm"]
    assert by_norm["is_changed"].mean() == 0.4
    versus = toolkit.compare_evaluations(*chosen, on="question", by="measure", score="is_correct")
    assert (versus["mcnemar_p"].dropna() == 1).all()
    right = [each[each["is_correct"]] for each in scores]
    found = toolkit.compare_evaluations(*right, on="question", score="acc").iloc[0]
    assert found["difference_upper"] < 0
