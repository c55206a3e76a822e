"""The parts of the site that are made from other files, without building it."""

import json

import pytest

from tests.conftest import ROOT
from toolkit import schema
from toolkit.cli.entry import main
from tools.site import catalogue, commands, dictionary, markdown, notebooks


def test_links_lead_to_pages_and_others_become_text():
    text = "[a](FORMATS.md#x) [b](README.md) [c](https://example.org) [d](#here) ![e](p.png)"
    assert markdown.linked(text, ROOT / "data") == (
        "[a](/formats.md#x) b [c](https://example.org) [d](#here) ![e](p.png)"
    )
    assert markdown.linked("[t](docs/tables.md)", ROOT) == "[t](/tables.md)"


def test_a_section_that_is_not_there_is_an_error():
    assert "loaders/" in markdown.section("CONTRIBUTING.md", "Where things are")
    with pytest.raises(LookupError, match=r"CONTRIBUTING.md has no section 'Nowhere'"):
        markdown.section("CONTRIBUTING.md", "Nowhere")


def test_every_command_and_option_is_described():
    page = commands.commands()
    for name, command in main.commands.items():
        assert f"\n## logprobs {name}\n" in page
        for parameter in command.params:
            for option in parameter.opts:
                assert not option.startswith("-") or option in page, (name, option)
    assert "\b" not in page


def test_the_dictionary_has_every_column_once():
    page = dictionary.stored_tables()
    for table in (*schema.TABLES, schema.LEDGER):
        part = page.split(f"## {table.name}\n")[1].split("\n## ")[0]
        rows = [line.split("`")[1] for line in part.splitlines() if line.startswith("| `")]
        assert rows == table.names


def test_the_catalogue_has_every_column_once():
    page = catalogue.catalogue()
    for table in schema.RESULTS:
        part = page.split(f"\n## {table.name}\n")[1].split("\n## ")[0]
        metrics, _, others = part.partition("### Other columns")
        entries = [
            line.removeprefix("### ").replace("\\", "")
            for line in metrics.splitlines()
            if line.startswith("### ")
        ]
        rows = [line.split("`")[1] for line in others.splitlines() if line.startswith("| `")]
        assert sorted(entries + rows) == sorted(table.names)


def test_texts_in_cells_are_not_markup():
    assert dictionary.cell("a|b *c* _d_ [e] <f> `g`") == (r"a\|b \*c\* \_d\_ \[e\] \<f\> \`g\`")


def test_a_notebook_keeps_its_outputs(tmp_path):
    cells = [
        {"cell_type": "markdown", "source": ["# A\n", "[data](../data)"]},
        {
            "cell_type": "code",
            "source": ["print('```')"],
            "outputs": [
                {"output_type": "stream", "text": ["```\n"]},
                {"data": {"text/html": ["<b>1</b>"], "text/plain": ["1"]}},
                {"data": {"image/png": "iVBORw0KGgo=", "text/plain": ["<Figure>"]}},
            ],
        },
    ]
    folder = tmp_path / "notebooks"
    folder.mkdir()
    (folder / "n.ipynb").write_text(json.dumps({"cells": cells}))
    notebooks.write_pages(folder, tmp_path / "made")
    page = (tmp_path / "made" / "n.md").read_text()
    assert page.startswith("# A\n")
    assert "````python\nprint('```')\n````" in page
    assert "````output\n```\n````" in page
    assert '```{raw} html\n<div class="rich-output"><b>1</b></div>\n```' in page
    assert "(n_01.png)" in page
    assert (tmp_path / "made" / "n_01.png").read_bytes() == b"\x89PNG\r\n\x1a\n"
