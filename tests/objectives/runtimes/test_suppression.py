"""Non-maximum suppression in timed runs: it is the same for every network, and no engine leaves it out."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from objectives.data.calibration import Calibration
from objectives.data.dataset import Dataset
from objectives.device.target import Target, TargetError
from objectives.runtimes.catalogue import RUNTIMES, target_here
from objectives.runtimes.ort import open_session
from objectives.runtimes.suppression import CONFIDENCE, IOU, SELECTED, picture
from objectives.timing.meter import LatencyMeter
from spaces.base import Candidate
from tests.objectives.networks import candidate
from tests.spaces.trained_look import make_look_trained

SIDE = 96
ANCHORS = 12 * 12 + 6 * 6 + 3 * 3


def network(seed: int) -> Candidate:
    """Return yolov8n at half of its width, with weights of a seed."""
    stock = candidate(width=0.125)
    network = deepcopy(stock.network)
    make_look_trained(network, seed=seed)
    return replace(stock, network=network)


def target(runtime: str = "onnxruntime", precision: str = "fp32") -> Target:
    return Target(runtime, "cpu", precision, SIDE, 2, 1, "a test's", "a test's", nms=True)


def by_onnxruntime(model: Path, images: np.ndarray) -> np.ndarray:
    return np.asarray(open_session(model).run([SELECTED], {"images": images})[0])


def by_openvino(model: Path, images: np.ndarray) -> np.ndarray:
    import openvino

    return np.asarray(openvino.Core().compile_model(model, "CPU")(images)[SELECTED])


def right(classes: int) -> set[tuple[int, int]]:
    """Return class and anchor of the boxes of the picture that torchvision keeps."""
    import torch
    from torchvision.ops import batched_nms, box_convert

    seen = torch.from_numpy(picture(classes, ANCHORS, SIDE))
    scores, labels = seen[4:].max(0)
    (at,) = torch.where(scores > CONFIDENCE)
    boxes = box_convert(seen[:4, at].T, "cxcywh", "xyxy")
    kept = at[batched_nms(boxes, scores[at], labels[at], IOU)]
    assert len(at) // 2 > len(kept) > 0, "some boxes overlap, and not all"
    return {(int(labels[anchor]), int(anchor)) for anchor in kept}


@pytest.mark.slow
@pytest.mark.parametrize("engine", [by_onnxruntime, by_openvino])
@pytest.mark.parametrize("precision", ["fp32", "int8"])
def test_the_same_boxes_are_suppressed_as_by_torchvision_for_every_network(
    engine: Callable[[Path, np.ndarray], np.ndarray], precision: str, tmp_path: Path, digits: Dataset
) -> None:
    images = np.random.default_rng(0).random((2, 3, SIDE, SIDE), dtype=np.float32)
    found, outputs = [], []
    for seed in (1, 2):
        (folder := tmp_path / str(seed)).mkdir()
        model = RUNTIMES["onnxruntime"].export(
            network(seed), folder, target(precision=precision), Calibration(digits, images=2)
        )
        found.append({tuple(row) for row in engine(model, images).tolist()})
        outputs.append(open_session(model).run(["output0"], {"images": images})[0])
    assert not np.array_equal(*outputs)
    kept = right(len(network(1).classes))
    assert found[0] == found[1] == {(image, *each) for image in (0, 1) for each in kept}


def test_a_picture_with_fewer_anchors_than_boxes_has_a_box_at_each_anchor() -> None:
    seen = picture(1, 21, 32)
    assert seen.shape == (5, 21)
    assert (seen[4] > CONFIDENCE).all()


@pytest.mark.parametrize("runtime", ["onnxruntime", "openvino"])
def test_suppression_is_a_part_of_the_timed_run(runtime: str, tmp_path: Path) -> None:
    model = RUNTIMES[runtime].export(network(1), tmp_path, target(runtime))
    loaded = RUNTIMES[runtime].load(model, target(runtime))
    loaded()
    assert loaded() is None  # its output has no fixed shape
    images = np.zeros((2, 3, SIDE, SIDE), np.float32)
    assert loaded.predict(images).shape == (2, 4 + len(network(1).classes), ANCHORS)
    assert "NonMaxSuppression" in OPERATIONS[runtime](model, tmp_path)


def _of_onnxruntime(model: Path, folder: Path) -> list[str]:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.enable_profiling, options.profile_file_prefix = True, str(folder / "profile")
    session = onnxruntime.InferenceSession(str(model), options)
    session.run(None, {"images": np.zeros((2, 3, SIDE, SIDE), np.float32)})
    return [
        part.split('"')[0]  # names of the operations that ran
        for part in Path(session.end_profiling()).read_text().split('"op_name" : "')[1:]
    ]


def _of_openvino(model: Path, folder: Path) -> list[str]:
    import openvino

    operations = openvino.Core().compile_model(model, "CPU").get_runtime_model().get_ops()
    return [each.get_rt_info()["layerType"].astype(str) for each in operations]


OPERATIONS = {"onnxruntime": _of_onnxruntime, "openvino": _of_openvino}


def test_torch_has_no_suppression_and_the_message_names_runtimes_that_have_it() -> None:
    with pytest.raises(TargetError, match="nms is true, which torch has not; use runtime: onnxruntime or openv"):
        target_here("torch", imgsz=SIDE, nms=True)


def test_an_end_to_end_model_cannot_be_the_reference_and_is_timed_without_nms(tmp_path: Path) -> None:
    stock = candidate("yolov10n.yaml")
    final = replace(stock, network=deepcopy(stock.network))
    final.network.end2end = True  # type: ignore[assignment]  # stock networks use the other branch
    with pytest.raises(TargetError, match=r"nms is true, but this model's output is final .end-to-end.; use nms: f"):
        LatencyMeter(target_here(imgsz=SIDE, nms=True), final, scratch=tmp_path)
    model = RUNTIMES["onnxruntime"].export(final, tmp_path, replace(target(), batch=1))
    assert [output.name for output in open_session(model).get_outputs()] == ["output0"]


def test_nms_changes_the_targets_key_and_its_absence_does_not() -> None:
    without = replace(target(), nms=False)
    assert "nms" not in without.description()
    assert target().description() == without.description() | {"nms": True}
    assert target().key != without.key
    assert Target(**target().description()) == target()  # type: ignore[arg-type]
    assert str(target()).startswith("onnxruntime cpu fp32 with NMS, 96 px")
