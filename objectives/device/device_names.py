"""Devices as Ultralytics' command line names them: `cpu`, `0`, `cuda:1`, and several as `0,1`."""

from __future__ import annotations


def devices_of(text: str) -> tuple[str, ...]:
    """Return the devices of a text such as `cpu`, `1` or `0,1`, in order; Ultralytics also writes `[0,1]`."""
    return tuple(part.strip() for part in text.strip("[]() ").split(",") if part.strip()) or (text,)
