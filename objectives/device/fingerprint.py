"""Fingerprints of devices, without hostnames: machines with equal fingerprints have equal latencies."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
from functools import cache
from pathlib import Path

from objectives.device.device_name import device_named
from objectives.device.target import TargetError


@cache
def cpu_fingerprint() -> str:
    """Return the model and architecture of the CPU, and the number of cores that this process may use."""
    return f"{_cpu_model()}, {_usable_cores()} cores, {platform.machine()}"


@cache
def gpu_fingerprint() -> str:
    """Return the name and driver of the first NVIDIA GPU that this process may use.

    For a Jetson, whose GPU nvidia-smi may not list, return its board and system.

    Raises:
        TargetError: If `nvidia-smi` is missing or lists no GPU, and this is not a Jetson.
    """
    if jetson := _jetson():
        return jetson
    command = shutil.which("nvidia-smi")
    if command is None:
        raise TargetError("target: provider is a GPU, but nvidia-smi is not installed; use provider: cpu")
    gpu = device_named("cuda").removeprefix("gpu")
    query = [command, "-i", gpu, "--query-gpu=name,driver_version", "--format=csv,noheader"]
    listed = subprocess.run(query, capture_output=True, text=True, timeout=30, check=False).stdout.strip()
    if not listed:
        raise TargetError("target: provider is a GPU, but nvidia-smi lists none; use provider: cpu")
    name, driver = (part.strip() for part in listed.splitlines()[0].split(","))
    return f"{name}, driver {driver}, {platform.machine()}"


def _jetson() -> str:
    """Return the board and system of a Jetson; empty on other machines."""
    try:
        release = Path("/etc/nv_tegra_release").read_text(errors="replace").split(",")[:2]
    except OSError:
        return ""
    return ", ".join((_board() or "Jetson", " ".join(part.strip(" #") for part in release), platform.machine()))


def _board() -> str:
    """Return the name of a single-board computer from its device tree; empty if there is none."""
    try:
        return Path("/proc/device-tree/model").read_bytes().decode(errors="replace").strip("\0\n ")
    except OSError:
        return ""


def _usable_cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _cpu_model() -> str:
    """Return the CPU's name, with family and model if known: on virtual machines many CPUs have the same name."""
    try:
        text = Path("/proc/cpuinfo").read_text(errors="replace").split("\n\n")[0]
    except OSError:
        return platform.processor() or "unknown CPU"  # not Linux
    facts = {key.strip(): value.strip() for key, _, value in (line.partition(":") for line in text.splitlines())}
    name = facts.get("model name") or _board() or platform.processor() or "unknown CPU"  # ARM has no model name
    if "cpu family" in facts:
        name += f" (family {facts['cpu family']}, model {facts.get('model', '?')})"
    return name
