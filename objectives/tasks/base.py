"""Interface of a task: its labels, Ultralytics' trainer and validator of it, and its own accuracy."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, final

from objectives.tasks.label_form import LabelForm

BOX_MATCHES = "tp"
"""Key of the statistics of Ultralytics' validator that say which boxes are right."""


class LabelFactsError(ValueError):
    """Fault in what a data set's YAML says of its labels.

    Attributes:
        key: Key of the YAML.
    """

    def __init__(self, key: str, message: str) -> None:
        super().__init__(message)
        self.key = key


class Task(ABC):
    """Task of a network, such as segmentation. Code that differs between tasks is here; no other compares their names.

    A task has no state: its instances are equal. A data set knows its task, so that all that reads a data set does.

    Attributes:
        name: Ultralytics' name of it.
        matches: Key of the statistics of Ultralytics' validator that the task's own accuracy is averaged of.
        metric: Attribute of the metrics of Ultralytics' validator that holds the figures of the task.
        finds_boxes: Whether its networks find boxes; if not, each image has one class, by the folder that it lies in.
        rotated: Whether overlapping boxes are suppressed by the overlap of rotated boxes.
    """

    name: ClassVar[str]
    matches: ClassVar[str] = BOX_MATCHES
    metric: ClassVar[str] = "box"
    rotated: ClassVar[bool] = False
    finds_boxes: ClassVar[bool] = True

    @abstractmethod
    def label_form(self, facts: Mapping[str, Any]) -> LabelForm:
        """Return the form of its label rows.

        Args:
            facts: What the data set's YAML says of its labels; see `data_facts`.
        """

    @abstractmethod
    def trainer(self) -> Any:
        """Return Ultralytics' class of its trainer. Imported only here: Ultralytics takes seconds."""

    @abstractmethod
    def validator(self) -> Any:
        """Return Ultralytics' class of its validator."""

    def data_facts(self, content: Mapping[str, Any]) -> dict[str, Any]:
        """Return what a data set's YAML says of its labels, such as the number of keypoints.

        Raises:
            LabelFactsError: If it says nothing that the task needs, or something wrong.
        """
        if content.get("kpt_shape") is not None:
            raise LabelFactsError(
                "kpt_shape",
                f"this is a pose data set, and the model is for the task '{self.name}'; take one such as "
                "yolo11n-pose.yaml, or remove this key and the keypoints",
            )
        return {}

    def model_facts(self, facts: Mapping[str, Any]) -> dict[str, Any]:
        """Return the keys of a model's YAML that follow from the data's facts."""
        return {}

    def epoch_figures(self, metrics: Any) -> tuple[float, float, float]:
        """Return mAP50-95, mAP50 and best F1 of the task after an epoch, from Ultralytics' metrics."""
        own = getattr(metrics, self.metric)
        return float(own.map), float(own.map50), best_f1(own.f1)

    @final
    def __eq__(self, other: object) -> bool:
        return type(self) is type(other)

    @final
    def __hash__(self) -> int:
        return hash(self.name)

    @final
    def __repr__(self) -> str:
        return f"<task {self.name}>"


def best_f1(per_class: Sequence[float]) -> float:
    """Return the best F1 over all confidences, mean over classes, as in `Evaluation.best_f1`; 0 without detections."""
    return sum(map(float, per_class)) / len(per_class) if len(per_class) else 0.0
