"""Detection: boxes along the image's axes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, final

from objectives.tasks.base import Task
from objectives.tasks.label_form import BOX_ROWS, LabelForm


@final
class Detection(Task):
    """Detection; its accuracy is the mAP of boxes, which is measured in every task with boxes."""

    name = "detect"

    def label_form(self, facts: Mapping[str, Any]) -> LabelForm:
        """See `Task`."""
        return BOX_ROWS

    def trainer(self) -> Any:
        """See `Task`."""
        import spaces.offline  # noqa: F401  (before ultralytics)

        from ultralytics.models.yolo.detect import DetectionTrainer

        return DetectionTrainer

    def validator(self) -> Any:
        """See `Task`."""
        import spaces.offline  # noqa: F401  (before ultralytics)

        from ultralytics.models.yolo.detect import DetectionValidator

        return DetectionValidator


DETECTION = Detection()
"""The task of most networks."""
