"""Pose: keypoints of each object."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, final

from objectives.tasks.base import LabelFactsError, Task
from objectives.tasks.label_form import KeypointRows, LabelForm

_FURTHER = ("flip_idx", "kpt_names", "kpt_oks_sigmas")
"""Keys of a pose data set that Ultralytics reads beside the number of keypoints."""
_MOST_KEYPOINTS = 1000


@final
class Pose(Task):
    """Estimation of poses; a detection is right if its keypoints are near the object's (OKS)."""

    name = "pose"
    matches = "tp_p"
    metric = "pose"

    def data_facts(self, content: Mapping[str, Any]) -> dict[str, Any]:
        """Return `kpt_shape` and what is said of the keypoints."""
        shape = content.get("kpt_shape")
        if shape is None:
            raise LabelFactsError("kpt_shape", "'kpt_shape' is missing; a pose data set names [keypoints, 2 or 3]")
        whole = isinstance(shape, list) and len(shape) == 2 and all(type(each) is int for each in shape)
        if not whole or not 1 <= shape[0] <= _MOST_KEYPOINTS or shape[1] not in (2, 3):
            raise LabelFactsError("kpt_shape", "'kpt_shape' must be [keypoints, 2 or 3], such as [17, 3]")
        for key in ("flip_idx", "kpt_oks_sigmas"):
            if content.get(key) is not None and not _fits(content[key], shape[0]):
                raise LabelFactsError(key, f"'{key}' must be a list of {shape[0]} numbers, one for each keypoint")
        return {"kpt_shape": shape, **{key: content[key] for key in _FURTHER if content.get(key) is not None}}

    def model_facts(self, facts: Mapping[str, Any]) -> dict[str, Any]:
        """Return the number of keypoints: the head has an output for each."""
        return {"kpt_shape": list(facts["kpt_shape"])}

    def label_form(self, facts: Mapping[str, Any]) -> LabelForm:
        """See `Task`."""
        return KeypointRows(*facts["kpt_shape"])

    def trainer(self) -> Any:
        """See `Task`."""
        import spaces.offline  # noqa: F401  (before ultralytics)

        from ultralytics.models.yolo.pose import PoseTrainer

        return PoseTrainer

    def validator(self) -> Any:
        """See `Task`."""
        import spaces.offline  # noqa: F401  (before ultralytics)

        from ultralytics.models.yolo.pose import PoseValidator

        return PoseValidator


def _fits(value: Any, count: int) -> bool:
    numbers = isinstance(value, list) and all(isinstance(each, int | float) for each in value)
    return numbers and len(value) == count
