"""Post-training static quantisation to int8, as an ONNX file that onnxruntime and OpenVINO both run in int8.

Weights are int8 with a scale for each channel; activations have 8 bits and a scale for each tensor, from the extremes
on the calibration images. The decoding at the end of the head stays float32: boxes in px and scores in [0, 1] share a
tensor there, and one scale does not fit both.

Source: https://onnxruntime.ai/docs/performance/model-optimizations/quantization.html (QDQ format).
"""

from __future__ import annotations

import contextlib
import logging
import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from spaces.base import CandidateError


def quantize(
    model: Path, images: Sequence[NDArray[np.float32]], *, batch: int, signed: bool, float_head: bool = False
) -> Path:
    """Replace an fp32 ONNX file by its int8 form.

    Args:
        model: File from `export_onnx` in fp32.
        images: At least one image (3, H, W) of the exported size.
        batch: Number of images per call of the file.
        signed: Whether activations are in [-128, 127] around 0, as TensorRT needs them. Else they are in [0, 255]: x86
            engines run signed activations several times slower.
        float_head: Whether the last convolution of each branch of the detection head stays in float32.

    Raises:
        CandidateError: If the network cannot be quantised.
    """
    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static

    feeds = ({"images": np.repeat(image[None], batch, axis=0)} for image in images)

    class Reader(CalibrationDataReader):  # type: ignore[misc]  # onnxruntime has no types
        def get_next(self) -> dict[str, NDArray[np.float32]] | None:
            return next(feeds, None)

    quantized = model.with_name(f"{model.stem}-int8.onnx")
    try:
        with _silence():
            quantize_static(
                str(model),
                str(quantized),
                Reader(),
                quant_format=QuantFormat.QDQ,
                per_channel=True,
                activation_type=QuantType.QInt8 if signed else QuantType.QUInt8,
                weight_type=QuantType.QInt8,
                reduce_range=not signed and overflows(),
                nodes_to_exclude=_float_nodes(model, float_head),
                extra_options={"ActivationSymmetric": signed},
            )
    except OSError:
        raise  # the disk's fault, not the candidate's
    except Exception as error:  # any other error of the quantiser is the candidate's fault
        raise CandidateError(f"cannot be quantised to int8: {error}") from error
    os.replace(quantized, model)
    return model


def overflows(processor: Path = Path("/proc/cpuinfo")) -> bool:
    """Return whether this x86 processor adds two 8-bit products in 16 bits, as processors without VNNI do.

    Weights then need 7 bits: else sums saturate, and boxes are wrong by up to a sixth of the image. Source: the
    quantisation guide above, "When and why do I need to try U8U8?".
    """
    if not processor.exists():
        return False  # not Linux: unknown
    description = processor.read_text(encoding="utf-8", errors="replace")
    return "avx2" in description and "vnni" not in description


def _float_nodes(model: Path, float_head: bool) -> list[str]:
    """Return the nodes of the detection head that stay in float32.

    They are those outside of its branches, which decode boxes and scores, and on request the last convolution of each
    branch: `/model.22/cv2.0/cv2.0.2/Conv`, or `/model.24/m.0/Conv` of an original YOLOv5.
    """
    from objectives.export.onnx_file import node_names

    names = node_names(model)
    layers = [int(found[1]) for name in names if (found := re.match(r"/model\.(\d+)/", name))]
    if not layers:
        raise CandidateError("cannot be quantised to int8: its ONNX file does not name the network's layers")
    head = rf"/model\.{max(layers)}/"
    kept = rf"{head}(dfl/|[^/]+$)" + (rf"|{head}\w+\.\d+/(\w+\.\d+\.\d+/)?Conv$" if float_head else "")
    return [name for name in names if re.match(kept, name)]


@contextlib.contextmanager
def _silence() -> Iterator[None]:
    """Silence the quantiser, which logs advice about its preprocessing."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(before)
