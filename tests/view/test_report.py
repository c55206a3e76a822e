"""The report: contents, safety and size."""

import base64
import json
import re
import warnings

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from selectolax.lexbor import LexborHTMLParser

import toolkit
from tests.plot.cases import HOSTILE, answers, body, load
from toolkit.errors import ArgumentError, ExportError

TAGS = {
    "html",
    "head",
    "meta",
    "title",
    "style",
    "body",
    "main",
    "h1",
    "h2",
    "p",
    "div",
    "span",
    "table",
    "thead",
    "tbody",
    "tr",
    "th",
    "td",
    "figure",
    "picture",
    "source",
    "img",
    "code",
    "details",
    "summary",
    "nav",
    "a",
}
ATTRIBUTES = {
    "lang",
    "charset",
    "name",
    "content",
    "class",
    "style",
    "role",
    "aria-label",
    "aria-hidden",
    "tabindex",
    "scope",
    "alt",
    "src",
    "media",
    "srcset",
    "data-d",
    "id",
    "href",
}


def page(lp, tmp_path, **options):
    with warnings.catch_warnings(action="error"):
        return toolkit.report(lp, tmp_path / "report.html", **options).read_text("utf-8")


def assert_harmless(text):
    for node in LexborHTMLParser(text).css("*"):
        assert node.tag in TAGS, node.tag
        for name, value in node.attributes.items():
            assert name in ATTRIBUTES, (node.tag, name)
            if name in ("src", "srcset"):
                assert value.startswith("data:image/svg+xml;base64,")
            if name == "href":
                assert re.fullmatch("#[a-z-]+", value)
            if name == "name":
                assert value == "viewport"
            if name == "style":
                assert "url(" not in value
    (sheet,) = LexborHTMLParser(text).css("style")
    assert not re.search(r"https?:|@import|url\(|</", sheet.text())


def ground(address):
    """Return the colour of what is drawn first in a picture, given as the address of its data."""
    svg = base64.b64decode(address.partition(",")[2]).decode()
    return re.search("fill: (#[0-9a-f]{6})", svg)[1]


@pytest.fixture(scope="module")
def capitals():
    return toolkit.read("data/capitals_batch.jsonl"), pd.read_csv("data/capitals_labels.csv")


def test_the_page_has_every_part(capitals, tmp_path):
    lp, labels = capitals
    text = page(lp, tmp_path, labels=labels, title="Capitals & more")
    assert_harmless(text)
    tree = LexborHTMLParser(text)
    heads = [node.text() for node in tree.css("h2")]
    assert heads == [
        "Sources",
        "How sure the models were",
        "Findings about the data",
        "Usage",
        "Calibration",
        "The least certain answers",
    ]
    assert tree.css_first("h1").text() == "Capitals & more"
    assert len(tree.css("img")) == 7
    assert all(node.attributes["alt"] for node in tree.css("img"))
    for light, dark in zip(tree.css("img"), tree.css("picture > source"), strict=True):
        assert dark.attributes["media"] == "(prefers-color-scheme:dark)"
        drawn = (light.attributes["src"], dark.attributes["srcset"])
        assert [ground(address) for address in drawn] == ["#ffffff", "#161616"]
    assert len(tree.css(".lp")) == 10
    links = {link.attributes["href"]: link.text() for link in tree.css("nav a")}
    assert list(links.values()) == heads
    assert all(tree.css_first(f"h2{target}").text() == links[target] for target in links)


def test_right_answers_are_counted_for_each_of_several_models(capitals, tmp_path):
    lp, labels = capitals
    models = [["m1", "m2"][i % 2] for i in range(len(lp))]
    at = lp.responses.column_names.index("model")
    field = lp.responses.schema.field(at)
    responses = lp.responses.set_column(at, field, pa.array(models, field.type))
    tables = (lp.choices, lp.tokens, lp.alternatives, lp.rejects, lp.ledger)
    lp = toolkit.LogprobTables(responses, *tables)
    tree = LexborHTMLParser(page(lp, tmp_path, labels=labels))
    (table,) = tree.css('[aria-label="right answers by model"]')
    cells = [[c.text() for c in row.css("td")] for row in table.css("tbody tr")]
    assert [row[:3] for row in cells] == [["m1", "50", "50"], ["m2", "50", "50"]]
    judged = toolkit.join_labels(toolkit.confidence_metrics(lp), labels)
    found = toolkit.evaluate(judged, by="model")
    assert [row[3] for row in cells] == [f"{mean:.4g}" for mean in found["mean"]]


def test_figures_are_those_of_the_metrics(capitals, tmp_path):
    lp, labels = capitals
    text = page(lp, tmp_path, labels=labels)
    tree = LexborHTMLParser(text)
    cells = [[c.text() for c in row.css("td")] for row in tree.css("tbody tr")]
    size = f"{lp.ledger['bytes'][0].as_py():,}"
    assert cells.pop(0) == ["data/capitals_batch.jsonl", "100", "100", "0", "0", size]
    pooled = toolkit.corpus_metrics(lp, by="model").iloc[0]
    assert cells[0][:5] == [
        "gemma-3-270m", "content", "100", f"{pooled['n_ok']:,}", f"{pooled['perplexity']:.4g}"
    ]  # fmt: skip
    found = toolkit.check(lp)
    severities = [row[0] for row in cells if row[0] in ("error", "warning", "info")]
    assert severities == found["severity"].tolist()
    judged = toolkit.join_labels(toolkit.confidence_metrics(lp), labels)
    right = toolkit.calibration(judged["min_probability"], judged["correct"]).iloc[0]
    for name in ("gap", "brier"):
        (row,) = [row for row in cells if row[0] == name]
        assert row[1:4] == [f"{right[name + end]:.4g}" for end in ("", "_lower", "_upper")]
    (ece,) = [row for row in cells if row[0] == "ece"]
    assert ece[1:4] == [f"{right['ece']:.4g}", "–", "–"]
    columns = (judged[name] for name in ("min_probability", "correct", "n_tokens"))
    length = toolkit.metrics.length_confounding(*columns).iloc[0]
    for name in ("auroc_within_length", "auroc_length", "length_correlation"):
        (row,) = [row for row in cells if row[0] == name]
        assert row[1:4] == [f"{length[name]:.4g}", "–", "–"]
    assert "over 100 answers that are taken as independent" in text
    titles = [node.text() for node in tree.css(".lp-title")]
    worst = toolkit.sequence_metrics(lp).nlargest(10, "perplexity")["custom_id"]
    assert all(name in title for name, title in zip(worst, titles, strict=True))


@pytest.mark.parametrize("kind", answers())
def test_any_answers_make_a_page(kind, tmp_path):
    assert_harmless(page(answers()[kind], tmp_path))


def test_hostile_texts_stay_text(tmp_path):
    odd = [
        *HOSTILE,
        "<script>alert(1)</script>",
        '"><img src=x onerror=alert(1)>',
        "</main>",
        "&lt;",
    ]
    lp = load(*(body([(h, -0.5)], model=h, custom_id=h, id=h) for h in odd))
    text = page(lp, tmp_path, title="<script>alert(2)</script>")
    assert_harmless(text)
    assert len(LexborHTMLParser(text).css("main")) == 1


def test_rejects_are_listed(tmp_path):
    with warnings.catch_warnings(action="ignore"):
        lp = toolkit.read("data/malformed.jsonl")
    text = page(lp, tmp_path)
    assert f"Rejected: {lp.rejects.num_rows} records" in text
    assert "not_json" in text


def test_the_same_tables_give_the_same_page(capitals, tmp_path):
    lp, labels = capitals
    assert page(lp, tmp_path, labels=labels) == page(lp, tmp_path, labels=labels)


@pytest.mark.slow
def test_ten_thousand_responses_fit_in_two_megabytes(tmp_path):
    rng = np.random.default_rng(2)
    bodies = [
        body([(f" w{j}", float(-p)) for j, p in enumerate(rng.exponential(0.7, 40))], id=str(i))
        for i in range(10_000)
    ]
    path = toolkit.report(load(*bodies), tmp_path / "report.html")
    assert path.stat().st_size < 2e6


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"labels": "truth.csv"}, "labels"),
        ({"labels": pd.DataFrame({"custom_id": ["a"]})}, "labels"),
        ({"confidence": "perplexity"}, "confidence"),
        ({"title": " "}, "title"),
        ({"title": None}, "title"),
    ],
)
def test_bad_arguments_are_named(capitals, tmp_path, options, message):
    with pytest.raises(ArgumentError, match=message):
        toolkit.report(capitals[0], tmp_path / "report.html", **options)


def test_bad_tables_and_paths_are_named(capitals, tmp_path):
    with pytest.raises(ArgumentError, match="lp is a list"):
        toolkit.report([], tmp_path / "report.html")
    with pytest.raises(ExportError, match="cannot be written"):
        toolkit.report(capitals[0], tmp_path / "no" / "report.html")


def test_given_texts_have_a_section_and_others_have_none(data, tmp_path):
    lp = toolkit.read(data / "given_q4_1.jsonl.gz")
    page = toolkit.report(lp, tmp_path / "given.html").read_text("utf-8")
    assert '<h2 id="given-texts">Given texts</h2>' in page
    assert "113.3" in page  # perplexity per word
    other = toolkit.report(answers()["one"], tmp_path / "other.html").read_text("utf-8")
    assert "Given texts" not in other


def facts_of(text):
    """Return the facts of each of the least certain answers."""
    tree = LexborHTMLParser(text)
    return [
        {row.css_first(".lp-key").text(): row.css_first(".lp-value").text() for row in block}
        for block in (each.css(".lp-fact") for each in tree.css("main>.lp-facts")[1:])
    ]


def test_the_least_certain_answers_have_place_and_verdict(capitals, tmp_path):
    lp, labels = capitals
    labels = labels[labels["custom_id"] != "capital-007"]
    with warnings.catch_warnings(action="ignore"):  # of the answer without a label
        path = toolkit.report(lp, tmp_path / "report.html", labels=labels)
    found = facts_of(path.read_text("utf-8"))
    worst = toolkit.sequence_metrics(lp).nlargest(10, "perplexity")
    rows = lp.attach(worst, "line").merge(labels, how="left", on="custom_id")
    assert [each["place"] for each in found] == [
        f"data/capitals_batch.jsonl:{line}" for line in rows["line"]
    ]
    verdicts = rows["correct"].map({1: "right", 0: "wrong"}).fillna("no label")
    assert [each["label"] for each in found] == verdicts.tolist()
    assert set(verdicts) == {"right", "wrong", "no label"}
    assert all(lp.locate(each["place"]) is not None for each in found), "it can be pasted back"


def test_prompts_are_shown_where_they_were_kept(tmp_path):
    answer = body([("Hi", -0.5)])
    rows = [{"prompt": "Say <b>hi\u202e" + "x" * 1000, "messages": ["é"], "answer": answer}]
    path = tmp_path / "rows.jsonl"
    path.write_text(json.dumps(rows[0]), "utf-8")
    text = page(toolkit.read(path, keep=["prompt", "messages"]), tmp_path)
    assert_harmless(text)
    (found,) = facts_of(text)
    assert found["prompt"].startswith("Say <b>hi⟨U+202E⟩xxx")
    assert found["prompt"].endswith("x ⟨410 more characters⟩")
    assert found["messages"] == '["é"]'
    scored = [None, {"1": {"logprob": -1.0, "decoded_token": " <i>b"}}]
    lp = load(answer | {"prompt_logprobs": scored})
    assert facts_of(page(lp, tmp_path))[0]["prompt"] == lp.text(0, channel="prompt") == " <i>b"


def test_information_is_folded_and_faults_are_not(tmp_path):
    with warnings.catch_warnings(action="ignore"):
        lp = toolkit.read("data/malformed.jsonl")
    found = toolkit.check(lp)
    assert {"info", "warning"} <= set(found["severity"]), "a case of both"
    tree = LexborHTMLParser(page(lp, tmp_path))
    folded = [node.text() for node in tree.css("details .severity")]
    assert folded == ["info"] * (found["severity"] == "info").sum()
    shown = [node.text() for node in tree.css("[aria-label=findings] .severity")]
    assert shown == [each for each in found["severity"] if each != "info"]


def test_sources_and_dates_are_named(data, tmp_path):
    lp = toolkit.read([data / "pairs_whole.jsonl", data / "pairs_stream.sse"])
    text = page(lp, tmp_path)
    tree = LexborHTMLParser(text)
    (table,) = tree.css("[aria-label=sources] tbody")
    assert [row.css("td")[0].text() for row in table.css("tr")] == lp.ledger["source"].to_pylist()
    created = lp.responses["created"].to_pandas()
    first, last = (each.strftime("%Y-%m-%d %H:%M") for each in (created.min(), created.max()))
    assert f"The answers were created from {first} to {last} UTC." in text
    many = [toolkit.read(json.dumps(body([("a", -0.5)])).encode()) for _ in range(25)]
    assert "5 more sources are in lp.ledger" in page(toolkit.concat(many), tmp_path)


def test_figures_are_explained(capitals, tmp_path):
    lp, labels = capitals
    tree = LexborHTMLParser(page(lp, tmp_path, labels=labels))
    (table,) = tree.css("[aria-label='calibration and ranking'] tbody")
    meanings = {row.css("td")[0].text(): row.css("td")[4].text() for row in table.css("tr")}
    assert meanings["ece"].startswith("Expected calibration error")
    assert meanings["prr"].startswith("Prediction rejection ratio")
    assert meanings["aurc"].startswith("Area under the risk-coverage curve")
    assert all(meanings.values())


def test_labels_that_are_a_path_are_refused_with_what_to_type(tmp_path):
    lp = load(body([("a", -1.0)]))
    with pytest.raises(ArgumentError, match="labels is a str: .*pandas.read_csv reads one"):
        toolkit.report(lp, tmp_path / "r.html", labels="truth.csv")
    with pytest.raises(
        ArgumentError, match=r"no column 'correct'; it has \['custom_id', 'right'\]"
    ):
        toolkit.report(lp, tmp_path / "r.html", labels=pd.DataFrame(columns=["custom_id", "right"]))
