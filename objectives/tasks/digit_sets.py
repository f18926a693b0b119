"""The built-in data sets: their labels, sizes and training arguments. `objectives.data.digit_scenes` draws them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from objectives.tasks.digit_labels import DrawnDigit, box_row, corners_row, keypoints_row, outline_row

SCENE_PX = 96
SCENES: Mapping[str, int] = {"train": 512, "val": 128, "test": 128}
CLASSES = tuple("0123456789")
DEFAULTS: Mapping[str, str | int | float | bool] = {
    "imgsz": SCENE_PX,
    "mosaic": 0.0,  # four scenes on one leave digits too small to read
    "fliplr": 0.0,  # a mirrored 2 is no 2
    "flipud": 0.0,  # a 6 on its head is a 9
    "hsv_h": 0.0,  # the scenes are grey
    "hsv_s": 0.0,
    "hsv_v": 0.3,
    "translate": 0.1,
    "scale": 0.25,
}
"""Training arguments for the digits, named as Ultralytics' arguments."""
SINGLE_PX = 64
SINGLES: Mapping[str, int] = {"train": 1024, "val": 256, "test": 256}
"""Number of images of one digit each."""
SINGLE_DEFAULTS: Mapping[str, str | int | float | bool] = {**DEFAULTS, "imgsz": SINGLE_PX, "scale": 0.0}
"""Training arguments for images of one digit each, which lie anywhere in them already."""

UNDISFIGURED: Mapping[str, str | int | float | bool] = {"auto_augment": "", "erasing": 0.0}
"""Training arguments without which a classifier of few, mostly disfigured images still guesses after 12 epochs."""

_Row = Callable[[DrawnDigit], str]
_KEYPOINTS = {"kpt_shape": [3, 3], "flip_idx": [0, 1, 2]}


@dataclass(frozen=True)
class DigitSet:
    """One of the built-in data sets.

    Attributes:
        row: Writes the label row of a digit.
        facts: Further keys of its YAML.
        turned: Whether each digit is turned.
        alone: Whether each digit is an image of its own, in the folder of its class.
        defaults: Training arguments for it, named as Ultralytics' arguments.
        scenes: Number of images of each split.
        augmentation: Such arguments that are no fields of a recipe.
    """

    row: _Row
    facts: Mapping[str, object] = field(default_factory=dict)
    turned: bool = False
    alone: bool = False
    defaults: Mapping[str, str | int | float | bool] = field(default_factory=lambda: DEFAULTS)
    scenes: Mapping[str, int] = field(default_factory=lambda: SCENES)
    augmentation: Mapping[str, str | int | float | bool] = field(default_factory=dict)


BUILT_IN: Mapping[str, DigitSet] = {
    "digits": DigitSet(box_row),
    "digits-seg": DigitSet(outline_row),
    "digits-pose": DigitSet(keypoints_row, _KEYPOINTS),
    "digits-obb": DigitSet(corners_row, turned=True),
    "digits-cls": DigitSet(box_row, alone=True, defaults=SINGLE_DEFAULTS, scenes=SINGLES, augmentation=UNDISFIGURED),
}
"""The built-in data sets by name: boxes, outlines, keypoints, oriented boxes, single digits in folders of classes."""
