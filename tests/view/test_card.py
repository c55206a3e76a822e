"""The summary card."""

import warnings

import pytest
from selectolax.lexbor import LexborHTMLParser

import toolkit
from tests.plot.cases import HOSTILE, answers, body, load
from toolkit.view import card

TAGS = {"html", "head", "body", "style", "div", "span"}
ATTRIBUTES = {"class", "style", "role", "aria-label"}


def assert_harmless(text):
    for node in LexborHTMLParser(text).css("*"):
        assert node.tag in TAGS, node.tag
        assert set(node.attributes) <= ATTRIBUTES, node.attributes
        if "style" in node.attributes:
            assert node.attributes["style"].removeprefix("height:").removesuffix("px").isdigit()


def facts(lp):
    tree = LexborHTMLParser(lp._repr_html_())
    return dict(
        zip(
            (node.text() for node in tree.css(".lp-key")),
            (node.text() for node in tree.css(".lp-value")),
            strict=True,
        )
    )


def test_the_card_says_what_there_is():
    with warnings.catch_warnings(action="ignore"):
        lp = toolkit.read("data/")
    said = facts(lp)
    whole = lp.responses["kind"].to_pylist().count("completion")
    assert said["responses"] == f"{len(lp):,} ({whole:,} whole, {len(lp) - whole:,} streamed)"
    assert said["rejected"].startswith(f"{lp.rejects.num_rows:,} records: ")
    spread = toolkit.metrics.ecdf(lp)
    middle = spread.loc[spread["share"] >= 0.5, "value"].iloc[0]
    assert said["perplexity"].startswith(f"{middle:.3g} in the median of ")
    assert "toolkit.show(lp)" in said
    bars = LexborHTMLParser(lp._repr_html_()).css(".lp-bars > span")
    heights = [int(bar.attributes["style"][7:-2]) for bar in bars]
    share = toolkit.metrics.token_histogram(lp, bins=20)["share"]
    assert heights == [max(1, round(40 * s / share.max())) for s in share]


@pytest.mark.parametrize("kind", answers())
def test_any_load_has_a_card(kind):
    assert_harmless(answers()[kind]._repr_html_())


def test_hostile_models_stay_text():
    odd = [*HOSTILE[:4], "<script>alert(1)</script>", "$$x$$"]
    lp = load(*(body([("a", -0.5)], model=h) for h in odd))
    assert_harmless(lp._repr_html_())
    assert "$" not in lp._repr_html_().replace("<span>$</span>", "")


def test_large_loads_are_counted_alone(monkeypatch):
    lp = answers()["one"]
    assert "perplexity" in facts(lp)
    monkeypatch.setattr(card, "MOST_ALTERNATIVES", 1)
    assert "perplexity" not in facts(lp)
