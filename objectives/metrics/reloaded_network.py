"""A trained network together with the data that it is evaluated on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from objectives.data.dataset import Dataset
from objectives.training.detections import Detections, detect
from objectives.training.exported_accuracy import ExportedNetwork, FileTarget, detect_with_file
from spaces.base import Candidate


@dataclass(frozen=True)
class ReloadedNetwork:
    """A network that was trained, saved and loaded again, and its data. Its detections are computed once per split.

    Attributes:
        candidate: The network; nobody modifies it.
        splits: Splits that are evaluated, val first.
        device: Device as Ultralytics spells it: `cpu`, `0`.
        confidence: Confidence at which precision, recall and F1 are taken.
        iou: Overlap at which a detection matches a label for them.
        files: Targets of reduced precision by their precision; their files are scored too.
    """

    candidate: Candidate
    data: Dataset
    splits: tuple[str, ...]
    device: str = "cpu"
    confidence: float = 0.5
    iou: float = 0.5
    files: Mapping[str, FileTarget] = field(default_factory=dict)
    _found: dict[str, Detections] = field(default_factory=dict, repr=False, compare=False)
    _loaded: dict[str, ExportedNetwork] = field(default_factory=dict, repr=False, compare=False)

    def detections(self, split: str) -> Detections:
        """Return all detections of a split.

        Raises:
            CandidateError: If the network gives NaN or infinite outputs, or memory runs out.
            SpaceError: If the data set has no such split, or the classes are not the network's.
        """
        if split not in self._found:
            self._found[split] = detect(self.candidate, self.data, split, device=self.device, iou=self.iou)
        return self._found[split]

    def file_detections(self, precision: str, split: str) -> Detections:
        """Return all detections of a split by the file that is exported for the target of that precision.

        Raises:
            CandidateError: If the network cannot be exported or loaded, or memory runs out.
            SpaceError: As `detections`.
        """
        if precision not in self._loaded:
            self._loaded[precision] = self.files[precision].exported(self.candidate)
        name = f"{split} {precision}"
        if name not in self._found:
            file = self._loaded[precision]
            self._found[name] = detect_with_file(file, self.candidate, self.data, split, iou=self.iou)
        return self._found[name]
