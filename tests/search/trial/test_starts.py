"""Where a trial begins: with the weights of its space, of the parent, or of the best trained network near to it."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import torch

from objectives.data.digit_scenes import write_digits
from objectives.training.kept_training import weights_hash
from search.latency.local import IdleWait
from search.prepare.preparation import Preparation, Prepared, Setting
from search.record.folders import RunFolder
from search.record.trial import Outcome, TrialRecord
from search.store.base import Store
from search.store.sql import open_store
from search.study.definition import load_study
from search.trial.evaluate import StudyTrials
from search.trial.starts import Start, StartChooser
from search.trial.trained_networks import TrainedNetworks, is_cut_of, wider_network_of
from search.trial.untrained_candidates import UntrainedCandidates
from spaces.base import PARENT, Candidate, CandidateError, Origin, ParamValue
from spaces.networks.checkpoint import CheckpointStore
from tests.search.trial.test_evaluate import RecordingHooks

pytestmark = pytest.mark.slow(file_s=55)


@dataclass(frozen=True)
class PreparedStudy:
    """A study with a trained parent, whose trials are run here one after another."""

    ready: Prepared
    store: Store

    @property
    def trials(self) -> StudyTrials:
        return StudyTrials.of(self.ready.bench, self.ready.plan, self.ready.study)

    def params(self, share: float) -> dict[str, ParamValue]:
        return dict.fromkeys(self.ready.plan.parameters, share)

    def run(self, number: int, share: float, earlier: str | None = None) -> TrialRecord:
        """Run a trial and store its record."""
        claimed: list[str | None] = [earlier]  # what the database would answer: first for the point, then for the start
        recording = RecordingHooks()
        hooks = replace(recording.hooks(), claim_identity=lambda identity: claimed.pop() if claimed else None)
        record = self.trials.run(number, self.params(share), hooks)
        self.store.add(self.ready.study, record, None)
        return record


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PreparedStudy]:
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("starts")
    scenes = write_digits(folder / "scenes", scenes={"train": 32, "val": 8, "test": 8})
    overrides = ["parent={model: yolov5n.yaml, recipe: {epochs: 2}}", "controls=[]", "space.multiple=4"]
    definition = load_study("channel_ratio", overrides, data=scenes, imgsz=64, epochs=2)
    store = open_store("sqlite://")
    wait = IdleWait(tries=1, is_idle=lambda: False)
    setting = Setting(folder=RunFolder(folder), device="cpu", scratch=folder / "scratch", idle_wait=wait)
    with Preparation(definition=definition, store=store, setting=setting).run() as ready:
        yield PreparedStudy(ready, store)
    store.close()


@pytest.fixture(scope="module")
def records(study: PreparedStudy) -> Sequence[TrialRecord]:
    """A wide network, a narrower one, and the narrower one again."""
    return study.run(0, 0.75), study.run(1, 0.5), study.run(2, 0.5, earlier="trial 1")


def test_without_trained_networks_a_trial_begins_with_the_weights_of_its_space(records: Sequence[TrialRecord]) -> None:
    first = records[0]
    assert first.outcome is Outcome.COMPLETE, first.reason
    assert first.origin is not None and first.origin.sources == (PARENT,)
    assert (first.lineage, first.ancestors, first.line_epochs, first.seed) == (None, (), 2, 0)


def test_a_repeated_network_is_continued_and_its_line_is_recorded(
    records: Sequence[TrialRecord], study: PreparedStudy
) -> None:
    _, second, again = records
    assert again.outcome is Outcome.COMPLETE, again.reason
    assert again.spec == second.spec and again.identity != second.identity
    assert again.lineage == "trial 1"
    assert again.origin is not None and again.origin.sources == (second.checkpoint,)
    assert again.ancestors == second.line
    assert again.line_epochs == second.line_epochs + 2
    assert again.seed == len(second.line)  # other images than before
    facts = study.ready.bench.checkpoints.facts(again.saved_checkpoint)
    assert [each["name"] for each in facts["ancestors"]] == [each.name for each in second.line]


def test_a_record_says_all_that_its_training_began_with(records: Sequence[TrialRecord], study: PreparedStudy) -> None:
    """Which trials were done when it began depends on the workers; the record alone must tell it."""
    bench, record = study.ready.bench, records[2]
    assert record.spec is not None and record.origin is not None
    sources = {name: bench.checkpoints.get(name) for name in record.origin.sources}
    candidate = bench.parent.build(record.spec, record.origin, sources)
    recipe = study.ready.plan.recipe
    trained = bench.training.train(candidate, recipe, inherited=False, seed=record.seed).candidate
    stored = bench.checkpoints.get(record.saved_checkpoint).network.state_dict()
    assert all(torch.equal(tensor.half(), stored[name].half()) for name, tensor in trained.network.state_dict().items())


def test_a_network_that_another_worker_continues_now_is_a_duplicate(
    records: Sequence[TrialRecord], study: PreparedStudy
) -> None:
    hooks = replace(RecordingHooks().hooks(), claim_identity=lambda identity: "trial 2")
    assert study.trials.run(9, study.params(0.5), hooks).outcome is Outcome.DUPLICATE


def test_a_start_that_was_chosen_before_an_interruption_is_chosen_again(
    records: Sequence[TrialRecord], study: PreparedStudy
) -> None:
    """By then others may have trained networks that are nearer, and the training that has begun would be lost."""
    trials, candidate = study.trials, study.ready.bench.parent.build(records[2].spec)  # type: ignore[arg-type]
    assert trials.starts is not None
    start = trials.starts.choose(candidate)
    again = trials.starts.choose_again(json.loads(json.dumps(start.as_plain())), candidate)
    assert again is not None and again.continues
    assert replace(again, candidate=candidate) == replace(start, candidate=candidate)
    assert weights_hash(again.candidate.network) == weights_hash(start.candidate.network)
    assert trials.starts.choose_again({**start.as_plain(), "layers": ["gone"] * 99}, candidate) is None


@pytest.fixture
def choose(
    records: Sequence[TrialRecord], study: PreparedStudy, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Start]:
    """Choose a start for an untrained network, where one source of weights has the smallest loss."""
    bench, plan = study.ready.bench, study.ready.plan

    def chosen(share: float, best: str, others: float = 2.0) -> Start:
        def loss_of(gauge: object, candidate: Candidate) -> float:
            return 1.0 if candidate.origin.sources == (best,) else others

        monkeypatch.setattr("objectives.training.untrained_loss.UntrainedLoss.after_cut", loss_of)
        trained = TrainedNetworks(study.store, study.ready.study, bench.checkpoints, bench.parent.structure.key)
        spec, origin, _ = plan.decode(study.params(share))
        return StartChooser(bench, trained).choose(plan.space.build(spec, origin))

    return chosen


def test_the_start_is_the_one_with_the_smallest_loss(
    choose: Callable[[float, str], Start], records: Sequence[TrialRecord]
) -> None:
    wide, _, narrow = records
    for record in (wide, narrow):
        start = choose(0.625, record.saved_checkpoint)
        assert (start.lineage, start.ancestors, start.continues) == (record.name, record.line, False)
        assert start.candidate.origin.sources == (record.checkpoint,)
    start = choose(0.625, PARENT)
    assert (start.lineage, start.ancestors) == (None, ())


def test_the_most_trained_network_around_wins_where_losses_are_much_alike(
    choose: Callable[..., Start], records: Sequence[TrialRecord]
) -> None:
    wide, _, narrow = records
    assert choose(0.625, narrow.saved_checkpoint, 1.2).lineage == wide.name
    assert choose(0.625, narrow.saved_checkpoint, 1.3).lineage == narrow.name
    assert choose(0.625, PARENT, 1.2).lineage == wide.name


def test_channels_that_the_trained_network_lacks_have_the_parents_weights(
    choose: Callable[[float, str], Start], records: Sequence[TrialRecord], study: PreparedStudy
) -> None:
    narrow = records[2]
    start = choose(1.0, narrow.saved_checkpoint)
    own, parent = start.candidate.network.state_dict(), study.ready.bench.parent.network.state_dict()
    donor = study.ready.bench.checkpoints.get(narrow.saved_checkpoint)
    assert narrow.spec is not None
    kept = list(narrow.spec.kept[0])
    missing = [channel for channel in range(narrow.spec.widths[0]) if channel not in kept]
    name = "model.0.conv.weight"
    assert torch.equal(own[name][kept], donor.network.state_dict()[name])
    assert torch.equal(own[name][missing], parent[name][missing])


def test_networks_of_equal_channels_count_once_with_the_longest_line(
    records: Sequence[TrialRecord], study: PreparedStudy
) -> None:
    bench = study.ready.bench
    trained = TrainedNetworks(study.store, study.ready.study, bench.checkpoints, bench.parent.structure.key)
    spec = records[1].spec
    assert spec is not None
    assert [record.name for record in trained.nearest(spec, 5)] == ["trial 2", "trial 0"]
    gone = TrainedNetworks(study.store, study.ready.study, CheckpointStore(Path("nowhere")), bench.parent.structure.key)
    assert gone.nearest(spec, 5) == ()  # weights that are not on this machine


def test_a_network_may_begin_with_the_most_trained_one_around_it(
    records: Sequence[TrialRecord], study: PreparedStudy
) -> None:
    bench = study.ready.bench
    trained = TrainedNetworks(study.store, study.ready.study, bench.checkpoints, bench.parent.structure.key)
    narrow, wide = records[2].spec, records[0].spec
    assert narrow is not None and wide is not None
    assert (is_cut_of(narrow, wide), is_cut_of(wide, narrow), is_cut_of(wide, wide)) == (True, False, True)
    around = trained.most_trained_around(narrow)
    assert around is not None and around.name == "trial 2", "six epochs and more; the wide one has two"
    around = trained.most_trained_around(wide)
    assert around is not None and around.name == "trial 0"
    assert trained.most_trained_around(bench.parent.full_spec()) is None


def test_the_wider_network_of_a_band_is_the_one_that_was_trained_longest(records: Sequence[TrialRecord]) -> None:
    wide, narrow, further = records
    ms = [record.value("latency_ms") or 0.0 for record in records]
    found = wider_network_of(records, 0.0)
    assert found is not None and found.name == further.name, "of equal trainings the longest line"
    longer = replace(wide, recipe={**wide.recipe, "epochs": 9})
    found = wider_network_of([longer, narrow, further], 0.0)
    assert found is not None and (found.name, found.params) == (wide.name, wide.params)
    assert wider_network_of(records, max(ms)) is None
    found = wider_network_of(records, 0.0, running=[wide.params])
    assert found is not None and found.name == wide.name, "it is trained further now, as a finalist"
    assert wider_network_of([replace(record, number=None) for record in records], 0.0) is None, "donors are none"


def test_the_untrained_loss_may_be_that_with_the_weights_of_a_wider_network(
    records: Sequence[TrialRecord], study: PreparedStudy
) -> None:
    candidates = UntrainedCandidates(study.ready.bench, study.ready.plan)
    wider = wider_network_of(records[:1], 0.0)
    assert wider is not None
    params = study.params(0.5)
    assert candidates.loss_increase(params, wider) != candidates.loss_increase(params)
    gone = replace(wider, checkpoint="0" * 32)
    assert candidates.loss_increase(params, gone) == math.inf


def test_the_space_is_taken_at_its_word_where_nothing_is_inherited(study: PreparedStudy) -> None:
    plan = replace(study.ready.plan, inherits=False)
    trials = StudyTrials.of(study.ready.bench, plan, study.ready.study)
    record = trials.run(20, study.params(0.625), RecordingHooks().hooks())
    assert record.origin == Origin((PARENT,) * len(study.ready.bench.parent.layer_sections))
    assert (record.lineage, record.ancestors) == (None, ())


def test_the_untrained_loss_is_that_beyond_the_parents(study: PreparedStudy) -> None:
    candidates = UntrainedCandidates(study.ready.bench, study.ready.plan)
    assert candidates.loss_increase(study.params(1.0)) == pytest.approx(0.0, abs=1e-5)
    half = candidates.loss_increase(study.params(0.5))
    assert math.isfinite(half) and half != 0.0
    assert candidates.loss_increase(study.params(0.5)) == half


def test_a_candidate_that_cannot_be_built_has_an_infinite_loss(
    study: PreparedStudy, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*arguments: object) -> Candidate:
        raise CandidateError("too narrow")

    monkeypatch.setattr(type(study.ready.plan.space), "build", fail)
    candidates = UntrainedCandidates(study.ready.bench, study.ready.plan)
    assert candidates.loss_increase(study.params(0.5)) == math.inf


def test_a_damaged_file_of_another_network_is_no_start(
    choose: Callable[[float, str], Start], records: Sequence[TrialRecord], study: PreparedStudy
) -> None:
    wide, _, narrow = records
    weights = study.ready.bench.checkpoints.folder(wide.saved_checkpoint) / "weights.safetensors"
    whole = weights.read_bytes()
    weights.write_bytes(whole[:-8])
    try:
        assert choose(0.625, wide.saved_checkpoint).lineage != wide.name
        assert choose(0.625, narrow.saved_checkpoint).lineage == narrow.name
    finally:
        weights.write_bytes(whole)


def test_a_network_that_runs_out_of_memory_while_its_start_is_chosen_is_a_failed_trial(
    records: Sequence[TrialRecord], study: PreparedStudy, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*arguments: object) -> float:
        raise MemoryError

    monkeypatch.setattr("objectives.training.untrained_loss.UntrainedLoss.after_cut", full)
    record = study.trials.run(30, study.params(0.875), RecordingHooks().hooks())
    assert record.outcome is Outcome.FAILED and record.reason.startswith("out of memory")
