"""Measure one network by the project's protocol: its latency and its ratio to a reference."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path

from objectives.device.target import STRIDE, Target
from objectives.export.onnx_file import read_metadata
from objectives.export.onnx_inputs import OnnxInput, with_sizes
from objectives.remote.plan import sha256_of
from objectives.runtimes.catalogue import runtimes_reading, target_here
from objectives.runtimes.names import target_named
from objectives.timing.meter import Latency, LatencyMeter, latency_of
from objectives.timing.reference import reference_candidate, smallest_of_family
from objectives.timing.timings import Timings
from search.latency.local import LocalLatency
from search.latency.stored_latencies import latency_entry, stored_key
from search.measuring.network_figures import NetworkFigures
from search.measuring.network_file import CLASSES, read_network
from search.store.sql import open_store
from search.study.faults import DefinitionError
from spaces.base import MOST_CLASSES, Candidate, CandidateError
from spaces.foreign.plain_json import Fields, parse_json
from spaces.networks.parent import Parent
from spaces.path_facts import path_fact
from spaces.structure.shape import Shape

DEFAULT_TARGET = "ort-cpu"
DEFAULT_REFERENCE = "yolov8n.yaml"
DEFAULT_IMGSZ = 640
"""Image size of the reference, in px, where the file reads no images."""


@dataclass(frozen=True)
class BenchRequest:
    """A network to measure on this machine, and how.

    Attributes:
        model: An ONNX file, weights, a model YAML, a checkpoint's folder or an architecture as JSON.
        target: Name of the target, as `yolofront targets` lists them.
        imgsz: Image size in px; the model's own by default. Needed if an ONNX file leaves it open.
        batch: Images per call; by default the file's own, or 1.
        reference: ONNX file to compare with; by default the smallest stock model of the network's family.
        storage: URL of the database that keeps the result; None keeps it nowhere.
    """

    model: Path
    target: str = DEFAULT_TARGET
    imgsz: int | None = None
    batch: int | None = None
    threads: int = 1
    reference: Path | None = None
    storage: str | None = field(default=None, repr=False)


@dataclass(frozen=True)
class _Pair:
    """The network and its reference, each a candidate or an ONNX file with every dimension fixed."""

    network: Candidate | Path
    reference: Candidate | Path
    target: Target
    description: str
    reference_name: str


def measure_network(request: BenchRequest, show_line: Callable[[str], None] = lambda line: None) -> NetworkFigures:
    """Measure a network in turn with a reference.

    Args:
        show_line: Receives one line when timing begins.

    Raises:
        DefinitionError: If the network cannot be read or timed; the machine is not at fault.
    """
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-")))
        pair = _pair(request, folder)
        meter = stack.enter_context(LatencyMeter(pair.target, pair.reference, tries=1))
        show_line(f"{request.model}: {pair.description}; timing it in turn with {pair.reference_name}")
        try:
            reference, frozen_ms = _time_reference(request, meter)
            network = pair.network
            timings = meter.time_file(network) if isinstance(network, Path) else meter.time(network)
        except CandidateError as error:
            raise DefinitionError(f"'{request.model}' cannot be timed: {error}") from error
        latency = latency_of(timings, meter.target, frozen_ms)
        if request.storage is not None and isinstance(network, Candidate):
            _keep(request.storage, network, latency, meter.target)
        return NetworkFigures(request.model, pair.reference_name, meter.target, latency, frozen_ms, reference)


def _pair(request: BenchRequest, folder: Path) -> _Pair:
    runtime, provider, precision = target_named(request.target)
    if request.model.suffix == ".onnx":
        _check_reads_onnx(runtime, request.target, "an .onnx file")
        file, inputs = _fix_sizes(request.model, folder / "network.onnx", request)
        batch, imgsz = _batch(inputs), _image_size(inputs)
        description: str = ", ".join(map(str, inputs))
        network: Candidate | Path = file
        parent = None if request.reference else _stock_parent(request.model, imgsz)
    else:
        network, parent = read_network(request.model, request.imgsz)
        batch, imgsz = request.batch or 1, network.imgsz
        description = f"{parent.model['yaml_file']}, {len(network.classes)} classes, {imgsz} px"
    target = target_here(runtime, provider, precision, imgsz=imgsz, batch=batch, threads=request.threads)
    if request.reference is not None:
        _check_reads_onnx(runtime, request.target, "a --reference")
        reference, _ = _fix_sizes(request.reference, folder / "reference.onnx", request)
        target = replace(target, reference=f"{request.reference.stem} {sha256_of(reference)[:32]}")
        return _Pair(network, reference, target, description, request.reference.name)
    stock = reference_candidate(parent or _stock_parent(request.model, imgsz))
    return _Pair(network, stock, target, description, f"{_model_name(stock)} at {imgsz} px")


def _check_reads_onnx(runtime: str, target: str, what: str) -> None:
    if runtime not in (known := runtimes_reading("onnx")):
        raise DefinitionError(f"--target is {target}; {what} is timed by {' or '.join(known)}")


def _fix_sizes(path: Path, out: Path, request: BenchRequest) -> tuple[Path, tuple[OnnxInput, ...]]:
    """Write the ONNX file to `out` with every open dimension fixed, and return `out` and the file's inputs."""
    if path.suffix != ".onnx" or not os.path.isfile(path):
        fact = path_fact(path) if path.suffix == ".onnx" else "its name does not end in .onnx"
        raise DefinitionError(f"there is no ONNX file '{path}': {fact}")
    return out, with_sizes(path, out, imgsz=request.imgsz, batch=request.batch)


def _batch(inputs: tuple[OnnxInput, ...]) -> int:
    images = next((entry for entry in inputs if entry.is_image), inputs[0])
    return int(images.shape[0] or 1) if images.shape else 1


def _image_size(inputs: tuple[OnnxInput, ...]) -> int:
    """Return an image size for a reference of similar cost: the longer side, rounded up to the detectors' stride."""
    images = [entry for entry in inputs if entry.is_image]
    if not images:
        return DEFAULT_IMGSZ
    longest = max(int(size) for size in images[0].shape[2:] if isinstance(size, int))
    return -(-longest // STRIDE) * STRIDE


def _stock_parent(path: Path, imgsz: int) -> Parent:
    """Return the smallest model of the family that the file's metadata names, with its classes; else YOLOv8n."""
    metadata = read_metadata(path)
    model, classes = DEFAULT_REFERENCE, CLASSES
    try:
        named = Fields.of(parse_json(metadata.get("architecture", "{}"), "architecture"), "architecture")
        if "model" in named:
            model = smallest_of_family(named.raw("model")) or DEFAULT_REFERENCE
        classes = min(MOST_CLASSES, len(parse_json(metadata["classes"], "classes"))) or CLASSES
    except (ValueError, KeyError, TypeError, AttributeError):
        pass  # the file was not written by `search.export`
    return Parent.load(model, classes=classes, imgsz=imgsz, seed=0)


def _model_name(candidate: Candidate) -> str:
    return Path(str(getattr(candidate.network, "yaml", {}).get("yaml_file", "the parent"))).stem


def _time_reference(request: BenchRequest, meter: LatencyMeter) -> tuple[Timings, float]:
    """Time the reference alone; return that, and its time in ms that counts: the one frozen in the database, if any."""
    timings = meter.reference_timings()
    if request.storage is None:
        return timings, timings.reference_ms(meter.target.clock).median
    store = open_store(request.storage)
    try:
        return timings, LocalLatency(store, meter).freeze_reference()
    finally:
        store.close()


def _keep(storage: str, network: Candidate, latency: Latency, target: Target) -> None:
    shape = Shape.of(network)
    store = open_store(storage)
    try:
        store.add_latency(latency_entry(stored_key(shape, target), shape, latency, target))
    finally:
        store.close()
