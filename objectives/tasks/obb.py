"""Oriented boxes: boxes that are turned with the object."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, final

from objectives.tasks.base import Task
from objectives.tasks.label_form import CornerRows, LabelForm


@final
class OrientedBoxes(Task):
    """Detection of oriented boxes; mAP is that of oriented boxes, by their overlap as turned boxes (probiou)."""

    name = "obb"
    rotated = True

    def label_form(self, facts: Mapping[str, Any]) -> LabelForm:
        """See `Task`."""
        return CornerRows()

    def trainer(self) -> Any:
        """See `Task`."""
        import spaces.offline  # noqa: F401  (before ultralytics)

        from ultralytics.models.yolo.obb import OBBTrainer

        return OBBTrainer

    def validator(self) -> Any:
        """See `Task`."""
        import spaces.offline  # noqa: F401  (before ultralytics)

        from ultralytics.models.yolo.obb import OBBValidator

        return OBBValidator
