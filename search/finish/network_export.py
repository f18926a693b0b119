"""Export a network of a study: load it, measure it again, write its files, check them, put them in place."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from objectives.base import Evaluation, Measurement
from objectives.data.calibration import Calibration
from objectives.data.dataset import Dataset, open_dataset
from objectives.data.loader import real_images
from objectives.device.target import Target
from objectives.export.exporter import export_formats, run_exporter
from objectives.export.model_card import card_name, model_card
from objectives.export.onnx_file import add_metadata
from objectives.export.pt_file import check_pt, export_pt
from objectives.export.yolov5_file import export_yolov5
from objectives.quantities import FILE_ACCURACIES
from objectives.runtimes.catalogue import runtimes_reading
from objectives.runtimes.parity import Parity, check_parity
from objectives.tasks.registry import task_named
from objectives.timing.meter import LatencyMeter
from objectives.timing.reference import reference_candidate
from objectives.training.exported_accuracy import ExportedNetwork, FileTarget, evaluate_exported
from search.finish.export_facts import export_facts, split_figures
from search.latency.study_targets import target_of
from search.prepare.moved_files import present_place, writable_data_folder
from search.record.folders import RunFolder, file_stem
from search.record.latency_text import LATENCY
from search.record.trial import TrialRecord, trained_accuracy
from search.store.base import Store, StudyEntry
from search.study.definition import StudyDefinition, stored_definition
from search.study.faults import DefinitionError
from search.study.names import data_name
from spaces.base import Candidate
from spaces.networks.checkpoint import CheckpointStore
from spaces.networks.parent import Parent
from spaces.suggestion import did_you_mean


@dataclass(frozen=True)
class ExportRequest:
    """A network of a study to export, and how.

    Attributes:
        record: A record with weights.
        out: Folder that the files are written to.
        file_format: `pt`, `yolov5`, or one of Ultralytics' export formats.
        data: Path of the data set, if it has moved since the study began.
        images: Number of val images that ONNX and torch are compared on.
    """

    study: StudyEntry
    record: TrialRecord
    out: Path
    file_format: str = "onnx"
    data: str | None = None
    images: int = 8


@dataclass(frozen=True)
class _Remeasured:
    """The latency on this machine's target, and whether that is the study's target."""

    latency: Measurement
    target: Target
    as_in_study: bool


def export_network(request: ExportRequest, store: Store, folder: RunFolder) -> Iterator[str]:
    """Export a network; yields the lines to print, one for each step that is done.

    Raises:
        CandidateError: If the network does not export, or an exported file disagrees with it.
        DefinitionError: If the format is unknown or its package is missing, or the record has no weights.
        DataError: If the data set does not exist any more.
    """
    _check_format(request.file_format)
    record = request.record
    if record.checkpoint is None:
        raise DefinitionError(f"{record.name} has no weights; it cannot be exported")
    definition = stored_definition(request.study.name, request.study.definition)
    checkpoints = CheckpointStore(folder.checkpoints)
    candidate = checkpoints.get(record.checkpoint)
    yield f"{record.name} of {request.study.sampler_name}: {_accuracy_text(record)}"
    precision = definition.target.precision
    calibration = Calibration.for_precision(precision, lambda: _data(request, definition, folder))
    target = _target(definition, record, store, candidate.imgsz, calibration)
    remeasured = _remeasure(request, store, candidate, target, calibration)
    yield _latency_line(record, remeasured)
    request.out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".export-", dir=request.out.parent) as name:
        partial = Path(name)
        stem = partial / file_stem(record.name)
        facts = _facts(request, definition, candidate, remeasured)
        if request.file_format == "pt":
            yield _write_pt(candidate, stem, facts)
        elif request.file_format == "yolov5":
            file = export_yolov5(candidate, stem.with_name(f"{stem.name}.pt"), facts)
            yield f"pt for val.py, detect.py and export.py of the original YOLOv5: {file.name}"
        else:
            model = _export(candidate, stem, request.file_format, target)
        if request.file_format == "onnx":
            parity = _parity(request, definition, folder, candidate, model)
            facts["parity"] = {"images": parity.images, "score": parity.score, "box_px": parity.box_px}
            yield f"onnx agrees with torch: {parity}"
            if precision in FILE_ACCURACIES:
                data = _data(request, definition, folder)
                reduced = FileTarget(_reading_onnx(target), calibration)
                whole = FileTarget(replace(reduced.target, precision="fp32"))
                before = _accuracy_of(whole.load(model, candidate), candidate, data, definition).map50_95
                reduced.write(candidate, model)
                accuracy = _accuracy_of(reduced.load(model, candidate), candidate, data, definition)
                facts["figures"][f"accuracy_{precision}"] = {"val": split_figures(accuracy)}
                yield (
                    f"converted to {precision}, as it was timed: val mAP50-95 {accuracy.map50_95:.3f} of the file "
                    f"itself, {before:.3f} before (both on squares, as Ultralytics validates ONNX files)"
                )
            add_metadata(model, {name: _text(value) for name, value in facts.items()})
        elif precision in FILE_ACCURACIES:
            yield (
                f"warning: the target is {precision}, but {request.file_format} files are not; "
                f"--format onnx writes {precision}"
            )
        described = stem.with_name(f"{stem.name}.json")
        described.write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")
        card = partial / card_name(request.out, stem.name)
        card.write_text(model_card(facts, _exported(partial, stem)), encoding="utf-8")
        for file in checkpoints.folder(record.checkpoint).iterdir():
            shutil.copy2(file, partial / file.name)
        request.out.mkdir(exist_ok=True)
        for file in sorted(partial.iterdir()):
            _put(file, request.out / file.name)
            yield f"wrote {request.out / file.name}"


def _exported(folder: Path, stem: Path) -> str:
    """Return the name of the exported file or folder."""
    written = (each.name for each in sorted(folder.iterdir()) if each.suffix not in (".json", ".md"))
    return next((name for name in written if name.startswith(stem.name)), stem.name)


def _check_format(name: str) -> None:
    formats = ("pt", "yolov5", *export_formats())
    if name not in formats:
        raise DefinitionError(f"--format is '{name}'; {did_you_mean(name, formats)}")
    if name == "engine" and not torch.cuda.is_available():
        raise DefinitionError(
            "--format is 'engine'; TensorRT needs an NVIDIA GPU, and this machine has none; "
            "export with --format onnx, and build the engine from that file where it will run"
        )


def _target(
    definition: StudyDefinition, record: TrialRecord, store: Store, imgsz: int, calibration: Calibration | None
) -> Target:
    """Return the study's target on this machine; batch and precision of the export follow it even if it has none."""
    measured = record.measurement(LATENCY)
    entry = None if measured is None or measured.target is None else store.target(measured.target)
    size = imgsz if entry is None else int(entry.description["imgsz"])
    target = target_of(definition.target, size, calibration)
    device = "" if entry is None else str(entry.description["device"])
    return replace(target, device=device) if target.on_same_device(device) else target


def _remeasure(
    request: ExportRequest, store: Store, candidate: Candidate, target: Target, calibration: Calibration | None
) -> _Remeasured | None:
    """Measure the latency again; None if no runtime on this machine runs the format."""
    if target.runtime not in runtimes_reading(request.file_format):
        return None
    parent = Parent.of(candidate)
    with LatencyMeter(target, reference_candidate(parent), calibration=calibration) as meter:
        frozen = store.target(meter.target.key)
        reference_ms = meter.reference_ms() if frozen is None else frozen.reference_ms
        return _Remeasured(meter.measure(candidate, reference_ms).measurement, meter.target, frozen is not None)


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
        )
    except ImportError as error:
        package = (error.name or file_format).split(".")[0]
        raise DefinitionError(
            f"--format {file_format} needs the package '{package}', which is not installed: pip install {package}"
        ) from error


def _parity(
    request: ExportRequest, definition: StudyDefinition, folder: RunFolder, candidate: Candidate, model: Path
) -> Parity:
    images = real_images(_data(request, definition, folder), candidate.imgsz, request.images)
    return check_parity(candidate, model, images)


def _accuracy_of(
    model: ExportedNetwork, candidate: Candidate, data: Dataset, definition: StudyDefinition
) -> Evaluation:
    asked = definition.accuracy
    return evaluate_exported(model, candidate, data, "val", confidence=asked.confidence, iou=asked.iou)


def _reading_onnx(target: Target) -> Target:
    """Return the target whose runtime makes and runs an ONNX file of the same precision."""
    if target.runtime in runtimes_reading("onnx"):
        return target
    return replace(target, runtime="onnxruntime", provider="cpu")


def _data(request: ExportRequest, definition: StudyDefinition, folder: RunFolder) -> Dataset:
    source = request.data or present_place(definition.data.source, folder)
    part, cache = definition.data, writable_data_folder(folder)
    task = task_named(definition.task)
    return open_dataset(
        source, cache, seed=definition.seed, skip_bad=part.skip_bad, selection=part.selection, task=task
    )


def _facts(
    request: ExportRequest, definition: StudyDefinition, candidate: Candidate, remeasured: _Remeasured | None
) -> dict[str, Any]:
    data = data_name(request.data or definition.data.source)
    facts = export_facts(request.study.sampler_name, request.record, candidate, data)
    if remeasured is not None:
        latency = remeasured.latency
        facts["figures"]["latency_ms_now"] = {"value": latency.value, "low": latency.low, "high": latency.high}
        facts["target"] = remeasured.target.description()
    return facts


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _accuracy_text(record: TrialRecord) -> str:
    own = trained_accuracy([record])
    known = ((entry.split, record.value(own.name, entry.split)) for entry in record.evaluations)
    said = (f"{split} {own.title} {value:.3f}" for split, value in known if value is not None)
    return ", ".join(said) or "not evaluated"


def _latency_line(record: TrialRecord, remeasured: _Remeasured | None) -> str:
    stored = record.measurement(LATENCY)
    how = "predicted" if stored is not None and stored.predicted else "in the study"
    before = "not measured in the study" if stored is None else f"{stored.value:.3g} ms {how}"
    if remeasured is None:
        return f"latency: {before}; no runtime here times this format"
    now, (low, high) = remeasured.latency, remeasured.latency.interval
    where = "" if remeasured.as_in_study else ", on another target than the study's"
    return f"latency: {now.value:.3g} ms now ({low:.3g} to {high:.3g}{where}), {before}"


def _put(file: Path, place: Path) -> None:
    """Move a file or folder into place, and replace that of an earlier export."""
    if place.is_dir():
        shutil.rmtree(place)
    file.replace(place)
