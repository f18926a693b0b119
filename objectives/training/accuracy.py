"""Detection accuracy of a candidate on one split, as `yolo val` measures it, and at a chosen confidence.

Ultralytics' validator does the matching and its metrics the averaging, on our checked data: mAP equals that of
`yolo val` on the same weights. One pass over the images gives every figure.

Means (precision, recall, F1, mAP) are over the classes that have labels in the split, as in Ultralytics.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.utils.data import DataLoader

import spaces.offline  # noqa: F401  (before ultralytics)
from objectives.base import Curves, Evaluation
from objectives.data.dataset import Dataset
from objectives.data.loader import CheckedDataset, detection_dataset
from objectives.device.sharing import in_turns
from spaces.base import Candidate, CandidateError, SpaceError

from ultralytics.models.yolo.detect import DetectionValidator
from ultralytics.utils import DEFAULT_CFG
from ultralytics.utils.metrics import ap_per_class, smooth
from ultralytics.utils.nms import non_max_suppression

_CURVE_POINTS = 101
_VALIDATION = {"conf": 0.001, "iou": 0.7, "max_det": 300}
"""What `yolo val` takes when nothing is said: lowest confidence, IoU of NMS, detections per image."""


class Score(NamedTuple):
    """What a trainer asks for after an epoch. `loss` is the mean over batches of all loss terms, nan if not asked."""

    map50_95: float
    map50: float
    loss: float


@dataclass(frozen=True)
class _Detections:
    """All detections of a split, and the labels they are held against.

    Attributes:
        matched: `(N, 11)`: right at the asked IoU, then at IoU 0.50, 0.55, ... 0.95.
        confidence: `(N,)`.
        predicted: Class of each detection, `(N,)`.
        labelled: Class of each label, `(M,)`.
        loss: Mean over batches of the sum of all loss terms; nan where it was not asked for.
    """

    images: int
    matched: NDArray[np.bool_]
    confidence: NDArray[np.float64]
    predicted: NDArray[np.float64]
    labelled: NDArray[np.float64]
    loss: float


def evaluate(
    candidate: Candidate,
    data: Dataset,
    split: str,
    *,
    batch: int = 16,
    device: str = "cpu",
    confidence: float = 0.5,
    iou: float = 0.5,
) -> Evaluation:
    """Measure a candidate's accuracy on one split.

    mAP, and the figures at the best F1, equal `yolo val` at the candidate's image size (the latter where `iou` is
    0.5). The best F1 lies where Ultralytics puts it: at the maximum of the smoothed curve of the mean F1, so that
    one lucky detection does not choose the confidence.

    Args:
        candidate: Not modified; its copy is fused and runs in float32.
        batch: Images that are padded to one rectangle, as in `yolo val` (whose default it is): where images are not
            square, another batch size gives slightly other figures.
        confidence: Where `precision`, `recall` and `f1` are taken: detections at or above it count. A class
            without any has precision 0.
        iou: Overlap at which a detection matches a label for them, and for everything said of the F1; mAP always
            takes 0.50 to 0.95.

    Raises:
        CandidateError: If the network gives NaN or infinite outputs, or memory runs out.
        SpaceError: If the data set has no such split, or the classes are not the network's.
    """
    if not (0 <= confidence <= 1 and 0 < iou <= 1):
        raise SpaceError(f"confidence {confidence} must lie in [0, 1], iou {iou} in (0, 1]")
    if len(candidate.classes) != len(data.classes):
        raise SpaceError(f"the network has {len(candidate.classes)} classes, data '{data.name}' {len(data.classes)}")
    network: Any = copy.deepcopy(candidate.network).float()
    network.end2end = False  # as `yolo val` does unless told otherwise: v10 and 26 are scored with NMS
    network = network.eval().fuse(verbose=False)
    found = _detect(network, data, split, imgsz=candidate.imgsz, batch=batch, device=device, iou=iou, loss=False)
    *_, best_p, best_r, best_f1, ap, present, p_curve, r_curve, f1_curve, grid, _ = _average(found)
    precision, recall, f1 = _at_confidence(found, present, confidence)
    best = int(smooth(f1_curve.mean(0), 0.1).argmax())
    points = np.linspace(0, len(grid) - 1, _CURVE_POINTS).round().astype(int)
    per_class = np.full(len(data.classes), -1.0)
    per_class[present] = ap[:, 1:].mean(1)
    return Evaluation(
        split=split,
        images=found.images,
        map50_95=float(ap[:, 1:].mean()),
        map50=float(ap[:, 1].mean()),
        precision=precision,
        recall=recall,
        f1=f1,
        confidence=confidence,
        iou=iou,
        best_f1=float(best_f1.mean()),
        best_f1_confidence=float(grid[best]),
        precision_at_best_f1=float(best_p.mean()),
        recall_at_best_f1=float(best_r.mean()),
        ap_per_class=tuple(per_class.tolist()),
        curves=Curves(*(tuple(line[points].tolist()) for line in (grid, *_means(p_curve, r_curve, f1_curve)))),
    )


def score(
    network: nn.Module,
    data: Dataset,
    split: str,
    *,
    imgsz: int,
    batch: int = 16,
    device: str = "cpu",
    loss: bool = False,
) -> Score:
    """MAP of a network as it stands, for a trainer between two epochs; cheaper than `evaluate`, nothing is fused.

    Args:
        network: An Ultralytics `DetectionModel`. Not modified; a copy runs in evaluation mode.
        loss: Whether to work out the loss on the split as well (it takes the network's `args` as its gains, or
            Ultralytics' defaults).

    Raises:
        CandidateError: If outputs or loss are NaN or infinite, or memory runs out.
    """
    scored: Any = copy.deepcopy(network).float().eval()
    scored.end2end = False
    if loss and (not hasattr(scored, "args") or isinstance(scored.args, Mapping)):
        scored.args = DEFAULT_CFG
    found = _detect(scored, data, split, imgsz=imgsz, batch=batch, device=device, iou=0.5, loss=loss)
    if loss and not math.isfinite(found.loss):
        raise CandidateError(f"the loss on '{split}' is {found.loss}")
    ap = _average(found)[5]
    return Score(float(ap[:, 1:].mean()), float(ap[:, 1].mean()), found.loss)


class CheckedValidator(DetectionValidator):  # type: ignore[misc]  # Ultralytics has no types
    """Ultralytics' validator without its files, and without its clock.

    The stock NMS gives up on a batch after some two seconds and drops what is left: on a busy machine the same
    weights would score less.
    """

    def postprocess(self, preds: Any) -> list[dict[str, Tensor]]:
        """Apply NMS as `DetectionValidator.postprocess` does, however long it takes."""
        outputs = non_max_suppression(
            preds,
            self.args.conf,
            self.args.iou,
            multi_label=True,
            max_det=self.args.max_det,
            end2end=self.end2end,
            max_time_img=math.inf,
        )
        return [{"bboxes": x[:, :4], "conf": x[:, 4], "cls": x[:, 5], "extra": x[:, 6:]} for x in outputs]


def _detect(
    network: Any,
    data: Dataset,
    split: str,
    *,
    imgsz: int,
    batch: int,
    device: str,
    iou: float,
    loss: bool,
) -> _Detections:
    """Run the network over a split. It must be a copy: it is moved to the device."""
    stride = max(int(network.stride.max()), 32)
    dataset = detection_dataset(
        data, split, imgsz=math.ceil(imgsz / stride) * stride, batch=batch, augment=None, rect=True, stride=stride
    )
    validator = _validator(dataset, data, batch, device, iou)
    complaint = ""
    try:
        # Ultralytics runs stock networks in this layout as well; it is faster on a CPU and changes nothing else.
        network.to(device=validator.device, memory_format=torch.channels_last)
        network.names = dict(enumerate(data.classes))
        validator.init_metrics(network)
        mean_loss = _run(network, validator, split, loss)
    except (torch.OutOfMemoryError, MemoryError) as error:
        complaint = str(error).splitlines()[0] if str(error) else "no memory left"
    except RuntimeError as error:
        if "can't allocate memory" not in str(error):
            raise
        complaint = str(error).splitlines()[0]
    if complaint:  # raised outside of the handler, so that the network's tensors can be freed
        raise CandidateError(f"out of memory with batch {batch} at {imgsz} px on {device}: {complaint}")
    stats = {name: np.concatenate(values, 0) for name, values in validator.metrics.stats.items()}
    return _Detections(
        images=validator.seen,
        matched=stats["tp"],
        confidence=stats["conf"],
        predicted=stats["pred_cls"],
        labelled=stats["target_cls"],
        loss=mean_loss,
    )


def _validator(dataset: CheckedDataset, data: Dataset, batch: int, device: str, iou: float) -> CheckedValidator:
    loader: DataLoader[dict[str, Any]] = DataLoader(
        dataset,
        batch_size=batch,
        collate_fn=dataset.collate_fn,
        generator=torch.Generator(),  # its own: the global generator stays as it was
    )
    arguments = {"task": "detect", "mode": "val", "batch": batch, "imgsz": dataset.imgsz, "plots": False, **_VALIDATION}
    # The folder is there already; with no plots and no JSON nothing is written to it.
    validator = CheckedValidator(loader, save_dir=data.yaml.parent, args=arguments, _callbacks={"none": []})
    validator.training = False
    validator.data = {}
    validator.device = torch.device(f"cuda:{device}" if device.isdecimal() else device)
    validator.iouv = torch.cat([torch.tensor([iou]), validator.iouv])
    validator.niou = len(validator.iouv)
    return validator


def _run(network: Any, validator: CheckedValidator, split: str, loss: bool) -> float:
    losses = []
    with torch.inference_mode():
        for batch in in_turns(validator.dataloader, validator.device):
            images = validator.preprocess(batch)
            outputs = network(images["img"])
            decoded = outputs[0] if isinstance(outputs, tuple | list) else outputs
            if not torch.isfinite(decoded).all():
                raise CandidateError(f"the network's output on '{split}' holds NaN or infinite values")
            if loss:
                losses.append(sum(float(term) for term in network.loss(images, outputs)[1].values()))
            validator.update_metrics(validator.postprocess(outputs), images)
    return sum(losses) / len(losses) if losses else math.nan


def _average(found: _Detections) -> tuple[Any, ...]:
    """Ultralytics' averages; its curves take the first column of matches, which is the asked IoU."""
    return tuple(ap_per_class(found.matched, found.confidence, found.predicted, found.labelled))


def _means(*curves: NDArray[np.float64]) -> list[NDArray[np.float64]]:
    return [curve.mean(0) for curve in curves]


def _at_confidence(found: _Detections, classes: NDArray[np.int64], confidence: float) -> tuple[float, float, float]:
    """Precision, recall and F1 by counting, each the mean over classes."""
    kept = found.confidence >= confidence
    rows = []
    for number in classes:
        right = int((found.matched[:, 0] & kept & (found.predicted == number)).sum())
        detections = int((kept & (found.predicted == number)).sum())
        labels = int((found.labelled == number).sum())
        # F1 is the harmonic mean of right / detections and right / labels
        rows.append((right / max(detections, 1), right / labels, 2 * right / (detections + labels)))
    precision, recall, f1 = np.array(rows).mean(0).tolist()
    return precision, recall, f1
