"""Make answers of many kinds, call each plot, and read the texts and boxes of axes."""

import math
import warnings

import numpy as np
import pyarrow.compute as pc

import toolkit
from toolkit import plot

HOSTILE = [
    "$\\bad{$", "$$", "\\(x\\)", "\x1b[31m", "\x00", "\u202eevil", "\ud800", "x" * 300, "שלום עולם",
    "مرحبا", "漢字かな", "👨\u200d👩\u200d👧", "\n\n", "", " ", "<b>", "a_b^c", "%s", "{}",
]  # fmt: skip


def body(tokens, *, model="m", **fields):
    """Return an answer of (token, logprob) pairs, each with two alternatives."""
    entries = []
    for text, logprob in tokens:
        top = [] if logprob is None or logprob < -100 else [(text, logprob), ("other", -9.0)]
        entries.append(
            {
                "token": text,
                "logprob": logprob,
                "top_logprobs": [{"token": t, "logprob": p} for t, p in top],
            }
        )
    message = {"content": "".join(text for text, _ in tokens)}
    choice = {"message": message, "logprobs": {"content": entries}, "finish_reason": "stop"}
    return {"model": model, "choices": [choice], **fields}


def answer(tokens, *, channel="content", **fields):
    """Load one completion of these tokens: text, (text, logprob) or (text, logprob, bytes)."""
    entries = []
    for token in tokens:
        text, logprob, *raw = (token, -0.5) if isinstance(token, str) else token
        raw = raw[0] if raw else text.encode()
        entries.append({"token": text, "logprob": logprob, "bytes": list(raw)})
    choice = {"message": {channel: "x"}, "logprobs": {channel: entries}}
    return load({"id": "a", "model": "m", **fields, "choices": [choice]})


def boxes(ax):
    return [patch for patch in ax.patches if (patch.get_gid() or "").startswith("token-")]


def texts(ax):
    return [text.get_text() for text in ax.texts]


def draw(ax):
    ax.figure.canvas.draw()
    return ax


def load(*bodies):
    with warnings.catch_warnings(action="ignore"):
        return toolkit.from_responses(list(bodies))


def answers():
    """Return answers of each kind, by name."""
    rng = np.random.default_rng(1)
    long = [(f" w{i}", float(p)) for i, p in enumerate(-rng.exponential(1.0, 5000))]
    json_ = [('{"a":', -0.1), ("7", -0.5), (', "$x$": "', -0.1), ("漢", -1.0), ('"}', -0.1)]
    usage = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
    one = body([("a", -0.5)], created=1_700_000_000, usage=usage)
    return {
        "none": load(one).filter(response_key=[]),
        "one": load(one),
        "missing": load(body([("a", None), ("b", -9999.0)])),
        "bare": load({"model": "m", "choices": [{"message": {"content": "hi"}}]}),
        "long": load(body(long)),
        "json": load(body(json_, created=1_700_000_000, usage=usage), one),
        "hostile": load(
            *(body([(h, -0.5), (h, -1.5)], model=h, custom_id=h, id=h, created=i * 60)
              for i, h in enumerate(HOSTILE))
        ),
    }  # fmt: skip


def _judged(lp):
    confidence = toolkit.sequence_metrics(lp)["min_probability"].to_numpy(float)
    return confidence, np.arange(len(confidence)) % 2 == 0


def _evaluated(lp):
    """Return two runs of an evaluation, and what names and groups the questions."""
    table = toolkit.sequence_metrics(lp)
    table["response_id"] = table["response_key"].astype(str)
    other = table.assign(mean_logprob=table["mean_logprob"] - 0.1 * (table["n_tokens"] % 3))
    return table, other


def _duller(lp):
    """Return the same answers with every alternative half as likely."""
    table = lp.alternatives
    at = table.schema.get_field_index("logprob")
    halved = table.set_column(
        at, table.schema.field(at), pc.subtract(table["logprob"], math.log(2))
    )
    return toolkit.LogprobTables(lp.responses, lp.choices, lp.tokens, halved, lp.rejects)


def _first(lp, function, **options):
    """Call a plot of one answer for the first response."""
    return function(lp, response=0, **options)


PLOTS = {
    "agreement": plot.agreement,
    "alternatives": lambda lp, **o: _first(lp, plot.alternatives, **o),
    "compare": lambda lp, **o: plot.compare(lp, lp, on="position", **o),
    "compare_evaluations": lambda lp, **o: plot.compare_evaluations(
        *_evaluated(lp), on="response_id", score="mean_logprob", by="model", **o
    ),
    "confidence_over_position": plot.confidence_over_position,
    "confidence_over_position_one": lambda lp, **o: _first(lp, plot.confidence_over_position, **o),
    "divergence": lambda lp, **o: plot.divergence(lp, _duller(lp), on="position", **o),
    "entropy_by_position": plot.entropy_by_position,
    "field_confidence": plot.field_confidence,
    "finish_reasons": plot.finish_reasons,
    "label_heatmap": lambda lp, **o: plot.label_heatmap(lp, ["a", "$b$", "漢"], **o),
    "logprob_histogram": plot.logprob_histogram,
    "perplexity_ecdf": lambda lp, **o: plot.perplexity_ecdf(lp, by=None, **o),
    "prefix_survival": lambda lp, **o: plot.prefix_survival(lp, lp, on="position", **o),
    "reliability": lambda lp, **o: plot.reliability(*_judged(lp), **o),
    "risk_coverage": lambda lp, **o: plot.risk_coverage(*_judged(lp), **o),
    "token_confidence": lambda lp, **o: _first(lp, plot.token_confidence, **o),
    "usage_over_time": plot.usage_over_time,
}
NEEDS_AN_ANSWER = {"alternatives", "confidence_over_position_one", "token_confidence"}
NEEDS_A_TOKEN = {"alternatives"}
