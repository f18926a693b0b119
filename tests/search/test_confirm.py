"""Confirmation, for real: a stored study's networks are exported and race on this machine."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import torch

from objectives.base import Direction, Measurement
from objectives.metrics.cost import Cost, count_parameters
from objectives.runtimes.catalogue import target_here
from objectives.timing.meter import LatencyMeter
from objectives.timing.reference import reference_candidate
from search.cli.command import Exit, run_command
from search.confirm import main
from search.finish.finalists import is_confirmed
from search.record.folders import RunFolder
from search.record.trial import Outcome, TrialRecord
from search.report import main as report
from search.store.entries import TargetEntry
from search.store.sql import open_store
from search.study.definition import load_study
from spaces.allocation.uniform import uniform
from spaces.base import Candidate
from spaces.networks.checkpoint import CheckpointStore
from spaces.networks.parent import Parent
from tests.search.plausible import plausible_evaluation
from tests.spaces.trained_look import make_look_trained

pytestmark = pytest.mark.slow

REFERENCE_MS = 10.0
CLAIMS = {  # share of channels that is kept, accuracy, and the latency that the trial had
    "parent": (1.0, 0.60, 10.0),
    "trial 0": (0.25, 0.40, 3.0),
    "trial 1": (0.5, 0.50, 4.0),
    "trial 2": (0.75, 0.30, 2.0),  # was timed far too fast: in truth slower than more accurate ones
}


@dataclass(frozen=True)
class Stored:
    """A run folder with a study of four networks, all of them on the front."""

    root: Path

    def confirm(self, *arguments: str) -> int:
        return run_command(main, ["--study", "nas_head", "--project", str(self.root), *arguments])


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Stored:
    torch.set_num_threads(1)
    folder = RunFolder(tmp_path_factory.mktemp("runs"))
    definition = load_study("nas_head")
    parent = Parent.load("yolov8n.yaml", classes=("a", "b"), imgsz=64, seed=0)
    target = LatencyMeter(target_here(imgsz=64), reference_candidate(parent)).target
    checkpoints = CheckpointStore(folder.checkpoints)
    store = open_store(folder.default_storage)
    objectives = [(name, Direction(value)) for name, value in definition.objectives.items()]
    study = store.add_study("nas_head", definition.as_plain(), objectives)
    trained = checkpoints.put(parent.candidate())
    study = store.freeze(study, {"reference_point": [0.0, 20.0], "parent": trained})
    store.add_target(TargetEntry(target.key, target.description(), REFERENCE_MS))
    for seed, (name, (share, accuracy, latency_ms)) in enumerate(CLAIMS.items()):
        candidate = parent.candidate() if share == 1 else parent.build(uniform(parent, share))
        make_look_trained(candidate.network, seed=seed)
        latency = Measurement(
            "latency_ms", latency_ms, "ms", runs=9, ratio=latency_ms / REFERENCE_MS, target=target.key
        )
        store.add(study, _record(name, candidate, accuracy, latency, checkpoints.put(candidate)), None)
    assert store.fronts(study)[-1].members == ("trial 2", "trial 0", "trial 1", "parent")
    store.close()
    return Stored(folder.root)


def _record(name: str, candidate: Candidate, accuracy: float, latency: Measurement, checkpoint: str) -> TrialRecord:
    return TrialRecord(
        number=None, name=name, outcome=Outcome.COMPLETE, reason="", params={}, spec=candidate.spec,
        origin=candidate.origin, identity=name, recipe={}, seed=0,
        measurements=(*Cost(count_parameters(candidate)).measure(candidate), latency),
        evaluations=(plausible_evaluation("val", accuracy),), checkpoint=checkpoint,
    )  # fmt: skip


@pytest.fixture(scope="module")
def printed(stored: Stored) -> str:
    output = io.StringIO()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.stdout", output)
        assert stored.confirm() == Exit.DONE
    return output.getvalue()


def line_of(text: str, name: str) -> str:
    return next(line for line in text.splitlines() if line.strip().startswith(name))


def test_the_table_shows_both_latencies_and_who_left(printed: str) -> None:
    assert "4 networks in turn with each other on onnxruntime cpu fp32, 64 px" in printed
    assert "2.00" in line_of(printed, "trial 2"), "what the trial said stays visible"
    assert "no longer: dominated by trial " in line_of(printed, "trial 2")
    assert line_of(printed, "parent").rstrip().endswith("yes")
    assert "3 networks on the front, 1 left it" in printed


def test_what_was_timed_is_stored_with_its_samples_and_the_records_stay(stored: Stored, printed: str) -> None:
    store = open_store(RunFolder(stored.root).default_storage)
    study = store.latest_study("nas_head")
    assert study is not None
    confirmation = store.confirmations(study)[0]
    assert [member.name for member in confirmation.members] == ["trial 0", "trial 1", "trial 2", "parent"]
    parent = confirmation.members[-1]
    # the parent is its own reference: what a real race of a few seconds can be off is a few per cent
    assert parent.ratio == pytest.approx(1.0, abs=0.1)
    assert parent.value == pytest.approx(parent.ratio * REFERENCE_MS)
    assert parent.low <= parent.value <= parent.high
    assert len(parent.samples) >= 6
    assert (confirmation.clock == "wall") is (confirmation.contended is False)
    said = {record.name: record.value("latency_ms") for record in store.records(study)}
    assert said == {name: latency_ms for name, (_, _, latency_ms) in CLAIMS.items()}
    store.close()


def test_a_contended_confirmation_names_the_remedy_and_an_idle_one_need_not_be_repeated(
    stored: Stored, printed: str
) -> None:
    store = open_store(RunFolder(stored.root).default_storage)
    study = store.latest_study("nas_head")
    assert study is not None
    newest = store.confirmations(study)[-1]
    assert ("contended: run `yolofront confirm` again" in printed) is bool(newest.contended)
    for others_busy in (1.0, 0.0):
        seen: dict[str, object] = {"others_busy": others_busy, "mhz": None, "celsius": None, "foreign": []}
        store.add_confirmation(study, replace(newest, circumstances=seen))
        assert is_confirmed(store, study) is (others_busy == 0.0)
    store.close()


def test_reports_show_the_settled_front_beside_what_the_trials_said(
    stored: Stored, printed: str, capsys: pytest.CaptureFixture[str]
) -> None:
    place = ["--study", "nas_head", "--project", str(stored.root)]
    assert run_command(report, [*place, "--csv"]) == Exit.DONE
    rows = {row["name"]: row for row in csv.DictReader(io.StringIO(capsys.readouterr().out))}
    assert [name for name, row in rows.items() if row["on_front"] == "True"] == ["parent", "trial 0", "trial 1"]
    assert float(rows["trial 2"]["latency_ms"]) > 2.5
    assert rows["trial 2"]["note"].endswith("2 ms in the study")
    assert run_command(report, place) == Exit.DONE
    assert "latencies: 4 networks re-measured side by side" in capsys.readouterr().out
    assert "4 networks re-measured side by side" in (stored.root / "nas_head" / "report.html").read_text()


def test_named_records_are_timed_instead_of_the_front(stored: Stored, capsys: pytest.CaptureFixture[str]) -> None:
    assert stored.confirm("--records", "trial 0, parent") == Exit.DONE
    printed = capsys.readouterr().out
    assert "timing 2 networks" in printed
    assert "trial 1" not in printed


def test_what_cannot_be_confirmed_is_named(stored: Stored, capsys: pytest.CaptureFixture[str]) -> None:
    assert stored.confirm("--records", "trail 0") == Exit.USAGE
    assert "--records is 'trail 0'; did you mean trial 0?" in capsys.readouterr().err
    assert stored.confirm("--records", " ,") == Exit.USAGE
    assert "write names such as 'trial 3,parent'" in capsys.readouterr().err
