"""Simulate answers of known laws, and count how often each interval holds the truth.

``python -m tests.stress.coverage`` prints the table in tests/README.md. A cell is the share of
samples whose interval holds the truth, of those that have an interval; "null" where most have none
(``no_interval`` says why). Every interval is at 95 %.
"""

import argparse
import functools
import math
import warnings
from collections import defaultdict

import numpy as np
import pandas as pd

import toolkit
from toolkit import schema
from toolkit.errors import ToolkitWarning
from toolkit.metrics import (
    calibration,
    compare_evaluations,
    compare_summary,
    divergence,
    evaluate,
    reliability,
    risk_coverage,
    selective,
    threshold_for,
)

SIZES = (30, 100, 1000)
RHO = 0.8  # correlation of two answers to one question
EACH = 5  # answers to a question
COVERAGES = (0.2, 0.5, 0.8)
RANKING = ("auroc", "auprc", "auprc_errors", "aurc", "eaurc", "prr")
PROMISE = 0.9  # level of the guarantee of threshold_for
LAWS = ("calibrated", "overconfident", "hard", "clustered")
LEAST, MOST = 0.92, 0.99


def draw(law, n, rng):
    """Return confidences, correctness and questions of `n` answers."""
    if law == "clustered":
        own, asked = draw("overconfident", n, rng), draw("overconfident", n // EACH, rng)
        question = np.repeat(np.arange(n // EACH), EACH)
        is_shared = rng.random(n) < math.sqrt(RHO)
        sure, right = (
            np.where(is_shared, theirs[question], mine)
            for mine, theirs in zip(own[:2], asked[:2], strict=True)
        )
        return sure, right, question
    u = rng.random(n)
    sure, chance = {
        "calibrated": lambda: (0.5 + u / 2, 0.5 + u / 2),
        "overconfident": lambda: (0.5 + np.sqrt(u) / 2, 0.6 + 0.3 * u),  # 75 % right
        "hard": lambda: (1 - u**3 / 10, 1 - u**3 / 50),  # 99.5 % right
    }[law]()
    return sure, (rng.random(n) < chance).astype(float), np.arange(n)


def quietly(function, *args, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ToolkitWarning)
        return function(*args, **options)


@functools.cache
def truth_of(law, n=1_000_000):
    """Return each measure of a million independent answers of a law."""
    law = "overconfident" if law == "clustered" else law
    sure, right, _ = draw(law, n, np.random.default_rng(1))
    found = calibration(sure, right, n_bootstrap=0).iloc[0]
    ranked = selective(sure, right, coverages=COVERAGES, n_bootstrap=0).iloc[0]
    truth = {name: found[name] for name in ("accuracy", "gap", "brier", "log_loss")}
    truth |= {name: ranked[name] for name in RANKING}
    truth |= {f"accuracy@{c}": ranked["accuracy_at_coverage"][c] for c in COVERAGES}
    order = np.argsort(-sure)
    return truth | {"sure": sure[order], "right_above": np.cumsum(right[order])}


def accuracy_above(truth, threshold):
    """Return the accuracy of the answers whose confidence is at least a threshold."""
    n = len(truth["sure"]) - np.searchsorted(truth["sure"][::-1], threshold)
    return truth["right_above"][max(n, 1) - 1] / max(n, 1)


def intervals(sure, right, question, law, n_bootstrap, seed):
    """Return each interval of a sample, by name; those that are null are NaN."""
    clusters = question if law == "clustered" else None
    options = {"clusters": clusters}
    row = quietly(calibration, sure, right, n_bootstrap=0, **options).iloc[0]
    names = ("accuracy", "gap", "brier", "log_loss")
    found = {name: (row[f"{name}_lower"], row[f"{name}_upper"]) for name in names}
    row = quietly(
        selective,
        *(sure, right),
        coverages=COVERAGES,
        n_bootstrap=n_bootstrap,
        seed=seed,
        **options,
    ).iloc[0]
    found |= {name: (row[f"{name}_lower"], row[f"{name}_upper"]) for name in RANKING}
    low, high = row["accuracy_at_coverage_lower"], row["accuracy_at_coverage_upper"]
    found |= {f"accuracy@{c}": (low[c], high[c]) for c in COVERAGES}
    return found


def bins_and_points(sure, right, question, law, truth):
    """Yield (name, low, high, truth) of a bin of reliability and of a point of risk_coverage."""
    clusters = question if law == "clustered" else None
    table = quietly(reliability, sure, right, bins=2, clusters=clusters)
    last = table.iloc[1]
    value = accuracy_above(truth, np.nextafter(last["low"], 1))
    yield "reliability", last["accuracy_lower"], last["accuracy_upper"], value
    curve = quietly(risk_coverage, sure, right, clusters=clusters)
    fixed = truth["sure"][len(truth["sure"]) // 2]
    row = curve[curve["threshold"] >= fixed].tail(1)
    if len(row):
        risk = 1 - accuracy_above(truth, fixed)
        yield "risk_coverage", row["risk_lower"].iloc[0], row["risk_upper"].iloc[0], risk


def covered(law, n, runs, n_bootstrap=200):
    """Return (share that holds the truth, share with an interval) of each interval."""
    rng, truth = np.random.default_rng([n, LAWS.index(law)]), truth_of(law)
    held = defaultdict(list)
    for run in range(runs):
        sample = draw(law, n, rng)
        for name, (low, high) in intervals(*sample, law, n_bootstrap, run).items():
            held[name].append(np.nan if np.isnan(low) else low <= truth[name] <= high)
        for name, low, high, value in bins_and_points(*sample, law, truth):
            held[name].append(low <= value <= high)
    return shares(held)


def shares(held):
    """Return (share that holds the truth, share with an interval) of each interval."""
    return {
        name: (float(np.nanmean(each)) if not np.isnan(each).all() else np.nan,
               float(1 - np.isnan(each).mean()))
        for name, each in ((name, np.array(each, float)) for name, each in held.items())
    }  # fmt: skip


def broken_promises(law, n, runs, target):
    """Return the share of samples with a threshold whose true accuracy is below the target."""
    rng, truth = np.random.default_rng([n, LAWS.index(law), 7]), truth_of(law)
    broken = found = 0
    for _ in range(runs):
        sure, right, question = draw(law, n, rng)
        clusters = question if law == "clustered" else None
        row = quietly(
            threshold_for, sure, right, accuracy=target, level=PROMISE, clusters=clusters
        ).iloc[0]
        if not np.isnan(row["threshold"]):
            found += 1
            broken += accuracy_above(truth, row["threshold"]) < target
    return broken / runs, found / runs


def cluster_law(n, rng, is_clustered):
    """Return the cluster of each of n values, and a function that draws the values."""
    request = np.repeat(np.arange(n // EACH), EACH) if is_clustered else np.arange(n)
    shared = math.sqrt(RHO) if is_clustered else 0.0

    def values(sample):
        theirs = sample(request[-1] + 1)[request]
        return np.where(rng.random(n) < shared, theirs, sample(n))

    return request, values


def evaluated(n, rng, is_clustered):
    """Yield (name, low, high, truth) of the intervals of two evaluations of n questions."""
    passage, values = cluster_law(n, rng, is_clustered)
    one = pd.DataFrame({"custom_id": np.arange(n), "passage": passage})
    chance = values(lambda size: rng.random(size))
    drawn = [
        (chance < 0.7, values(lambda size: rng.random(size)) < 0.8),
        (chance, 0.1 + values(lambda size: rng.exponential(1, size))),
    ]
    for (a, b), names, truth in zip(
        drawn,
        (("evaluate", "difference of shares"), ("evaluate, scores", "difference of scores")),
        ((0.7, 0.1), (0.5, 0.6)),
        strict=True,
    ):
        a, b = (one.assign(correct=scores.astype(float)) for scores in (a, b))
        row = quietly(evaluate, a, clusters="passage").iloc[0]
        yield names[0], row["mean_lower"], row["mean_upper"], truth[0]
        row = quietly(compare_evaluations, a, b, clusters="passage").iloc[0]
        yield names[1], row["difference_lower"], row["difference_upper"], truth[1]


def pairs_of(n, rng, is_clustered):
    """Return a table like that of `compare`, of pairs whose truth is known."""
    request, values = cluster_law(n, rng, is_clustered)
    delta = values(lambda size: rng.exponential(1, size) - rng.exponential(1, size) + 0.1)
    length = values(lambda size: rng.integers(5, 40, size).astype(float))
    flips = values(lambda size: (rng.random(size) < 0.3).astype(float))
    table = pd.DataFrame(dict.fromkeys(schema.COMPARE.names, 0.0), index=range(n))
    return table.assign(
        is_paired=True,
        custom_id=None,
        response_key_a=request,
        response_key_b=request,
        delta_nll=delta,
        sum_logprob_a=-length,
        sum_logprob_b=-length * (1 + delta),
        n_ok_a=length,
        n_ok_b=length,
        same_text=values(lambda size: rng.random(size) < 0.8).astype(bool),
        first_divergence=length,
        n_compared=length,
        n_flips=flips,
        js_lower=values(lambda size: rng.exponential(0.1, size)),
        js_upper=values(lambda size: rng.exponential(0.2, size)),
    )


def compared(n, runs, is_clustered):
    """Return (share that holds the truth, share with an interval) of intervals of two runs."""
    rng, held = np.random.default_rng([n, is_clustered]), defaultdict(list)
    length = 22.0
    truth = {
        "delta_nll": 0.1,
        "delta_nll_pooled": 0.1,
        "same_text_share": 0.8,
        "flip_rate": 0.3 / length,
    }
    for _ in range(runs):
        row = quietly(compare_summary, pairs_of(n, rng, is_clustered), n_bootstrap=0).iloc[0]
        for name, value in truth.items():
            held[name].append(row[f"{name}_lower"] <= value <= row[f"{name}_upper"])
        for end, side, value in (("lower", 1, 0.1), ("upper", -1, 0.2)):
            held[f"js_interval_{end}"].append(row[f"js_interval_{end}"] * side <= value * side)
        for name, low, high, value in evaluated(n, rng, is_clustered):
            held[name].append(np.nan if np.isnan(low) else low <= value <= high)
    return shares(held)


def given_text(n, rng):
    """Return how two models score the same `n` answers of five tokens.

    Their distributions, over two tokens, are listed whole; they differ more in some answers.
    """
    first = rng.normal(1, 1, (n, 5))
    second = first + rng.normal(0, 0.5, (n, 1)) + rng.normal(0, 0.3, (n, 5))
    is_x = rng.random((n, 5)) < 1 / (1 + np.exp(-first))
    return [toolkit.from_responses(map(_scored, odds, is_x)) for odds in (first, second)]


def _scored(odds, is_x):
    entries = []
    for x, sampled in zip((-np.logaddexp(0, -odds)).tolist(), is_x.tolist(), strict=True):
        y = math.log1p(-math.exp(x))
        both = [{"token": "x", "logprob": x}, {"token": "y", "logprob": y}]
        entries.append(both[0 if sampled else 1] | {"top_logprobs": both})
    text = "".join(entry["token"] for entry in entries)
    return {"choices": [{"message": {"content": text}, "logprobs": {"content": entries}}]}


def diverged(n, runs, truth):
    """Return (share that holds the truth, share with an interval) of the measures of divergence."""
    rng, held = np.random.default_rng(n), defaultdict(list)
    for _ in range(runs):
        for row in divergence(*given_text(n, rng), on="position").itertuples():
            held[row.measure].append(
                np.nan
                if np.isnan(row.mean_lower)
                else row.mean_lower <= truth[row.measure] <= row.mean_upper
            )
    return shares(held)


def divergences(runs, sizes=SIZES):
    """Yield the lines of the table of the divergence of two models on given text."""
    large = divergence(*given_text(100_000, np.random.default_rng(0)), on="position")
    truth = dict(zip(large["measure"], large["mean"], strict=True))
    columns = [diverged(n, runs, truth) for n in sizes]
    yield "| divergence | " + " | ".join(map(str, sizes)) + " |"
    yield "| --- " * (len(sizes) + 1) + "|"
    for name in truth:
        yield f"| {name} | " + " | ".join(cell(*column[name]) for column in columns) + " |"
    yield ""


def cell(share, given):
    """Return a cell of the table; intervals that few samples have are null."""
    if given < 0.5:
        return "null"
    return f"{100 * share:.0f} %" + (f" ({100 * given:.0f})" if given < 0.995 else "")


def table(runs, sizes=SIZES):
    """Yield the lines of the table of coverage."""
    columns = {(law, n): covered(law, n, runs) for law in LAWS for n in sizes}
    for n in sizes:
        columns["independent pairs", n] = compared(n, runs, False)
        columns["clustered pairs", n] = compared(n, runs, True)
    for laws in (LAWS, ("independent pairs", "clustered pairs")):
        head = [f"{law} {n}" for law in laws for n in sizes]
        yield "| interval | " + " | ".join(head) + " |"
        yield "| --- " * (len(head) + 1) + "|"
        for name in columns[laws[0], sizes[-1]]:
            cells = (cell(*columns[law, n].get(name, (math.nan, 0))) for law in laws for n in sizes)
            yield f"| {name} | " + " | ".join(cells) + " |"
        yield ""


def promises(runs, sizes=SIZES):
    """Yield the lines of the table of broken promises, at most 10 % of samples."""
    yield f"| threshold_for({PROMISE}) | target | " + " | ".join(map(str, sizes)) + " |"
    yield "| --- " * (len(sizes) + 2) + "|"
    for law in LAWS:
        for target in (0.78, 0.9):
            found = (broken_promises(law, n, runs, target) for n in sizes)
            cells = (f"{100 * bad:.1f} % of {100 * given:.0f} %" for bad, given in found)
            yield f"| {law} | {target} | " + " | ".join(cells) + " |"


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=400, help="samples of each cell")
    options = parser.parse_args()
    for lines in (table(options.runs), divergences(options.runs), promises(options.runs)):
        for line in lines:
            print(line, flush=True)


if __name__ == "__main__":
    main()
