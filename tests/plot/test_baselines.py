"""Five pictures are compared with pictures that a person has checked."""

import matplotlib as mpl
import pytest
from matplotlib.testing.compare import compare_images

from tests.plot import baselines
from tests.plot.baselines import FOLDER, PICTURES, save

MADE_WITH = (FOLDER / "MATPLOTLIB").read_text().strip()
# Root mean square over the channels, of 255. The same picture gives 0; another version of FreeType
# about 1; another colour map 10 and more.
TOLERANCE = 3.0

pytestmark = pytest.mark.skipif(
    baselines.version() != MADE_WITH,
    reason=f"the pictures were made with matplotlib {MADE_WITH}, this is {mpl.__version__}",
)


@pytest.mark.parametrize("name", PICTURES)
def test_the_picture_is_as_it_was(name, tmp_path):
    difference = compare_images(str(FOLDER / f"{name}.png"), str(save(name, tmp_path)), TOLERANCE)
    assert difference is None, difference


def test_another_colour_map_is_seen(tmp_path, monkeypatch):
    monkeypatch.setattr("toolkit.plot.labels.colour_map", lambda *_, **__: mpl.colormaps["viridis"])
    made = save("label_heatmap", tmp_path)
    assert compare_images(str(FOLDER / "label_heatmap.png"), str(made), TOLERANCE)
