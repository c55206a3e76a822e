"""The page of `toolkit.browse` in a real browser: sort, filter, search, open, by keyboard."""

import json
from pathlib import Path

import pytest

import toolkit
from tests.browser.checks import MARKS, WINDOWS, assert_quiet, needs_axe, severe_faults
from tests.browser.test_pages import ATTACKS
from tests.plot.cases import body, load
from tests.view.test_browse import many_answers

pytestmark = MARKS
WIDTHS = pytest.mark.parametrize("width", [1280, 400])


@pytest.fixture(scope="module")
def made(tmp_path_factory, data):
    """Write each page once."""
    folder = tmp_path_factory.mktemp("browse")
    attacked = [
        body([(h, -0.5), (h, -0.1 * i)], model=h, custom_id=h, id=h, finish_reason=h)
        for i, h in enumerate(ATTACKS)
    ]
    loads = {
        "capitals": toolkit.read(data / "capitals_batch.jsonl"),
        "stories": toolkit.read(data / "stories_k10.jsonl.gz"),
        "attacks": load(*attacked),
    }
    return {name: toolkit.browse(lp, folder / f"{name}.html") for name, lp in loads.items()}


def opened(page, path, **options):
    page.open(path, **options)
    page.wait("performance.getEntriesByName('ready').length")


def ids(page):
    return page.run("[...document.querySelectorAll('#rows button')].map(b => b.textContent)")


def cells(page, name):
    return page.run(f"[...document.querySelectorAll('#rows .{name}')].map(c => c.textContent)")


def status(page):
    return page.run("document.getElementById('status').textContent")


def choose(page, name, value):
    """Set a control as a person does, with the event that follows."""
    page.run(
        f"(e => {{ e.value = {json.dumps(value)}; e.dispatchEvent(new Event('input')); "
        f"e.dispatchEvent(new Event('change')) }})(document.getElementById('{name}'))"
    )


def panel(page):
    return page.run("document.getElementById('panel').innerText")


def answers(lp):
    return toolkit.sequence_metrics(lp).sort_values("perplexity", ascending=False, kind="stable")


@WINDOWS
@pytest.mark.parametrize("name", ["capitals", "stories", "attacks"])
def test_it_loads_nothing_and_fits(page, made, name, width, dark):
    opened(page, made[name], width=width, dark=dark)
    n = len(ids(page))
    assert_quiet(page)
    for i in range(min(n, len(ATTACKS))):
        page.run(f"document.querySelectorAll('#rows button')[{i}].click()")
        page.wait("document.getElementById('answer').open")
        page.wait("document.querySelector('#body .lp-t[aria-selected=true]')")
        inside = "['answer', 'body', 'panel'].map(id => document.getElementById(id))"
        wide = page.run(f"{inside}.map(e => e.scrollWidth - e.clientWidth)")
        assert max(wide) <= 0, (i, wide)
        page.run("document.getElementById('close').click()")
    assert_quiet(page)


@WIDTHS
def test_hostile_texts_stay_text(page, made, width):
    opened(page, made["attacks"], width=width)
    kinds = "script:not([type]),iframe,a,base,link,img,svg,object,embed"
    for i in range(len(ATTACKS)):
        page.run(f"document.querySelectorAll('#rows button')[{i}].click()")
        page.wait("document.getElementById('answer').open")
        assert page.run(f"document.querySelectorAll('{kinds}').length") == 1  # its own script
        page.run("document.getElementById('close').click()")
    assert page.run("document.querySelectorAll('style').length") == 1
    assert page.run("document.querySelectorAll('meta').length") == 3
    assert "<script>alert(1)</script>" in ids(page)
    assert_quiet(page)


def test_the_policy_refuses_markup_scripts_and_requests(page, made):
    opened(page, made["attacks"])
    assert (
        page.run(
            "(() => { try { document.body.innerHTML = '<b>x</b>'; return 'inserted' } "
            "catch (error) { return error.name } })()"
        )
        == "TypeError"
    )
    page.run(
        "(() => { const made = document.createElement('img'); made.src = 'http://127.0.0.1:9/x'; "
        "document.body.append(made); return 0 })()"
    )
    assert page.run("fetch('http://127.0.0.1:9/x').catch(error => error.name)") == "TypeError"
    refused = [event["entry"]["text"] for event in page.events_of("Log.entryAdded")]
    assert sum("Content Security Policy" in text for text in refused) >= 2, refused


def test_rows_are_sorted_by_any_column(page, made, data):
    lp = toolkit.read(data / "capitals_batch.jsonl")
    opened(page, made["capitals"])
    assert ids(page) == answers(lp)["custom_id"].tolist(), "the least certain are first"
    head = "document.querySelector('th.custom_id button')"
    page.run(f"{head}.click()")
    assert ids(page) == sorted(lp.responses["custom_id"].to_pylist())
    assert page.run("document.querySelector('th.custom_id').ariaSort") == "ascending"
    page.run(f"{head}.click()")
    assert ids(page) == sorted(lp.responses["custom_id"].to_pylist(), reverse=True)
    choose(page, "sort", "min_probability")
    shown = [float(text) for text in cells(page, "min_probability")]
    assert shown == sorted(shown)
    assert page.run("document.querySelector('th.min_probability').ariaSort") == "ascending"


def test_rows_are_filtered_and_searched(page, made, data):
    lp = toolkit.read(data / "capitals_batch.jsonl")
    opened(page, made["capitals"])
    sequences = answers(lp)
    choose(page, "measure", "min_probability")
    choose(page, "low", "0.5")
    choose(page, "high", "0.8")
    kept = sequences[sequences["min_probability"].between(0.5, 0.8)]
    assert ids(page) == kept["custom_id"].tolist()
    assert status(page) == f"1–{len(kept)} of {len(kept)} answers (all: 100)"
    page.run("document.getElementById('reset').click()")
    assert len(ids(page)) == 100
    choose(page, "query", "SYD")
    assert cells(page, "text") == [" Sydney"]
    choose(page, "query", "capital-00 a")
    found = lp.attach(sequences, "text")
    both = (found["custom_id"] + found["text"].str.lower()).str
    assert (
        ids(page) == found[both.contains("capital-00") & both.contains("a")]["custom_id"].tolist()
    )
    choose(page, "query", "no such text")
    assert ids(page) == []
    assert status(page) == "0 answers (all: 100)"


def test_labels_filter(page, made):
    opened(page, made["attacks"])
    labels = page.run("[...document.getElementById('only-model').options].map(o => o.textContent)")
    assert labels[0] == "all"
    choose(page, "only-model", "0")
    assert cells(page, "model") == [labels[1]]


@WIDTHS
def test_the_keyboard_alone_opens_an_answer_and_its_tokens(page, made, data, width):
    lp = toolkit.read(data / "stories_k10.jsonl.gz")
    opened(page, made["stories"], width=width)
    page.press("/")
    assert page.run("document.activeElement.id") == "query"
    page.press("ArrowDown")
    order = ids(page)
    assert page.run("document.activeElement.textContent") == order[0]
    page.press("ArrowDown", 2)
    assert page.run("document.activeElement.textContent") == order[2]
    page.press("Enter")
    page.wait("document.querySelector('#body .lp-t[aria-selected=true]')")
    assert page.run("document.getElementById('name').textContent") == order[2]
    row = answers(lp).iloc[2]
    tokens = toolkit.token_metrics(lp.only(row))
    weakest = tokens.loc[tokens["probability"].idxmin()]
    assert f"position {weakest['position']}" in panel(page), "the weakest token is chosen first"
    page.press("Home")
    first = tokens.iloc[0]
    shown = panel(page)
    assert f"p {first['probability']:.3f} · logprob {first['logprob']:.3f}" in shown
    assert "position 0" in shown
    listed = lp.only(row).alternatives.slice(0, 10).to_pylist()
    best = sorted(listed, key=lambda entry: entry["rank"])[:2]
    assert all(entry["token"].strip() in shown for entry in best)
    page.press("ArrowRight", 3)
    assert "position 3" in panel(page)
    page.press("n")
    page.wait(f"document.getElementById('name').textContent === {json.dumps(order[3])}")
    page.press("p", 2)
    page.wait(f"document.getElementById('name').textContent === {json.dumps(order[1])}")
    page.press("Escape")
    assert page.run("document.getElementById('answer').open") is False
    page.wait(f"document.activeElement.textContent === {json.dumps(order[1])}")
    assert_quiet(page)


@needs_axe
@WINDOWS
@pytest.mark.parametrize("name", ["capitals", "stories", "attacks"])
def test_no_serious_fault_of_accessibility(page, made, name, width, dark):
    opened(page, made[name], width=width, dark=dark)
    assert severe_faults(page) == []
    page.run("document.querySelector('#rows button').click()")
    page.wait("document.querySelector('#body .lp-t[aria-selected=true]')")
    assert severe_faults(page) == []


@pytest.mark.slow
def test_ten_thousand_answers_can_be_used_within_two_seconds(page, tmp_path):
    path = toolkit.browse(many_answers(10_000), tmp_path / "answers.html")
    opened(page, path)
    ready = page.run("performance.getEntriesByName('ready')[0].startTime")
    searched = page.run(
        "(() => { const start = performance.now(); const query = document.getElementById('query'); "
        "query.value = 'w1f4 w2'; query.dispatchEvent(new Event('input')); "
        "return performance.now() - start })()"
    )
    page.run("document.getElementById('reset').click(); performance.mark('asked')")
    page.run("document.querySelector('#rows button').click()")
    page.wait("document.querySelector('#body .lp-t[aria-selected=true]')")
    size = Path(path).stat().st_size / 1e6
    print(f"{size:.1f} MB, usable after {ready:.0f} ms, searched in {searched:.0f} ms")
    assert size < 20
    assert ready < 2000
    assert searched < 500
    assert page.run("document.querySelectorAll('#body .lp-t').length") == 60
    assert_quiet(page)
