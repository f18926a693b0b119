"""A study's targets on this machine, each with the meter that times networks there."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from objectives.calibration import Calibration
from objectives.data import Dataset
from objectives.latency import LatencyMeter
from objectives.reference import reference_candidate
from objectives.target import Target, TargetError
from search.command import DefinitionError
from search.study import StudyDefinition
from search.study_sections import TargetSection
from spaces.parent import Parent


def target_of(asked: TargetSection, imgsz: int, calibration: Calibration | None = None) -> Target:
    """A target on this machine, at an image size in px.

    Raises:
        TargetError: If it cannot be measured here.
    """
    images = "" if calibration is None else calibration.key
    return Target.here(asked.runtime, asked.provider, asked.precision, imgsz, asked.batch, asked.threads, images)


def meters_of(definition: StudyDefinition, parent: Parent, data: Dataset, scratch: Path) -> Iterator[LatencyMeter]:
    """A meter for the study's own target, then one for each further target, all against the same reference.

    A meter's timing process begins when something is first timed with it.

    Raises:
        TargetError: If the study's own target cannot be measured here.
        DefinitionError: If a further one cannot.
    """
    reference = reference_candidate(parent)
    for position, asked in enumerate((definition.target, *definition.further_targets)):
        calibration = Calibration(data) if asked.precision == "int8" else None
        try:
            target = target_of(asked, parent.imgsz, calibration)
            yield LatencyMeter(target, reference, scratch=scratch, calibration=calibration)
        except TargetError as error:
            if position == 0:
                raise
            raise DefinitionError(f"further_targets.{position - 1} ({asked.name}): {error}") from error
