"""Width of the Detect head's class towers, which the model YAML does not always determine.

In the YAML it follows from the class count. But Ultralytics (8.4) keeps the towers of the weights that a training
starts from: a YOLOv8n fine-tuned from COCO has towers of 80 channels, whatever its own number of classes, and its YAML
does not say so. We write the width into the model, as `class_width`, where it differs.

Source: ultralytics/nn/tasks.py, BaseModel.load.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping

from torch import Tensor, nn

import spaces.offline  # noqa: F401  (before ultralytics)
from spaces.base import SpaceError
from spaces.structure.heads import has_class_towers
from spaces.structure.repeats import Detector

# isort: split
from ultralytics.nn.modules.head import Detect, v10Detect
from ultralytics.utils.torch_utils import initialize_weights

KEY = "class_width"
"""Key of a resolved model: channels inside the class towers; absent if the class count determines them."""


def class_width(network: Detector) -> int | None:
    """Return channels inside the class towers; None for a head that has none of the usual kind."""
    head = network.model[-1]
    return int(head.cv3[0][-1].in_channels) if has_class_towers(network) else None


def class_width_in(state: Mapping[str, Tensor], network: Detector) -> int | None:
    """Return the class width of tensors that are named as in `network`; None if it has no class towers."""
    last = state.get(f"model.{len(network.model) - 1}.cv3.0.2.weight")
    return None if last is None or last.ndim != 4 else int(last.shape[1])


def is_possible(network: Detector, width: int) -> bool:
    """Return whether the class towers of this head have that width for some class count; cut towers do not."""
    least = int(network.model[-1].cv2[0][0].conv.in_channels)
    return least <= width <= max(least, 100)  # Detect.__init__: max(ch[0], min(nc, 100))


def widen(network: Detector, width: int) -> None:
    """Replace the class towers by fresh ones of another width, in place.

    Raises:
        SpaceError: If the head has no class towers, or they cannot have that width.
    """
    head = network.model[-1]
    if class_width(network) in (None, width):
        return
    if not is_possible(network, width):
        raise SpaceError(f"{KEY} is {width}; class towers of this head cannot have that width")
    inputs = [tower[0].conv.in_channels for tower in head.cv2]
    # Ultralytics sets the kind of tower on the class of the head, which may be another one than Detect.
    plain = type("Towers", (Detect,), {"legacy": head.legacy})
    other = v10Detect(width, inputs) if type(head) is v10Detect else plain(width, head.reg_max, False, inputs)
    for tower in other.cv3:
        tower[-1] = nn.Conv2d(width, head.nc, 1)
    initialize_weights(other.cv3)
    head.cv3 = other.cv3
    if getattr(head, "one2one_cv3", None) is not None:
        head.one2one_cv3 = copy.deepcopy(other.cv3)
    head.bias_init()
