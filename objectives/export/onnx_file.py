"""Export of a candidate as an ONNX file, with facts about it in the file's metadata."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from objectives.export.exporter import run_exporter
from objectives.export.onnx_reading import read_onnx
from spaces.base import Candidate


def export_onnx(
    candidate: Candidate,
    path: Path,
    *,
    imgsz: int | None = None,
    batch: int = 1,
    precision: str = "fp32",
    simplify: bool = False,
) -> Path:
    """Write the deployed network as ONNX: input `images` (N, 3, imgsz, imgsz), float32 in [0, 1]; `output0` decoded.

    `output0` is (N, 4 + classes, anchors): centre x, centre y, width, height in px, then scores in [0, 1]. End-to-end
    models give (N, detections, 6): x1, y1, x2, y2, score, class. An original YOLOv5 gives (N, boxes, 5 + classes), as
    its own export does: the box, the objectness, and the scores of the classes.

    Args:
        candidate: Not modified.
        path: Ends in `.onnx`; its folder exists. Nothing else is written.
        imgsz: Image size in px, a multiple of the network's stride; the candidate's own if None.
        simplify: Let onnxslim simplify the graph; see `run_exporter`.

    Raises:
        CandidateError: If this network does not export.
        OSError: If the file cannot be written.
    """
    if path.suffix != ".onnx":
        raise ValueError(f"path is '{path}'; the name of an ONNX file ends in .onnx")
    return run_exporter(
        candidate,
        path.with_suffix(""),
        file_format="onnx",
        imgsz=imgsz,
        batch=batch,
        precision=precision,
        simplify=simplify,
    )


OF_ULTRALYTICS = frozenset(
    {"author", "batch", "channels", "date", "docs", "end2end", "imgsz", "license", "names", "stride"}
    | {"args", "task", "version"}
)
"""Facts that Ultralytics' exporter writes and its validator reads, such as `imgsz` as `[96, 96]`. They stay."""


def add_metadata(path: Path, facts: Mapping[str, str]) -> None:
    """Write facts into an ONNX file's `metadata_props`, in place of those of the same name; not over Ultralytics'."""
    import onnx

    model = onnx.load(str(path))
    kept = {entry.key: entry.value for entry in model.metadata_props}
    own = {name: value for name, value in facts.items() if not (name in OF_ULTRALYTICS and name in kept)}
    onnx.helper.set_model_props(model, kept | own)
    onnx.save(model, str(path))


def read_metadata(path: Path) -> dict[str, str]:
    """Return the facts in an ONNX file's `metadata_props`."""
    return {entry.key: entry.value for entry in read_onnx(path, weights=False).metadata_props}


def node_names(path: Path) -> list[str]:
    """Return the names of an ONNX file's nodes, in order: paths of layers, as `/model.22/dfl/conv/Conv`."""
    return [node.name for node in read_onnx(path, weights=False).graph.node]
