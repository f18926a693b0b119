"""Runtime that is not in the catalogue: eager torch under another name, with its own provider.

`test_new_runtime.py` adds it to a copy of the project as a newcomer would: this file, and one line in the catalogue.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from objectives.runtimes.base import Loaded, Runtime, unknown
from objectives.runtimes.torch_native import TorchEager

if TYPE_CHECKING:
    from objectives.data.calibration import Calibration
    from objectives.device.target import Target
    from spaces.base import Candidate

HOST = "host"


class Relay(Runtime):
    """Eager torch on the CPU, with a provider called `host`."""

    name = "relay-engine"
    short_name = "relay"
    providers = (HOST,)
    precisions = ("fp32",)

    def unavailable(self, provider: str, precision: str = "fp32") -> str | None:
        """Return why it cannot run here; None if it can."""
        if provider != HOST:
            return unknown("provider", provider, self.providers)
        return TorchEager().unavailable("cpu", precision)

    def version(self) -> str:
        """Return the name and version of the engine."""
        return f"{self.name} {TorchEager().version()}"

    def on_cpu(self, provider: str) -> bool:
        """Return True."""
        return True

    def export(
        self, candidate: Candidate, folder: Path, target: Target, calibration: Calibration | None = None
    ) -> Path:
        """Write torch's file."""
        return TorchEager().export(candidate, folder, replace(target, provider="cpu"))

    def load(self, model: Path, target: Target) -> Loaded:
        """Load torch's file."""
        return TorchEager().load(model, replace(target, provider="cpu"))
