"""Paths of all files and folders in the run folder. No other module writes them out."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class RunFolder:
    """Folder that all runs of a project share (`--project`, default `runs`)."""

    root: Path

    @property
    def default_storage(self) -> str:
        """URL of the SQLite database used when neither `--storage` nor SEARCH_STORAGE is given."""
        path = str(self.root / "yolofront.db")
        return "sqlite:///" + path.replace("%", "%25").replace("?", "%3F")  # both mean something else in a URL

    @property
    def data(self) -> Path:
        """Folder of generated data sets: the built-in digits, and resolved YAML files."""
        return self.root / "data"

    @property
    def moved(self) -> Path:
        """File that says where data sets and weights lie that were moved since their study began."""
        return self.data / "moved.json"

    @property
    def checkpoints(self) -> Path:
        """Folder of the saved networks, named by content hash."""
        return self.root / "checkpoints"

    @property
    def artifacts(self) -> Path:
        """Folder of the files that users upload in the dashboard."""
        return self.root / "artifacts"

    @property
    def maps(self) -> Path:
        """Folder of the sensitivity maps of trained parents, named by the hash of parent, data and settings."""
        return self.root / "sensitivity"

    def study(self, sampler_name: str) -> Path:
        """Return the folder of a study's reports, plots and exports."""
        return self.root / sampler_name

    def kept(self, sampler_name: str) -> Path:
        """Return the folder of a study's unfinished work, which is kept until the trial or row is stored."""
        return self.study(sampler_name) / "kept"

    def scratch(self, host: str, pid: int) -> Path:
        """Return the folder for temporary files of one process: trainer output, exported ONNX files.

        Args:
            host: A short name of the host; several hosts may share the run folder.
        """
        return self.root / "scratch" / f"{host}-{pid}"

    def scratches(self, host: str) -> tuple[tuple[int, Path], ...]:
        """Return all scratch folders of a host, in use or left behind, each with its process number."""
        found = (self.root / "scratch").glob(f"{host}-*")
        return tuple((int(path.name.rpartition("-")[2]), path) for path in found if path.name[-1].isdigit())


def file_stem(name: str) -> str:
    """Return the name of a record as the name of a file without its ending: `trial-7`, `nas_head-trial-7`."""
    return name.replace(" ", "-").replace("/", "-")


def storage_url(given: str | None, folder: RunFolder) -> str:
    """Return the database URL: `--storage`, else SEARCH_STORAGE, else SQLite in the run folder."""
    return given or os.environ.get("SEARCH_STORAGE") or folder.default_storage
