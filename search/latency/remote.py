"""Latencies of a target on another machine: those that were measured there and stored; all others are predicted."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from typing import final

from objectives.base import Measurement
from objectives.device.target import Target
from search.latency.predictor import MIN_MEASURED, Fit, LatencyPredictor
from search.latency.source import LatencySource
from search.latency.stored_latencies import best_entries, stored_key
from search.record.events import Say, say_nothing
from search.record.latency_text import LATENCY
from search.store.base import Store
from search.store.entries import TargetEntry
from search.study.faults import DefinitionError
from search.study.sections import TargetSection
from spaces.base import Candidate
from spaces.structure.shape import Shape
from spaces.structure.structure import Structure

ASKED = ("runtime", "provider", "precision", "batch", "threads")
"""Fields that a study sets for its target, beside the name of the machine."""


@final
@dataclass
class RemoteLatency(LatencySource):
    """Latencies of one target on another machine; nothing is measured here."""

    predictor: LatencyPredictor
    name: str = LATENCY
    say: Say = say_nothing

    @property
    def target(self) -> Target:
        """See `LatencySource`."""
        return self.predictor.target

    @property
    def reference_ms(self) -> float:
        """See `LatencySource`. It was frozen when the results of that machine were stored."""
        return self.predictor.reference_ms

    def freeze_reference(self) -> float:
        """See `LatencySource`."""
        return self.predictor.reference_ms

    def latency(self, candidate: Candidate, limit_ms: float | None = None) -> Measurement:
        """See `LatencySource`. A shape that was not measured there is predicted, and marked as predicted."""
        shape = Shape.of(candidate)
        known = self.predictor.store.latency(stored_key(shape, self.target), self.target.key)
        if known is not None:
            return replace(known.measurement, name=self.name)
        predicted = self.predictor.predict(shape)
        if predicted is None:
            raise DefinitionError(_refusal(self.target.remote, 0))
        return self.predictor.measurement(predicted, self.name)

    def predictor_of(self, structure: Structure) -> LatencyPredictor:
        """See `LatencySource`."""
        return self.predictor

    def remeasure_contended(self, structure: str, rebuild: Callable[[Shape], Candidate]) -> bool:
        """See `LatencySource`. Nothing can be measured again from here."""
        return False


def remote_latency(
    store: Store, asked: TargetSection, reference: Target, *, structure: str, fit: Fit, name: str = LATENCY
) -> RemoteLatency:
    """Return the latencies of a study's remote target.

    Args:
        asked: A target that names another machine.
        reference: Any target with the study's image size and reference.
        structure: Key of the structure whose latencies are predicted.
        fit: See `predictor.Fit`.

    Raises:
        DefinitionError: If too few measurements of that machine are stored to predict from.
    """
    remote = asked.remote
    if remote is None:
        raise ValueError(f"target '{asked.name}' is on this machine; only a remote one is predicted")
    found = [entry for entry in store.targets() if entry.description.get("remote") == remote]
    fitting = [entry for entry in found if not _differs(entry, asked, reference)]
    if not fitting:
        raise DefinitionError(_refusal(remote, 0) + (_other(found[-1], asked, reference) if found else ""))
    counts = [len(best_entries(store.latencies(entry.key), structure)) for entry in fitting]
    known = [entry for entry, count in zip(fitting, counts, strict=True) if count >= MIN_MEASURED]
    if not known:
        raise DefinitionError(_refusal(remote, counts[-1]))
    entry = known[-1]  # the newest: the machine's engine may have changed
    predictor = LatencyPredictor(
        store=store, target=target_of_entry(entry), reference_ms=entry.reference_ms, structure=structure, fit=fit
    )
    return RemoteLatency(predictor, name)


def copy_remotes(stored: Store, to: Store, remotes: Collection[str | None]) -> None:
    """Copy the stored measurements of the machines with these names."""
    for entry in stored.targets():
        if entry.description.get("remote") in remotes:
            to.add_target(entry)
            for latency in stored.latencies(entry.key):
                to.add_latency(latency)


def target_of_entry(entry: TargetEntry) -> Target:
    """Return the target of a stored entry."""
    return Target(**entry.description)


def options_for(target: Target) -> str:
    """Return the options of a study for a remote target: `-o target.remote=jetson -o target.provider=cuda`."""
    usual = TargetSection()
    fields = ("remote", *(name for name in ASKED if getattr(target, name) != getattr(usual, name)))
    return " ".join(f"-o target.{name}={getattr(target, name)}" for name in fields)


def _differs(entry: TargetEntry, asked: TargetSection, reference: Target) -> list[str]:
    """Return the differences to the study's target: `provider is cuda there, cpu here`."""
    wanted = {name: getattr(asked, name) for name in ASKED}
    wanted |= {"imgsz": reference.imgsz, "reference": reference.reference}
    there = entry.description
    return [
        f"{name} is {there.get(name)} there, {value} here" for name, value in wanted.items() if there[name] != value
    ]


def _other(entry: TargetEntry, asked: TargetSection, reference: Target) -> str:
    return f". What is stored of it differs: {'; '.join(_differs(entry, asked, reference))}"


def _refusal(remote: str, count: int) -> str:
    return (
        f"target.remote is '{remote}', where {count or 'none'} of the {MIN_MEASURED} measurements that a prediction "
        "needs are stored for this study: pack networks with `yolofront bench --pack DIR --study NAME`, run "
        f"measure.pyz there, then `yolofront bench --unpack DIR --name {remote}`"
    )
