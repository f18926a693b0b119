"""A target on another machine: found by its name; latencies there are those brought home, all others predicted."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, field, replace

from objectives.base import Measurement
from objectives.device.target import Target
from search.latency.local import stored_key
from search.latency.predictor import LEAST_MEASURED, Fit, Predict, as_measurement, measured
from search.record.latency_text import LATENCY
from search.store.base import Store
from search.store.entries import TargetEntry
from search.study.faults import DefinitionError
from search.study.sections import TargetSection
from spaces.base import Candidate
from spaces.structure.shape import Shape

ASKED = ("runtime", "provider", "precision", "batch", "threads")
"""What a study says of its target, beside the name of the machine."""


@dataclass
class RemoteKeeper:
    """Stands where a `Timekeeper` does; nothing is ever timed here.

    Attributes:
        structure: Key of the structure whose latencies are predicted.
        name: Of its measurements, as of a `Timekeeper`'s.
    """

    store: Store
    entry: TargetEntry
    structure: str
    fit: Fit
    name: str = LATENCY
    say: Callable[[str], None] = lambda line: None
    _predict: Predict | None = field(default=None, repr=False)

    @property
    def target(self) -> Target:
        """Where it was measured."""
        return target_of_entry(self.entry)

    @property
    def reference_ms(self) -> float:
        """What the reference took there, frozen."""
        return self.entry.reference_ms

    def latency(self, candidate: Candidate, limit_ms: float | None = None) -> Measurement:
        """At the candidate's image size: as measured there, or predicted and marked so."""
        shape = Shape.of(candidate)
        known = self.store.latency(stored_key(shape, self.target), self.target.key)
        if known is not None:
            return replace(known.measurement, name=self.name)
        if self._predict is None:
            self._predict = self.fit(measured(self.store.latencies(self.target.key), self.structure))
        return as_measurement(self._predict(shape), self.target, self.reference_ms, self.name)

    def repeat_disturbed(self, structure: str, rebuild: Callable[[Shape], Candidate]) -> bool:
        """Nothing can be timed again from here."""
        return False


def remote_keeper(
    store: Store, asked: TargetSection, reference: Target, structure: str, fit: Fit, name: str = LATENCY
) -> RemoteKeeper:
    """The latencies of a study's remote target.

    Args:
        reference: Any target with the study's image size and reference.
        fit: See `latency_forecast.Fit`.

    Raises:
        DefinitionError: If too little was measured there to predict from.
    """
    remote = asked.remote
    if remote is None:
        raise ValueError(f"target '{asked.name}' is on this machine; only a remote one is predicted")
    found = [entry for entry in store.targets() if entry.description.get("remote") == remote]
    fitting = [entry for entry in found if not _differs(entry, asked, reference)]
    if not fitting:
        raise DefinitionError(_refusal(remote, 0) + (_other(found[-1], asked, reference) if found else ""))
    counts = [len(measured(store.latencies(entry.key), structure)) for entry in fitting]
    known = [entry for entry, count in zip(fitting, counts, strict=True) if count >= LEAST_MEASURED]
    if not known:
        raise DefinitionError(_refusal(remote, counts[-1]))
    entry = known[-1]  # the newest: the machine's engine may have changed
    return RemoteKeeper(store, entry, structure, fit, name)


def copy_remotes(stored: Store, to: Store, remotes: Collection[str | None]) -> None:
    """Copy what was measured on the machines of these names."""
    for entry in stored.targets():
        if entry.description.get("remote") in remotes:
            to.add_target(entry)
            for latency in stored.latencies(entry.key):
                to.add_latency(latency)


def target_of_entry(entry: TargetEntry) -> Target:
    """A stored target."""
    return Target(**entry.description)


def options_for(target: Target) -> str:
    """What makes a study search for a remote target: `-o target.remote=jetson -o target.provider=cuda`."""
    usual = TargetSection()
    fields = ("remote", *(name for name in ASKED if getattr(target, name) != getattr(usual, name)))
    return " ".join(f"-o target.{name}={getattr(target, name)}" for name in fields)


def _differs(entry: TargetEntry, asked: TargetSection, reference: Target) -> list[str]:
    """In what it is not the study's: `provider cuda there, cpu here`."""
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
        f"target.remote is '{remote}', where {count or 'none'} of the {LEAST_MEASURED} measurements that a prediction "
        "needs are stored for this study: write them with `python -m search.bench --pack DIR --study NAME`, run "
        f"measure.pyz there, then `python -m search.bench --unpack DIR --name {remote}`"
    )
