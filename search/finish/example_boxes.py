"""Find the boxes of the parent and of the candidate at the front's knee on pictures of val. Imports torch."""

from __future__ import annotations

import base64
from collections.abc import Callable, Sequence
from pathlib import Path

from objectives.data.pixels import jpeg
from objectives.detected_boxes import Box, LabelledPicture, detected_boxes, labelled_pictures
from search.cli.command import error_line
from search.findings.leaderboard import parent_of
from search.findings.selection import at_knee, confirmed_study
from search.pages.example_pictures import ExamplePicture, ExamplePictures, PlacedBox, write_pictures
from search.prepare.inputs import open_data
from search.record.folders import RunFolder
from search.record.trial import TrialRecord
from search.store.base import Store, StudyEntry
from search.study.definition import stored_definition
from spaces.networks.checkpoint import CheckpointStore

COUNT = 6
"""Number of pictures."""
LONGEST_PX = 320
"""Longer side of a picture in the report."""
MOST_BOXES = 40
"""Maximum number of boxes of a network on one picture: the most confident ones."""
SHARE_DIGITS = 4


def renew_example_pictures(
    store: Store, study: StudyEntry, folder: RunFolder, show_line: Callable[[str], None]
) -> None:
    """Write the pictures again for the present front; a line tells if that fails, since a report does without them."""
    try:
        write_example_pictures(store, study, folder)
    except Exception as error:  # nothing else of a study may fail for its pictures
        show_line(f"no new pictures in the report: {error_line(error)}")


def write_example_pictures(store: Store, study: StudyEntry, folder: RunFolder) -> Path | None:
    """Write pictures with boxes beside the study's report; None if the parent itself is at the knee of the front.

    Raises:
        DataError: If the data set does not exist any more.
        CheckpointError: If weights are missing or damaged.
    """
    records = confirmed_study(store, study).records
    parent, chosen = parent_of(records), at_knee(records, study.objectives)
    if parent is None or parent.checkpoint is None or chosen.checkpoint == parent.checkpoint:
        return None
    shown = [parent, chosen]
    data = open_data(stored_definition(study.name, study.definition), folder)
    checkpoints = CheckpointStore(folder.checkpoints)
    candidates = [checkpoints.get(record.saved_checkpoint) for record in shown]
    pictures = labelled_pictures(data, candidates[0].imgsz, COUNT)
    found = [detected_boxes(candidate, data, COUNT) for candidate in candidates]
    made = [
        _picture(picture, [boxes[number] for boxes in found], data.classes) for number, picture in enumerate(pictures)
    ]
    return write_pictures(folder.study(study.sampler_name), _named(shown, made))


def _named(shown: Sequence[TrialRecord], pictures: Sequence[ExamplePicture]) -> ExamplePictures:
    names = tuple(record.name for record in shown)
    return ExamplePictures(names, tuple(record.saved_checkpoint for record in shown), tuple(pictures))


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
    return PlacedBox(classes[box.label], left, top, width, height, confidence)
