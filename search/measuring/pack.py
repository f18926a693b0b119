"""Packs what another machine is to measure: networks as ONNX, the plan, and one program that needs no project."""

from __future__ import annotations

import argparse
import itertools
import json
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

from objectives.data.calibration import Calibration
from objectives.device.target import Target
from objectives.remote.plan import PLAN, PROGRAM, PackedNetwork, Plan, sha256_of
from objectives.runtimes.catalogue import runtime_named
from objectives.runtimes.names import target_named
from objectives.timing.reference import reference_candidate
from search.cli.command import run_folder, url_of
from search.cli.stored_study import find_study
from search.measuring.program import write_program
from search.measuring.shapes import shapes_to_measure
from search.prepare.inputs import load_initial_parent, open_data
from search.record.folders import RunFolder
from search.store.base import Store, StudyEntry
from search.store.sql import open_store
from search.store.url import parse, sqlite_file
from search.study.definition import StudyDefinition, load_study, stored_definition
from search.study.faults import DefinitionError
from spaces.base import Candidate
from spaces.networks.checkpoint import CheckpointStore
from spaces.networks.parent import Parent
from spaces.structure.shape import Shape

RUNTIME = "onnxruntime"
README = """Measure these networks on this machine: python {program}

Needs Python 3.10 or newer, numpy and onnxruntime (pip install numpy onnxruntime). psutil, if it is there, tells
whether other work disturbed. Options: --provider cpu|cuda|tensorrt, --threads N. Leave the machine alone meanwhile.

It takes a few seconds for each of the {count} networks and says so; killed, the same command goes on. Then take
results.json home, into the folder that this one was copied from, and there:

    python -m search.bench --unpack {folder} --name a-name-for-this-machine
"""


@dataclass(frozen=True)
class Contents:
    """What is packed, in the order in which it is timed: names and networks; all cut from one parent."""

    study: str
    definition: StudyDefinition
    parent: Parent
    networks: Iterator[tuple[str, Candidate]]
    front: bool = False


def pack(options: argparse.Namespace) -> Plan:
    """Write the folder, all of it or nothing.

    Raises:
        DefinitionError: If the folder holds something, the study has no front yet, or the target is not onnxruntime's.
        CandidateError: If a network does not export.
    """
    folder: Path = options.pack
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise DefinitionError(f"--pack is '{folder}', which holds something already; give a new folder")
    found = _front(options) if options.front else _chosen(options)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{folder.name}-", dir=folder.parent) as name:
        aside = Path(name) / folder.name
        aside.mkdir()
        plan = _write(found, options, aside)
        aside.replace(folder)  # an empty one gives way
    return plan


def _write(found: Contents, options: argparse.Namespace, aside: Path) -> Plan:
    target, calibration = _target(found, options)
    export = _Exporter(target, calibration, aside)
    stock = reference_candidate(found.parent)
    reference = export.write("reference", replace(stock, imgsz=target.imgsz))
    networks = [export.write(name, candidate) for name, candidate in found.networks]
    plan = Plan(
        study=found.study,
        front=found.front,
        model=json.loads(json.dumps(found.parent.model)),  # as it is read again
        classes=len(found.parent.classes),
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
    (aside / PLAN).write_text(plan.as_text(), encoding="utf-8")
    folder = options.pack.name
    (aside / "README.txt").write_text(README.format(program=PROGRAM, count=len(networks), folder=folder))
    write_program(aside / PROGRAM)
    return plan


@dataclass(frozen=True)
class _Exporter:
    target: Target
    calibration: Calibration | None
    folder: Path

    def write(self, name: str, candidate: Candidate) -> PackedNetwork:
        with tempfile.TemporaryDirectory(dir=self.folder.parent) as place:
            model = runtime_named(RUNTIME).export(candidate, Path(place), self.target, self.calibration)
            file = model.replace(unused_file(self.folder, name.replace(" ", "-")))
        return PackedNetwork(name, file.name, sha256_of(file), Shape.of(candidate))


def unused_file(folder: Path, stem: str) -> Path:
    """Return the name of an ONNX file that is not there yet: a record may be called `reference` or `trial-3`."""
    files = (folder / f"{stem}{'-again' * count}.onnx" for count in itertools.count())
    return next(file for file in files if not file.exists())


def _target(found: Contents, options: argparse.Namespace) -> tuple[Target, Calibration | None]:
    """What the device is asked for; device and engine are unknown until it answers."""
    asked = found.definition.target
    runtime, provider = asked.runtime, asked.provider
    precision: str = asked.precision
    if options.target is not None:
        runtime, provider, precision = target_named(options.target)
    if runtime != RUNTIME:
        raise DefinitionError(f"--target is {options.target or asked.name}; another machine measures by onnxruntime")
    calibration = Calibration(open_data(found.definition, run_folder(options))) if precision == "int8" else None
    images = "" if calibration is None else calibration.key
    batch, threads = options.batch or asked.batch, options.threads or asked.threads
    imgsz = found.parent.imgsz
    return Target(runtime, provider, precision, imgsz, batch, threads, "", "", calibration=images), calibration


def _chosen(options: argparse.Namespace) -> Contents:
    """Shapes of the study's parent; the study need not have begun."""
    definition = _definition(options)
    data = open_data(definition, run_folder(options))
    parent = load_initial_parent(definition, data).parent
    shapes = shapes_to_measure(definition, parent, options.networks)
    networks = ((f"shape {number}", _of_shape(parent, shape)) for number, shape in enumerate(shapes, start=1))
    return Contents(definition.name, definition, parent, networks)


def _of_shape(parent: Parent, shape: Shape) -> Candidate:
    """A network of that shape; latency does not depend on which channels it keeps."""
    spec = parent.structure.spec(tuple(tuple(range(width)) for width in shape.widths), shape.dropped)
    return replace(parent.build(spec), imgsz=shape.imgsz)


def _definition(options: argparse.Namespace) -> StudyDefinition:
    """The stored study of that name, if it is stored and nothing is changed of it; else the YAML's."""
    changed = [options.data, options.parent, options.imgsz, *options.override]
    if not any(changed) and (stored := _stored(options)) is not None:
        return stored
    return load_study(options.study, options.override, data=options.data, model=options.parent, imgsz=options.imgsz)


def _stored(options: argparse.Namespace) -> StudyDefinition | None:
    file = sqlite_file(parse(url_of(options)))
    if file is not None and not file.exists():
        return None
    store = open_store(url_of(options))
    try:
        study = next((each for each in store.studies()[::-1] if options.study in (each.name, each.sampler_name)), None)
    finally:
        store.close()
    return None if study is None else stored_definition(study.name, study.definition)


def _front(options: argparse.Namespace) -> Contents:
    store = open_store(url_of(options))
    try:
        study = find_study(store, options.study)
        members = _members(store, study)
    finally:
        store.close()
    folder = run_folder(options)
    definition = stored_definition(study.name, study.definition)
    return Contents(study.sampler_name, definition, _parent(study, folder), _loaded(members, folder), front=True)


def _members(store: Store, study: StudyEntry) -> Sequence[tuple[str, str]]:
    """Names and checkpoints of the front, one network a name."""
    fronts = store.fronts(study)
    if not fronts:
        raise DefinitionError(f"study '{study.sampler_name}' has no front yet; without --front shapes are packed")
    names = set(fronts[-1].members)
    records = [record for record in store.records(study) if record.name in names]
    return [(record.name, record.checkpoint) for record in records if record.checkpoint is not None]


def _loaded(members: Sequence[tuple[str, str]], folder: RunFolder) -> Iterator[tuple[str, Candidate]]:
    checkpoints = CheckpointStore(folder.checkpoints)
    return ((name, checkpoints.get(digest)) for name, digest in members)


def _parent(study: StudyEntry, folder: RunFolder) -> Parent:
    """The study's own: its reference must be the same, or figures could not be compared."""
    trained = CheckpointStore(folder.checkpoints).get(study.frozen["parent"])
    model = cast(dict[str, Any], trained.network.yaml)
    return Parent.load(model, classes=trained.classes, imgsz=trained.imgsz)
