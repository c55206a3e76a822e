"""Every public function with every wrong kind of argument: a `ToolkitError`, or a TypeError."""

import inspect
import traceback
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from matplotlib import pyplot

import toolkit
from tests.test_public_api import FUNCTIONS
from toolkit.loaders.session import LoadSummary
from toolkit.view import report

WRONG = {
    "none": None,
    "true": True,
    "zero": 0,
    "minus": -7,
    "above floats": 10**400,
    "digits": 10**5000,
    "largest": 2**63 - 1,
    "long": 2**63,
    "nan": float("nan"),
    "infinity": float("inf"),
    "share": 0.25,
    "complex": 1j,
    "text": "no such thing",
    "blank": "",
    "nul": "a\0b",
    "surrogate": "a\udc80",
    "bytes": b"bytes",
    "path": Path("no/such/file"),
    "list": [1, "two", None],
    "no items": [],
    "lists": [[1], [2, 3]],
    "frames": [pd.DataFrame({"a": [1]}), {}],
    "dict": {"a": 1},
    "odd dict": {1: None, None: []},
    "set": {1, 2},
    "frame": pd.DataFrame({"other": [1, 2]}),
    "empty frame": pd.DataFrame(),
    "series": pd.Series(["x", None]),
    "array": np.zeros((2, 2)),
    "table": pa.table({"other": [1]}),
    "object": object(),
    "class": dict,
    "function": lambda *_: {}["key"],
}


def _body(number):
    entries = [
        {
            "token": token,
            "logprob": logprob,
            "top_logprobs": [
                {"token": token, "logprob": logprob},
                {"token": "no", "logprob": -3.0},
            ],
        }
        for token, logprob in [("A", -0.1 - number), (" day", -0.5)]
    ]
    choice = {"index": 0, "message": {"content": "A day"}, "finish_reason": "stop"}
    return {
        "id": f"answer-{number}",
        "created": 1_700_000_000 + 60 * number,
        "model": "m",
        "choices": [{**choice, "logprobs": {"content": entries}}],
        "usage": {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5},
    }


TABLES = toolkit.from_responses([_body(number) for number in range(3)], custom_id=["a", "b", "c"])
OPTIONS = pd.DataFrame({"custom_id": ["a"], "option": ["A"], "text": ["day"]})
JUDGED = {"confidence": [0.1, 0.9, 0.8, 0.3, 0.7], "correct": [0, 1, 1, 0, 0]}
SOURCE = Path(__file__).resolve().parents[1] / "data" / "capitals_batch.jsonl"
[SHARD] = toolkit.dataset.plan_export(SOURCE)
CALLS = {
    **{name: function for function, name in {f: name for name, f in FUNCTIONS.items()}.items()},
    **{
        f"LogprobTables.{name}": getattr(TABLES, name)
        for name in ("attach", "choice_row", "equals", "filter", "head", "locate", "only", "raw")
        + ("text", "to_pandas", "to_polars", "write_parquet")
    },
    "Calibrator": toolkit.metrics.Calibrator,
    "Calibrator.from_dict": toolkit.metrics.Calibrator.from_dict,
    "Calibrator.transform": toolkit.fit_calibrator(**JUDGED).transform,
    "Limits": toolkit.Limits,
    "Shape": toolkit.Shape,
    "TokenView.save": toolkit.show(TABLES).save,
    "TokenView.text": toolkit.show(TABLES).text,
}
# What a function needs besides `lp`, by its name; the paths are relative to a temporary folder.
NEEDED = {
    "Calibrator": {"method": "temperature", "parameters": {"temperature": 1.0}, "n": 1}
    | {"n_missing": 0},
    "choice_row": {"response": 0},
    "write_parquet": {"directory": "tables"},
    "attach": {"frame": toolkit.token_metrics(TABLES)},
    "compare": {"a": TABLES, "b": TABLES},
    "compare_tokens": {"a": TABLES, "b": TABLES},
    **dict.fromkeys(("noise_floor", "prefix_survival", "same_model"), {"a": TABLES, "b": TABLES}),
    "rollout_mismatch": {"rollout": TABLES, "trainer": TABLES},
    "divergence": {"a": TABLES, "b": TABLES},
    "compare_summary": {"pairs": toolkit.compare(TABLES, TABLES)},
    "option_scores": {"options": OPTIONS},
    "multiple_choice": {"scores": toolkit.metrics.option_scores(TABLES, OPTIONS)},
    "evaluate": {"table": pd.DataFrame({"correct": [0, 1, 1], "custom_id": ["a", "b", "b"]})},
    "compare_evaluations": {
        name: pd.DataFrame({"correct": [0, 1], "custom_id": ["a", "b"]}) for name in "ab"
    },
    "concat": {"parts": [TABLES]},
    "equals": {"other": TABLES},
    "export": {"sources": SOURCE, "directory": "answers"},
    "plan_export": {"sources": SOURCE},
    "export_shard": {"shard": SHARD, "out": "answers"},
    "finish_export": {
        "reports": [toolkit.dataset.ShardReport(SHARD, {}, [], LoadSummary().counts(), [])]
    }
    | {"out": "answers"},
    "upload_dataset": {"directory": "answers", "uri": "file:///none/bucket/answers"},
    "abandon_exports": {"uri": "file:///none/bucket/answers"},
    "from_responses": {"responses": [_body(0)]},
    "join_labels": {"seq": toolkit.sequence_metrics(TABLES), "labels": {"a": 1, "b": 0, "c": 1}},
    "label_distribution": {"labels": ["A", "B"]},
    "label_heatmap": {"labels": ["A", "B"]},
    "read": {"sources": SOURCE},
    "arrow_stream": {"sources": SOURCE},
    "report": {"path": "report.html"},
    "browse": {"path": "answers.html"},
    "save": {"path": "answer.html"},
    "scan": {"sources": SOURCE},
    "span_metrics": {"spans": toolkit.metrics.spans(TABLES)},
    "tee": {"stream": iter([]), "path": "live.jsonl"},
    **dict.fromkeys(("calibration", "reliability", "fit_calibrator"), JUDGED),
    "length_confounding": JUDGED | {"n_tokens": [3, 4, 5, 6, 7]},
    **dict.fromkeys(("selective", "threshold_for", "risk_coverage"), JUDGED),
}


def _arguments(name, function, parameter, value):
    """Return the positional and named arguments of a call of which one is wrong."""
    parameters = inspect.signature(function).parameters
    given = {"lp": TABLES} if "lp" in parameters else {}
    given |= NEEDED.get(name.rpartition(".")[2], {})
    if parameter.kind is parameter.VAR_POSITIONAL:
        return [*given.values(), value], {}
    if parameter.kind is parameter.VAR_KEYWORD:
        return [], given | {"model": value}
    given[parameter.name] = value
    first = [each for each in parameters.values() if each.kind is each.POSITIONAL_ONLY]
    return [given.pop(each.name) for each in first if each.name in given], given


def _problem(function, positional, named):
    """Call a function; return its error if it is not one that the toolkit promises."""
    try:
        found = function(*positional, **named)
        if inspect.isgenerator(found):
            next(found, None)
    except toolkit.ToolkitError:
        return None
    except TypeError as error:
        return None if "unexpected keyword argument" in str(error) else error
    except Exception as error:
        return error
    finally:
        pyplot.close("all")
    return None


@pytest.mark.filterwarnings("ignore")  # of values that are read, but odd
@pytest.mark.parametrize("name", CALLS)
def test_a_wrong_argument_is_refused_in_words(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.stdin", None)
    monkeypatch.setattr(report, "_sections", lambda *_: [])  # each page would take a second
    function = CALLS[name]
    problems = []
    for parameter in inspect.signature(function).parameters.values():
        for kind, value in WRONG.items():
            error = _problem(function, *_arguments(name, function, parameter, value))
            if error is not None:
                at = traceback.extract_tb(error.__traceback__)[-1]
                what = f"{type(error).__name__}: {str(error)[:80]} ({at.filename}:{at.lineno})"
                problems.append(f"{parameter.name}={kind}: {what}")
    assert not problems, "\n".join(problems)


@pytest.mark.parametrize(
    "value", [None, "answers.jsonl", SOURCE, pd.DataFrame({"token": ["a"]})], ids=type
)
def test_metrics_say_what_to_pass_instead(value):
    expected = "expected LogprobTables: toolkit.read\\(path\\) returns them"
    with pytest.raises(toolkit.errors.ArgumentError, match=expected):
        toolkit.token_metrics(value)
