"""Close figures after each test; load recordings and judged answers to plot."""

import pandas as pd
import pytest
from matplotlib import pyplot as plt

import toolkit


@pytest.fixture(autouse=True)
def _close_figures():
    plt.close("all")
    yield
    plt.close("all")


@pytest.fixture(scope="session")
def stories(data):
    return toolkit.read(data / "stories_k10.jsonl.gz")


@pytest.fixture(scope="session")
def judged(data):
    """Return confidences, and whether each answer is correct."""
    answers = toolkit.join_labels(
        toolkit.confidence_metrics(toolkit.read(data / "capitals_batch.jsonl")),
        pd.read_csv(data / "capitals_labels.csv"),
    )
    return answers["probability"], answers["correct"]
