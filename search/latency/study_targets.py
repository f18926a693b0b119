"""Latency sources of a study's targets: measured on this machine, or stored and predicted for another machine."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from objectives.data.calibration import Calibration
from objectives.data.dataset import Dataset
from objectives.device.target import Target, TargetError
from objectives.quantities import FILE_ACCURACIES
from objectives.runtimes.catalogue import target_here
from objectives.timing.meter import LatencyMeter
from objectives.timing.reference import reference_candidate
from objectives.training.exported_accuracy import FileTarget
from search.latency.local import IdleWait, LocalLatency
from search.latency.predictor import fit_of
from search.latency.remote import remote_latency
from search.latency.source import LatencySource
from search.latency.stored_target import stored_target
from search.record.events import Say
from search.record.latency_text import FURTHER, LATENCY
from search.store.base import Store
from search.study.definition import StudyDefinition
from search.study.faults import DefinitionError
from search.study.sections import TargetSection
from spaces.networks.parent import Parent


def target_of(asked: TargetSection, imgsz: int, calibration: Calibration | None = None) -> Target:
    """Return a target on this machine, at an image size in px.

    Raises:
        TargetError: If it cannot be measured here.
    """
    images = "" if calibration is None else calibration.key
    return target_here(
        asked.runtime,
        asked.provider,
        asked.precision,
        imgsz=imgsz,
        batch=asked.batch,
        threads=asked.threads,
        calibration=images,
        nms=asked.nms,
        float_head=asked.float_head,
    )


def latency_sources(
    definition: StudyDefinition,
    store: Store,
    *,
    parent: Parent,
    data: Dataset,
    scratch: Path,
    opened: ExitStack,
    wait: IdleWait,
    say: Say,
) -> tuple[LatencySource, ...]:
    """Return the latency source of the study's target, then one for each further target.

    All targets have the same reference network. A meter starts its timing process with its first measurement.

    Args:
        opened: Closes the meters.

    Raises:
        TargetError: If the study's own target cannot be measured here.
        DefinitionError: If a further target cannot, or too few measurements of a remote target are stored.
    """
    reference = reference_candidate(parent)
    stored = store.latest_study(definition.name)
    of_study = None if stored is None else stored.frozen.get("target")

    def local(asked: TargetSection, name: str) -> LocalLatency:
        calibration = Calibration.for_precision(asked.precision, lambda: data)
        target = target_of(asked, parent.imgsz, calibration).compared_with(reference)
        meter = LatencyMeter(
            stored_target(store, target, of_study), reference, scratch=scratch, calibration=calibration
        )
        return LocalLatency(store, opened.enter_context(meter), name, wait, say)

    def source(asked: TargetSection, name: str) -> LatencySource:
        if asked.remote is None:
            return local(asked, name)
        structure = parent.structure
        compared = _undetermined(asked, parent.imgsz).compared_with(reference)
        return remote_latency(store, asked, compared, structure=structure.key, fit=fit_of(structure), name=name)

    sources = [source(definition.target, LATENCY)]
    for position, asked in enumerate(definition.further_targets):
        try:
            sources.append(source(asked, f"{FURTHER}{asked.name}"))
        except TargetError as error:
            raise DefinitionError(f"further_targets.{position} ({asked.name}): {error}") from error
    return tuple(sources)


def file_targets(sources: Sequence[LatencySource], data: Dataset) -> dict[str, FileTarget]:
    """Return the targets of reduced precision by their precision, the first one of each."""
    found: dict[str, FileTarget] = {}
    for target in (source.target for source in sources):
        if target.precision in FILE_ACCURACIES and target.precision not in found:
            calibration = Calibration.for_precision(target.precision, lambda: data)
            found[target.precision] = FileTarget(target, calibration)
    return found


def _undetermined(asked: TargetSection, imgsz: int) -> Target:
    """Return a target of which only the study's part is known: neither the device nor the engine."""
    return Target(
        runtime=asked.runtime,
        provider=asked.provider,
        precision=asked.precision,
        imgsz=imgsz,
        batch=1,
        threads=1,
        device="",
        engine="",
    )
