"""Ten thousand hostile tokens in views, cards, reports and plots."""

import random
import re
import warnings

import pytest

import toolkit
from tests.plot.cases import HOSTILE, body, load
from tests.view.test_browse import assert_harmless as assert_harmless_to_browse
from tests.view.test_browse import assert_same_tokens
from tests.view.test_card import assert_harmless as assert_harmless_card
from tests.view.test_report import assert_harmless as assert_harmless_page
from tests.view.test_token_view import HOSTILE as MARKUP
from tests.view.test_token_view import assert_harmless, tokens_of

ODD = [
    *HOSTILE,
    *MARKUP,
    *map(chr, range(32)),
    *map(chr, range(0x7F, 0xA1)),
    *"\u200b\u200e\u200f\u202a\u202e\u2066\u2069\ufeff\u2028\u2029\u00ad\u3164\u2800",
    *"<>&\"'`=/\\$%{}()[];:#@!?*_~^|",
    "\x1b[2J",
    "\x1b]8;;http://evil\x1b\\",
    "\x9b31m",
    "é",
    "漢",
    "💙",
    "क्ष",
    "word",
]
N, ANSWERS = 1000, 10


@pytest.fixture(scope="module")
def attacked():
    rng = random.Random(7)

    def token():
        return "".join(rng.choices(ODD, k=rng.randint(1, 4)))

    return [
        load(
            body(
                [(token(), -rng.expovariate(1.0)) for _ in range(N)],
                model=token(), custom_id=token(), id=token(),
            )
        )
        for _ in range(ANSWERS)
    ]  # fmt: skip


@pytest.mark.slow
def test_token_views_and_terminals(attacked):
    for lp in attacked:
        view = toolkit.show(lp, fold=100)
        assert_harmless(view)
        assert len(tokens_of(view)) == N
        for colours in (0, 256, 1 << 24):
            ours = re.sub(r"\x1b\[[\d;]*m", "", view.text(colours))
            bad = {c for c in ours if c != "\n" and not c.isprintable()}
            assert bad <= {"\u200c", "\u200d"}, ascii(bad)


@pytest.mark.slow
def test_cards_and_reports(attacked, tmp_path):
    everything = toolkit.concat(attacked)
    assert_harmless_card(everything._repr_html_())
    with warnings.catch_warnings(action="error"):
        path = toolkit.report(everything, tmp_path / "report.html")
    assert_harmless_page(path.read_text("utf-8"))


@pytest.mark.slow
def test_pages_to_browse(attacked, tmp_path):
    everything = toolkit.concat(attacked)
    text = toolkit.browse(everything, tmp_path / "answers.html").read_text("utf-8")
    assert_harmless_to_browse(text)
    assert_same_tokens(everything, text)


@pytest.mark.slow
def test_plots(attacked):
    from matplotlib import pyplot as plt

    for lp in attacked[:1]:
        with warnings.catch_warnings(action="error"):
            ax = toolkit.plot.token_confidence(lp, max_tokens=N)
            ax.figure.canvas.draw()
            for position in range(0, N, 100):
                drawn = toolkit.plot.alternatives(lp, position=position)
                drawn.figure.canvas.draw()
                plt.close(drawn.figure)
        for text in ax.figure.findobj(lambda artist: hasattr(artist, "get_text")):
            assert "\x1b" not in text.get_text()
        plt.close("all")
