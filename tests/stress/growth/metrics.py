"""Measure how the time of every metric grows with the number of answers.

``python -m tests.stress.growth.metrics`` prints a table and takes a few minutes; with names, only
these. The exit code is 1 if a metric takes more than `PER_TEN` times as long for ten times as many
answers, or, unless it resamples, more than `PER_ANSWER` times as long as `sequence_metrics`.
"""

import argparse
import json
import sys
import warnings
from time import process_time
from typing import NamedTuple

import numpy as np
import pandas as pd

import toolkit
from toolkit import metrics

SIZES = (10_000, 100_000)
PER_TEN, PER_ANSWER = 12, 30
CHOICES = 5  # of a question, in `agreement` and `votes`
RESAMPLING = {"calibration", "selective", "compare_summary", "same_model"}
WORDS = (" the", " quick", " fox", " Paris", ".", " jumps", " über", " 42", " yes", " no")


class Corpus(NamedTuple):
    """Answers, and what metrics need besides."""

    lp: toolkit.LogprobTables
    several: toolkit.LogprobTables  # as many answers, `CHOICES` to a question
    repeated: toolkit.LogprobTables  # as many answers, ten to a prompt
    objects: toolkit.LogprobTables  # as many answers in JSON
    confidence: np.ndarray
    correct: np.ndarray


def _choice(rng, index=0, texts=None):
    texts = texts or [WORDS[i] for i in rng.integers(0, len(WORDS), rng.integers(4, 9))]
    content = []
    for text, logprob in zip(texts, (-rng.exponential(0.5, len(texts))).tolist(), strict=True):
        others = [(text, logprob), *((f" z{j}", logprob - 1 - j) for j in range(2))]
        top = [{"token": token, "logprob": each} for token, each in others]
        content.append({"token": text, "logprob": logprob, "top_logprobs": top})
    message = {"content": "".join(texts)}
    return {"index": index, "message": message, "logprobs": {"content": content}}


def _read(bodies, ids=None):
    lines = (
        json.dumps({**body, "created": 1_700_000_000 + i, "usage": _USAGE, "model": f"m{i % 3}"})
        for i, body in enumerate(bodies)
    )
    lp = toolkit.read("\n".join(lines).encode(), threads=1, progress=False)
    if ids is None:
        return lp
    at = lp.responses.column_names.index("custom_id")
    responses = lp.responses.set_column(at, "custom_id", [ids])
    return toolkit.LogprobTables(
        responses, lp.choices, lp.tokens, lp.alternatives, lp.rejects, lp.ledger
    )


_USAGE = {"prompt_tokens": 9, "completion_tokens": 6, "total_tokens": 15}


def corpus(n):
    """Make n answers of each kind."""
    rng = np.random.default_rng(n)
    lp = _read({"choices": [_choice(rng)]} for _ in range(n))
    fields = ['{"a":', " 7", ', "b":', ' "x', '"}']
    confidence = rng.uniform(size=n)
    return Corpus(
        lp,
        _read(
            {"choices": [_choice(rng, j, [WORDS[8 + rng.integers(2)]]) for j in range(CHOICES)]}
            for _ in range(n // CHOICES)
        ),
        _read(({"choices": [_choice(rng)]} for _ in range(n)), [f"q{i // 10}" for i in range(n)]),
        _read({"choices": [_choice(rng, texts=fields)]} for _ in range(n)),
        confidence,
        rng.uniform(size=n) < confidence,
    )


def _scores(data):
    """Score every answer to a prompt as one of its options."""
    texts = data.repeated.choices["content"].to_pylist()
    options = pd.DataFrame(
        {
            "custom_id": data.repeated.responses["custom_id"].to_pylist(),
            "option": [str(i % 10) for i in range(len(texts))],
            "text": texts,
        }
    )
    return metrics.option_scores(data.repeated, options, channel="content")


def _labelled(data):
    return pd.DataFrame({"custom_id": np.arange(len(data.correct)), "correct": data.correct})


CASES = {
    **{
        name: lambda c, name=name: getattr(metrics, name)(c.lp)
        for name in (
            "sequence_metrics",
            "token_metrics",
            "corpus_metrics",
            "position_metrics",
            "answers",
        )
        + ("confidence_metrics", "token_confidence", "spans", "word_metrics", "check", "usage")
        + ("usage_over_time", "usage_histogram", "token_histogram", "ecdf", "finish_reasons")
    },
    "span_metrics": lambda c: metrics.span_metrics(c.lp, metrics.spans(c.lp)),
    "field_metrics": lambda c: metrics.field_metrics(c.objects),
    "label_distribution": lambda c: metrics.label_distribution(c.lp, ["yes", "no"]),
    "p_true": lambda c: metrics.p_true(c.lp),
    "expected_score": lambda c: metrics.expected_score(c.lp, (0, 9)),
    "agreement": lambda c: metrics.agreement(c.several),
    "votes": lambda c: metrics.votes(c.several),
    "join_labels": lambda c: metrics.join_labels(
        metrics.sequence_metrics(c.repeated),
        dict.fromkeys(c.repeated.responses["custom_id"].to_pylist(), 1),
    ),
    "compare": lambda c: metrics.compare(c.lp, c.lp, on="position"),
    "compare_tokens": lambda c: metrics.compare_tokens(c.lp, c.lp, on="position"),
    "compare_summary": lambda c: metrics.compare_summary(
        metrics.compare(c.lp, c.lp, on="position"), n_bootstrap=100
    ),
    "divergence": lambda c: metrics.divergence(c.lp, c.lp, on="position"),
    "text_metrics": lambda c: metrics.text_metrics(c.lp, channel="content"),
    "text_perplexity": lambda c: metrics.text_perplexity(
        metrics.text_metrics(c.lp, channel="content")
    ),
    "option_scores": _scores,
    "multiple_choice": lambda c: metrics.multiple_choice(_scores(c)),
    "evaluate": lambda c: metrics.evaluate(_labelled(c)),
    "compare_evaluations": lambda c: metrics.compare_evaluations(_labelled(c), _labelled(c)),
    "noise_floor": lambda c: metrics.noise_floor(c.lp, c.lp, on="position"),
    "prefix_survival": lambda c: metrics.prefix_survival(c.lp, c.lp, on="position"),
    "rollout_mismatch": lambda c: metrics.rollout_mismatch(c.lp, c.lp, on="position"),
    "same_model": lambda c: metrics.same_model(c.repeated, c.repeated, n_permutations=100),
    "calibration": lambda c: metrics.calibration(c.confidence, c.correct, n_bootstrap=100),
    "reliability": lambda c: metrics.reliability(c.confidence, c.correct),
    "selective": lambda c: metrics.selective(c.confidence, c.correct, n_bootstrap=100),
    "length_confounding": lambda c: metrics.length_confounding(
        c.confidence, c.correct, metrics.sequence_metrics(c.lp)["n_tokens"]
    ),
    "risk_coverage": lambda c: metrics.risk_coverage(c.confidence, c.correct),
    "threshold_for": lambda c: metrics.threshold_for(c.confidence, c.correct, accuracy=0.8),
    "fit_calibrator": lambda c: metrics.fit_calibrator(
        c.confidence, c.correct, method="temperature"
    ),
}
"""A call of every metric, by its name."""


def seconds(name, data, repeats=2):
    """Return the least CPU seconds of a call."""
    found = []
    for _ in range(repeats):
        start = process_time()
        CASES[name](data)
        found.append(process_time() - start)
    return min(found)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", choices=[*CASES, []])
    parser.add_argument("--sizes", nargs=2, type=int, default=SIZES)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    names = ["sequence_metrics", *(n for n in options.names or CASES if n != "sequence_metrics")]
    small, large = (corpus(n) for n in options.sizes)
    factor = options.sizes[1] / options.sizes[0]
    CASES["sequence_metrics"](small)  # imports
    unit, failed = 0.0, 0
    print(f"{'':20} {options.sizes[0]:>9,} {options.sizes[1]:>9,} {'per x10':>8} {'unit':>6}")
    for name in names:
        times = [seconds(name, data) for data in (small, large)]
        unit = unit or times[1]
        growth = (times[1] / times[0]) ** (np.log(10) / np.log(factor))
        units = times[1] / unit
        slow = bool(growth > PER_TEN or (units > PER_ANSWER and name not in RESAMPLING))
        failed += slow
        note = " resamples" * (name in RESAMPLING) + "  <--" * slow
        print(
            f"{name:20} {times[0]:9.3f} {times[1]:9.3f} {growth:8.1f} {units:6.1f}{note}",
            flush=True,
        )
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
