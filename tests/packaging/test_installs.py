"""The sdist and the wheel install into clean environments, with a compiler and without one."""

import json
import zipfile

import pytest

from tests.packaging.building import NO_COMPILER, built, environment, ran

WANTED = {"toolkit/py.typed", "toolkit/__init__.pyi", "toolkit/_scan.pyi", "toolkit/view/page.css"}
TESTED = ("dataset", "loaders", "metrics", "plot", "schema", "tables", "view")
TEST_TOOLS = ("pytest>=9.0", "pytest-xdist", "hypothesis")
TOUR = """
import json, sys, warnings
import toolkit, toolkit.loaders.session
toolkit.loaders.session._SLOW_BYTES = 1
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    lp = toolkit.read(sys.argv[1])
out = lp.write_parquet("out")
assert toolkit.read_parquet(out).equals(lp)
toolkit.plot.token_confidence(lp, response=0).figure.savefig("tokens.png")
toolkit.report(lp, "report.html")
print(json.dumps({
    "decoder": toolkit.decoder(),
    "warnings": [str(warning.message).split(",")[0] for warning in caught],
    "perplexity": toolkit.corpus_metrics(lp)["perplexity"].iloc[0],
}))
"""


def toured(scripts, sdist, folder):
    """Use the toolkit in a folder of its own, with warnings as errors; return what it reports."""
    recording = sdist / "data" / "capitals_batch.jsonl"
    out = ran(scripts / "python", "-W", "error", "-c", TOUR, recording, cwd=folder)
    summary = json.loads(ran(scripts / "logprobs", "summary", recording, "--json", cwd=folder))
    assert summary["records"]["read"] == 100
    return json.loads(out)


def run_tests(scripts, sdist, *arguments):
    """Run tests of the sdist; nothing but what is installed can be imported as toolkit."""
    ran(scripts / "python", "-m", "pytest", "-q", *arguments, cwd=sdist)


@pytest.mark.slow
def test_a_wheel_from_the_sdist_in_a_clean_environment(tmp_path):
    sdist, wheel = built(tmp_path)
    names = set(zipfile.ZipFile(wheel).namelist())
    assert names >= WANTED
    assert {name.split("/")[0].split("-")[0] for name in names} == {"toolkit", "logprob_toolkit"}
    assert any("_scan" in name and name.endswith((".so", ".pyd")) for name in names)
    assert "-cp311-abi3-" in wheel.name
    scripts = environment(tmp_path, wheel, *TEST_TOOLS)
    assert toured(scripts, sdist, tmp_path)["decoder"] == "native"
    run_tests(
        scripts, sdist, "-n", "0", "tests/test_data.py", "tests/loaders/decoding/test_reference.py"
    )


@pytest.mark.slow
def test_without_a_compiler(tmp_path):
    """The installation succeeds, the figures are the same, and a long load says why it is slow."""
    sdist, wheel = built(tmp_path, **NO_COMPILER)
    assert not any(
        "_scan." in name for name in zipfile.ZipFile(wheel).namelist() if "pyi" not in name
    )
    scripts = environment(tmp_path, wheel)
    found = toured(scripts, sdist, tmp_path)
    assert found["decoder"] == "reference"
    assert found["warnings"] == ["the native scanner is missing"]


@pytest.mark.installs
@pytest.mark.parametrize("resolution", ["lowest-direct", "highest"])
def test_quick_tests_of_the_sdist(tmp_path, resolution, request):
    """With the lowest and the newest versions of what the toolkit needs."""
    if "installs" not in request.config.getoption("markexpr"):
        pytest.skip("takes minutes: pytest -n 0 -m installs")
    sdist, wheel = built(tmp_path)
    tools = ("duckdb", "polars", "openai", "genai-prices", "pyyaml", "scikit-learn", "selectolax")
    scripts = environment(tmp_path, wheel, *TEST_TOOLS, *tools, resolution=resolution)
    assert toured(scripts, sdist, tmp_path)["decoder"] == "native"
    run_tests(scripts, sdist, "-m", "not slow", *(f"tests/{name}" for name in TESTED))
