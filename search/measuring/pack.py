"""Pack networks for another machine to measure: ONNX files, the plan, and one program that needs no project."""

from __future__ import annotations

import itertools
import json
import os
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from objectives.data.calibration import Calibration
from objectives.device.target import Target
from objectives.remote.plan import PLAN, PROGRAM, PackedNetwork, Plan, sha256_of
from objectives.runtimes.catalogue import runtime_named
from objectives.runtimes.names import target_named
from objectives.timing.reference import reference_candidate
from search.cli.stored_study import find_study
from search.measuring.program import write_program
from search.measuring.shapes import shapes_to_measure
from search.prepare.inputs import load_initial_parent, open_data
from search.record.folders import RunFolder, file_stem
from search.store.base import Store, StudyEntry
from search.store.sql import open_store
from search.store.url import parse, sqlite_file
from search.study.definition import StudyDefinition, load_study, stored_definition
from search.study.faults import DefinitionError
from spaces.base import Candidate
from spaces.networks.checkpoint import CheckpointStore
from spaces.networks.parent import Parent
from spaces.path_facts import path_fact
from spaces.structure.shape import Shape

RUNTIME = "onnxruntime"
README = """Measure these networks on this machine: python {program}

Needs Python 3.10 or newer, numpy and onnxruntime (pip install numpy onnxruntime). If psutil is installed too, it tells
whether other work disturbed. Options: --provider cpu|cuda|tensorrt, --threads N. Run nothing else meanwhile.

It takes a few seconds for each of the {count} networks and prints its progress. If it is interrupted, the same command
continues. Then copy results.json into the folder that this one was copied from, and run there:

    yolofront bench --unpack {folder} --name a-name-for-this-machine
"""


@dataclass(frozen=True)
class PackRequest:
    """Networks of a study that another machine is to measure, and the folder to write.

    Attributes:
        folder: New or empty folder.
        study: Name of a stored study, or of a study's YAML.
        runs: Run folder with the study's data and checkpoints.
        storage: URL of the database.
        networks: Number of shapes to pack.
        front: Pack the networks of the study's front instead of shapes.
        target: Name of the target; the study's own by default. `imgsz`, `batch` and `threads` likewise.
        data: Data set of a study that has not begun. `model` and `overrides` likewise.
    """

    folder: Path
    study: str
    runs: RunFolder
    storage: str = field(repr=False)
    networks: int = 16
    front: bool = False
    target: str | None = None
    imgsz: int | None = None
    batch: int | None = None
    threads: int | None = None
    data: str | None = None
    model: str | None = None
    overrides: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Contents:
    """Names and networks to pack, in the order in which they are timed; all are cut from one parent."""

    study: str
    definition: StudyDefinition
    parent: Parent
    networks: Iterator[tuple[str, Candidate]]


def pack(request: PackRequest) -> Plan:
    """Write the folder, all of it or nothing.

    Raises:
        DefinitionError: If the folder is not empty, the study has no front yet, or the runtime is not onnxruntime.
        CandidateError: If a network does not export.
    """
    folder = request.folder
    if os.path.lexists(folder) and (not folder.is_dir() or any(folder.iterdir())):
        raise DefinitionError(f"--pack is '{folder}': {path_fact(folder)}; give a new or empty folder")
    contents = _front_contents(request) if request.front else _shape_contents(request)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{folder.name}-", dir=folder.parent) as name:
        partial = Path(name) / folder.name
        partial.mkdir()
        plan = _write(contents, request, partial)
        partial.replace(folder)  # replaces an empty folder
    return plan


def _write(contents: _Contents, request: PackRequest, folder: Path) -> Plan:
    target, calibration = _target(contents, request)
    export = _Exporter(target, calibration, folder)
    stock = reference_candidate(contents.parent)
    reference = export.write("reference", replace(stock, imgsz=target.imgsz))
    networks = [export.write(name, candidate) for name, candidate in contents.networks]
    plan = Plan(
        study=contents.study,
        front=request.front,
        model=json.loads(json.dumps(contents.parent.model)),  # as it is read again
        classes=len(contents.parent.classes),
        provider=target.provider,
        precision=target.precision,
        imgsz=target.imgsz,
        batch=target.batch,
        threads=target.threads,
        compared_with=target.compared_with(stock).reference,
        calibration=target.calibration,
        reference=reference,
        networks=tuple(networks),
    )
    (folder / PLAN).write_text(plan.as_text(), encoding="utf-8")
    readme = README.format(program=PROGRAM, count=len(networks), folder=request.folder.name)
    (folder / "README.txt").write_text(readme, encoding="utf-8")
    write_program(folder / PROGRAM)
    return plan


@dataclass(frozen=True)
class _Exporter:
    target: Target
    calibration: Calibration | None
    folder: Path

    def write(self, name: str, candidate: Candidate) -> PackedNetwork:
        with tempfile.TemporaryDirectory(dir=self.folder.parent) as place:
            model = runtime_named(RUNTIME).export(candidate, Path(place), self.target, self.calibration)
            file = model.replace(unused_file(self.folder, file_stem(name)))
        return PackedNetwork(name, file.name, sha256_of(file), Shape.of(candidate))


def unused_file(folder: Path, stem: str) -> Path:
    """Return an ONNX file's path that does not exist yet: a record may be called `reference` or `trial-3`."""
    files = (folder / f"{stem}{'-again' * count}.onnx" for count in itertools.count())
    return next(file for file in files if not file.exists())


def _target(contents: _Contents, request: PackRequest) -> tuple[Target, Calibration | None]:
    """Return the target that the other machine is asked for; its device and engine are unknown until it answers."""
    asked = contents.definition.target
    runtime, provider = asked.runtime, asked.provider
    precision: str = asked.precision
    if request.target is not None:
        runtime, provider, precision = target_named(request.target)
    if runtime != RUNTIME:
        raise DefinitionError(f"--target is {request.target or asked.name}; another machine measures by onnxruntime")
    calibration = Calibration.for_precision(precision, lambda: open_data(contents.definition, request.runs))
    images = "" if calibration is None else calibration.key
    batch, threads = request.batch or asked.batch, request.threads or asked.threads
    imgsz = contents.parent.imgsz
    return Target(runtime, provider, precision, imgsz, batch, threads, "", "", calibration=images), calibration


def _shape_contents(request: PackRequest) -> _Contents:
    """Select shapes of the study's parent; the study need not have begun."""
    definition = _definition(request)
    data = open_data(definition, request.runs)
    parent = load_initial_parent(definition, data).parent
    shapes = shapes_to_measure(definition, parent, request.networks)
    networks = ((f"shape {number}", _of_shape(parent, shape)) for number, shape in enumerate(shapes, start=1))
    return _Contents(definition.name, definition, parent, networks)


def _of_shape(parent: Parent, shape: Shape) -> Candidate:
    """Build a network of that shape; latency does not depend on which channels it keeps."""
    spec = parent.structure.spec_of_widths(shape.widths, shape.dropped)
    return replace(parent.build(spec), imgsz=shape.imgsz)


def _definition(request: PackRequest) -> StudyDefinition:
    """Return the stored study of that name if the request changes nothing of it; else that of the YAML."""
    changed = [request.data, request.model, request.imgsz, *request.overrides]
    if not any(changed) and (stored := _stored(request)) is not None:
        return stored
    return load_study(request.study, request.overrides, data=request.data, model=request.model, imgsz=request.imgsz)


def _stored(request: PackRequest) -> StudyDefinition | None:
    file = sqlite_file(parse(request.storage))
    if file is not None and not file.exists():
        return None
    store = open_store(request.storage)
    try:
        study = next((each for each in store.studies()[::-1] if request.study in (each.name, each.sampler_name)), None)
    finally:
        store.close()
    return None if study is None else stored_definition(study.name, study.definition)


def _front_contents(request: PackRequest) -> _Contents:
    store = open_store(request.storage)
    try:
        study = find_study(store, request.study)
        members = _front_members(store, study)
    finally:
        store.close()
    definition = stored_definition(study.name, study.definition)
    checkpoints = CheckpointStore(request.runs.checkpoints)
    networks = ((name, checkpoints.get(digest)) for name, digest in members)
    return _Contents(study.sampler_name, definition, _parent(study, checkpoints), networks)


def _front_members(store: Store, study: StudyEntry) -> Sequence[tuple[str, str]]:
    """Return names and checkpoints of the networks on the front."""
    fronts = store.fronts(study)
    if not fronts:
        raise DefinitionError(f"study '{study.sampler_name}' has no front yet; without --front shapes are packed")
    names = set(fronts[-1].members)
    records = [record for record in store.records(study) if record.name in names]
    return [(record.name, record.checkpoint) for record in records if record.checkpoint is not None]


def _parent(study: StudyEntry, checkpoints: CheckpointStore) -> Parent:
    """Return the study's own parent: its reference must be the same, or the figures could not be compared."""
    trained = checkpoints.get(study.frozen["parent"])
    return Parent.of(trained)
