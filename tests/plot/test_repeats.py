"""The curve of the common prefix shows what its table says."""

import numpy as np

import toolkit
from tests.plot.cases import load
from toolkit import plot


def run(*answers):
    return load(
        *(
            {
                "choices": [
                    {
                        "message": {"content": "".join(tokens)},
                        "logprobs": {"content": [{"token": t, "logprob": -0.5} for t in tokens]},
                    }
                ]
            }
            for tokens in answers
        )
    )


def test_the_curve_is_that_of_the_table():
    a, b = run("ab", "a", "abc", "x"), run("ay", "a", "abz", "y")
    table = toolkit.metrics.prefix_survival(a, b)
    ax = plot.prefix_survival(a, b)
    np.testing.assert_array_equal(ax.lines[0].get_ydata(), [1.0, *table["survival"]])
    np.testing.assert_array_equal(ax.lines[0].get_xdata(), [0, 1, 2, 3])
    assert ax.lines[1].get_xdata().tolist() == [2]  # one pair ends, still equal
    assert ax.get_title() == "tokens until two runs differ · 4 pairs"


def test_runs_without_pairs_say_so():
    none = run("a").filter(response_key=[])
    ax = plot.prefix_survival(none, none, on="position")
    assert [text.get_text() for text in ax.texts] == ["no pair of answers with tokens"]
