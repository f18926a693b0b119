"""The making of an export: load, measure again, write aside, check, put in place."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from objectives.base import Evaluation, Measurement
from objectives.data.calibration import Calibration
from objectives.data.dataset import Dataset, open_dataset
from objectives.data.loader import real_images
from objectives.device.target import Target
from objectives.export.exporter import run_exporter
from objectives.export.onnx_file import add_metadata
from objectives.export.pt_file import check_pt, export_pt
from objectives.quantities import BEST_F1, BEST_F1_CONFIDENCE, F1, MAP50, MAP50_95, PRECISION, RECALL
from objectives.runtimes.parity import Parity, check_parity
from objectives.timing.meter import LatencyMeter
from objectives.timing.reference import reference_candidate
from search.latency.study_targets import target_of
from search.record.folders import RunFolder
from search.record.trial import TrialRecord
from search.store.base import Store, StudyEntry
from search.study.definition import StudyDefinition, stored_definition
from search.study.faults import DefinitionError
from spaces.base import Candidate
from spaces.networks.checkpoint import CheckpointStore
from spaces.networks.parent import Parent

RUNTIMES_OF = {"onnx": ("onnxruntime", "openvino"), "openvino": ("openvino",)}
"""Which runtimes time which format."""


@dataclass(frozen=True)
class Order:
    """What is to be exported.

    Attributes:
        out: Folder that the files are put into.
        data: Path of the data set, if it is no longer where the study says.
        images: Val images that ONNX and torch are compared on.
    """

    study: StudyEntry
    record: TrialRecord
    file_format: str
    out: Path
    data: str | None
    images: int


@dataclass(frozen=True)
class Remeasured:
    """Latency now, beside that of the study; the target is that of this machine."""

    latency: Measurement
    target: Target
    as_in_study: bool


def deliver(order: Order, store: Store, folder: RunFolder) -> Iterator[str]:
    """Export; yields the lines to print, one for each thing that is done.

    Raises:
        CandidateError: If the network does not export, or what was written disagrees with it.
        DefinitionError: If the format's package is missing.
        DataError: If the data set is not there any more.
    """
    record = order.record
    definition = stored_definition(order.study.name, order.study.definition)
    checkpoints = CheckpointStore(folder.checkpoints)
    candidate = checkpoints.get(record.saved_checkpoint)
    yield f"{record.name} of {order.study.sampler_name}: {_accuracy(record)}"
    calibration = Calibration(_data(order, definition, folder)) if definition.target.precision == "int8" else None
    target = _target(definition, record, store, candidate.imgsz, calibration)
    remeasured = _remeasure(order, store, candidate, target, calibration)
    yield _latency_line(record, remeasured)
    order.out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".export-", dir=order.out.parent) as name:
        aside = Path(name)
        stem = aside / record.name.replace(" ", "-")
        facts = _facts(order, candidate, remeasured)
        if order.file_format == "pt":
            yield _write_pt(candidate, stem, facts)
        else:
            model = _export(candidate, stem, order.file_format, target)
        if order.file_format == "onnx":
            parity = _parity(order, definition, folder, candidate, model, candidate.imgsz)
            facts["parity"] = {"images": parity.images, "score": parity.score, "box_px": parity.box_px}
            add_metadata(model, {name: _text(value) for name, value in facts.items()})
            yield f"onnx agrees with torch: {parity}"
        described = stem.with_name(f"{stem.name}.json")
        described.write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")
        for file in checkpoints.folder(record.saved_checkpoint).iterdir():
            shutil.copy2(file, aside / file.name)
        order.out.mkdir(exist_ok=True)
        for file in sorted(aside.iterdir()):
            _put(file, order.out / file.name)
            yield f"wrote {order.out / file.name}"


def _target(
    definition: StudyDefinition, record: TrialRecord, store: Store, imgsz: int, calibration: Calibration | None
) -> Target:
    """The study's target on this machine; its shapes are exported even where it cannot be timed."""
    measured = record.measurement("latency_ms")
    entry = None if measured is None or measured.target is None else store.target(measured.target)
    size = imgsz if entry is None else int(entry.description["imgsz"])
    return target_of(definition.target, size, calibration)


def _remeasure(
    order: Order, store: Store, candidate: Candidate, target: Target, calibration: Calibration | None
) -> Remeasured | None:
    """Time the network again; None where no runtime here runs the format."""
    if target.runtime not in RUNTIMES_OF.get(order.file_format, ()):
        return None
    parent = Parent.load(_model(candidate), classes=candidate.classes, imgsz=candidate.imgsz)
    with LatencyMeter(target, reference_candidate(parent), calibration=calibration) as meter:
        frozen = store.target(meter.target.key)
        reference_ms = meter.reference_ms() if frozen is None else frozen.reference_ms
        return Remeasured(meter.measure(candidate, reference_ms).measurement, meter.target, frozen is not None)


def _write_pt(candidate: Candidate, stem: Path, facts: Mapping[str, Any]) -> str:
    file = export_pt(candidate, stem.with_name(f"{stem.name}.pt"), facts)
    return f"pt reads back in stock Ultralytics: {check_pt(candidate, file):,} parameters, every tensor equal"


def _export(candidate: Candidate, stem: Path, file_format: str, target: Target) -> Path:
    try:
        return run_exporter(
            candidate,
            stem,
            file_format=file_format,
            imgsz=candidate.imgsz,
            batch=target.batch,
            precision=target.precision if file_format == "onnx" and target.precision != "int8" else "fp32",
        )
    except ImportError as error:
        package = (error.name or file_format).split(".")[0]
        raise DefinitionError(
            f"--format {file_format} needs the package '{package}', which is not installed: pip install {package}"
        ) from error


def _parity(
    order: Order, definition: StudyDefinition, folder: RunFolder, candidate: Candidate, model: Path, imgsz: int
) -> Parity:
    return check_parity(candidate, model, real_images(_data(order, definition, folder), imgsz, order.images))


def _data(order: Order, definition: StudyDefinition, folder: RunFolder) -> Dataset:
    return open_dataset(order.data or definition.data.source, folder.data, seed=definition.seed)


def _facts(order: Order, candidate: Candidate, remeasured: Remeasured | None) -> dict[str, Any]:
    """What goes into the file's metadata and the JSON beside it."""
    record, spec = order.record, candidate.spec
    facts: dict[str, Any] = {
        "study": order.study.sampler_name,
        "trial": record.name,
        "checkpoint": record.checkpoint,
        "classes": list(candidate.classes),
        "imgsz": candidate.imgsz,
        "architecture": {
            "model": _model(candidate).get("yaml_file"),
            "parent": spec.parent,
            "spec": spec.key,
            "widths": {name: len(kept) for name, kept in zip(spec.groups, spec.kept, strict=True)},
        },
        "figures": {
            **{entry.name: entry.value for entry in record.measurements if not entry.predicted},
            "accuracy": {entry.split: _figures(entry) for entry in record.evaluations},
        },
    }
    if remeasured is not None:
        latency = remeasured.latency
        facts["figures"]["latency_ms_now"] = {"value": latency.value, "low": latency.low, "high": latency.high}
        facts["target"] = remeasured.target.description()
    return facts


def _model(candidate: Candidate) -> Mapping[str, Any]:
    """The resolved model YAML of the parent, as Ultralytics keeps it with every network."""
    return cast(Mapping[str, Any], candidate.network.yaml)


def _figures(evaluation: Evaluation) -> Mapping[str, float]:
    exported = (MAP50_95, MAP50, PRECISION, RECALL, F1, BEST_F1, BEST_F1_CONFIDENCE)
    return {name: getattr(evaluation, name) for name in (*(each.name for each in exported), "confidence", "iou")}


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _accuracy(record: TrialRecord) -> str:
    return ", ".join(f"{entry.split} mAP50-95 {entry.map50_95:.3f}" for entry in record.evaluations) or "not evaluated"


def _latency_line(record: TrialRecord, remeasured: Remeasured | None) -> str:
    stored = record.measurement("latency_ms")
    how = "predicted" if stored is not None and stored.predicted else "in the study"
    before = "not measured in the study" if stored is None else f"{stored.value:.3g} ms {how}"
    if remeasured is None:
        return f"latency: {before}; no runtime here times this format"
    now, (low, high) = remeasured.latency, remeasured.latency.interval
    where = "" if remeasured.as_in_study else ", on another target than the study's"
    return f"latency: {now.value:.3g} ms now ({low:.3g} to {high:.3g}{where}), {before}"


def _put(file: Path, place: Path) -> None:
    """Replace what an earlier export left there."""
    if place.is_dir():
        shutil.rmtree(place)
    file.replace(place)
