"""Names of devices that are the same in all processes."""

from __future__ import annotations

import os

from objectives.device.target import TargetError


def device_named(text: str) -> str:
    """Return the name of a device that is the same in all processes: `cpu`, `gpu0`, `gpu1`, ... or a GPU's UUID.

    Args:
        text: Device in the notation of Ultralytics and torch (`cpu`, `0`, `cuda:1`, `cuda`, `mps`). Without a number it
            is the first one. (For the device of a target's provider see `Runtime.device_name`.)

    Raises:
        TargetError: If the text means several devices or none, or CUDA_VISIBLE_DEVICES does not contain the device.
    """
    if text == "cpu":
        return "cpu"
    if text in ("mps", "mps:0"):  # GPUs of Apple; CUDA's numbering does not apply
        return "gpu0"
    number = "0" if text == "cuda" else text.removeprefix("cuda:")
    if not number.isdecimal():
        raise TargetError(f"device is '{text}'; use cpu, mps, or one GPU as 0 or cuda:0")
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is None:
        return f"gpu{int(number)}"
    names = [name.strip() for name in visible.split(",") if name.strip()]
    if int(number) >= len(names):
        raise TargetError(f"device is '{text}', but CUDA_VISIBLE_DEVICES is '{visible}'")
    name = names[int(number)]
    return f"gpu{int(name)}" if name.isdecimal() else name
