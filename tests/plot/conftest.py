"""Recordings and judged answers to plot."""

import pandas as pd
import pytest

import toolkit


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
