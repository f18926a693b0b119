"""Reference model of all latencies of a study: the smallest stock model of the parent's family."""

from __future__ import annotations

import re

from spaces.base import Candidate
from spaces.networks.parent import Parent
from spaces.structure.model_yaml import is_known

FAMILY = re.compile(r"(?P<family>yolov?\d+)(?P<size>[a-z])(?P<rest>[-\w]*)\.ya?ml")
SMALLEST = {"yolov9": "t"}  # every other family begins with n


def reference_candidate(parent: Parent) -> Candidate:
    """Return the smallest stock model of the parent's family, with the parent's classes and image size.

    Its weights do not matter and are random. If the parent does not belong to a family, its uncut network is returned.
    """
    own = parent.model.get("yaml_file")
    model = smallest_of_family(own)
    if model is None or model == own:
        return parent.candidate()
    return Parent.load(model, classes=parent.classes, imgsz=parent.imgsz, seed=0).candidate()


def smallest_of_family(model: str | None) -> str | None:
    """Return the YAML name of the smallest model of a family: `yolov8n.yaml` of `yolov8m.yaml`; None if custom."""
    match = FAMILY.fullmatch(model or "")
    if match is None:
        return None
    family = match["family"]
    smallest = f"{family}{SMALLEST.get(family, 'n')}{match['rest']}.yaml"
    return smallest if is_known(smallest) else None  # a user's own model may be called like a size of a family
