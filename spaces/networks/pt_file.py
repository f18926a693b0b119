"""Reads a `.pt` without running anything in it, and says by name what cannot be read and what would work instead."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

import spaces.offline  # noqa: F401  (before ultralytics)
from spaces.base import SpaceError
from spaces.networks.pt_archive import check_archive
from spaces.shown import shown, shown_value
from spaces.task_names import NETWORK_TASKS

# isort: split
from ultralytics.nn import tasks
from ultralytics.nn.tasks import torch_safe_load
from ultralytics.utils import downloads

CUT_HERE = "networks with a Detect, Segment, Pose, OBB or Classify head can be cut: YOLOv3u, v5u, v6, v8 to 12, 26"
CUT_MODELS = frozenset(getattr(tasks, name) for name in NETWORK_TASKS)
"""Ultralytics' classes of networks that can be read and trained."""
OTHER_MODELS: Mapping[str, str] = {
    "YOLOESegModel": "YOLOE for segmentation",
    "RTDETRDetectionModel": "RT-DETR, a transformer",
    "WorldModel": "YOLO-World, whose classes are texts",
    "YOLOEModel": "YOLOE, whose classes are texts",
    "SemanticModel": "a network for semantic segmentation",
    "SemanticSegmentationModel": "a network for semantic segmentation",
}
"""Networks of Ultralytics that are not read, by the name of their class."""
_HOLDERS = ("ema", "model", "state_dict", "model_state_dict", "ema_state_dict", "net", "weights", "params")
"""Keys under which programs store a network or its tensors."""
_GLOBAL = re.compile(r"GLOBAL (?P<name>[\w.]+) was not an allowed")
_TO_LAYER = re.compile(r"(?P<before>(?:[A-Za-z_]\w*\.)*)(?P<layer>\d+\..+)")


@contextmanager
def exact_names() -> Iterator[None]:
    """Let Ultralytics read exactly the file that is named.

    It would read `yolov5su.pt` in place of `yolov5s.pt`, drop quotation marks from the path, and ask the network for
    what is not there.
    """
    before = downloads.attempt_download_asset
    downloads.attempt_download_asset = lambda file, *_, **__: str(file)
    try:
        yield
    finally:
        downloads.attempt_download_asset = before


def read_pt(path: Path) -> Mapping[str, Any]:
    """Return the content of a `.pt`; a network or tensors alone under the key `model`.

    Raises:
        SpaceError: If it is damaged, or holds a class that stock Ultralytics does not have.
    """
    if not hasattr(torch.serialization, "get_unsafe_globals_in_checkpoint"):  # torch before 2.6
        raise SpaceError(f"weights '{path}': torch {torch.__version__} cannot load a .pt safely; 2.6 or newer can")
    check_archive(path)  # else the unpickler reads any bytes, and may raise any error
    try:
        with exact_names():
            found: Any = torch_safe_load(path, safe_only=True)
        content = found[0]
        if isinstance(content, Mapping) and set(content) == {"model"}:
            content = _alone(path)
    except ModuleNotFoundError as error:
        raise SpaceError(
            f"weights '{path}' need the module {shown_value(error.name)}; only stock detectors are read"
        ) from error
    except AttributeError:  # layers alone: Ultralytics asks them for their attribute `model`
        content = _alone(path)
    except Exception as error:  # unpickling odd bytes raises errors of any kind; nothing in them was run
        raise SpaceError(f"weights '{path}' are refused: {_reason(error)}") from error
    if not isinstance(content, Mapping):
        raise SpaceError(f"weights '{path}' hold a {type(content).__name__}, not an Ultralytics checkpoint")
    return content


def _alone(path: Path) -> Mapping[str, Any]:
    """Return a network that was saved without a checkpoint around it; Ultralytics would keep its list of layers only.

    The classes that it needs are known to torch since Ultralytics' own reading of the file.
    """
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        raise SpaceError(f"weights '{path}' are refused: {_reason(error)}") from error
    return content if isinstance(content, Mapping) else {"model": content}


def detector_in(path: Path, content: Mapping[str, Any]) -> Any:
    """Return the network in a checkpoint, the EMA first; None if it holds tensors alone.

    Raises:
        SpaceError: If it holds another network; the message says what would work.
    """
    found = [content.get(name) for name in ("ema", "model")]
    model: Any = next((each for each in found if each is not None), None)
    if type(model) in CUT_MODELS:
        return model
    if tensors_in(content) is not None:
        return None
    kind = type(model).__name__
    if kind in OTHER_MODELS and isinstance(model, nn.Module):
        raise SpaceError(
            f"weights '{path}' hold a {kind}: {OTHER_MODELS[kind]}; only {CUT_HERE}. Take one of these for the boxes, "
            "such as --model yolo11n.yaml"
        )
    raise SpaceError(f"weights '{path}' hold {shown_value(model)}; a DetectionModel is needed, or its tensors")


def tensors_in(content: Mapping[str, Any]) -> Mapping[str, Tensor] | None:
    """Return the tensors of a file that holds no DetectionModel: a state dictionary, or that of its list of layers."""
    for found in (*(content.get(key) for key in _HOLDERS), content):
        if type(found) is nn.Sequential:
            return {f"model.{name}": tensor for name, tensor in found.state_dict().items()}
        if isinstance(found, Mapping) and found and all(isinstance(each, Tensor) for each in found.values()):
            return {str(name): tensor for name, tensor in found.items()}
    return None


def as_detectors(path: Path, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return tensors under the names that they have in a `DetectionModel`: `model.0.conv.weight`.

    Other programs put words before: `module.` (several GPUs), `model.model.` (`YOLO`, Lightning), or none.

    Raises:
        SpaceError: If they are not named by layers.
    """
    found = {name: _TO_LAYER.fullmatch(name) for name in tensors}
    before = {match["before"] for match in found.values() if match}
    odd = next((name for name, match in found.items() if match is None), None)
    if odd is not None or len(before) != 1:
        shown_name = shown_value(odd or min(found))
        raise SpaceError(
            f"weights '{path}' hold tensors alone, and not those of a YOLO detector: one is called {shown_name}, "
            "where model.0.conv.weight is right (SAM, YOLO-NAS and others are not read)"
        )
    return {f"model.{match['layer']}": tensors[name] for name, match in found.items() if match}


def _reason(error: BaseException) -> str:
    """Return one line that names what was not allowed, else the first line of torch's message."""
    cause = error.__cause__ or error
    text = str(cause)
    if "TorchScript" in text or "TorchScript" in str(error):
        return "this is a TorchScript archive, which runs but cannot be cut; give the .pt that it was exported from"
    if (found := _GLOBAL.search(text)) is not None:
        return _foreign_class(found["name"])
    lines = [line.strip() for line in text.splitlines() if line.strip()] or [type(cause).__name__]
    return shown(next((line for line in lines if "Unsupported" in line or "GLOBAL" in line), lines[0]), most=160)


def _foreign_class(name: str) -> str:
    """Return what a class is that stock Ultralytics does not have, and how the tensors can be taken all the same."""
    called = shown(name, most=100)
    if name.split(".")[0] in ("models", "utils"):
        return (
            f"they hold {called}, a class of the YOLOv5 (or YOLOv7) repository, not of the package ultralytics; its "
            "networks have other heads. Train yolov5nu.pt and the like, or yolov5n.yaml here"
        )
    return (
        f"they hold {called}, which stock Ultralytics lacks, and nothing in a file is run. If its layers are those of "
        "a model YAML, save its tensors (torch.save(model.state_dict(), 'tensors.pt')) and add -o parent.model=YAML"
    )
