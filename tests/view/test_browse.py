"""The page to browse: what it holds, its safety and its size; tests/browser opens it."""

import base64
import hashlib
import itertools
import json
import re
import time
import zlib

import numpy as np
import pytest
from selectolax.lexbor import LexborHTMLParser

import toolkit
from tests.plot.cases import HOSTILE, answer, answers, body, load
from tests.view.test_token_view import HOSTILE as MARKUP
from toolkit.errors import ArgumentError, ExportError, ToolkitWarning
from toolkit.tables.rows import Pick
from toolkit.view import browse
from toolkit.view.answer import checked_options, read_answers
from toolkit.visible_text import pieces, spelled_token, visible

TAGS = {
    *("html", "head", "meta", "title", "style", "body", "main", "h1", "h2", "p", "noscript"),
    *("div", "label", "input", "select", "span", "button", "table", "thead", "tr", "tbody"),
    *("kbd", "dialog", "script"),
}
WIDTHS = {1: "B", 2: "<u2", 4: "<u4"}


def page(lp, tmp_path, **options):
    return toolkit.browse(lp, tmp_path / "answers.html", **options).read_text("utf-8")


def unpacked(node):
    return zlib.decompress(base64.b64decode(node.text(), validate=True))


def columns(raw, widths):
    """Read columns whose first bytes come first, in plain Python."""
    n = len(raw) // sum(widths.values())
    found, at = {}, 0
    for name, width in widths.items():
        planes = [raw[at + plane * n : at + (plane + 1) * n] for plane in range(width)]
        at += width * n
        found[name] = [int.from_bytes(parts, "little") for parts in zip(*planes, strict=True)]
    return found


def contents(text):
    """Return the index of a page, and the tokens of each answer and channel."""
    tree = LexborHTMLParser(text)
    index = json.loads(unpacked(tree.css_first("#index")))
    tokens, alternatives = [], []
    for part in range(len(index["first"])):
        tokens.append(columns(unpacked(tree.css_first(f"#tokens-{part}")), index["token"]))
        packed = unpacked(tree.css_first(f"#alternatives-{part}"))
        alternatives.append(columns(packed, index["alternative"]))
    rows = iter(
        dict(zip(part, values, strict=True))
        for part in tokens
        for values in zip(*part.values(), strict=True)
    )
    entries = iter(entry for part in alternatives for entry in zip(*part.values(), strict=True))
    found = []
    for counts in index["shown"]:
        found.append({})
        for name, count in zip(index["channels"], counts, strict=True):
            own = list(itertools.islice(rows, count))
            for row in own:
                row["entries"] = list(itertools.islice(entries, row["kept"]))
            found[-1][name] = own
    assert next(rows, None) is None
    assert next(entries, None) is None
    return index, found


def written(text):
    """Return a token of the page as its pieces, one after the other."""
    return text if isinstance(text, str) else "".join(text)


def spelled(text):
    parts = [text] if isinstance(text, str) else text
    return "".join(p if i % 2 else p.replace(" ", "␣") for i, p in enumerate(parts))


def assert_same_tokens(lp, text, k=5):
    """Compare the tokens of a page with those that `toolkit.show` reads, one by one."""
    index, found = contents(text)
    keys = lp.choices.select(["response_key", "choice"]).to_pylist()
    assert len(found) == len(keys)
    for key, own in zip(keys, found, strict=True):
        for channel in lp.only(key, key["choice"]).tokens["channel"].unique().to_pylist():
            pick = Pick(key, key["choice"], None, None)
            options = checked_options(channel, "probability", k, 100_000)
            [shown], _ = read_answers([lp], [pick], options)
            [theirs] = shown.channels
            assert len(theirs.tokens) == len(own[channel])
            for expected, row in zip(theirs.tokens, own[channel], strict=True):
                assert_same_token(index, expected, row)
    return index


def assert_same_token(index, expected, row):
    if expected.text or expected.rest or expected.raw != b"":
        shown = "".join(piece.text for piece in pieces(expected.text, expected.rest))
        assert written(index["texts"][row["text"]]) == shown
    logprob = np.array([row["logprob"]], "<u4").view("<f4")[0]
    sent = np.float32("nan") if expected.logprob is None else np.float32(expected.logprob)
    np.testing.assert_equal(logprob, sent)
    assert index["statuses"][row["status"]] == expected.status
    assert row["rank"] == (expected.rank or 0)
    assert row["listed"] == expected.n_alternatives
    if np.isnan(expected.missing):
        assert row["missing"] == index["none"]
    else:
        assert row["missing"] / 1000 == pytest.approx(expected.missing, abs=5.01e-4)
    listed = [entry for entry in expected.entries if entry.probability >= 5e-4]
    assert len(row["entries"]) == len(listed)
    for (number, thousandths, is_sampled), entry in zip(row["entries"], listed, strict=True):
        text = spelled(index["texts"][number])
        assert text == spelled_token(entry.token, entry.bytes, 10**6).removeprefix("◌")
        assert thousandths / 1000 == pytest.approx(entry.probability, abs=5.01e-4)
        assert bool(is_sampled) == entry.is_sampled


def assert_harmless(text):
    """Only the page's own elements are parsed, and its policy allows its own script alone."""
    tree = LexborHTMLParser(text)
    for node in tree.css("*"):
        assert node.tag in TAGS, node.tag
        assert not {"src", "href", "srcdoc", "style", "action"} & set(node.attributes)
        assert not [name for name in node.attributes if name.startswith("on")]
    [sheet], scripts = tree.css("style"), tree.css("script")
    [script] = [node for node in scripts if "type" not in node.attributes]
    for node in scripts:
        if node is not script and "type" in node.attributes:
            assert node.attributes["type"] == "application/octet-stream"
            assert re.fullmatch(r"[A-Za-z0-9+/=]+", node.text())
    policy = tree.css_first("meta[http-equiv]").attributes["content"].split("; ")
    rules = dict(rule.partition(" ")[::2] for rule in policy)
    for name, node in (("script-src", script), ("style-src", sheet)):
        digest = hashlib.sha256(node.text().encode()).digest()
        assert rules[name] == f"'sha256-{base64.b64encode(digest).decode()}'"
    assert rules["default-src"] == rules["base-uri"] == rules["form-action"] == "'none'"
    assert rules["require-trusted-types-for"] == "'script'"
    assert not re.search(r"https?:|@import|url\(|</", sheet.text())
    sinks = r"innerHTML|outerHTML|insertAdjacent|document\.write|eval\(|Function\(|fetch\(|https?:"
    assert not re.search(sinks, script.text())


FILES = [
    *("capitals_batch.jsonl", "stories_k10.jsonl.gz", "structured.jsonl", "refusal_stream.sse"),
    *("arithmetic_n5.jsonl", "given_q4_1.jsonl.gz", "mock_completion.json", "pairs_stream.sse"),
]


@pytest.mark.parametrize("name", FILES)
@pytest.mark.filterwarnings("ignore::toolkit.ToolkitWarning")  # of the mock bodies
def test_the_tokens_are_those_that_show_reads(name, data, tmp_path):
    lp = toolkit.read(data / name)
    text = page(lp, tmp_path)
    assert_harmless(text)
    assert_same_tokens(lp, text)


@pytest.mark.parametrize("kind", answers())
def test_any_answers_make_a_page(kind, tmp_path):
    text = page(answers()[kind], tmp_path)
    assert_harmless(text)
    assert_same_tokens(answers()[kind], text)


@pytest.mark.parametrize("k", [0, 1, 3, 10])
def test_the_number_of_alternatives(k, data, tmp_path):
    lp = toolkit.read(data / "stories_k10.jsonl.gz")
    assert_same_tokens(lp, page(lp, tmp_path, alternatives=k), k)


def test_characters_across_tokens_belong_to_the_token_that_completes_them(tmp_path):
    heart, whale = "💙".encode(), "鯨".encode()
    tokens = [
        ("a", -0.1), ("\ufffd", -1.0, heart[:2]), ("\ufffd", -1.0, heart[2:3]),
        ("\ufffd!", -1.0, heart[3:] + b"!"), ("b", -0.1), ("\ufffd", -1.0, whale[:1]), ("c", -0.2),
        ("\ufffd", -1.0, whale[:1]), ("\ufffd", -1.0, whale[1:]), ("\ufffd", -0.5, b"\x9f"),
    ]  # fmt: skip
    lp = toolkit.concat([answer(tokens), answer(tokens[:2]), answer(tokens[3:])])
    index = assert_same_tokens(lp, page(lp, tmp_path))
    assert ["", "⟨f0 9f⟩"] in index["texts"]
    assert ["💙!"] in index["texts"]


def test_hostile_texts_stay_text(tmp_path):
    odd = [*HOSTILE, *MARKUP, "</script><script>alert(1)</script>", "{script}", "<!--<script>"]
    lp = load(*(body([(h, -0.5), (h, -2.0)], model=h, custom_id=h, id=h) for h in odd))
    text = page(lp, tmp_path, title="</title><script>alert(1)</script>{data}")
    assert_harmless(text)
    assert_same_tokens(lp, text)
    index, _ = contents(text)
    shown = json.dumps(index, ensure_ascii=False)
    assert not re.search("[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]", shown)


def test_the_index_has_the_metrics_of_the_answers(data, tmp_path):
    lp = toolkit.read(data / "capitals_batch.jsonl")
    index, _ = contents(page(lp, tmp_path))
    column = {each["name"]: each["values"] for each in index["columns"]}
    labels = {each["name"]: each.get("labels") for each in index["columns"]}
    sequences = toolkit.sequence_metrics(lp)
    assert column["custom_id"] == sequences["custom_id"].tolist()
    assert column["text"] == [lp.text(i) for i in range(len(lp))]
    assert column["n_tokens"] == sequences["n_tokens"].tolist()
    for name in ("perplexity", "min_probability"):
        np.testing.assert_allclose(column[name], sequences[name], rtol=1e-5)
    np.testing.assert_allclose(
        column["mean_probability"], np.exp(sequences["mean_logprob"]), rtol=1e-5
    )
    assert [labels["model"][code] for code in column["model"]] == sequences["model"].tolist()
    weakest = toolkit.token_metrics(lp).sort_values("probability", kind="stable")
    weakest = weakest.drop_duplicates("response_key").sort_values("response_key")
    assert column["weakest_token"] == [t.replace(" ", "␣") for t in weakest["token"]]
    assert index["facts"]["place"][7] == f"{data / 'capitals_batch.jsonl'}:8"
    assert "choice" not in index["facts"]


def test_texts_without_tokens_and_kept_columns_are_there(tmp_path):
    entries = [{"token": "a", "logprob": -0.5}]
    message = {"content": "a", "reasoning_content": "because\tof it"}
    choices = [
        {"index": 0, "message": message, "logprobs": {"content": entries}},
        {"index": 1, "message": {"content": "no\u202e tokens\n"}},
    ]
    row = {"prompt": "Say <b>a", "n": 3, "answer": {"id": "x", "choices": choices}}
    path = tmp_path / "rows.jsonl"
    path.write_text(json.dumps(row), "utf-8")
    lp = toolkit.read(path, keep=["prompt", "n"])
    index, found = contents(page(lp, tmp_path))
    assert index["kept"] == [{"prompt": "Say <b>a", "n": "3"}] * 2
    assert index["other"] == {"0": {"reasoning": "because⇥of it"}}
    assert index["facts"]["choice"] == [0, 1]
    assert index["columns"][3]["values"] == ["a", "no⟨U+202E⟩ tokens\n"]
    assert [len(own["content"]) for own in found] == [1, 0]
    assert index["columns"][5]["values"][1] is None


def test_given_texts_are_listed_where_there_is_no_answer(data, tmp_path):
    lp = toolkit.read(data / "given_q4_1.jsonl.gz")
    both = toolkit.concat([lp, toolkit.read(data / "capitals_batch.jsonl")])
    index, _ = contents(page(both, tmp_path))
    column = {each["name"]: each["values"] for each in index["columns"]}
    sequences = toolkit.sequence_metrics(both)
    given = sequences[sequences["channel"] == "prompt"]
    n = len(given)
    assert n == len(lp) > 0
    assert index["channel"] == ["prompt"] * n + ["content"] * 100
    assert column["n_tokens"][:n] == given["n_tokens"].tolist()
    np.testing.assert_allclose(column["perplexity"][:n], given["perplexity"], rtol=1e-5)
    assert column["text"][0].startswith(visible(lp.text(0, channel="prompt")[:50]))
    assert column["text"][n] == both.text(n)


def test_more_answers_than_fit_are_the_least_certain(data, tmp_path):
    lp = toolkit.read(data / "capitals_batch.jsonl")
    with pytest.warns(ToolkitWarning, match="the 10 least certain of 100 answers"):
        text = page(lp, tmp_path, max_answers=10)
    index, _ = contents(text)
    worst = toolkit.sequence_metrics(lp).nlargest(10, "perplexity").sort_values("response_key")
    assert index["columns"][0]["values"] == worst["custom_id"].tolist()
    assert "the 10 least certain of 100 answers, by perplexity" in text
    few = lp.filter(custom_id=worst["custom_id"].tolist())
    assert_same_tokens(few, text)


def test_more_tokens_than_fit_are_counted(data, tmp_path):
    lp = toolkit.read(data / "stories_k10.jsonl.gz")
    index, found = contents(page(lp, tmp_path, max_tokens=7))
    counts = lp.choices["n_content_tokens"].to_pylist()
    assert index["more"] == [count - 7 for count in counts]
    assert all(len(own["content"]) == 7 for own in found)


def test_a_large_page_has_alternatives_of_the_least_certain_tokens_alone(
    data, tmp_path, monkeypatch
):
    lp = toolkit.read(data / "stories_k10.jsonl.gz")
    whole = page(lp, tmp_path, alternatives=10)
    assert "for size" not in whole
    limit = len(whole) - 30_000
    monkeypatch.setattr(browse, "MOST_BYTES", limit)
    text = page(lp, tmp_path, alternatives=10)
    assert limit - 30_000 < len(text) <= limit
    index, found = contents(text)
    rows = [row for own in found for row in own["content"]]
    logprobs = np.array([row["logprob"] for row in rows], "<u4").view("<f4")
    is_kept = np.array([row["kept"] > 0 for row in rows])
    assert 0.1 < is_kept.mean() < 0.95
    assert np.exp(logprobs[is_kept]).max() <= index["least"] + 1e-6
    assert np.exp(logprobs[~is_kept]).min() >= index["least"] - 1e-6
    assert f"alternatives only of tokens less probable than {index['least']:.3g}" in text


def test_the_same_tables_give_the_same_page(data, tmp_path):
    lp = toolkit.read(data / "capitals_batch.jsonl")
    assert page(lp, tmp_path) == page(lp, tmp_path)


def test_visible_keeps_lines_and_agrees_with_pieces():
    assert visible("a b\n  c\td\x1b\u202e é 漢 👨\u200d👩 1\ufe0f\u20e3") == (
        "a b\n  c⇥d⟨U+001B⟩⟨U+202E⟩ é 漢 👨\u200d👩 1\ufe0f\u20e3"
    )
    for code in [*range(0x3100), *range(0xFE00, 0xFF00), *range(0x1F000, 0x20000)]:
        text = f"a{chr(code)}b"
        if chr(code) not in "\n ":
            assert visible(text) == "".join(piece.text for piece in pieces(text)), hex(code)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"alternatives": 11}, "alternatives=11"),
        ({"max_answers": 10_001}, "max_answers=10001"),
        ({"max_tokens": 0}, "max_tokens=0"),
        ({"title": " "}, "title"),
    ],
)
def test_bad_arguments_are_named(data, tmp_path, options, message):
    lp = toolkit.read(data / "capitals_batch.jsonl")
    with pytest.raises(ArgumentError, match=message):
        page(lp, tmp_path, **options)


def test_bad_tables_and_paths_are_named(data, tmp_path):
    with pytest.raises(ArgumentError, match="lp is a list"):
        toolkit.browse([], tmp_path / "answers.html")
    with pytest.raises(ExportError, match="cannot be written"):
        toolkit.browse(toolkit.read(data / "capitals_batch.jsonl"), tmp_path / "no" / "a.html")


@pytest.mark.slow
def test_ten_thousand_answers_of_sixty_tokens_fit_in_twenty_megabytes(tmp_path):
    lp = many_answers(10_000)
    assert lp.alternatives.num_rows == 3_000_000
    before = time.process_time()
    path = toolkit.browse(lp, tmp_path / "answers.html")
    print(f"{path.stat().st_size / 1e6:.1f} MB, {time.process_time() - before:.1f} s of CPU time")
    assert path.stat().st_size < 20e6
    index = LexborHTMLParser(path.read_text("utf-8")).css_first("#index")
    assert json.loads(unpacked(index))["least"] is None, "all alternatives are there"


def many_answers(n, length=60, k=5):
    """Load n answers of random words, each token with k alternatives."""
    rng = np.random.default_rng(3)
    words = [f" w{i:x}" for i in range(30_000)]
    share = np.cumsum(1 / np.arange(1, len(words) + 1) ** 0.9)
    lines = []
    for i in range(n):
        codes = np.searchsorted(share, rng.uniform(0, share[-1], (length, k)))
        mass = rng.dirichlet([6.0, *[0.5] * k], length)[:, :k]
        logprobs = np.log(np.maximum(np.sort(mass, axis=1)[:, ::-1], 1e-9))
        entries = [
            [f'"token":"{words[code]}","logprob":{p:.7f}' for code, p in zip(*own, strict=True)]
            for own in zip(codes.tolist(), logprobs.tolist(), strict=True)
        ]
        rows = (f'{{{own[0]},"top_logprobs":[{{{"},{".join(own)}}}]}}' for own in entries)
        text = "".join(words[code] for code in codes[:, 0])
        lines.append(
            f'{{"id":"r{i}","object":"chat.completion","model":"m{i % 2}","choices":[{{"index":0,'
            f'"message":{{"role":"assistant","content":"{text}"}},"finish_reason":"stop",'
            f'"logprobs":{{"content":[{",".join(rows)}]}}}}]}}'
        )
    return toolkit.read("\n".join(lines).encode())
