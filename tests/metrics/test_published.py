"""Figures of published implementations on the same recordings.

They were computed once and written down, since these packages bring PyTorch, datasets and more:
torchmetrics 1.9.0 (with torch 2.13.0) and uqlm 0.6.7 (installed without its dependencies).
scikit-learn, scipy and relplot are compared with in the tests of calibration and selection.
"""

import re

import numpy as np
import pandas as pd
import pytest

import toolkit

# uqlm: TopLogprobsScorer, SingleLogprobsScorer; the first six answers.
UQLM = {
    "min_token_negentropy": [
        *(0.002908786418, 0.02310597174, 0.007006026555),
        *(0.00387115463, 0.006792206422, 0.03462318324),
    ],
    "mean_token_negentropy": [
        *(0.3100027627, 0.6875863541, 0.3241184389),
        *(0.3947587926, 0.4753710857, 0.7014412457),
    ],
    "probability_margin": [
        *(0.3489789897, 0.6967577847, 0.2783158967),
        *(0.3861528487, 0.4520201077, 0.6954758623),
    ],
    "min_probability": [
        *(0.04402016594, 0.1734577819, 0.04195972435),
        *(0.04606443025, 0.0446485925, 0.08365817238),
    ],
    "sequence_probability": [
        *(0.3788549234, 0.6728969197, 0.2905894287),
        *(0.31232955, 0.4026038075, 0.6558656659),
    ],
}
# uqlm.nli.entropy_utils: the first six sums, clustered by the first number; and equal shares.
SEMANTIC = [0.9982428445, 1.561348111, 1.339483813, 0.7130439551, 0.5186408911, 1.040014209]
DISCRETE = [0.9502705392, 1.609437912, 1.33217904, 0.9502705392, 0.673011667, 1.33217904]


def test_uqlm_on_answers(samples):
    lp = toolkit.read(samples / "pairs_whole.jsonl")
    sequences = toolkit.sequence_metrics(lp).iloc[:6]
    found = toolkit.confidence_metrics(lp).iloc[:6]
    np.testing.assert_allclose(sequences["mean_margin"], UQLM["probability_margin"], rtol=1e-8)
    np.testing.assert_allclose(sequences["min_probability"], UQLM["min_probability"], rtol=1e-8)
    np.testing.assert_allclose(found["mean_probability"], UQLM["sequence_probability"], rtol=1e-8)
    tokens = toolkit.token_metrics(lp)
    k = tokens["n_entries"]
    assert k.nunique() == 1
    negentropy = 1 - tokens["entropy_topk"] / np.log(k)
    groups = negentropy.groupby(tokens["response_key"])
    np.testing.assert_allclose(groups.mean().iloc[:6], UQLM["mean_token_negentropy"], rtol=1e-8)
    np.testing.assert_allclose(groups.min().iloc[:6], UQLM["min_token_negentropy"], rtol=1e-7)


def test_uqlm_on_choices(samples):
    lp = toolkit.read(samples / "arithmetic_n5.jsonl")
    found = toolkit.agreement(lp, answer=lambda text: re.findall(r"-?\d+", text)[0]).iloc[:6]
    np.testing.assert_allclose(found["semantic_entropy"], SEMANTIC, rtol=1e-8)
    np.testing.assert_allclose(found["semantic_entropy_discrete"], DISCRETE, rtol=1e-8)


def test_torchmetrics(samples):
    lp = toolkit.read(samples / "stories_k10.jsonl")
    # text.Perplexity, over a vocabulary of the sampled token and all else.
    assert toolkit.sequence_metrics(lp)["perplexity"][0] == pytest.approx(
        4.876071453094482, rel=1e-6
    )
    answers = toolkit.join_labels(
        toolkit.confidence_metrics(toolkit.read(samples / "capitals_batch.jsonl")),
        pd.read_csv(samples / "capitals_labels.csv"),
    )
    judged = answers["probability"], answers["correct"]
    found = toolkit.calibration(*judged, n_bootstrap=0).iloc[0]
    # BinaryCalibrationError(n_bins=10), norm l1 and max.
    assert found["ece"] == pytest.approx(0.21077437966577914, rel=1e-6)
    assert found["mce"] == pytest.approx(0.636935682958476, rel=1e-6)
    ranked = toolkit.selective(*judged, n_bootstrap=0).iloc[0]
    assert ranked["auroc"] == pytest.approx(0.7692307233810425, rel=1e-6)  # BinaryAUROC
    assert ranked["auprc"] == pytest.approx(0.9553468227386475, rel=1e-6)
