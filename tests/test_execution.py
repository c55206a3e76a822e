"""Reading, measuring, showing and exporting hostile recordings executes nothing of them."""

import json
import os
import subprocess
import sys
import textwrap

import pytest

import toolkit
from tests.conftest import ROOT
from tests.plot.cases import body
from tests.view.test_token_view import HOSTILE

FORBIDDEN = (
    "socket.connect",
    "socket.bind",
    "socket.getaddrinfo",
    "subprocess.Popen",
    "os.system",
    "os.exec",
    "os.posix_spawn",
    "os.spawn",
    "os.fork",
    "pickle.find_class",
    "ftplib.connect",
    "http.client.connect",
    "smtplib.connect",
    "urllib.Request",
    "webbrowser.open",
)
SCRIPT = """
import sys, warnings
sys.path.insert(0, {root!r})
warnings.simplefilter("ignore")
import toolkit, toolkit.plot, toolkit.view.report, toolkit.view.browse  # may load all
import toolkit.dataset.exporting
import pandas, numpy, yaml, matplotlib
matplotlib.use("Agg")
toolkit.plot.token_confidence(toolkit.read({known!r}))  # fonts are looked for once
found = []
inside = {inside!r}

def hook(event, args):
    if event.startswith({forbidden!r}):
        found.append((event, repr(args)[:200]))
    if event == "open" and isinstance(args[1], str) and set(args[1]) & set("wax+"):
        path = args[0]
        if isinstance(path, str) and not path.startswith((inside, "/dev/null")):
            found.append(("written outside", path))

sys.addaudithook(hook)
lp = toolkit.read(inside + "/recordings")
toolkit.check(lp)
toolkit.token_metrics(lp), toolkit.sequence_metrics(lp), toolkit.field_metrics(lp)
toolkit.word_metrics(lp), toolkit.agreement(lp), toolkit.usage(lp)
toolkit.show(lp, response=0).save(inside + "/view.html")
toolkit.report(lp, inside + "/report.html")
toolkit.browse(lp, inside + "/answers.html")
lp._repr_html_()
out = toolkit.export(inside + "/recordings", inside + "/out")
toolkit.read_parquet(out)
for part in toolkit.scan(inside + "/recordings"):
    pass
print(len(lp), lp.rejects.num_rows, found)
sys.exit(bool(found))
"""
CASSETTE = """\
version: 1
interactions:
- request: {method: POST, uri: "https://api.openai.com/v1/chat/completions", body: "{}"}
  response:
    body: {string: !!python/object/apply:os.system ["touch %s"]}
    status: {code: 200, message: OK}
"""


@pytest.fixture
def recordings(tmp_path):
    """A folder of everything that could tempt a reader."""
    folder = tmp_path / "recordings"
    folder.mkdir()
    mark = tmp_path / "executed"
    tempting = [
        *HOSTILE,
        f"__import__('os').system('touch {mark}')",
        f"$(touch {mark})",
        f"`touch {mark}`",
        f"; touch {mark} #",
        f"=cmd|' /C touch {mark}'!A0",
        "../../../../etc/passwd",
        "/etc/passwd",
        "file:///etc/passwd",
        "http://127.0.0.1:9/",
        "cos\nsystem\n(S'touch x'\ntR.",
        "!!python/object/apply:os.system ['touch x']",
        "{{7*7}}${7*7}<%= 7*7 %>",
    ]
    with (folder / "a.jsonl").open("w", encoding="utf-8", errors="replace") as file:
        for i, text in enumerate(tempting):
            answer = body([(text, -0.5)], model=text, custom_id=text, id=str(i))
            file.write(json.dumps(answer) + "\n")
            file.write(json.dumps({"custom_id": text, "response": {"body": answer}}) + "\n")
            file.write(text.replace("\n", " ") + "\n")
    (folder / "b.yaml").write_text(CASSETTE % mark)
    (folder / "c.json").write_bytes(b"\x80\x04\x95cos\nsystem\n.")
    (folder / "d.sse").write_text(f"event: $(touch {mark})\ndata: {{}}\n\n")
    return folder


def test_nothing_is_executed_fetched_or_written_elsewhere(recordings, tmp_path):
    code = SCRIPT.format(
        root=os.fspath(ROOT),
        inside=os.fspath(tmp_path),
        known=os.fspath(ROOT / "data" / "pairs_whole.jsonl"),
        forbidden=FORBIDDEN,
    )
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        capture_output=True, text=True, check=False, cwd=tmp_path,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    n_responses, n_rejects, _ = done.stdout.split(" ", 2)
    assert int(n_responses) > 30
    assert int(n_rejects) > 20
    assert not (tmp_path / "executed").exists()


def test_the_hook_bites(tmp_path):
    code = SCRIPT.format(
        root=os.fspath(ROOT), inside=os.fspath(tmp_path), forbidden=FORBIDDEN,
        known=os.fspath(ROOT / "data" / "pairs_whole.jsonl"),
    ).split("lp = toolkit.read(inside")[0]  # fmt: skip
    outside = tmp_path.parent / "outside"
    for deed in ("__import__('os').system('true')", f"open({os.fspath(outside)!r}, 'w').close()"):
        done = subprocess.run(
            [sys.executable, "-c", f"{code}\n{deed}\nsys.exit(bool(found))"],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 1, done.stderr


HOSTILE_NAMES = [
    "%2E%2E%2F..%2Fescape.jsonl",
    "$(touch executed).jsonl",
    "`id`.jsonl",
    "-rf.jsonl",
    "~.jsonl",
    "a\nb.jsonl",
    "=1+1.jsonl",
    "model=..|x.jsonl",
    "__HIVE_DEFAULT_PARTITION__.jsonl",
    "\u202egpj.jsonl",
    "x" * 200 + ".jsonl",
]


def test_no_name_and_no_value_chooses_a_path(tmp_path):
    """Sources, ids and models may be called what they like: files are numbered."""
    folder = tmp_path / "recordings"
    folder.mkdir()
    values = [
        *HOSTILE,
        *HOSTILE_NAMES,
        "../../escape",
        "/etc/passwd",
        "..",
        ".",
        "",
        "CON",
        "nul\0x",
    ]
    for name in HOSTILE_NAMES:
        with (folder / name).open("w", encoding="utf-8", errors="replace") as file:
            for value in values:
                answer = body([(value, -0.5)], model=value, id=value, custom_id=value)
                file.write(json.dumps(answer) + "\n")
    out = toolkit.export(folder, tmp_path / "out")
    written = {path.relative_to(out).as_posix() for path in out.rglob("*") if path.is_file()}
    tables = ("responses", "choices", "tokens", "alternatives", "rejects", "ledger")
    expected = {f"{table}/part-00000.parquet" for table in tables}
    assert written == expected | {"manifest.json", "_SUCCESS"}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out", "recordings"]
    lp = toolkit.read_parquet(out)
    assert lp.equals(toolkit.read(folder))
    assert len(lp) == len(HOSTILE_NAMES) * len(values)
