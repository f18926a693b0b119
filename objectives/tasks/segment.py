"""Segmentation: a mask for each object."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, final

from objectives.tasks.base import Task
from objectives.tasks.label_form import LabelForm, PolygonRows


@final
class Segmentation(Task):
    """Instance segmentation; labels are polygons, and a detection is right if its mask overlaps the object's."""

    name = "segment"
    matches = "tp_m"
    metric = "seg"

    def label_form(self, facts: Mapping[str, Any]) -> LabelForm:
        """See `Task`."""
        return PolygonRows()

    def trainer(self) -> Any:
        """See `Task`."""
        import spaces.offline  # noqa: F401  (before ultralytics)

        from ultralytics.models.yolo.segment import SegmentationTrainer

        return SegmentationTrainer

    def validator(self) -> Any:
        """See `Task`."""
        import spaces.offline  # noqa: F401  (before ultralytics)

        from ultralytics.models.yolo.segment import SegmentationValidator

        return SegmentationValidator
