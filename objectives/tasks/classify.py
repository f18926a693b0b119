"""Classification: one class for each image."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, final

from objectives.tasks.base import Task
from objectives.tasks.label_form import BOX_ROWS, LabelForm


@final
class Classification(Task):
    """Classification of images. Each image counts as one box around it, so that the search needs no other figures.

    `map50_95` is the mean over classes of the average precision with which a class's probability ranks the images.
    """

    name = "classify"
    finds_boxes = False

    def label_form(self, facts: Mapping[str, Any]) -> LabelForm:
        """Return that of boxes: see the class."""
        return BOX_ROWS

    def trainer(self) -> Any:
        """See `Task`."""
        import spaces.offline  # noqa: F401  (before ultralytics)

        from ultralytics.models.yolo.classify import ClassificationTrainer

        return ClassificationTrainer

    def validator(self) -> Any:
        """See `Task`."""
        import spaces.offline  # noqa: F401  (before ultralytics)

        from ultralytics.models.yolo.classify import ClassificationValidator

        return ClassificationValidator

    def epoch_figures(self, metrics: Any) -> tuple[float, float, float]:
        """Return top-1, top-5 and, in place of F1, top-1 again."""
        return float(metrics.top1), float(metrics.top5), float(metrics.top1)
