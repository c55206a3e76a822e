"""Make the pictures at the head of README: ``python -m tools.pictures``.

The token view is a screenshot in Chromium; the plot is drawn by matplotlib.
"""

import base64
import tempfile
from pathlib import Path

import matplotlib as mpl
import pandas as pd

import toolkit
from tests.browser import chromium

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "notebooks" / "pictures"
DATA = ROOT / "data"
_POINTED_AT = 5  # index of the token whose panel is open


def token_view(path: Path) -> None:
    """Save a screenshot of an answer with the alternatives of one token."""
    view = toolkit.show(toolkit.read(DATA / "pairs_whole.jsonl"), response=0)
    with tempfile.TemporaryDirectory() as folder:
        page_path = view.save(Path(folder) / "view.html")
        (Path(folder) / "profile").mkdir()
        with chromium.Page(Path(folder) / "profile") as page:
            page.open(page_path, width=980)
            page.run(f"document.querySelectorAll('.lp-t')[{_POINTED_AT}].focus()")
            height = page.run("document.querySelector('.lp').getBoundingClientRect().bottom + 76")
            clip = {"x": 0, "y": 0, "width": 980, "height": height, "scale": 1}
            shot = page.call("Page.captureScreenshot", format="png", clip=clip)
    path.write_bytes(base64.b64decode(shot["data"]))


def reliability(path: Path) -> None:
    """Save the reliability diagram of 100 answers about capitals."""
    answers = toolkit.join_labels(
        toolkit.confidence_metrics(toolkit.read(DATA / "capitals_batch.jsonl")),
        pd.read_csv(DATA / "capitals_labels.csv"),
    )
    axes = toolkit.plot.reliability(answers["probability"], answers["correct"])
    axes.figure.savefig(path, dpi=90, metadata={"Software": None})


if __name__ == "__main__":
    mpl.use("Agg")
    FOLDER.mkdir(exist_ok=True)
    token_view(FOLDER / "token_view.png")
    reliability(FOLDER / "reliability.png")
