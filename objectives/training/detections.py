"""All detections of a network on one split, found as `yolo val` finds them, and whether each is right.

Ultralytics' validator matches them with the labels of our checked data. All kinds of accuracy are computed from one
pass over the images.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.utils.data import DataLoader

import spaces.offline  # noqa: F401  (before ultralytics)
from objectives.data.dataset import Dataset
from objectives.data.loader import CheckedDataset, detection_dataset, ultralytics_data
from objectives.device.memory import out_of_memory
from objectives.device.sharing import share_device
from objectives.tasks.base import BOX_MATCHES, Task
from objectives.tasks.detect import DETECTION
from objectives.training.classified import classified
from objectives.training.original_metrics import average_precision, match_as_original
from spaces.anchors.anchor_head import class_scores, is_anchor_head
from spaces.base import Candidate, CandidateError, SpaceError
from spaces.networks.deployed import decoded_outputs

from ultralytics.models.yolo.detect import DetectionValidator
from ultralytics.utils import DEFAULT_CFG
from ultralytics.utils.metrics import box_iou
from ultralytics.utils.nms import non_max_suppression
from ultralytics.utils.ops import scale_boxes

_VALIDATION = {"conf": 0.001, "iou": 0.7, "max_det": 300}
"""Defaults of `yolo val`: minimum confidence, IoU of NMS, detections per image."""
ORIGINAL_IOU = 0.6
"""IoU of NMS in `val.py` of the original YOLOv5; its other defaults are the same."""


@dataclass(frozen=True)
class Detections:
    """All detections of a split, and the labels that they are compared with.

    Attributes:
        matched: `(N, 11)`: whether right at the requested IoU, then at IoU 0.50, 0.55, ... 0.95.
        confidence: `(N,)`.
        predicted: Class of each detection, `(N,)`.
        labelled: Class of each label, `(M,)`; at least one.
        loss: Mean over batches of the sum of all loss terms; nan if it was not requested.
        original: Whether precisions are averaged as by the original YOLOv5.
        top: Share of images whose class is the most probable one, and one of the five most probable, of classifiers.
        own: As `matched`, by the overlap of masks or of keypoints; None where the task has boxes alone.
    """

    images: int
    matched: NDArray[np.bool_]
    confidence: NDArray[np.float64]
    predicted: NDArray[np.float64]
    labelled: NDArray[np.float64]
    loss: float
    original: bool = False
    own: NDArray[np.bool_] | None = None
    top: tuple[float, float] | None = None


def detect(
    candidate: Candidate,
    data: Dataset,
    split: str,
    *,
    batch: int = 16,
    device: str = "cpu",
    iou: float = 0.5,
    matrix: Any = None,
) -> Detections:
    """Find the detections of the deployed network on one split.

    Args:
        candidate: Not modified; its copy is fused and runs in float32.
        batch: Number of images that are padded to one rectangle.
        iou: Overlap at which a detection matches a label in the first column of `Detections.matched`.
        matrix: An Ultralytics `ConfusionMatrix` that counts the detections too; not for classifiers.

    Raises:
        CandidateError: If the network gives NaN or infinite outputs, or memory runs out.
        SpaceError: If the data set has no such split, or the classes are not the network's.
    """
    if len(candidate.classes) != len(data.classes):
        raise SpaceError(f"the network has {len(candidate.classes)} classes, data '{data.name}' {len(data.classes)}")
    network: Any = copy.deepcopy(candidate.network).float()
    network.end2end = False  # the default of `yolo val`: v10 and 26 are scored with NMS
    network = network.eval().fuse(verbose=False)
    return _detect(network, data, split, imgsz=candidate.imgsz, batch=batch, device=device, iou=iou, matrix=matrix)


def detect_in_training(
    network: nn.Module, data: Dataset, split: str, *, imgsz: int, batch: int, device: str, loss: bool
) -> Detections:
    """Find the detections of a network in training, which is not fused.

    Args:
        network: An Ultralytics `DetectionModel`. Not modified; a copy runs in evaluation mode.
        loss: Whether the loss on the split is computed too, with the network's `args` as its gains.

    Raises:
        CandidateError: As `detect`.
    """
    scored: Any = copy.deepcopy(network).float().eval()
    scored.end2end = False
    if loss and (not hasattr(scored, "args") or isinstance(scored.args, Mapping)):
        scored.args = DEFAULT_CFG
    return _detect(scored, data, split, imgsz=imgsz, batch=batch, device=device, iou=0.5, loss=loss)


def detect_exported(network: nn.Module, data: Dataset, split: str, *, imgsz: int, batch: int, iou: float) -> Detections:
    """Find the detections of an exported network, which takes square images in batches of one size.

    Args:
        network: Has the attributes `stride` and `end2end` of a `DetectionModel`, and `original` where its output is
            that of an original YOLOv5; its input has any number of images.
    """
    return _detect(network, data, split, imgsz=imgsz, batch=batch, device="cpu", iou=iou, rect=False)


class CheckedValidator(DetectionValidator):  # type: ignore[misc]  # Ultralytics has no types
    """Ultralytics' validator that writes no files and has no time limit. A YOLOv5 is validated as the original does.

    The stock NMS stops after some two seconds on a batch and drops the remaining detections: on a busy machine the
    same weights would score less.
    """

    original = False
    rotated = False

    def init_metrics(self, model: Any) -> None:
        """Prepare as `DetectionValidator`, and see what kind of network it is."""
        super().init_metrics(model)
        self.original = _is_original(model)
        if self.original:
            self.args.iou = ORIGINAL_IOU

    def postprocess(self, preds: Any) -> list[dict[str, Tensor]]:
        """Apply NMS as `DetectionValidator.postprocess` does, without its time limit."""
        if self.original:
            preds = class_scores(preds[0] if isinstance(preds, tuple) else preds)
        outputs = non_max_suppression(
            preds,
            self.args.conf,
            self.args.iou,
            nc=self.nc,
            multi_label=True,
            max_det=self.args.max_det,
            end2end=self.end2end,
            max_time_img=math.inf,
            rotated=self.rotated,
        )
        return [{"bboxes": x[:, :4], "conf": x[:, 4], "cls": x[:, 5], "extra": x[:, 6:]} for x in outputs]

    def _process_batch(self, preds: dict[str, Tensor], batch: dict[str, Any]) -> dict[str, Any]:
        """Match detections with labels; those of an original YOLOv5 in px of the image's file, clipped to it."""
        if not self.original:
            matched: dict[str, Any] = super()._process_batch(preds, batch)
            return matched
        place = (batch["ori_shape"], batch["ratio_pad"])
        boxes, labels = (scale_boxes(batch["imgsz"], each["bboxes"].clone(), *place) for each in (preds, batch))
        return {"tp": match_as_original(preds["cls"], batch["cls"], box_iou(labels, boxes), self.iouv)}

    def get_stats(self) -> dict[str, Any]:
        """Return Ultralytics' figures; of an original YOLOv5 with its own average precision."""
        stats = {name: np.concatenate(values, 0) for name, values in self.metrics.stats.items() if values}
        figures: dict[str, Any] = super().get_stats()
        if self.original and stats:
            names = ("tp", "conf", "pred_cls", "target_cls")
            self.metrics.box.all_ap = average_precision(*(stats[name] for name in names))
            figures = self.metrics.results_dict
        return figures


@cache
def checked_validator(task: Task) -> type[CheckedValidator]:
    """Return the class that validates networks of a task: Ultralytics' own, above `CheckedValidator`."""
    if task == DETECTION:
        return CheckedValidator
    if not task.finds_boxes:
        validator: type[CheckedValidator] = task.validator()  # there is no suppression to replace
        return validator
    bases = (task.validator(), CheckedValidator)  # so that the stock class calls ours, which calls the stock detector's
    return type(f"Checked{task.validator().__name__}", bases, {"rotated": task.rotated})


def _is_original(network: Any) -> bool:
    return bool(getattr(network, "original", False)) or is_anchor_head(network)


def _detect(
    network: Any,
    data: Dataset,
    split: str,
    *,
    imgsz: int,
    batch: int,
    device: str,
    iou: float,
    loss: bool = False,
    rect: bool = True,
    matrix: Any = None,
) -> Detections:
    """Run the network over a split. The network must be a copy: it is moved to the device."""
    if not data.task.finds_boxes:
        return Detections(**classified(network, data, split, imgsz=imgsz, batch=batch, device=device, loss=loss))
    stride = max(int(network.stride.max()), 32)
    dataset = detection_dataset(
        data,
        split,
        imgsz=math.ceil(imgsz / stride) * stride,
        batch=batch,
        augment=None,
        rect=rect,
        stride=stride,
        area=_is_original(network),
    )
    validator = _validator(dataset, data, batch, device, iou)
    shortage: str | None = None
    try:
        # Ultralytics runs stock networks in this layout as well; it is faster on a CPU and changes nothing else.
        network.to(device=validator.device, memory_format=torch.channels_last)
        network.names = dict(enumerate(data.classes))
        validator.init_metrics(network)
        if matrix is not None:  # counted where stock validators would plot it; this one plots nothing
            validator.args.plots, validator.confusion_matrix = True, matrix
        mean_loss = _run(network, validator, split, loss)
    except (MemoryError, RuntimeError) as error:
        shortage = out_of_memory(error)
        if shortage is None:
            raise
    if shortage:  # raised outside of the handler, so that the network's tensors can be freed
        raise CandidateError(f"out of memory with batch {batch} at {imgsz} px on {device}: {shortage}")
    stats = {name: np.concatenate(values, 0) for name, values in validator.metrics.stats.items()}
    return Detections(
        images=validator.seen,
        matched=stats[BOX_MATCHES],
        confidence=stats["conf"],
        predicted=stats["pred_cls"],
        labelled=stats["target_cls"],
        loss=mean_loss,
        original=validator.original,
        own=stats[data.task.matches] if data.task.matches != BOX_MATCHES else None,
    )


def _validator(dataset: CheckedDataset, data: Dataset, batch: int, device: str, iou: float) -> CheckedValidator:
    loader: DataLoader[dict[str, Any]] = DataLoader(
        dataset,
        batch_size=batch,
        collate_fn=dataset.collate_fn,
        generator=torch.Generator(),  # its own: the global generator stays as it was
    )
    arguments = {
        "task": data.task.name,
        "mode": "val",
        "batch": batch,
        "imgsz": dataset.imgsz,
        "plots": False,
        **_VALIDATION,
    }
    # The folder is there already; with no plots and no JSON nothing is written to it.
    validator = checked_validator(data.task)(loader, save_dir=data.yaml.parent, args=arguments, _callbacks={"none": []})
    validator.training = False
    validator.data = ultralytics_data(data)
    validator.device = torch.device(f"cuda:{device}" if device.isdecimal() else device)
    validator.iouv = torch.cat([torch.tensor([iou]), validator.iouv])
    validator.niou = len(validator.iouv)
    return validator


def _run(network: Any, validator: CheckedValidator, split: str, loss: bool) -> float:
    losses = []
    with torch.inference_mode():
        for batch in share_device(validator.dataloader, validator.device):
            images = validator.preprocess(batch)
            outputs = network(images["img"])
            decoded = decoded_outputs(outputs)[0]
            if not torch.isfinite(decoded).all():
                raise CandidateError(f"the network's output on '{split}' holds NaN or infinite values")
            if loss:
                losses.append(sum(float(term) for term in network.loss(images, outputs)[1].values()))
            validator.update_metrics(validator.postprocess(outputs), images)
    return sum(losses) / len(losses) if losses else math.nan
