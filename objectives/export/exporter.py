"""The only caller of Ultralytics' Exporter: without output, in this process, on a copy, without network or pip."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import spaces.offline  # noqa: F401  (before ultralytics)
from spaces.base import Candidate, CandidateError
from spaces.durable import require_space
from spaces.networks.deployed import deployed
from spaces.structure.heads import task_of

QUANTIZE_OF = {"fp32": None, "fp16": 16}
"""Value of Ultralytics' `quantize` for each of our precisions."""

ULTRALYTICS_LEAST_MB = 0.101
"""Size in MB that passes the exporter's own check of the files that it wrote."""

FILES_AT_MOST = 4
"""Multiple of a network's size that must be free on the disk: an export may go through other formats."""

ONNX_OPSET = 17
"""Opset of exported files; fixed, because the graph and its latency must not change with installed packages."""


def export_formats() -> tuple[str, ...]:
    """Return Ultralytics' names of the formats that it can write, installed or not."""
    from ultralytics.engine import exporter

    return tuple(name for name in exporter.export_formats()["Argument"] if name != "-")


def run_exporter(
    candidate: Candidate,
    stem: Path,
    *,
    file_format: str,
    imgsz: int | None = None,
    batch: int = 1,
    precision: str = "fp32",
    simplify: bool = False,
) -> Path:
    """Export the deployed network; static shapes, decoded output, no built-in non-maximum suppression.

    Args:
        candidate: Not modified.
        stem: Path without suffix; Ultralytics appends its own (`.onnx`, `_openvino_model`).
        file_format: Ultralytics' name of the format.
        imgsz: Image size in px, a multiple of the network's stride; the candidate's own if None.
        batch: Images per call, N; the input is (N, 3, imgsz, imgsz), float32 in [0, 1].
        precision: `fp32` or `fp16` (weights and activations; input and output stay float32).
        simplify: Let onnxslim simplify the graph. onnxruntime gains no speed, export takes 1.5 times as long.

    Returns:
        The file or folder that was written.

    Raises:
        CandidateError: If this network does not export.
        ImportError: If the format's own package is missing.
        OSError: If the file cannot be written.
    """
    from ultralytics.engine.exporter import Exporter

    network = deployed(candidate)
    network.task = task_of(network)  # type: ignore[assignment]
    network.names = dict(enumerate(candidate.classes))  # type: ignore[assignment]
    network.args = None  # type: ignore[assignment]  # training arguments hold paths of this machine
    network.pt_path = str(stem.parent / f"{stem.name}.pt")  # type: ignore[assignment]  # where the export goes
    options: dict[str, object] = {
        "format": file_format,
        "imgsz": imgsz or candidate.imgsz,
        "batch": batch,
        "quantize": QUANTIZE_OF[precision],
        "device": "cpu",
    }
    if getattr(network, "end2end", False):
        options["nms"] = False  # otherwise the exporter switches back to the branch that needs suppression
    if file_format == "onnx":
        options |= {"opset": ONNX_OPSET, "simplify": simplify}
    if file_format != "onnx":  # which Python writes; other writers end the process where the disk is full
        require_space(stem.parent, FILES_AT_MOST * sum(tensor.nbytes for tensor in network.state_dict().values()))
    exporter = Exporter(overrides=options)
    for hooks in exporter.callbacks.values():
        hooks.clear()  # Ultralytics' usage statistics among them
    try:
        with _quiet(), _any_size():
            return Path(exporter(network))
    except (ImportError, OSError):
        stem.with_name(f"{stem.name}.onnx").unlink(missing_ok=True)  # a part of it, if the disk is full
        raise
    except Exception as error:  # whatever the exporter raises is the candidate's fault
        raise CandidateError(f"does not export to {file_format}: {_first_line(error)}") from error


@contextmanager
def _quiet() -> Iterator[None]:
    logger = logging.getLogger("ultralytics")
    level = logger.level
    logger.setLevel(logging.CRITICAL + 1)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # warnings of tracing
            yield
    finally:
        logger.setLevel(level)


@contextmanager
def _any_size() -> Iterator[None]:
    """Let small files pass. Ultralytics takes files below 0.1 MB as corrupt, but a network can be cut to less."""
    from ultralytics.engine import exporter

    size_of = exporter.file_size

    def size_mb(path: str | Path) -> float:
        size = float(size_of(path))
        return max(size, ULTRALYTICS_LEAST_MB) if size > 0 else size

    exporter.file_size = size_mb
    try:
        yield
    finally:
        exporter.file_size = size_of


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
