"""A trial is trained once more from the same start, for real: at the end of a run, and when the run is continued."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import torch
from rich.console import Console

from objectives.data.digit_scenes import write_digits
from search.findings.training_noise import training_noise
from search.finish import repeater
from search.finish.repeater import Repeater
from search.finish.run_request import RunRequest
from search.finish.study_run import StepRunner, finish_study, run_study
from search.finish.trained_workbench import open_trained_workbench
from search.record.events import say_nothing
from search.record.folders import RunFolder
from search.record.trial import Outcome, TrialRecord
from search.store.base import Store, StudyEntry
from search.store.sql import open_store
from search.study.definition import load_study
from search.work.supervisor import RunEnd

pytestmark = pytest.mark.slow(file_s=140)


@dataclass(frozen=True)
class RepeatedStudy:
    """A study of 64 px that ended by its budget, and what its run printed."""

    folder: RunFolder
    store: Store
    request: RunRequest
    printed: str

    @property
    def study(self) -> StudyEntry:
        found = self.store.latest_study("small")
        assert found is not None
        return found

    @property
    def records(self) -> tuple[TrialRecord, ...]:
        return self.store.records(self.study)

    def run(self, repeats: int | None) -> str:
        printed = io.StringIO()
        assert run_study(replace(self.request, repeats=repeats), console_to(printed)).why == "done"
        return printed.getvalue()

    def end_again(self, repeats: int | None) -> None:
        """Do what a run does after its workers have ended; the study needs no worker."""
        request = replace(self.request, repeats=repeats)
        finish_study(self.store, RunEnd("done", "", 0, {}), StepRunner(request, console_to(io.StringIO())))


def console_to(printed: io.StringIO) -> Console:
    return Console(file=printed, width=200, soft_wrap=True)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RepeatedStudy]:
    folder = tmp_path_factory.mktemp("repeating")
    scenes = write_digits(folder / "scenes", scenes={"train": 32, "val": 16, "test": 16})
    overrides = [
        "parent={model: yolov5n.yaml, recipe: {epochs: 2}}",
        "controls=[]",
        "space.multiple=4",
        "sampler.name=random",
    ]
    definition = load_study(
        "channel_ratio", overrides, name="small", data=scenes, imgsz=64, epochs=1, budget="15epochs"
    )
    runs = RunFolder(folder / "runs")
    request = RunRequest(definition, runs, runs.default_storage, confirm=False)
    store = open_store(request.storage)
    study = RepeatedStudy(runs, store, request, "")
    yield replace(study, printed=study.run(None))
    store.close()


def pair(finished: RepeatedStudy) -> tuple[TrialRecord, TrialRecord]:
    """The trial and its repetition."""
    (again,) = [record for record in finished.records if record.is_repeated]
    return next(each for each in finished.records if f"{each.name} repeated" == again.name), again


def test_a_study_with_a_budget_ends_with_a_trial_that_is_trained_once_more(finished: RepeatedStudy) -> None:
    trial, again = pair(finished)
    assert not trial.is_reference and again.outcome is Outcome.COMPLETE
    assert (again.spec, again.origin, again.recipe) == (trial.spec, trial.origin, trial.recipe)
    assert (again.lineage, again.ancestors) == (trial.lineage, trial.ancestors)
    assert again.seed == trial.seed + 1000 and again.checkpoint != trial.checkpoint
    first, second = trial.measurement("latency_ms"), again.measurement("latency_ms")
    assert first is not None and second is not None
    assert first.contended or second.value == first.value, "measured once, unless other work ran meanwhile"
    assert again.constraints.keys() == trial.constraints.keys()
    assert [each.split for each in again.evaluations] == ["val", "test"]
    assert all(again.name not in front.members for front in finished.store.fronts(finished.study))


def test_the_last_lines_say_what_it_tells(finished: RepeatedStudy) -> None:
    noise = training_noise(finished.records)
    assert noise is not None
    before, ended, last = finished.printed.partition("the study is done")
    assert ended and noise.text() in last
    assert "; 1 repeated training" in " ".join(before.split()), "lines are broken at the width of the console"
    assert before.index("training trial") < before.index(f"{pair(finished)[1].name}: mAP50-95")


def test_the_same_start_and_the_same_seed_give_the_same_network(
    finished: RepeatedStudy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So only the seed tells the two trainings apart."""
    monkeypatch.setattr(repeater, "OTHER_SEED", 0)
    torch.set_num_threads(1)
    trial, _ = pair(finished)
    with open_trained_workbench(finished.store, finished.study, finished.folder, "cpu", tmp_path, say_nothing) as bench:
        again = Repeater(bench, {}, say_nothing).repeat(trial)
        one, other = (bench.checkpoints.get(each.saved_checkpoint).network.state_dict() for each in (trial, again))
    assert all(torch.equal(tensor, other[name]) for name, tensor in one.items())


def test_it_is_not_trained_again_unless_more_is_asked_for(finished: RepeatedStudy) -> None:
    before = finished.records
    assert training_noise(before) is not None
    finished.end_again(None)
    finished.end_again(0)
    assert finished.records == before
    printed = finished.run(2)
    assert [record.is_repeated for record in finished.records[len(before) :]] == [True]
    assert "(a rough estimate, from 2 pairs)" in printed
