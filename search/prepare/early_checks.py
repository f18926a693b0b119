"""Checks what a command line names (device, data set, weights) before anything is loaded or started."""

from __future__ import annotations

import re
from pathlib import Path

from objectives.data.yaml_file import read_definition
from objectives.runtimes.catalogue import runtime_named
from objectives.tasks.digit_sets import BUILT_IN
from objectives.tasks.registry import task_named
from search.study.definition import StudyDefinition
from search.study.faults import DefinitionError
from spaces.model_files import require_model
from spaces.path_facts import path_fact

_STOCK_WEIGHTS = re.compile(r"(yolo(?:v?\d+)[nslmx]\w*)\.pt")
"""Names of weights that Ultralytics would download."""


def check_early(definition: StudyDefinition, device: str = "cpu") -> None:
    """Check that data set, parent, training device and runtime exist. The data set's images are not read.

    Raises:
        DataError: If the data set's YAML, or a folder that it names, is absent or wrong.
        DefinitionError: If the weights or the device do not exist.
        SpaceError: If there is no such model, or no such runtime.
    """
    check_device(device)
    for target in (definition.target, *definition.further_targets):
        if target.remote is None:
            runtime_named(target.runtime)
    if definition.parent.weights is None:  # which may name another model
        require_model(definition.parent.model)
    task = task_named(definition.task)
    if definition.data.source not in BUILT_IN:
        read_definition(Path(definition.data.source), task)
    weights = definition.parent.weights
    if weights is not None and not Path(weights).exists():
        raise DefinitionError(_about_absent(str(weights)))


def check_device(device: str) -> None:
    """Check that networks can be trained on a device.

    Args:
        device: `cpu`, `mps`, or a GPU as `0` or `cuda:0`.

    Raises:
        DefinitionError: If this machine has no such device, or the text names none.
    """
    if device == "cpu":
        return
    import torch  # takes seconds: not for a run that trains on the processor

    gpus = torch.cuda.device_count() if torch.cuda.is_available() else 0
    number = device.removeprefix("cuda:")
    if (device == "mps" and torch.backends.mps.is_available()) or (number.isdecimal() and int(number) < gpus):
        return
    here = ", ".join(["cpu", *map(str, range(gpus))])
    raise DefinitionError(f"--device is '{device}'; this machine has {here}")


def _about_absent(weights: str) -> str:
    stock = _STOCK_WEIGHTS.fullmatch(Path(weights).name)
    fresh = f", or --model {stock[1]}.yaml to begin with random weights" if stock else ""
    return (
        f"--model (parent.weights) is '{weights}': {path_fact(weights)}, and nothing is downloaded; "
        f"give the path of a .pt or .safetensors file{fresh}"
    )
