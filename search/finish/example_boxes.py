"""Find what networks see on val: boxes on some pictures, and confusion matrices on all of them. Imports torch."""

from __future__ import annotations

import base64
from collections.abc import Sequence

from objectives.data.dataset import Dataset
from objectives.data.pixels import jpeg
from objectives.detected_boxes import Box, LabelledPicture, detected_boxes, labelled_pictures
from objectives.training.confusion import confusion_matrix
from search.pages.example_pictures import Confusion, ExamplePicture, ExamplePictures, PlacedBox
from search.prepare.inputs import open_data
from search.record.folders import RunFolder
from search.record.trial import TrialRecord
from search.store.base import StudyEntry
from search.study.definition import stored_definition
from search.study.sections import AccuracySection
from spaces.base import Candidate
from spaces.networks.checkpoint import CheckpointStore

COUNT = 6
"""Number of pictures."""
LONGEST_PX = 320
"""Longer side of a picture in the report."""
MOST_BOXES = 40
"""Maximum number of boxes of a network on one picture: the most confident ones."""
SHARE_DIGITS = 4
SPLIT = "val"


def find_on_val(study: StudyEntry, folder: RunFolder, shown: Sequence[TrialRecord], device: str) -> ExamplePictures:
    """Return what networks find on val.

    Args:
        shown: Their records.
        device: Device that finds, as Ultralytics spells it: `cpu`, `0`.

    Raises:
        DataError: If the data set does not exist any more.
        CheckpointError: If weights are missing or damaged.
    """
    definition = stored_definition(study.name, study.definition)
    data = open_data(definition, folder)
    checkpoints = CheckpointStore(folder.checkpoints)
    candidates = [checkpoints.get(record.saved_checkpoint) for record in shown]
    return ExamplePictures(
        names=tuple(record.name for record in shown),
        checkpoints=tuple(record.saved_checkpoint for record in shown),
        pictures=_pictures(candidates, data) if data.task.finds_boxes else (),
        confusion=_confusion(candidates, data, definition.accuracy, device),
    )


def _confusion(candidates: Sequence[Candidate], data: Dataset, accuracy: AccuracySection, device: str) -> Confusion:
    matrices = [
        confusion_matrix(each, data, SPLIT, device=device, confidence=accuracy.confidence, iou=accuracy.iou)
        for each in candidates
    ]
    return Confusion(
        classes=tuple(data.classes),
        counts=tuple(tuple(map(tuple, matrix.tolist())) for matrix in matrices),
        images=len(data.splits[SPLIT].images),
        confidence=accuracy.confidence,
        iou=accuracy.iou,
    )


def _pictures(candidates: Sequence[Candidate], data: Dataset) -> tuple[ExamplePicture, ...]:
    pictures = labelled_pictures(data, candidates[0].imgsz, COUNT)
    found = [detected_boxes(candidate, data, COUNT) for candidate in candidates]
    return tuple(
        _picture(picture, [boxes[number] for boxes in found], data.classes) for number, picture in enumerate(pictures)
    )


def _picture(picture: LabelledPicture, found: Sequence[Sequence[Box]], classes: Sequence[str]) -> ExamplePicture:
    height, width = picture.pixels.shape[:2]
    return ExamplePicture(
        jpeg=base64.b64encode(jpeg(picture.pixels, LONGEST_PX)).decode(),
        width=width,
        height=height,
        labels=tuple(_placed(box, classes) for box in picture.boxes),
        found=tuple(tuple(_placed(box, classes) for box in boxes[:MOST_BOXES]) for boxes in found),
    )


def _placed(box: Box, classes: Sequence[str]) -> PlacedBox:
    shares = (box.left, box.top, box.right - box.left, box.bottom - box.top, box.confidence)
    left, top, width, height, confidence = (round(share, SHARE_DIGITS) for share in shares)
    return PlacedBox(classes[box.label], left, top, width, height, confidence, round(box.turned, 1))
