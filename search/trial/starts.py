"""Chooses the weights that a trial begins with: those of its space, or of a trained network near to it.

Training then adds up over trials, as it does in rounds of pruning by hand.

Source: Elsken et al., Efficient Multi-Objective Neural Architecture Search via Lamarckian Evolution, ICLR 2019, inherit
weights from the network that a candidate was changed from. The choice among several by their loss is ours.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from objectives.training.untrained_loss import UntrainedLoss
from search.record.ancestors import Ancestor
from search.record.trial import TrialRecord
from search.trial.trained_networks import TrainedNetworks
from search.trial.workbench import Workbench
from spaces.base import PARENT, SCRATCH, ArchSpec, Candidate, Origin
from spaces.networks.checkpoint import CheckpointError

NEAREST = 3
"""Number of trained networks that are compared, beside the parent and the weights that the space names."""
TRAINED_MARGIN = 1.25
"""Ratio of losses up to which the most trained of the wider networks is preferred to the start with the smallest loss.

After a deep cut the loss says little. On blood cells a cut of the finalist of 50 epochs (loss 3.83) has 0.529 after
three epochs, with the weights of another network (loss 3.21) 0.506; a second one 0.435 (6.81) and 0.408 (6.44).
"""
STATISTICS_IMAGES, LOSS_IMAGES = 32, 64
"""Number of training images for re-estimated BatchNorm statistics, and of those that the loss is measured on."""


@dataclass(frozen=True)
class Start:
    """Network that a training begins with.

    Attributes:
        lineage: Name of the record whose weights it has; None for weights that the space names.
        ancestors: Networks that these weights were trained as before.
        continues: Whether that record is of the same network, so that its training goes on.
    """

    candidate: Candidate
    lineage: str | None = None
    ancestors: tuple[Ancestor, ...] = ()
    continues: bool = False

    def as_plain(self) -> dict[str, Any]:
        """Return the start as plain values, from which `StartChooser.choose_again` makes it again."""
        return {
            "layers": list(self.candidate.origin.layers),
            "lineage": self.lineage,
            "ancestors": [asdict(ancestor) for ancestor in self.ancestors],
            "continues": self.continues,
        }


@dataclass
class StartChooser:
    """Chooses among the parent, the weights that the space names, and the nearest trained networks.

    Attributes:
        trained: The trained networks that there are.
    """

    bench: Workbench
    trained: TrainedNetworks
    _losses: dict[int, UntrainedLoss] = field(default_factory=dict, repr=False)

    def can_continue(self, spec: ArchSpec) -> bool:
        """Return whether this very network was trained before."""
        return any(record.spec == spec for record in self.trained.nearest(spec, 1))

    def choose(self, candidate: Candidate) -> Start:
        """Return the start with the smallest loss on training images after BatchNorm is re-estimated.

        Where the loss of the most trained network of which this one is a cut is hardly greater, that one is returned. A
        network that was trained before is continued, and nothing is measured.

        Args:
            candidate: The network as its space builds it.

        Raises:
            CandidateError: If the network cannot be built with the weights of another one.
        """
        around = self.trained.most_trained_around(candidate.spec)
        inherited = self._inherited(candidate, around)
        if not inherited:
            return next(self._untrained(candidate))
        if inherited[0].continues:
            return inherited[0]
        loss = self._loss(candidate.imgsz)
        options = [*self._untrained(candidate), *inherited]
        losses = [loss.after_cut(start.candidate) for start in options]
        least = min(losses)
        for start, each in zip(options, losses, strict=True):
            if around is not None and start.lineage == around.name and each <= TRAINED_MARGIN * least:
                return start
        return options[losses.index(least)]

    def choose_again(self, plain: Mapping[str, Any] | None, candidate: Candidate) -> Start | None:
        """Return the start that an earlier take of the trial chose; None if there is none, or its weights are gone.

        By now there may be other trained networks, and the choice might be another one.

        Args:
            plain: The start as plain values.
            candidate: The network as its space builds it.
        """
        if plain is None:
            return None
        origin = Origin(tuple(plain["layers"]))
        if origin != candidate.origin:
            parent, checkpoints = self.bench.parent, self.bench.checkpoints
            names = [name for name in origin.sources if name not in (PARENT, SCRATCH)]
            try:
                built = parent.build(candidate.spec, origin, {name: checkpoints.get(name) for name in names})
            except CheckpointError:
                return None
            candidate = replace(built, imgsz=candidate.imgsz)
        ancestors = tuple(Ancestor(**each) for each in plain["ancestors"])
        return Start(candidate, plain["lineage"], ancestors, continues=plain["continues"])

    def _inherited(self, candidate: Candidate, around: TrialRecord | None) -> list[Start]:
        """Return the starts from the nearest trained networks, and from the most trained one that it is a cut of.

        A network whose file is damaged is left out: the search can do without it, and whoever asks for that network by
        name is told.
        """
        found, options = [], list(self.trained.nearest(candidate.spec, NEAREST))
        if around is not None and around not in options:
            options.append(around)
        for record in options:
            with suppress(CheckpointError):
                found.append(self._from(record, candidate))
        return found

    def _untrained(self, candidate: Candidate) -> Iterator[Start]:
        """Yield the start that the space names, and the parent's weights if that is another one."""
        parent = self.bench.parent
        yield Start(candidate, ancestors=self._ancestors_of(candidate.origin))
        if candidate.origin.sources != (PARENT,):
            yield Start(replace(parent.build(candidate.spec), imgsz=candidate.imgsz))

    def _ancestors_of(self, origin: Origin) -> tuple[Ancestor, ...]:
        return self.trained.line_of(origin.sources)

    def _from(self, record: TrialRecord, candidate: Candidate) -> Start:
        """Return the network with a trained network's weights, and the parent's where that has no such channel."""
        built = self.bench.build_from(record.saved_checkpoint, candidate.spec)
        same = record.spec == candidate.spec
        return Start(replace(built, imgsz=candidate.imgsz), record.name, record.line, continues=same)

    def _loss(self, imgsz: int) -> UntrainedLoss:
        if imgsz not in self._losses:
            training = self.bench.training
            self._losses[imgsz] = UntrainedLoss(
                training.data,
                imgsz=imgsz,
                images=STATISTICS_IMAGES,
                loss_images=LOSS_IMAGES,
                device=training.device,
            )
        return self._losses[imgsz]
