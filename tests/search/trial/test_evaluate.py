"""The life of a trial, with real networks, a real training and a real ONNX session; candidates at fault among them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch

from objectives.base import EpochResult
from objectives.data.digit_scenes import write_digits
from search.kept.folder import KeptFolder
from search.latency.local import IdleWait
from search.prepare.inputs import complete_recipe
from search.prepare.preparation import Preparation, Setting
from search.prepare.row_training import RowTrainer
from search.record.begun import Begun
from search.record.events import say_nothing
from search.record.folders import RunFolder
from search.record.trial import Outcome, TrialRecord
from search.store.sql import open_store
from search.study.definition import load_study
from search.trial.evaluate import StudyTrials, evaluate
from search.trial.plan import SearchPlan
from search.trial.runner import Hooks
from search.trial.study_training import StudyTraining
from search.trial.workbench import Workbench
from spaces.base import ArchSpec, Candidate, Categorical, Origin, Parameter, ParamValue, Space
from spaces.ranking.importance import order
from spaces.search_spaces.channels import ChannelRatioSpace

pytestmark = pytest.mark.slow

HALF = 0.5
TOOLS = {"reloaded_network": StudyTraining, "train": StudyTraining, "before_training": Workbench, "complete": Begun}


@dataclass(frozen=True)
class Spoilt(Space):
    """A space whose networks come out spoilt."""

    whole: Space
    spoil: Callable[[Candidate], Candidate]

    @property
    def parameters(self) -> Mapping[str, Parameter]:
        return self.whole.parameters

    def decode(self, params: Mapping[str, ParamValue]) -> tuple[ArchSpec, Origin]:
        return self.whole.decode(params)

    def build(self, spec: ArchSpec, origin: Origin) -> Candidate:
        return self.spoil(self.whole.build(spec, origin))


@dataclass
class RecordingHooks:
    """Hooks that keep the learning curve of a trial."""

    earlier: str | None = None
    curve: list[EpochResult] = field(default_factory=list)

    def hooks(self) -> Hooks:
        return Hooks(
            claim_identity=lambda identity: self.earlier,
            report=self.curve.append,
            show_stage=lambda stage: None,
            clock=lambda: datetime.now(UTC),
        )


@pytest.fixture(scope="module")
def bench_and_plan(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Workbench, SearchPlan]]:
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("evaluate")
    scenes = write_digits(folder / "scenes", scenes={"train": 16, "val": 8, "test": 8})
    definition = load_study("channel_ratio", model="yolov5n.yaml", data=scenes, imgsz=64, epochs=1)
    store = open_store("sqlite://")
    wait = IdleWait(tries=1, is_idle=lambda: False)  # nothing is re-measured, however busy this machine is
    setting = Setting(folder=RunFolder(folder), device="cpu", scratch=folder / "scratch", idle_wait=wait)
    preparation = Preparation(definition=definition, store=store, setting=setting)
    inputs = preparation.read_inputs()
    with preparation.open_workbench(inputs) as bench:
        space = ChannelRatioSpace(bench.parent, order(bench.parent.candidate(), bench.parent))
        recipe = complete_recipe(definition.recipe.fixed, inputs)
        yield bench, SearchPlan(space=space, starts=(), recipe=recipe, searched={}, limits={}, seed=0)
    store.close()


@pytest.fixture
def run(bench_and_plan: tuple[Workbench, SearchPlan]) -> Callable[..., TrialRecord]:
    bench, plan = bench_and_plan
    params = dict.fromkeys(plan.parameters, HALF)

    def trial(
        recording: RecordingHooks, spoil: Callable[[Candidate], Candidate] | None = None, limit_ms: float | None = None
    ) -> TrialRecord:
        space = plan.space if spoil is None else Spoilt(plan.space, spoil)
        limits = {} if limit_ms is None else {"latency_ms": limit_ms}
        return evaluate(bench, replace(plan, space=space, limits=limits), 7, params, recording.hooks())

    return trial


def test_a_good_candidate_ends_complete_with_all_its_figures(run: Callable[..., TrialRecord]) -> None:
    recording = RecordingHooks()
    record = run(recording)
    assert record.outcome is Outcome.COMPLETE, record.reason
    assert tuple(recording.curve) == record.rungs and len(record.rungs) == 1
    assert [evaluation.split for evaluation in record.evaluations] == ["val", "test"]
    assert record.checkpoint is not None
    assert record.seconds["training"] > record.seconds["other"]


def test_each_trial_has_its_own_image_size_in_cost_latency_training_and_file(
    bench_and_plan: tuple[Workbench, SearchPlan],
) -> None:
    bench, plan = bench_and_plan
    plan = replace(plan, searched={"recipe.imgsz": Categorical((64, 128))})
    params = dict.fromkeys(plan.space.parameters, HALF)

    def trial(number: int, imgsz: int) -> TrialRecord:
        return evaluate(bench, plan, number, {**params, "recipe.imgsz": imgsz}, RecordingHooks().hooks())

    small, large = trial(0, 64), trial(1, 128)
    assert (small.outcome, large.outcome) == (Outcome.COMPLETE, Outcome.COMPLETE), (small.reason, large.reason)
    assert (small.recipe["imgsz"], large.recipe["imgsz"]) == (64, 128)
    assert small.spec == large.spec and small.identity != large.identity
    flops = [record.value("flops_g") or 0.0 for record in (small, large)]
    assert flops[1] == pytest.approx(4 * flops[0], rel=1e-9)  # convolutions alone: four times the pixels
    fast, slow = (record.measurement("latency_ms") for record in (small, large))
    assert fast is not None and fast.high is not None and slow is not None and slow.low is not None
    assert fast.high < slow.low
    assert fast.target == slow.target == bench.latencies.target.key
    assert small.spec is not None
    stored = [
        bench.store.latency(f"{small.spec.shape_key}{size}", bench.latencies.target.key) for size in ("", " 128 px")
    ]
    assert [entry and entry.measurement for entry in stored] == [fast, slow]
    assert [entry and entry.shape and entry.shape.imgsz for entry in stored] == [64, 128]
    files = [bench.checkpoints.get(str(record.checkpoint)) for record in (small, large)]
    assert [candidate.imgsz for candidate in files] == [64, 128]
    assert trial(2, 128).measurement("latency_ms") == slow  # to the last digit: it is not timed again


def test_a_quantity_on_request_is_measured_where_the_study_names_it(
    bench_and_plan: tuple[Workbench, SearchPlan],
) -> None:
    bench, plan = bench_and_plan
    params = dict.fromkeys(plan.space.parameters, HALF)
    plain = evaluate(bench, plan, 0, params, RecordingHooks().hooks())
    named = evaluate(
        replace(bench, named=frozenset(("memory_mib", "map75"))), plan, 1, params, RecordingHooks().hooks()
    )
    usual = ["parameters", "flops_g", "size_mib", "share_pruned", "latency_ms"]
    assert [each.name for each in plain.measurements] == usual
    expected = [*usual[:-1], "memory_mib", "latency_ms", "map75", "map75.test"]
    assert [each.name for each in named.measurements] == expected
    assert plain.evaluations == named.evaluations
    assert plain.value("memory_mib") is plain.value("map75") is None
    memory_mib, map75 = named.value("memory_mib"), named.value("map75", "test")
    assert memory_mib is not None and 0 < memory_mib < 20
    assert map75 is not None and 0 <= map75 <= (named.value("map50", "test") or 0)


def test_a_limit_on_a_quantity_on_request_rules_out_before_the_training(
    bench_and_plan: tuple[Workbench, SearchPlan],
) -> None:
    bench, plan = bench_and_plan
    limited = replace(plan, limits={"memory_mib": 0.5})
    params, recording = dict.fromkeys(plan.space.parameters, HALF), RecordingHooks()
    record = evaluate(replace(bench, named=frozenset(("memory_mib",))), limited, 0, params, recording.hooks())
    assert (record.outcome, recording.curve) == (Outcome.RULED_OUT, [])
    assert record.reason.startswith("memory_mib is ") and record.reason.endswith(", limit 0.5")
    assert record.constraints["memory_mib"] == (record.value("memory_mib") or 0) - 0.5


def test_a_duplicate_costs_nothing(run: Callable[..., TrialRecord]) -> None:
    record = run(RecordingHooks(earlier="trial 3"), spoil=_never)
    assert (record.outcome, record.reason) == (Outcome.DUPLICATE, "duplicate of trial 3")
    assert record.measurements == ()


def test_a_candidate_over_the_limit_is_ruled_out_before_it_is_trained(run: Callable[..., TrialRecord]) -> None:
    recording = RecordingHooks()
    record = run(recording, limit_ms=1e-6)
    assert record.outcome is Outcome.RULED_OUT
    assert "latency_ms is" in record.reason and "limit 1e-06" in record.reason
    assert record.constraints["latency_ms"] > 0
    assert recording.curve == [] and record.checkpoint is None


def test_weights_that_are_nan_are_a_failed_record(run: Callable[..., TrialRecord]) -> None:
    def poison(candidate: Candidate) -> Candidate:
        with torch.no_grad():
            next(candidate.network.parameters()).fill_(float("nan"))
        return candidate

    record = run(RecordingHooks(), spoil=poison)
    assert record.outcome is Outcome.FAILED
    assert "nan" in record.reason.lower() or "finite" in record.reason
    assert record.measurement("latency_ms") is not None  # what was known before the training stays known


def test_a_network_that_does_not_run_is_ruled_out(
    run: Callable[..., TrialRecord], monkeypatch: pytest.MonkeyPatch, bench_and_plan: tuple[Workbench, SearchPlan]
) -> None:
    # Its shape is known to the store from the trials above; without that it has to be exported, which fails.
    monkeypatch.setattr(bench_and_plan[0].store, "latency", lambda shape, target: None)

    def break_it(candidate: Candidate) -> Candidate:
        layers: Any = candidate.network.model
        wrong: Any = torch.nn.Conv2d(1, 1, 1)
        wrong.i, wrong.f, wrong.type, wrong.np = 3, -1, "Conv2d", 2  # what Ultralytics looks at
        layers[3] = wrong
        return candidate

    record = run(RecordingHooks(), spoil=break_it)
    assert record.outcome is Outcome.RULED_OUT
    assert record.reason


def test_running_out_of_memory_while_building_is_a_record(run: Callable[..., TrialRecord]) -> None:
    def swallow(candidate: Candidate) -> Candidate:
        torch.empty(2**50)  # a petabyte: a real refusal by the allocator
        return candidate

    record = run(RecordingHooks(), spoil=swallow)
    assert record.outcome is Outcome.RULED_OUT
    assert record.reason.startswith("out of memory")


def test_a_bug_propagates_instead_of_failing_the_candidate(run: Callable[..., TrialRecord]) -> None:
    with pytest.raises(KeyError, match="a bug"):
        run(RecordingHooks(), spoil=lambda candidate: {"": candidate}["a bug"])


def test_an_interruption_passes_through_the_training(
    run: Callable[..., TrialRecord], bench_and_plan: tuple[Workbench, SearchPlan], tmp_path: Path
) -> None:
    class Interrupting(RecordingHooks):
        def hooks(self) -> Hooks:
            return replace(super().hooks(), report=_interrupt)

    with pytest.raises(KeyboardInterrupt):
        run(Interrupting())
    assert not [path for path in bench_and_plan[0].training.scratch.glob("training-*")]


def _never(candidate: Candidate) -> Candidate:
    raise AssertionError("a duplicate must not be built")


def _interrupt(*_: Any, **__: Any) -> Any:
    raise KeyboardInterrupt


def test_what_an_interrupted_trial_has_finished_is_not_done_again(
    bench_and_plan: tuple[Workbench, SearchPlan], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = replace(bench_and_plan[0], kept=KeptFolder(tmp_path / "kept"))

    def run(bench: Workbench, **broken: Any) -> TrialRecord:
        with monkeypatch.context() as patch:
            for name, function in broken.items():
                patch.setattr(TOOLS[name], name, function)
            trials = StudyTrials(bench, bench_and_plan[1])
            return trials.run(7, dict.fromkeys(bench_and_plan[1].parameters, HALF), RecordingHooks().hooks())

    with pytest.raises(KeyboardInterrupt):
        run(kept, reloaded_network=_interrupt)  # in the scoring
    with pytest.raises(KeyboardInterrupt):
        run(kept, train=_never, before_training=_never, complete=_interrupt)  # after it
    record, undisturbed = run(kept, reloaded_network=_never), run(bench_and_plan[0])
    assert record.outcome is Outcome.COMPLETE, record.reason
    assert (record.checkpoint, record.evaluations) == (undisturbed.checkpoint, undisturbed.evaluations)
    assert record.measurements == undisturbed.measurements
    assert record.seconds["training"] > record.seconds["other"]  # of the first take
    StudyTrials(kept, bench_and_plan[1]).forget(7)
    assert not (tmp_path / "kept").exists()


def test_what_an_interrupted_row_has_finished_is_not_done_again(
    bench_and_plan: tuple[Workbench, SearchPlan], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench, plan = replace(bench_and_plan[0], kept=KeptFolder(tmp_path / "kept")), bench_and_plan[1]
    train = partial(RowTrainer(bench=bench, say=say_nothing).train, "one-shot", bench.parent.candidate(), plan.recipe)
    for name, function in (("reloaded_network", _interrupt), ("train", _never)):
        with monkeypatch.context() as patch, suppress(KeyboardInterrupt):
            patch.setattr(StudyTraining, name, function)
            rows = train(lineage=None, inherited=True, also_best_f1=True)
    assert [row.name for row in rows] == ["one-shot", "one-shot-f1"]
    assert rows[0].seconds["training"] > 0
