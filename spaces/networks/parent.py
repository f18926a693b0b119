"""Parent: the dense detector that everything is cut from, and the building of candidates from it."""

from __future__ import annotations

import copy
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from numbers import Number
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from spaces.base import MOST_IMGSZ, PARENT, SCRATCH, ArchSpec, Candidate, CandidateError, Origin, Section, SpaceError
from spaces.networks.class_matching import Matching, match_classes
from spaces.networks.fresh_weights import initialise
from spaces.networks.inheriting import inherit, model_of_file
from spaces.networks.weights import Classes, ModelYaml, class_names, read_weights
from spaces.ranking.importance import order
from spaces.structure import stock
from spaces.structure.groups import ChannelGroup, check_ties, chosen_channels
from spaces.structure.repeats import Repeat
from spaces.structure.slicing import SEAMS, Seam, Slicer, resized
from spaces.structure.structure import Structure

USUAL_STRIDE = 32
"""Largest stride of most detectors, in px."""


def check_size(network: nn.Module, imgsz: int) -> None:
    """Refuse an image size that is no multiple of a network's largest stride, if that is above the usual 32 px.

    Raises:
        SpaceError: If the network's layers would not meet: with a stride of 64, features of 96 px have no whole size.
    """
    model: Any = network
    stride = int(model.stride.max())
    if stride > USUAL_STRIDE and imgsz % stride:
        raise SpaceError(
            f"imgsz is {imgsz}; {model.yaml['yaml_file']} needs a multiple of {stride}, such as "
            f"{-(-imgsz // stride) * stride}"
        )


@dataclass(frozen=True)
class Parent:
    """Dense detector with its weights.

    Attributes:
        key: Hash of structure and class count; equal for equal detectors, whatever their weights.
        model: The resolved model YAML: one scale, this class count.
        network: Stock Ultralytics `DetectionModel`, float32, on the CPU. Not to be modified.
        seed: Seed of freshly initialised weights.
        weights_match: Whether its weights came from a detector of the same classes, so that it can be used as it is.
            Otherwise it has to be trained first.
        inherited: Share of the tensors that were loaded from the weights given, in [0, 1].
        note: Remark for the user about the weights, in one line; empty if there is none.
    """

    key: str
    model: Mapping[str, Any] = field(repr=False)
    network: nn.Module = field(repr=False)
    classes: tuple[str, ...]
    imgsz: int
    seed: int = 0
    weights_match: bool = False
    inherited: float = 0.0
    note: str = ""

    @staticmethod
    def load(
        model: ModelYaml | None = None,
        *,
        classes: Classes | None = None,
        imgsz: int | None = None,
        seed: int = 0,
        weights: Path | str | None = None,
        as_is: bool = False,
        facts: Mapping[str, Any] | None = None,
    ) -> Parent:
        """Build a detector, with weights where they are given.

        Args:
            model: Ultralytics model YAML, by name or content; a model named in the weights comes first.
            classes: Class names by number, or their count; by default those of the weights, or the YAML's count.
            imgsz: Image size in px, square; by default the weights' own, or 640.
            seed: Seed of the weights that are not loaded.
            weights: `.pt`, `.safetensors` or a checkpoint's folder. If it has the same classes it is the
                parent as it is; otherwise tensors of equal shape are loaded as a start for training.
            as_is: True if the classes of the weights are those given, in the same order, whatever their names.
            facts: Keys of the model YAML that follow from the data: `kpt_shape`.

        Raises:
            SpaceError: If the model is unknown or cannot be cut, or the weights cannot be read or do not fit.
        """
        file = None if weights is None else read_weights(weights)
        named = (file.model if file else None) or model
        if named is None:
            raise SpaceError("no model is named, and the weights do not say what they are; give parent.model")
        if file and file.classes and (classes is None or classes == len(file.classes)):
            classes = file.classes
        if classes is None:
            classes = stock.class_count(named)
        names = class_names(classes)
        imgsz = imgsz or (file.imgsz if file else None) or 640
        if isinstance(imgsz, bool) or not isinstance(imgsz, int) or not 32 <= imgsz <= MOST_IMGSZ:
            raise SpaceError(f"imgsz is {imgsz!r}; it must be a whole number of px, 32 to {MOST_IMGSZ}")
        resolved = {**stock.resolve(named, len(names)), **(facts or {})}
        matching = Matching(None) if file is None else match_classes(file.classes, names, as_is=as_is)
        if file is not None:
            resolved = model_of_file(resolved, names, file, matching)
        structure = stock.structure_of(resolved)
        network = stock.build(resolved, names, imgsz, seed)
        check_size(network, imgsz)
        parent = Parent(structure.key, resolved, network, names, imgsz, seed)
        if file is None:
            return parent
        share, same = inherit(network, file, matching), matching.order is not None
        note = f"weights '{file.path}' {matching.note}" if matching.note and (same or share == 1) else ""
        return replace(parent, weights_match=same, inherited=share, note=note)

    @classmethod
    def of(cls, candidate: Candidate, imgsz: int | None = None) -> Parent:
        """Build the network that a candidate was cut from, with untrained weights; at the candidate's image size."""
        model: Any = candidate.network.yaml
        return cls.load(dict(model), classes=candidate.classes, imgsz=imgsz or candidate.imgsz)

    @property
    def structure(self) -> Structure:
        """Structure of the network; derived once per process."""
        return stock.structure_of(self.model)

    @property
    def groups(self) -> tuple[ChannelGroup, ...]:
        """Channel groups, in the order in which the network makes them."""
        return self.structure.groups

    @property
    def layer_sections(self) -> tuple[Section, ...]:
        """Section of the detector that each top-level layer belongs to."""
        return self.structure.layer_sections

    @property
    def layer_stages(self) -> tuple[int, ...]:
        """Stage of each top-level layer: the power of two by which its output is smaller than the image."""
        return self.structure.layer_stages

    @property
    def repeats(self) -> tuple[Repeat, ...]:
        """Residual bottlenecks that can be left out, in the order in which they run."""
        return self.structure.repeats

    def full_spec(self) -> ArchSpec:
        """Return the spec that keeps everything."""
        return self.structure.full_spec

    def spec(self, kept: Mapping[str, Sequence[int] | int], *, dropped: Collection[str] = ()) -> ArchSpec:
        """Return a spec from kept channel numbers or widths by group; groups not named stay whole.

        A width keeps the most important channels (L2 magnitude).

        Args:
            dropped: Names of residual bottlenecks to leave out.

        Raises:
            SpaceError: If there is no such group or bottleneck, a number is out of range, or tied groups differ
                in width.
        """
        names = [group.name for group in self.groups]
        for name in kept:
            if name not in names:
                raise SpaceError(f"the parent has no channel group '{name}'")
        counted = any(isinstance(channels, Number) for channels in kept.values())
        best = order(self.as_candidate(), self) if counted else {}
        chosen = tuple(chosen_channels(group, kept.get(group.name, range(group.width)), best) for group in self.groups)
        check_ties(self.groups, chosen)
        return self.structure.spec(chosen, dropped)

    def check(self, spec: ArchSpec) -> None:
        """Make sure that a spec is one of this parent.

        Raises:
            SpaceError: If it is another parent's, breaks a tie or is not canonical.
        """
        full = self.full_spec()
        if (spec.parent, spec.groups, spec.widths) != (full.parent, full.groups, full.widths):
            raise SpaceError(f"spec {spec.key} is of parent {spec.parent}, not of this one ({self.key})")
        check_ties(self.groups, spec.kept)
        if spec.dropped and spec != self.structure.spec(spec.kept, spec.dropped):
            raise SpaceError(f"spec {spec.key} is not canonical: make it with Parent.spec or Structure.spec")

    def candidate(self) -> Candidate:
        """Return the parent as a candidate: uncut, a copy."""
        own = self.as_candidate()
        return replace(own, network=copy.deepcopy(own.network))

    def as_candidate(self) -> Candidate:
        """Return the parent as a candidate: uncut, not a copy. Its network must not be modified."""
        origin = Origin((PARENT,) * len(self.layer_sections))
        return Candidate(self.full_spec(), origin, self.network, self.classes, self.imgsz, self)

    def build(
        self,
        spec: ArchSpec,
        origin: Origin | None = None,
        sources: Mapping[str, Candidate] | None = None,
        *,
        seam: Seam = "parent",
    ) -> Candidate:
        """Build a spec with weights from the source that `origin` names for each layer; by default the parent.

        Weights and statistics that a source does not have, because it cut the channel, come from the parent.

        Args:
            sources: The donors by the content hash that `origin` names.
            seam: Weights with which a donor's convolution reads channels that the donor has cut: the parent's,
                or zeros.

        Raises:
            SpaceError: If the spec or a source is of another parent, or a source is missing.
            CandidateError: If the network cannot be built.
        """
        self.check(spec)
        if seam not in SEAMS:
            raise SpaceError(f"no seam '{seam}'; there are {', '.join(SEAMS)}")
        origin = origin or Origin((PARENT,) * len(self.layer_sections))
        donors = self._donors(origin, sources or {})
        try:
            state = self._inherit(spec, origin, donors, seam)
            network = resized(self.network, state, self.structure.shortening(spec))
        except (RuntimeError, MemoryError) as error:
            raise CandidateError(f"spec {spec.key} cannot be built: {error}") from error
        initialise(network, [i for i, source in enumerate(origin.layers) if source == SCRATCH], self.seed)
        return Candidate(spec, origin, network, self.classes, self.imgsz, self)

    def with_weights(self, candidate: Candidate) -> Parent:
        """Return the parent with the weights of an uncut candidate, which is this parent after training.

        Raises:
            SpaceError: If the candidate is cut or of another parent.
        """
        if candidate.spec.key != self.full_spec().key:
            raise SpaceError("only an uncut network of this structure can be the parent")
        state = {name: tensor.detach().float().cpu() for name, tensor in candidate.network.state_dict().items()}
        network = copy.deepcopy(self.network)
        network.load_state_dict(state)
        return replace(self, network=network, weights_match=True, inherited=1.0)

    def _donors(self, origin: Origin, sources: Mapping[str, Candidate]) -> dict[str, tuple[Slicer, Mapping[str, Any]]]:
        if len(origin.layers) != len(self.layer_sections):
            raise SpaceError(f"origin names {len(origin.layers)} layers; the parent has {len(self.layer_sections)}")
        found: dict[str, tuple[Slicer, Mapping[str, Any]]] = {}
        for name in origin.sources:
            if name in (PARENT, SCRATCH):
                continue
            if name not in sources:
                raise SpaceError(f"origin names the donor {name}, which is not among the sources")
            self.check(sources[name].spec)
            spec = sources[name].spec
            state = self.structure.whole_state(spec, sources[name].network.state_dict())
            found[name] = (Slicer(self.structure.plan, spec), state)
        return found

    def _inherit(
        self, spec: ArchSpec, origin: Origin, donors: Mapping[str, tuple[Slicer, Mapping[str, Any]]], seam: Seam
    ) -> dict[str, Tensor]:
        slicer = Slicer(self.structure.plan, spec)
        state = {}
        for name, tensor in self.network.state_dict().items():
            source = origin.layers[int(name.split(".")[1])]
            if source in donors and name in donors[source][1]:
                donor, tensors = donors[source]
                tensor = donor.put(name, tensor, tensors[name].detach(), seam)
            state[name] = slicer.take(name, tensor)
        return state
