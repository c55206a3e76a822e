"""The built site: links lead somewhere, nothing is loaded from other hosts, nothing is missing."""

import re
import time
from urllib.parse import unquote, urlsplit

import pytest
from selectolax.lexbor import LexborHTMLParser

import toolkit
from tests.browser import chromium
from tests.browser.checks import WINDOWS
from tests.conftest import ROOT
from toolkit import schema

DOCS = ROOT / "docs"
LOADED = {"img": "src", "script": "src", "link": "href", "iframe": "src", "source": "src"}


@pytest.fixture(scope="module")
def pages(site):
    """Every page of the site, parsed; _static has templates of the theme."""
    found = (path for path in site.rglob("*.html") if "_static" not in path.parts)
    return {path: LexborHTMLParser(path.read_text("utf-8")) for path in found}


def test_every_link_leads_to_a_place(pages, site):
    ids = {
        path.resolve(): {node.attributes["id"] for node in page.css("[id]")}
        for path, page in pages.items()
    }
    broken = []
    for path, page in pages.items():
        for node in page.css("a[href], img[src], script[src], link[href]"):
            target = node.attributes.get("href") or node.attributes.get("src")
            parts = urlsplit(target)
            if parts.scheme or target in ("", "#"):
                continue
            place = (path.parent / unquote(parts.path)).resolve() if parts.path else path.resolve()
            anchors = {unquote(parts.fragment)} - {""}
            if not place.is_file() or not anchors <= ids.get(place, anchors):
                broken.append((path.relative_to(site), target))
    assert broken == []


def test_nothing_is_loaded_from_other_hosts(pages, site):
    for path, page in pages.items():
        for tag, attribute in LOADED.items():
            for node in page.css(f"{tag}[{attribute}]"):
                assert not urlsplit(node.attributes[attribute]).netloc, (path, node.html)
    for style in site.rglob("*.css"):
        addresses = re.findall(
            r"(?:url\(|@import)\s*[\"']?((?:https?:)?//[^\"')]+)", style.read_text()
        )
        assert addresses == [], style


def test_pictures_have_a_text(pages):
    for path, page in pages.items():
        for node in page.css("img"):
            assert node.attributes.get("alt"), (path, node.html)


def public_names():
    """Yield each public name once, at the shortest place that has it."""
    yield from (f"toolkit.{name}" for name in toolkit.__all__ if name[0] != "_")
    for home in (toolkit.dataset, toolkit.metrics, toolkit.errors):
        for name in home.__all__:
            if name not in toolkit.__all__:
                yield f"{home.__name__}.{name}"
    yield from (f"toolkit.plot.{name}" for name in toolkit.plot.__all__)
    for name in schema.__all__:
        if not name.isupper():  # the tables and codes have pages of their own
            yield f"toolkit.schema.{name}"


def test_every_public_name_is_in_one_group_of_the_api():
    listed = re.findall(r"^   (toolkit\.[\w.]+)$", (DOCS / "api.md").read_text(), re.MULTILINE)
    modules = {f"toolkit.{name}" for name in ("dataset", "errors", "metrics", "plot", "schema")}
    assert sorted(listed) == sorted(set(public_names()) - modules)


def test_every_plot_is_in_the_gallery(pages, site):
    gallery = (DOCS / "gallery.md").read_text()
    drawn = re.findall(r"^toolkit\.plot\.(\w+)\(", gallery, re.MULTILINE)
    assert sorted(drawn) == sorted(toolkit.plot.__all__)
    n_blocks = gallery.count("```{plot}")
    for theme in ("light", "dark"):
        shown = pages[site / "gallery.html"].css(f"img.plot.only-{theme}")
        assert len(shown) == n_blocks > len(drawn)


def test_every_declared_table_has_its_place(pages, site):
    stored = {node.attributes["id"] for node in pages[site / "tables.html"].css("[id]")}
    for table in (*schema.TABLES, schema.LEDGER):
        assert f"{table.name}-table" in stored


def test_every_metric_is_in_the_catalogue(pages, site):
    page = pages[site / "metrics.html"]
    places = {node.attributes["id"] for node in page.css("[id]")}
    declared = [(t, column) for t in schema.RESULTS for column in t.columns if column.formula]
    assert len(declared) > 200
    for table, column in declared:
        assert f"{table.name}-{column.name}".replace("_", "-") in places
    facts = [node.text() for node in page.css("dl.myst > dt")]
    assert facts.count("does not say") == len(declared)
    text = " ".join(page.body.text().split())
    for table, column in declared:
        for said in (column.formula, column.source, column.caveat, column.doc):
            assert " ".join(said.split()) in text, (table.name, column.name, said)


def test_promises_name_tests_that_exist():
    named = re.findall(r"`(tests/[^`]+\.py)`", (DOCS / "promises.md").read_text())
    assert len(named) > 10
    for name in named:
        assert (ROOT / name).is_file(), name


# In the browser

browser = [
    pytest.mark.browser,
    pytest.mark.skipif(chromium.PROGRAM is None, reason="there is no Chromium on this machine"),
    pytest.mark.filterwarnings("default"),  # of event loops and sockets
]
KINDS = (
    "index",
    "start",
    "tour",
    "machines",
    "api",
    "metrics",
    "tables",
    "gallery",
    "commands",
    "guides/ci_gate",
)
KINDS += ("formats", "design", "promises", "made/api/toolkit.read", "made/notebooks/01_explore")


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    with chromium.Page(tmp_path_factory.mktemp("profile")) as opened:
        yield opened


class TestInTheBrowser:
    pytestmark = browser

    @WINDOWS
    def test_pages_load_nothing_and_fit(self, page, site, width, dark, subtests):
        for kind in KINDS:
            with subtests.test(kind):
                page.open(site / f"{kind}.html", width=width, dark=dark)
                sent = page.events_of("Network.requestWillBeSent")
                addresses = [event["request"]["url"] for event in sent]
                assert [url for url in addresses if not url.startswith(("file:", "data:"))] == []
                assert page.events_of("Runtime.exceptionThrown") == []
                assert page.events_of("Log.entryAdded") == []
                root = "document.documentElement"
                assert page.run(f"{root}.scrollWidth - {root}.clientWidth") <= 0
                assert page.run(f"{root}.dataset.theme") == ("dark" if dark else "light")

    @pytest.mark.parametrize(
        ("words", "expected"),
        [("perplexity_lower", "metrics.html"), ("tee", "toolkit.tee.html"), ("jq", "ci_gate.html")],
    )
    def test_search_needs_no_server(self, page, site, words, expected):
        page.open(site / "search.html", query=f"?q={words}")
        for _ in range(100):
            found = page.run("[...document.querySelectorAll('.search li a')].map(a => a.href)")
            if any(expected in href for href in found):
                break
            time.sleep(0.1)
        assert any(expected in href for href in found), found
