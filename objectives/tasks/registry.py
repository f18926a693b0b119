"""All tasks: one line each."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from objectives.tasks.base import Task
from objectives.tasks.classify import Classification
from objectives.tasks.detect import DETECTION
from objectives.tasks.obb import OrientedBoxes
from objectives.tasks.pose import Pose
from objectives.tasks.segment import Segmentation
from spaces.base import SpaceError

TASKS: Mapping[str, Task] = MappingProxyType(
    {task.name: task for task in (DETECTION, Segmentation(), Pose(), OrientedBoxes(), Classification())}
)
"""Tasks that networks are trained for, by Ultralytics' names."""


def task_named(name: str) -> Task:
    """Return a task by Ultralytics' name.

    Raises:
        SpaceError: If networks are not trained for it here.
    """
    if name not in TASKS:
        raise SpaceError(f"networks for the task '{name}' are not trained here; there are {', '.join(TASKS)}")
    return TASKS[name]
