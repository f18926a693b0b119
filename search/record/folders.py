"""Where everything lies under the run folder. The one place that spells file names."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class RunFolder:
    """The folder that a project's runs share (`--project`, default `runs`)."""

    root: Path

    @property
    def default_storage(self) -> str:
        """URL of the SQLite database used when neither `--storage` nor SEARCH_STORAGE is given."""
        return f"sqlite:///{self.root / 'yolofront.db'}"

    @property
    def data(self) -> Path:
        """Data sets that we write: the built-in digits, resolved YAML files."""
        return self.root / "data"

    @property
    def checkpoints(self) -> Path:
        """Saved networks, addressed by content hash."""
        return self.root / "checkpoints"

    @property
    def artifacts(self) -> Path:
        """Files that users upload in the dashboard."""
        return self.root / "artifacts"

    @property
    def maps(self) -> Path:
        """Sensitivity maps of trained parents, by what made them."""
        return self.root / "sensitivity"

    def study(self, sampler_name: str) -> Path:
        """Reports, plots and exports of one study."""
        return self.root / sampler_name

    def scratch(self, host: str, pid: int) -> Path:
        """What one process may write and lose: trainer output, exported ONNX files.

        Args:
            host: A short tag of the host, since several may share the run folder.
        """
        return self.root / "scratch" / f"{host}-{pid}"

    def scratches(self, host: str) -> tuple[tuple[int, Path], ...]:
        """Process numbers and folders of what that host's processes left behind or still use."""
        found = (self.root / "scratch").glob(f"{host}-*")
        return tuple((int(path.name.rpartition("-")[2]), path) for path in found if path.name[-1].isdigit())


def storage_url(given: str | None, folder: RunFolder) -> str:
    """The database URL: `--storage`, else SEARCH_STORAGE, else SQLite in the run folder."""
    return given or os.environ.get("SEARCH_STORAGE") or folder.default_storage
