"""Draw the pictures that tests compare with: ``python -m tests.plot.baselines`` replaces them.

Look at each before you commit it. The file MATPLOTLIB names the minor version that they are made
with, because another one moves texts by a pixel.
"""

from pathlib import Path

import matplotlib as mpl
import pandas as pd
from matplotlib import pyplot as plt

import toolkit
from tests.conftest import ROOT
from toolkit import plot

FOLDER = Path(__file__).parent / "baseline"
DATA = ROOT / "data"


def version() -> str:
    """Return the minor version of matplotlib."""
    return ".".join(mpl.__version__.split(".")[:2])


def _judged():
    answers = toolkit.join_labels(
        toolkit.confidence_metrics(toolkit.read(DATA / "capitals_batch.jsonl")),
        pd.read_csv(DATA / "capitals_labels.csv"),
    )
    return answers["probability"], answers["correct"]


PICTURES = {
    "token_confidence": lambda: plot.token_confidence(
        toolkit.read(DATA / "structured.jsonl"), response=3
    ),
    "confidence_over_position": lambda: plot.confidence_over_position(
        toolkit.read(DATA / "stories_k10.jsonl.gz"), response=0
    ),
    "reliability": lambda: plot.reliability(*_judged()),
    "label_heatmap": lambda: plot.label_heatmap(
        toolkit.read(DATA / "sentiment_k20.jsonl"), ["positive", "negative"], max_answers=8
    ),
    "alternatives": lambda: plot.alternatives(
        toolkit.read(DATA / "stories_k10.jsonl.gz"), response=0, position=6
    ),
}


def save(name: str, folder: Path) -> Path:
    """Draw one picture into a folder."""
    path = folder / f"{name}.png"
    axes = PICTURES[name]()
    axes.figure.savefig(path, dpi=80, metadata={"Software": None})
    plt.close(axes.figure)
    return path


if __name__ == "__main__":
    mpl.use("Agg")
    FOLDER.mkdir(exist_ok=True)
    for each in PICTURES:
        print(save(each, FOLDER))
    (FOLDER / "MATPLOTLIB").write_text(version() + "\n")
