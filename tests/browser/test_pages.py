"""The report, token views, the card and notebooks in a real browser; see CONTRIBUTING."""

import itertools

import pandas as pd
import pytest

import toolkit
from tests.browser.checks import MARKS, WINDOWS, assert_quiet, needs_axe, severe_faults
from tests.conftest import ROOT
from tests.plot.cases import HOSTILE, body, load

NOTEBOOKS = ROOT / "notebooks"
pytestmark = MARKS
ATTACKS = [
    *HOSTILE,
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "<svg/onload=alert(1)>",
    "</style><script>alert(1)</script>",
    "<iframe src=javascript:alert(1)>",
    "<a href=javascript:alert(1) autofocus onfocus=alert(1)>",
    "<style>*{display:none}</style>",
    "<meta http-equiv=refresh content=0;url=//example.com>",
    "<base href=//example.com>",
    "<link rel=stylesheet href=//example.com>",
]


@pytest.fixture(scope="module")
def pages(tmp_path_factory, data):
    """Write every kind of page once."""
    folder = tmp_path_factory.mktemp("pages")
    lp = toolkit.read(data / "capitals_batch.jsonl")
    stories = toolkit.read(data / "stories_k10.jsonl.gz")
    truth = pd.read_csv(data / "capitals_labels.csv")
    attacked = load(*(body([(h, -0.5), (h, -2.0)], model=h, custom_id=h, id=h) for h in ATTACKS))
    all_in_one = load(body([(h, -0.7 * (i % 5)) for i, h in enumerate(ATTACKS)]))
    card = folder / "card.html"
    card.write_text(
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>card</title><body><main>'
        f"{lp._repr_html_()}</main></body></html>",
        "utf-8",
    )
    return {
        "report": toolkit.report(lp, folder / "report.html", labels=truth),
        "report_of_attacks": toolkit.report(attacked, folder / "attacks.html", title=ATTACKS[-1]),
        "view": toolkit.show(stories).save(folder / "view.html"),
        "pair": toolkit.show(stories, stories, response=(0, 1)).save(folder / "pair.html"),
        "cividis": toolkit.show(stories, palette="cividis").save(folder / "cividis.html"),
        "view_of_attacks": toolkit.show(all_in_one).save(folder / "view_attacks.html"),
        "card": card,
    }


KINDS = ("report", "report_of_attacks", "view", "pair", "cividis", "view_of_attacks", "card")


@WINDOWS
@pytest.mark.parametrize("kind", KINDS)
def test_pages_load_nothing_and_fit(page, pages, kind, width, dark):
    page.open(pages[kind], width=width, dark=dark)
    assert_quiet(page)
    others = 'script,iframe,a:not([href^="#"]),base,link,form'
    assert page.run(f"document.querySelectorAll('{others}').length") == 0


@pytest.mark.parametrize("width", [1280, 400])
@pytest.mark.parametrize("name", [path.stem for path in sorted(NOTEBOOKS.glob("*.ipynb"))])
def test_notebooks_load_nothing_and_fit(page, tmp_path, data, name, width):
    nbconvert = pytest.importorskip("nbconvert")
    # The basic template is what a code host shows; the full one loads scripts.
    exporter = nbconvert.HTMLExporter(template_name="basic")
    body_, _ = exporter.from_filename(str(data.parent / "notebooks" / f"{name}.ipynb"))
    path = tmp_path / "notebook.html"
    style = "pre,.output,.jp-OutputArea-output{overflow-x:auto}"
    path.write_text(
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{name}</title>'
        f"<style>{style}</style><body><main>{body_}</main></body></html>",
        "utf-8",
    )
    page.open(path, width=width)
    assert_quiet(page)


# The rules of JupyterLab 4 for HTML in outputs that match elements by their names.
JUPYTERLAB = """
.jp-OutputArea-output dl, .jp-OutputArea-output dt, .jp-OutputArea-output dd { display: block; }
.jp-OutputArea-output dl { width: 100%; overflow: hidden; padding: 0; margin: 0; }
.jp-OutputArea-output dt { font-weight: bold; float: left; width: 20%; padding: 0; margin: 0; }
.jp-OutputArea-output dd { float: left; width: 80%; padding: 0; margin: 0; }
.jp-RenderedHTMLCommon { font-size: 14px; line-height: 1.6; }
.jp-RenderedHTMLCommon pre, .jp-RenderedHTMLCommon code { border: 0; background-color: white;
  font-size: inherit; line-height: 1.3; padding: 0; white-space: pre-wrap; }
.jp-RenderedHTMLCommon :not(pre) > code { background-color: #eee; padding: 1px 5px; }
.jp-RenderedHTMLCommon table { border: none; table-layout: fixed; margin: 0 auto 1em auto; }
.jp-RenderedHTMLCommon td, .jp-RenderedHTMLCommon th, .jp-RenderedHTMLCommon tr {
  vertical-align: middle; text-align: right; padding: 0.5em; max-width: none; border: none; }
.jp-RenderedHTMLCommon p { text-align: left; margin: 0 0 1em 0; }
"""


@pytest.mark.parametrize("width", [1280, 800, 400])
@pytest.mark.parametrize("style", ["", JUPYTERLAB], ids=["basic", "JupyterLab"])
def test_names_and_values_of_the_card_do_not_overlap(page, tmp_path, data, style, width):
    path = tmp_path / "card.html"
    path.write_text(
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>card</title>'
        f'<meta name="viewport" content="width=device-width"><style>{style}</style><body>'
        f'<div class="jp-RenderedHTMLCommon jp-RenderedHTML jp-OutputArea-output">'
        f"{toolkit.read(data / 'capitals_batch.jsonl')._repr_html_()}</div></body></html>",
        "utf-8",
    )
    page.open(path, width=width)
    tables = page.run(
        "[...document.querySelectorAll('.lp-facts')].map(facts => [...facts.querySelectorAll("
        "'span.lp-key, span.lp-value, dt, dd')].map(each => { const range = "
        "document.createRange(); range.selectNodeContents(each); const box = "
        "range.getBoundingClientRect(); return [box.left, box.top, box.right, box.bottom] }))"
    )
    assert [len(boxes) for boxes in tables] == [12, 8]
    for boxes in tables:
        for (left, top, right, bottom), other in itertools.combinations(boxes, 2):
            beside = right <= other[0] or other[2] <= left
            assert beside or bottom <= other[1] + 6 or other[3] <= top + 6  # leading of lines
        assert max(box[2] for box in boxes) <= width
        if width > 520:
            assert len({round(box[0]) for box in boxes[1::2]}) == 1, "values begin in one column"


@pytest.mark.parametrize("kind", ["report", "view", "view_of_attacks"])
def test_the_keyboard_reaches_the_tokens(page, pages, kind):
    page.open(pages[kind])
    stops = page.run("document.querySelectorAll('[tabindex],summary').length")
    for _ in range(stops + 1):
        page.press("Tab")
        if page.run("document.activeElement.classList.contains('lp-t')"):
            break
    assert page.run("document.activeElement.classList.contains('lp-t')")
    shown = page.run("getComputedStyle(document.activeElement, '::after').content")
    details = page.run("document.activeElement.dataset.d")
    assert details.split("\n")[1] in shown
    assert "position" in shown
    assert page.run("getComputedStyle(document.activeElement, '::after').display") != "none"
    page.press("Tab")
    assert page.run("document.activeElement.dataset.d") != details


@pytest.mark.parametrize("width", [1280, 400])
def test_no_panel_leaves_the_window(page, pages, width):
    page.open(pages["view"], width=width)
    n = page.run("document.querySelectorAll('.lp-t').length")
    for i in range(0, n, 9):
        page.run(f"document.querySelectorAll('.lp-t')[{i}].focus()")
        wide = page.run("document.documentElement.scrollWidth - innerWidth")
        assert wide <= 0, f"token {i}"


@needs_axe
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("kind", KINDS)
def test_no_serious_fault_of_accessibility(page, pages, kind, dark):
    page.open(pages[kind], dark=dark)
    page.run("document.querySelectorAll('details').forEach(d => d.open = true)")
    assert severe_faults(page) == []


def test_five_thousand_tokens_appear_within_two_seconds(page, tmp_path):
    lp = load(body([(f" w{i}", -0.01 * (i % 300)) for i in range(5000)]))
    path = toolkit.show(lp).save(tmp_path / "long.html")
    page.open(path)
    took = page.run(
        "performance.getEntriesByType('navigation')[0].loadEventEnd "
        "- performance.getEntriesByType('navigation')[0].startTime"
    )
    assert took < 2000
    assert page.run("document.querySelectorAll('.lp-t').length") == 5000
