"""The token view: contents, safety and size."""

import math
import re

import click
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from selectolax.lexbor import LexborHTMLParser

import toolkit
from tests.conftest import ROOT
from toolkit.palettes import colour
from toolkit.view.answer import MEASURES
from toolkit.view.html import style_sheet

SAMPLES = ROOT / "data"
TAGS = {"html", "head", "body", "style", "div", "span", "details", "summary"}
ATTRIBUTES = {"class", "tabindex", "style", "data-d", "role", "aria-label", "aria-hidden"}
STYLE = re.compile(
    r"background-color:#[0-9a-f]{6}(;color:#(000|fff))?(;--q:\d+)?(;--[a-j]:[\d.e+-]+%)*"
)


def made(tokens, *, text=None, **body):
    """Build one answer of (token, logprob, alternatives) triples."""
    entries = []
    for token, logprob, others in tokens:
        top = [{"token": t, "logprob": p, "bytes": list(t.encode())} for t, p in others]
        entry = {"token": token, "logprob": logprob, "top_logprobs": top}
        entries.append({**entry, "bytes": list(token.encode("utf-8", "replace"))})
    said = "".join(token for token, _, _ in tokens) if text is None else text
    choice = {"message": {"content": said}, "logprobs": {"content": entries}}
    return toolkit.from_responses({"model": "m", **body, "choices": [choice]})


def parsed(view):
    return LexborHTMLParser(view._repr_html_())


def tokens_of(view):
    return parsed(view).css("span.lp-t")


def assert_harmless(view):
    """An HTML5 parser finds only our elements and attributes, with values of our forms."""
    tree = parsed(view)
    for node in tree.css("*"):
        assert node.tag in TAGS, node.tag
        for name, value in node.attributes.items():
            assert name in ATTRIBUTES, (node.tag, name)
            if name == "style":
                assert STYLE.fullmatch(value), value
    styles = tree.css("style")
    assert len(styles) == 1
    assert styles[0].text() == style_sheet()


# Contents


def test_tokens_are_coloured_by_probability_and_list_their_alternatives():
    lp = made([("Hi", math.log(0.25), [("Ho", math.log(0.5)), ("Hi", math.log(0.25))])])
    (token,) = tokens_of(toolkit.show(lp))
    style = token.attributes["style"]
    assert f"background-color:{colour('oranges', 25)};" in style
    assert "--a:50%" in style
    assert "--b:25%" in style
    assert "lp-off" in token.attributes["class"].split()
    assert token.attributes["tabindex"] == "0"
    lines = token.attributes["data-d"].split("\n")
    assert lines[:4] == ["Hi", "p 0.250 · logprob -1.386 · rank 2", " 0.500  Ho", "▸0.250  Hi"]
    assert lines[4:] == [" 0.250  not listed", "position 0 · bytes 48 69"]


def test_every_value_is_that_of_token_metrics():
    lp = toolkit.read(SAMPLES / "stories_k10.jsonl.gz")
    metrics = toolkit.token_metrics(lp)
    first = metrics[metrics["response_key"] == metrics["response_key"].iloc[0]]
    shown = tokens_of(toolkit.show(lp, fold=10_000))
    assert len(shown) == len(first)
    for token, probability in zip(shown, first["probability"], strict=True):
        ground = re.search(r"#[0-9a-f]{6}", token.attributes["style"])[0]
        assert ground == colour("oranges", round(100 * probability))


def test_text_is_kept_whole():
    lp = toolkit.read(SAMPLES / "stories_k10.jsonl.gz")
    text = "".join(node.text() for node in tokens_of(toolkit.show(lp)))
    sent = lp.text(0)
    assert text.replace("↵", "").replace("␣", " ").strip() == sent.strip()


@pytest.mark.parametrize("by", MEASURES)
def test_any_measure_can_be_shown(by):
    lp = toolkit.read(SAMPLES / "stories_k10.jsonl.gz")
    view = toolkit.show(lp, by=by)
    assert by in parsed(view).css_first(".lp-legend").text()
    values = toolkit.token_metrics(lp.filter(response_key=lp.responses["response_key"][0].as_py()))
    known = values[by].notna()
    direction = toolkit.schema.TOKEN_METRICS[by].direction
    grey = ["lp-na" in node.attributes["class"] for node in tokens_of(view)]
    assert grey == (~known).tolist()
    if known.any():
        most = values[by].astype(float)
        best = int(most.idxmax() if direction == "higher" else most.idxmin())
        shades = [
            int(re.search(r"--q:(\d+)", node.attributes["style"])[1]) if not hidden else 101
            for node, hidden in zip(tokens_of(view), grey, strict=True)
        ]
        assert shades[best] == min(shades)


def test_tokens_without_a_value_are_grey_and_say_why():
    lp = made([("a", -9999.0, []), ("b", None, []), ("c", 5.0, []), ("d", -0.1, [])])
    view = toolkit.show(lp)
    kinds = ["lp-na" in node.attributes["class"] for node in tokens_of(view)]
    assert kinds == [True, True, True, False]
    facts = [node.attributes["data-d"].split("\n")[1] for node in tokens_of(view)]
    assert facts[:3] == [
        "censored: logprob sent as -9999",
        "missing: logprob sent as null",
        "invalid: logprob sent as 5",
    ]
    assert "no value" in parsed(view).css_first(".lp-legend").text()


def test_parts_of_a_character_are_bytes_until_it_is_whole():
    heart = "💙".encode()
    entries = [
        {"token": "�", "logprob": -0.1, "bytes": list(part)} for part in (heart[:3], heart[3:])
    ]
    choice = {"message": {"content": "💙"}, "logprobs": {"content": entries}}
    view = toolkit.show(toolkit.from_responses({"choices": [choice]}))
    assert [node.text() for node in tokens_of(view)] == ["⟨f0 9f 92⟩", "💙"]


def test_long_answers_are_folded_and_then_counted():
    lp = made([("x", -0.1, [])] * 50)
    tree = parsed(toolkit.show(lp, fold=20, max_tokens=40))
    assert tree.css_first("summary").text() == "20 more tokens"
    assert len(tree.css("details span.lp-t")) == 20
    assert "10 more tokens are not shown" in tree.body.text()


def test_channels_are_shown_apart():
    def tokens(text):
        return [{"token": text, "logprob": -0.1, "bytes": None, "top_logprobs": []}]

    message = {"content": None, "refusal": "no", "reasoning_content": "hm"}
    logprobs = {"content": [], "refusal": tokens("no"), "reasoning_content": tokens("hm")}
    lp = toolkit.from_responses({"choices": [{"message": message, "logprobs": logprobs}]})
    names = [node.text() for node in parsed(toolkit.show(lp)).css(".lp-name")]
    assert names == ["reasoning", "refusal"]
    only = parsed(toolkit.show(lp, channel="refusal"))
    assert [node.text() for node in only.css("span.lp-t")] == ["no"]


def test_the_prompt_is_shown_if_it_is_asked_for():
    body = {"choices": [{"message": {"content": "a"}, "logprobs": {"content": []}}]}
    body["prompt_logprobs"] = [None, {"5": {"logprob": -1.0, "decoded_token": "Hi"}}]
    lp = toolkit.from_responses(body)
    assert "Hi" not in parsed(toolkit.show(lp)).body.text()
    tree = parsed(toolkit.show(lp, channel="prompt"))
    assert [node.text() for node in tree.css("span.lp-t")] == ["∅", "Hi"]
    assert lp.text(0, channel="prompt") == "Hi"


@pytest.mark.filterwarnings("ignore:no response:toolkit.ToolkitWarning")
@pytest.mark.parametrize("message", [{"content": "plain"}, {"content": None}])
def test_answers_without_logprobs_show_their_text(message):
    body = {"choices": [{"message": message}]}
    lp = toolkit.from_responses(body)
    view = toolkit.show(lp)
    assert_harmless(view)
    assert ("plain" in view.html) == (message["content"] is not None)
    assert ("plain" in repr(view)) == (message["content"] is not None)


# Two answers


def test_two_answers_are_side_by_side_and_their_first_difference_is_marked():
    a = made([("A", -0.1, []), ("b", -0.1, []), ("c", -0.1, [])])
    b = made([("A", -0.2, []), ("x", -0.1, [])])
    tree = parsed(toolkit.show(a, b))
    halves = tree.css(".lp-pair > div")
    assert [half.css_first(".lp-text").text() for half in halves] == [
        "A⟨the answers differ from here⟩bc",
        "A⟨the answers differ from here⟩x",
    ]
    assert "differ" not in toolkit.show(a, a).html
    assert "lp-cut" not in toolkit.show(a, a).html


def test_a_pair_chooses_for_each():
    lp = toolkit.from_responses(
        [{"id": f"r{i}", "choices": [{"message": {"content": str(i)}, "logprobs": {"content": [
            {"token": str(i), "logprob": -0.1}]}}]} for i in range(3)]
    )  # fmt: skip
    view = toolkit.show(lp, lp, response=(0, "r2"))
    assert [node.text() for node in tokens_of(view)] == ["0", "2"]
    with pytest.raises(toolkit.errors.ArgumentError, match="response"):
        toolkit.show(lp, response=(0, 1))


# As text


def test_the_text_is_plain_or_coloured():
    lp = made([("Hi", -1.0, []), (" you\n", 0.0, [])])
    view = toolkit.show(lp)
    assert "\x1b" not in view.text()
    assert repr(view) == view.text()
    assert "least certain by probability: Hi 0.368 (position 0)" in view.text()
    full, few = view.text(1 << 24), view.text(256)
    assert "\x1b[48;2;" in full
    assert "\x1b[48;5;" in few
    bare = re.sub(r"\x1b\[[\d;]*m", "", full)
    assert "Hi you↵" in bare
    for line in full.split("\n"):
        assert line.count("\x1b[0m") * 2 >= line.count("\x1b[") - 1  # colours end with the line


@pytest.mark.parametrize("colours", [0, 256, 1 << 24])
def test_no_foreign_escape_reaches_the_terminal(colours):
    hostile = ["\x1b[31mred", "\x1b]0;title\x07", "\x9b1m", "\r\n", "\x00", "\u202e", "\x08" * 5]
    text = toolkit.show(made([(token, -1.0, [(token, -1.0)]) for token in hostile])).text(colours)
    ours = re.sub(r"\x1b\[[\d;]*m", "", text)
    assert all(c == "\n" or c.isprintable() for c in ours), ascii(ours)


# Nothing is executed

HOSTILE = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "' onmouseover='alert(1)",
    "</span></div></style><script>alert(1)</script>",
    "<!--",
    "]]>",
    "&lt;b&gt;",
    "&#x3c;svg/onload=alert(1)&#x3e;",
    "javascript:alert(1)",
    "$$\\href{javascript:alert(1)}{x}$$",
    "\\(x\\)",
    "{{7*7}}${7*7}",
    "\x00<b>",
    "\u202e<b>",
    "</textarea><plaintext>",
    "expression(alert(1))",
    ";background:url(//evil)",
    "--a:url(x)",
    "\ud800<b>",
    "<style>*{display:none}</style>",
    "<a href=//evil id=lp name=lp>",
]


@pytest.mark.parametrize("token", HOSTILE)
def test_hostile_tokens_stay_text(token):
    lp = made(
        [(token, -1.0, [(token.encode("utf-8", "replace").decode(), -1.0), ("x", -2.0)])],
        id=token, text=token,
    )  # fmt: skip
    for palette in ("oranges", "cividis"):
        view = toolkit.show(lp, palette=palette)
        assert_harmless(view)
        assert len(tokens_of(view)) == 1
    assert "$" not in re.sub(r"<span>\$</span>|data-d=\"[^\"]*\"|style=\"[^\"]*\"", "", view.html)


@given(
    st.lists(
        st.tuples(
            st.one_of(
                st.text(max_size=30),
                st.lists(st.sampled_from(list("<>&\"'/=$`\\;:{}()\x00\x1b\u202e") + HOSTILE)).map(
                    "".join
                ),
            ),
            st.one_of(st.floats(-20, 0.0), st.none(), st.just(-9999.0)),
        ),
        min_size=1,
        max_size=20,
    )
)
def test_fuzzed_tokens_stay_text(tokens):
    lp = made([(token, logprob, [("x", -1.0)]) for token, logprob in tokens])
    view = toolkit.show(lp)
    assert_harmless(view)
    assert len(tokens_of(view)) == len(tokens)
    for colours in (0, 256):
        bare = re.sub(r"\x1b\[[\d;]*m", "", view.text(colours))
        assert "\x1b" not in bare
        assert "\x00" not in bare


def test_the_style_sheet_loads_nothing():
    assert not re.search(r"url\(|@import|expression|javascript|</", style_sheet())
    assert style_sheet().count("{") == style_sheet().count("}")


# Size


def test_five_thousand_tokens_fit_in_two_megabytes():
    rng = np.random.default_rng(5)
    p = np.log(rng.dirichlet(np.full(5, 2.0), 5000))
    tokens = [(f" w{i}", row[0], [(f" w{i + j}", q) for j, q in enumerate(row)])
              for i, row in enumerate(p.tolist())]  # fmt: skip
    view = toolkit.show(made(tokens))
    assert len(view._repr_html_().encode()) < 2e6
    assert len(tokens_of(view)) == 5000


def test_the_page_is_self_contained(tmp_path):
    path = toolkit.show(made([("Hi", -1.0, [])])).save(tmp_path / "view.html")
    page = path.read_text("utf-8")
    assert page.startswith("<!doctype html>")
    assert 'lang="en"' in page
    assert not re.search(r"https?:|src=|href=", page)


# Arguments


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("by", "token"),
        ("by", "off_top1"),
        ("by", None),
        ("palette", "viridis"),
        ("alternatives", -1),
        ("alternatives", 11),
        ("alternatives", True),
        ("alternatives", 2.0),
        ("fold", 0),
        ("fold", True),
        ("max_tokens", 0),
        ("max_tokens", None),
        ("channel", "text"),
        ("response", (0, 1)),
        ("choice", (0, 1)),
    ],
)
def test_bad_arguments_are_named(name, value):
    with pytest.raises(toolkit.errors.ArgumentError, match=name):
        toolkit.show(made([("Hi", -1.0, [])]), **{name: value})


def test_bad_tables_are_named():
    lp = made([("Hi", -1.0, [])])
    with pytest.raises(toolkit.errors.ArgumentError, match="lp is a list"):
        toolkit.show([])
    with pytest.raises(
        toolkit.errors.ArgumentError, match="other='lp'.*; the option response selects"
    ):
        toolkit.show(lp, "lp")
    with pytest.raises(toolkit.errors.ArgumentError, match="colours"):
        toolkit.show(lp).text(16)


def test_no_bar_of_an_alternative_crosses_its_number():
    bars = re.findall(r" 0 (\d+)px/var\(--\w,0\) (\d+)px", style_sheet())
    assert len(bars) == 10
    assert ";font:12px/18px" in style_sheet().replace("text-decoration:none;", ";")
    for top, height in bars:
        begin = (int(top) - 8) % 18  # in the line: its letters of 12 pixels are in the middle
        assert begin >= 15
        assert begin + int(height) <= 18 + 3


@pytest.mark.parametrize("by", ["probability", "surprisal", "entropy_lower", "margin"])
def test_the_legend_of_a_terminal_fits_80_columns(by):
    lp = toolkit.read(SAMPLES / "sentiment_k20.jsonl")
    legend = click.unstyle(toolkit.show(lp, by=by).text(256)).splitlines()[-2:]
    assert by in legend[0]
    assert legend[1] == "underlined: not the likeliest token"
    assert max(map(len, legend)) <= 80
