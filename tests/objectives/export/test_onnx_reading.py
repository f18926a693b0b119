"""An ONNX file whose weights lie in another file: what is wrong with that file is said."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from objectives.export.onnx_reading import OnnxError, read_onnx
from tests.foreign.onnx_files import EXTERNAL

SAID = {
    "weights that are not there": "keeps its weights in 'w.data', which is not beside it; copy both files",
    "weights that are too short": "keeps its weights in 'w.data', which has 3 bytes and lacks a part; copy it again",
    "weights in another folder": "keeps its weights in '../w.data', outside of its own folder",
    "weights at an absolute path": "outside of its own folder",
    "weights behind a link": "outside of its own folder",
    "weights with escape codes": r"keeps its weights in '\x1b]0;PWN\x07",
}


@pytest.mark.parametrize("name", SAID)
def test_what_is_wrong_with_the_second_file_is_said(name: str, tmp_path: Path) -> None:
    EXTERNAL[name](tmp_path / "a.onnx")
    with pytest.raises(OnnxError, match=re.escape(SAID[name])):
        read_onnx(tmp_path / "a.onnx")
    assert read_onnx(tmp_path / "a.onnx", weights=False).graph.node  # its operations and facts are all there
