"""Formulas that name only columns of their table give the values of these columns."""

import re

import numpy as np
import pandas as pd
import pytest

import toolkit
from toolkit import metrics, schema

FUNCTIONS = {"exp": np.exp, "ln": np.log, "min": np.minimum, "max": np.maximum}


@pytest.fixture(scope="module")
def frames(data):
    """A result table of each kind, of recordings."""
    lp = toolkit.read([data / "capitals_batch.jsonl", data / "stories_k10.jsonl.gz"])
    sums = toolkit.read(data / "arithmetic_n5.jsonl")
    answers = toolkit.confidence_metrics(lp.filter(source=str(data / "capitals_batch.jsonl")))
    judged = toolkit.join_labels(answers, pd.read_csv(data / "capitals_labels.csv"))
    judged = judged["probability"], judged["correct"]
    cold, warm = (toolkit.read(data / n) for n in ("pairs_whole.jsonl", "pairs_stream.sse"))
    pairs = toolkit.compare(cold, warm, on="position")
    given, options = (toolkit.read(data / f"{name}_q4_1.jsonl.gz") for name in ("given", "options"))
    sums_a = toolkit.sequence_metrics(given)
    sums_b = toolkit.sequence_metrics(toolkit.read(data / "given_q4_0.jsonl.gz"))
    return {
        "token_metrics": toolkit.token_metrics(lp, vocab_size=262_144),
        "sequence_metrics": toolkit.sequence_metrics(lp),
        "corpus_metrics": toolkit.corpus_metrics(lp, by="source"),
        "word_metrics": toolkit.word_metrics(lp),
        "confidence_metrics": toolkit.confidence_metrics(lp),
        "usage": toolkit.usage(lp, by="source"),
        "agreement": toolkit.agreement(sums),
        "calibration": toolkit.calibration(*judged),
        "reliability": toolkit.reliability(*judged),
        "risk_coverage": metrics.risk_coverage(*judged),
        "threshold_for": toolkit.threshold_for(*judged, accuracy=0.8),
        "compare_tokens": toolkit.compare_tokens(cold, warm, on="position"),
        "compare_summary": toolkit.compare_summary(pairs),
        "text_metrics": metrics.text_metrics(given),
        "text_perplexity": metrics.text_perplexity(given),
        "option_scores": metrics.option_scores(options, pd.read_csv(data / "options.csv")),
        "compare_evaluations": toolkit.compare_evaluations(sums_a, sums_b, score="mean_logprob"),
        "token_histogram": metrics.token_histogram(lp),
        "ecdf": metrics.ecdf(lp),
        "check": toolkit.check(lp),
    }


def test_formulas_of_columns_give_their_values(frames):
    checked = []
    for name, frame in frames.items():
        for column in getattr(schema, name.upper()).columns:
            names = set(re.findall(r"[A-Za-z_]\w*", column.formula)) - set(FUNCTIONS)
            if not names or not names <= set(frame.columns) or "|" in column.formula:
                continue
            values = {each: frame[each].astype(float).to_numpy() for each in names}
            with np.errstate(all="ignore"):
                expected = eval(column.formula, {"__builtins__": {}}, FUNCTIONS | values)
            found = frame[column.name].astype(float).to_numpy()
            known = ~np.isnan(found)
            np.testing.assert_allclose(found[known], expected[known], rtol=1e-12, atol=1e-15)
            assert known.any(), f"{name}.{column.name}"
            checked.append(f"{name}.{column.name}")
    assert len(checked) >= 25, checked
