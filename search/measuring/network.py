"""One network measured for whoever asks: its ratio to a reference, its latency, and all that was seen meanwhile."""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from objectives.device.target import STRIDE, Target
from objectives.export.onnx_file import read_metadata
from objectives.export.onnx_inputs import OnnxInput, with_sizes
from objectives.remote.plan import sha256_of
from objectives.runtimes.catalogue import target_here
from objectives.runtimes.names import target_named
from objectives.timing.meter import Latency, LatencyMeter, latency_of
from objectives.timing.reference import reference_candidate, smallest_of_family
from objectives.timing.timings import Timings
from search.cli.command import url_of
from search.cli.files import write_text
from search.latency.local import LocalLatency
from search.latency.stored_latencies import latency_entry, stored_key
from search.measuring.subject import CLASSES, read_subject
from search.record.number_text import significant
from search.store.sql import open_store
from search.study.faults import DefinitionError
from spaces.base import Candidate, CandidateError
from spaces.networks.parent import Parent
from spaces.structure.shape import Shape

READS_ONNX = ("onnxruntime", "openvino")
STOCK = "yolov8n.yaml"
USUAL_IMGSZ = 640
"""Of the reference, where the file reads no images."""


@dataclass(frozen=True)
class Subject:
    """What is timed and with what it is compared.

    Attributes:
        network: A candidate, or a file with every dimension fixed.
        reference: As for `network`.
        said: What the network reads, or where it comes from.
    """

    network: Candidate | Path
    reference: Candidate | Path
    target: Target
    said: str
    reference_name: str


def measure(options: argparse.Namespace) -> Iterator[str]:
    """Time what the options name; yields the lines to print.

    Raises:
        DefinitionError: If it cannot be read or timed: nothing is wrong with the machine.
    """
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-")))
        subject = _subject(options, folder)
        meter = stack.enter_context(LatencyMeter(subject.target, subject.reference))
        yield f"{options.model}: {subject.said}; timing it in turn with {subject.reference_name}"
        try:
            reference, frozen_ms = _reference(options, meter)
            network = subject.network
            timings = meter.time_file(network) if isinstance(network, Path) else meter.time(network)
        except CandidateError as error:
            raise DefinitionError(f"'{options.model}' cannot be timed: {error}") from error
        latency = latency_of(timings, meter.target, frozen_ms)
        if options.storage is not None and isinstance(network, Candidate):
            _keep(options, network, latency, meter.target)
    if options.json is not None:
        write_text(
            options.json, json.dumps(_plain(options, subject, meter.target, latency, frozen_ms), indent=1) + "\n"
        )
    yield from report(subject, meter.target, latency, frozen_ms, reference)


def _subject(options: argparse.Namespace, folder: Path) -> Subject:
    runtime, provider, precision = target_named(options.target or "ort-cpu")
    threads = options.threads or 1
    if options.model.suffix == ".onnx":
        if runtime not in READS_ONNX:
            raise DefinitionError(f"--target is {options.target}; an .onnx file is timed by {' or '.join(READS_ONNX)}")
        file, inputs = _fixed(options.model, folder / "network.onnx", options)
        batch, imgsz = _batch(inputs), _image_size(inputs)
        said: str = ", ".join(map(str, inputs))
        network: Candidate | Path = file
        parent = None
    else:
        network, parent = read_subject(options.model, options.imgsz)
        batch, imgsz = options.batch or 1, network.imgsz
        said = f"{parent.model['yaml_file']}, {len(network.classes)} classes, {imgsz} px"
    target = target_here(runtime, provider, precision, imgsz=imgsz, batch=batch, threads=threads)
    if options.reference is not None:
        if runtime not in READS_ONNX:
            raise DefinitionError(f"--target is {options.target}; a --reference is timed by {' or '.join(READS_ONNX)}")
        reference, _ = _fixed(options.reference, folder / "reference.onnx", options)
        target = replace(target, reference=f"{options.reference.stem} {sha256_of(reference)[:32]}")
        return Subject(network, reference, target, said, options.reference.name)
    stock = reference_candidate(_stock_parent(options.model, imgsz) if parent is None else parent)
    return Subject(network, stock, target, said, f"{_name(stock)} at {imgsz} px")


def _fixed(path: Path, out: Path, options: argparse.Namespace) -> tuple[Path, tuple[OnnxInput, ...]]:
    """The file as it is if nothing in it is open, so that files with their weights beside them stay whole."""
    if path.suffix != ".onnx" or not path.is_file():
        raise DefinitionError(f"there is no ONNX file '{path}'")
    return out, with_sizes(path, out, imgsz=options.imgsz, batch=options.batch)


def _batch(inputs: tuple[OnnxInput, ...]) -> int:
    images = next((entry for entry in inputs if entry.is_image), inputs[0])
    return int(images.shape[0] or 1) if images.shape else 1


def _image_size(inputs: tuple[OnnxInput, ...]) -> int:
    """Image size of a reference that does about as much: the longer side, rounded up to what detectors take."""
    images = [entry for entry in inputs if entry.is_image]
    if not images:
        return USUAL_IMGSZ
    longest = max(int(size) for size in images[0].shape[2:] if isinstance(size, int))
    return -(-longest // STRIDE) * STRIDE


def _stock_parent(path: Path, imgsz: int) -> Parent:
    """The smallest of the family that the file says it is of, with its classes; else YOLOv8n."""
    said = read_metadata(path)
    model, classes = STOCK, CLASSES
    try:
        named = json.loads(said.get("architecture", "{}")).get("model")
        model = smallest_of_family(named) or STOCK
        classes = len(json.loads(said["classes"]))
    except (ValueError, KeyError, TypeError, AttributeError):
        pass  # not a file of ours
    return Parent.load(model, classes=classes, imgsz=imgsz, seed=0)


def _name(candidate: Candidate) -> str:
    return Path(str(getattr(candidate.network, "yaml", {}).get("yaml_file", "the parent"))).stem


def _reference(options: argparse.Namespace, meter: LatencyMeter) -> tuple[Timings, float]:
    """The reference by itself, and the time that counts: with a database, the one that is frozen there."""
    seen = meter.reference_timings()
    if options.storage is None:
        return seen, seen.reference_ms(meter.target.clock).median
    store = open_store(url_of(options))
    try:
        return seen, LocalLatency(store, meter).freeze_reference()
    finally:
        store.close()


def _keep(options: argparse.Namespace, network: Candidate, latency: Latency, target: Target) -> None:
    shape = Shape.of(network)
    store = open_store(url_of(options))
    try:
        store.add_latency(latency_entry(stored_key(shape, target), shape, latency, target))
    finally:
        store.close()


def report(subject: Subject, target: Target, latency: Latency, frozen_ms: float, reference: Timings) -> Iterator[str]:
    """The figures as a short block."""
    timings, clock = latency.timings, target.clock
    ratio, found = timings.ratio(clock), latency.measurement
    p50, p90, p99 = map(significant, timings.percentiles_ms(clock))
    now_ms = reference.reference_ms(clock).median
    of_cpu = "CPU time of its thread" if clock == "cpu" else "wall time"
    low, high = found.interval
    yield f"ratio      {ratio.median:.3f} ({ratio.low:.3f} to {ratio.high:.3f}, 95 %) of the reference"
    yield f"latency    {significant(found.value)} ms ({significant(low)} to {significant(high)})"
    yield f"as seen    p50 {p50}, p90 {p90}, p99 {p99} ms, {found.runs} runs, {of_cpu}"
    yield f"reference  {subject.reference_name}: {significant(frozen_ms)} ms, {significant(now_ms)} ms now"
    yield f"target     {target}, {target.engine} ({target.key[:12]})"
    yield f"meanwhile  {_circumstances(timings, clock)}"


def _circumstances(timings: Timings, clock: str) -> str:
    seen = timings.circumstances
    parts = ["other work cannot be seen here" if seen.others_busy is None else f"others: {seen.others_busy:.2f} cores"]
    parts += [f"{seen.mhz:.0f} MHz"] if seen.mhz is not None else []
    parts += [f"{seen.celsius:.0f} degrees C"] if seen.celsius is not None else []
    parts += [f"on the device: {', '.join(seen.foreign)}"] if seen.foreign else []
    contended = timings.contended(clock)
    parts += ["the machine was slow for most of the time"] if contended and not seen.contended else []
    return ", ".join(parts) + {True: "; contended: measure again", False: "; not contended", None: ""}[contended]


def _plain(
    options: argparse.Namespace, subject: Subject, target: Target, latency: Latency, frozen_ms: float
) -> dict[str, Any]:
    timings, clock = latency.timings, target.clock
    return {
        "model": str(options.model),
        "reference": {"name": subject.reference_name, "ms": frozen_ms},
        "latency": vars(latency.measurement),
        "percentiles_ms": dict(zip(("p50", "p90", "p99"), timings.percentiles_ms(clock), strict=True)),
        "spread": timings.spread(clock),
        "target": {"key": target.key, **target.description()},
        "clock": clock,
        "timings": timings.as_plain(),
    }
