"""Model YAML of the original YOLOv5: how it is told from Ultralytics' own, its anchors, and the five stock sizes."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from spaces.base import SpaceError
from spaces.shown import shown, shown_value

Anchors = list[list[float]]
"""For each detection level widths and heights in px, in turn."""

MOST_ANCHORS = 12
"""Maximum number of anchors of one detection level; stock networks have three."""
LARGEST_ANCHOR = 1e5
"""Largest width or height of an anchor, in px."""
_LONGEST_ANCHORS = 120

SIZES = {"n": (0.33, 0.25), "s": (0.33, 0.50), "m": (0.67, 0.75), "l": (1.0, 1.0), "x": (1.33, 1.25)}
"""Depth and width multiples of the stock sizes."""
CUSTOM = "yolov5-custom.yaml"
"""Name of a network whose layers are not those of a stock size."""
_STOCK_NAME = re.compile(r"yolov5([nsmlx])-original")
_STOCK_ANCHORS = [[10, 13, 16, 30, 33, 23], [30, 61, 62, 45, 59, 119], [116, 90, 156, 198, 373, 326]]

# fmt: off
_BACKBONE = [
    [-1, 1, "Conv", [64, 6, 2, 2]],
    [-1, 1, "Conv", [128, 3, 2]], [-1, 3, "C3", [128]],
    [-1, 1, "Conv", [256, 3, 2]], [-1, 6, "C3", [256]],
    [-1, 1, "Conv", [512, 3, 2]], [-1, 9, "C3", [512]],
    [-1, 1, "Conv", [1024, 3, 2]], [-1, 3, "C3", [1024]],
    [-1, 1, "SPPF", [1024, 5]],
]
_HEAD = [
    [-1, 1, "Conv", [512, 1, 1]], [-1, 1, "nn.Upsample", ["None", 2, "nearest"]],
    [[-1, 6], 1, "Concat", [1]], [-1, 3, "C3", [512, False]],
    [-1, 1, "Conv", [256, 1, 1]], [-1, 1, "nn.Upsample", ["None", 2, "nearest"]],
    [[-1, 4], 1, "Concat", [1]], [-1, 3, "C3", [256, False]],
    [-1, 1, "Conv", [256, 3, 2]], [[-1, 14], 1, "Concat", [1]], [-1, 3, "C3", [512, False]],
    [-1, 1, "Conv", [512, 3, 2]], [[-1, 10], 1, "Concat", [1]], [-1, 3, "C3", [1024, False]],
    [[17, 20, 23], 1, "Detect", ["nc", "anchors"]],
]
# fmt: on


def stock_model(stem: str) -> dict[str, Any] | None:
    """Return the YAML of an original stock size by its name, such as `yolov5s-original`; None for another name.

    Source: models/yolov5s.yaml of ultralytics/yolov5, v6.0 to v7.0.
    """
    if (match := _STOCK_NAME.fullmatch(stem)) is None:
        return None
    depth, width = SIZES[match[1]]
    return {
        "nc": 80,
        "depth_multiple": depth,
        "width_multiple": width,
        "anchors": [list(level) for level in _STOCK_ANCHORS],
        "backbone": _copied(_BACKBONE),
        "head": _copied(_HEAD),
    }


def name_of(model: Mapping[str, Any]) -> str:
    """Return the name of the stock size that has these layers, else `CUSTOM`."""
    for size, multiples in SIZES.items():
        stock = stock_model(f"yolov5{size}-original") or {}
        own = (model.get("depth_multiple"), model.get("width_multiple"))
        same = all(_copied(model.get(part) or ()) == stock[part] for part in ("backbone", "head"))
        if same and own == multiples and not model.get("activation"):
            return f"yolov5{size}-original.yaml"
    return CUSTOM


def is_anchored(model: Mapping[str, Any]) -> bool:
    """Return whether a model YAML describes a detector of the original YOLOv5: its head is given anchors."""
    rows = model.get("head")
    last = rows[-1] if isinstance(rows, list) and rows else None
    return (
        isinstance(last, list)
        and len(last) == 4
        and last[2] == "Detect"
        and isinstance(last[3], list)
        and len(last[3]) > 1
        and (last[3][1] == "anchors" or isinstance(last[3][1], list))
    )


def without_head(model: Mapping[str, Any]) -> dict[str, Any]:
    """Return the YAML without its last row, which Ultralytics' builder cannot build."""
    return {**model, "head": list(model["head"])[:-1]}


def anchors_of(name: str, model: Mapping[str, Any]) -> Anchors:
    """Return the anchors of a model YAML, one list for each detection level.

    A YAML may give their number instead: they are then 0, 1, 2 and so on, as in the original, until weights are loaded.

    Raises:
        SpaceError: If they do not fit the levels.
    """
    last = model["head"][-1]
    levels = len(last[0]) if isinstance(last[0], list) else 1
    given = last[3][1] if isinstance(last[3][1], list) else model.get("anchors")
    if isinstance(given, int) and not isinstance(given, bool) and 1 <= given <= MOST_ANCHORS:
        return [[float(number) for number in range(2 * given)] for _ in range(levels)]
    if not isinstance(given, list) or not all(_is_level(level) for level in given) or len(set(map(len, given))) > 1:
        raise SpaceError(
            f"model '{name}' has the anchors {shown(given, most=_LONGEST_ANCHORS)}; a list of widths and heights in px "
            f"for each detection level is right, at most {MOST_ANCHORS} pairs"
        )
    if len(given) != levels:
        raise SpaceError(f"model '{name}' has anchors for {len(given)} levels and {shown_value(levels)} levels")
    return [[float(number) for number in level] for level in given]


def _is_level(level: Any) -> bool:
    numbers = isinstance(level, list) and all(
        isinstance(each, int | float) and not isinstance(each, bool) and 0 <= each <= LARGEST_ANCHOR for each in level
    )
    return numbers and len(level) % 2 == 0 and 1 <= len(level) // 2 <= MOST_ANCHORS


def _copied(rows: Sequence[Any]) -> list[Any]:
    return [_copied(each) if isinstance(each, list | tuple) else each for each in rows]
