"""The progress bar shows a share where the bytes of all sources are known."""

import gzip

import pytest

import toolkit

LINE = b'{"id": "a", "choices": [{"message": {"content": "Hi"}, "finish_reason": "stop"}]}\n'


@pytest.mark.filterwarnings("ignore::toolkit.errors.ToolkitWarning")
@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gzip"])
def test_percent_is_shown_if_the_size_is_known(packed, tmp_path, capsys):
    (tmp_path / "a.jsonl").write_bytes(LINE * 2000)
    if packed:
        (tmp_path / "b.jsonl.gz").write_bytes(gzip.compress(LINE * 2000))
    toolkit.read(tmp_path, progress=True)
    shown = capsys.readouterr().err
    assert "reading" in shown
    assert ("%" in shown) is not packed
