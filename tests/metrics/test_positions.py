"""Metrics over positions."""

import math

import numpy as np
import pandas as pd
import pytest

import toolkit
from toolkit.metrics.positions import windowed_probability


def test_position_metrics_are_quantiles_of_token_metrics(samples):
    lp = toolkit.read(samples / "stories_k10.jsonl")
    tokens = toolkit.token_metrics(lp)
    table = toolkit.metrics.position_metrics(lp).set_index("position")
    for position in (0, 17, 159):
        values = tokens.loc[tokens["position"] == position, "entropy_lower"]
        assert table.loc[position, "n_tokens"] == len(values)
        for name, q in (("q25", 25), ("median", 50), ("q75", 75)):
            expected = np.percentile(values.dropna(), q)
            assert table.loc[position, f"entropy_lower_{name}"] == pytest.approx(expected)


def test_windows_end_at_usable_tokens():
    tokens = pd.DataFrame({"probability": [0.5, math.nan, 1.0, 0.0, math.nan, 0.5]})
    got = windowed_probability(tokens, 3).to_numpy()
    np.testing.assert_allclose(got, [math.nan, math.nan, math.nan, 0.5, math.nan, 0.5])
    assert windowed_probability(tokens, 1).equals(tokens["probability"])
    assert windowed_probability(tokens, 5).isna().all()
    assert windowed_probability(tokens[:0], 1).empty
