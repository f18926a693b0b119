"""Whatever a user hands over is measured, or refused in one line."""

from __future__ import annotations

import json
from pathlib import Path

import onnx
import pytest
from onnx import TensorProto, helper

from search.bench import main
from search.cli.command import Exit, run_command

pytestmark = pytest.mark.slow


def write_plain(path: Path, batch: int | str, size: int | str) -> Path:
    """A network of another maker: images in one input, whole numbers in another."""
    images = helper.make_tensor_value_info("pixels", TensorProto.FLOAT, [batch, 3, size, size])
    ids = helper.make_tensor_value_info("ids", TensorProto.INT64, [2])
    outputs = [
        helper.make_tensor_value_info("mean", TensorProto.FLOAT, None),
        helper.make_tensor_value_info("rows", TensorProto.FLOAT, None),
    ]
    nodes = [
        helper.make_node("ReduceMean", ["pixels"], ["mean"], axes=[2, 3]),
        helper.make_node("Gather", ["pixels", "ids"], ["rows"], axis=1),
    ]
    graph = helper.make_graph(nodes, "plain", [images, ids], outputs)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), str(path))
    return path


def test_a_network_of_any_inputs_is_measured_against_another(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    small, large = write_plain(tmp_path / "small.onnx", "n", 64), write_plain(tmp_path / "large.onnx", 1, 512)
    told = tmp_path / "told.json"
    code = run_command(main, [str(small), "--batch", "1", "--reference", str(large), "--json", str(told)])
    said, errors = capsys.readouterr()
    assert (code, errors) == (Exit.DONE, "")
    for line in ("pixels float32 1x3x64x64, ids int64 2", "ratio ", "p50", "reference  large.onnx", "onnxruntime cpu"):
        assert line in said
    seen = json.loads(told.read_text())
    assert seen["latency"]["ratio"] < 1  # 64 times fewer pixels
    assert seen["timings"]["loadings"]
    assert seen["target"]["reference"].startswith("large ")


def test_an_architecture_is_measured_against_the_smallest_of_its_family(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    spec = tmp_path / "spec.json"
    spec.write_text(json.dumps({"model": "yolov8n.yaml", "classes": 3, "imgsz": 96, "kept": {"model.1": 16}}))
    assert run_command(main, [str(spec)]) == Exit.DONE
    assert "timing it in turn with yolov8n at 96 px" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("rubbish.onnx", "rubbish", "is no ONNX file"),
        ("spec.json", "{", "an architecture is JSON"),
        ("spec.json", '{"model": "yolov8n.yaml"}', "lacks 'classes'"),
        ("spec.json", '{"model": "yolov8n.yaml", "classes": 3, "kept": {"x": 8}}', "no channel group 'x'"),
        ("weights.pt", "rubbish", "weights"),
        ("notes.txt", "rubbish", "is of no known kind"),
    ],
)
def test_rubbish_is_refused_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, content: str, said: str
) -> None:
    (tmp_path / name).write_text(content)
    assert run_command(main, [str(tmp_path / name)]) == Exit.USAGE
    (line,) = capsys.readouterr().err.splitlines()
    assert said in line


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ([], "give --imgsz"),
        (["--imgsz", "64", "--batch", "2"], "--batch is 2, but the file's input is fixed"),
        (["--target", "torch-cpu"], "timed by onnxruntime or openvino"),
        (["--target", "ort-cpuu"], "did you mean ort-cpu"),
        (["--pack", "somewhere"], "give one of MODEL"),
        (["--threads", "0"], "--threads is 0"),
    ],
)
def test_what_an_open_file_or_a_wrong_option_needs_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], options: list[str], said: str
) -> None:
    file = write_plain(tmp_path / "open.onnx", 1, "side")
    assert run_command(main, [str(file), *options]) == Exit.USAGE
    (line,) = capsys.readouterr().err.splitlines()
    assert said in line
