"""A study's targets, each with what knows its latencies: a meter on this machine, or a predictor for another one."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from objectives.data.calibration import Calibration
from objectives.data.dataset import Dataset
from objectives.device.target import Target, TargetError
from objectives.runtimes.catalogue import target_here
from objectives.timing.meter import LatencyMeter
from objectives.timing.reference import reference_candidate
from search.latency.local import Patience, Timekeeper
from search.latency.predictor import fit_of
from search.latency.remote import RemoteKeeper, remote_keeper
from search.record.latency_text import FURTHER, LATENCY
from search.store.base import Store
from search.study.definition import StudyDefinition
from search.study.faults import DefinitionError
from search.study.sections import TargetSection
from spaces.networks.parent import Parent


def target_of(asked: TargetSection, imgsz: int, calibration: Calibration | None = None) -> Target:
    """A target on this machine, at an image size in px.

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
    )


def keepers_of(
    definition: StudyDefinition,
    store: Store,
    parent: Parent,
    data: Dataset,
    scratch: Path,
    opened: ExitStack,
    *,
    patience: Patience,
    say: Callable[[str], None],
) -> list[Timekeeper | RemoteKeeper]:
    """The latencies of the study's own target, then of each further target, all against the same reference.

    A meter's timing process begins when something is first timed with it.

    Args:
        opened: Closes the meters.

    Raises:
        TargetError: If the study's own target cannot be measured here.
        DefinitionError: If a further one cannot, or too little is known of one on another machine.
    """
    reference = reference_candidate(parent)
    keepers: list[Timekeeper | RemoteKeeper] = []
    for position, asked in enumerate((definition.target, *definition.further_targets)):
        name = f"{FURTHER}{asked.name}" if position else LATENCY
        if asked.remote is not None:
            compared = Target(asked.runtime, asked.provider, asked.precision, parent.imgsz, 1, 1, "", "")
            structure = parent.structure
            keeper = remote_keeper(
                store, asked, compared.compared_with(reference), structure.key, fit_of(structure), name
            )
            keepers.append(keeper)
            continue
        calibration = Calibration(data) if asked.precision == "int8" else None
        try:
            target = target_of(asked, parent.imgsz, calibration)
            meter = LatencyMeter(target, reference, scratch=scratch, calibration=calibration)
        except TargetError as error:
            if position == 0:
                raise
            raise DefinitionError(f"further_targets.{position - 1} ({asked.name}): {error}") from error
        keepers.append(Timekeeper(store, opened.enter_context(meter), name, patience, say))
    return keepers
