"""Studies prepared for real: rows cut by every rule, stock models beside them, and the spaces around the parent."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch

from objectives.data.digit_scenes import write_digits
from objectives.training.sensitivity import sensitivity
from search.latency.local import IdleWait
from search.prepare import cutting
from search.prepare.inputs import load_initial_parent, open_data
from search.prepare.preparation import Preparation, Setting
from search.prepare.sensitivity_analysis import TakesTooLong, summed_sensitivity
from search.record.events import Activity, Event, say_nothing
from search.record.folders import RunFolder
from search.record.trial import TrialRecord
from search.store.base import Store
from search.store.sql import open_store
from search.study.definition import StudyDefinition, load_study
from search.study.faults import DefinitionError
from search.trial.plan import SearchPlan
from spaces.allocation.summed_sensitivity import SummedSensitivity
from spaces.base import Categorical, Float, Integer, SpaceError
from spaces.networks.checkpoint import save
from spaces.networks.parent import Parent

pytestmark = pytest.mark.slow(file_s=180)

PARENT = "parent={model: yolov5n.yaml, recipe: {epochs: 1, batch: 8, sparsity: 0.3}}"
ROWS = """donors=[
    {name: global, from: parent, cut: global, criterion: taylor, flops: 0.6},
    {name: slim, from: parent, cut: slimming, criterion: batchnorm, ratio: 0.7},
    {name: again, from: global, cut: global, criterion: lamp, flops: 0.8}]"""
CONTROLS = """controls=[
    {name: thinned, from: global, ratio: 0.5},
    {name: chance, from: parent, criterion: random, flops: 0.6},
    {name: fresh, from: scratch, ratio: 0.5},
    {name: other, model: yolov8n.yaml}]"""


@dataclass(frozen=True)
class PreparedStudy:
    """What a study stands on, once it is prepared."""

    definition: StudyDefinition
    plan: SearchPlan
    rows: dict[str, TrialRecord]
    sensitivity: SummedSensitivity | None = None


class Studies:
    """Prepares studies in one run folder, so that parents and donors are made once."""

    def __init__(self, folder: Path) -> None:
        self.folder = RunFolder(folder / "runs")
        self.scenes = write_digits(folder / "scenes", scenes={"train": 16, "val": 8, "test": 8})
        self.store: Store = open_store("sqlite://")
        self.said: list[Event] = []

    def prepared(
        self, name: str, *overrides: str, study: str = "nas_head", halved: bool = False, most_s: float = math.inf
    ) -> PreparedStudy:
        definition = load_study(study, [PARENT, *overrides], name=name, data=self.scenes, imgsz=64, epochs=1)
        scratch = self.folder.root / "scratch"
        setting = Setting(folder=self.folder, device="cpu", scratch=scratch, idle_wait=IdleWait(tries=1))
        preparation = Preparation(definition=definition, store=self.store, setting=setting, say=self.said.append)
        with preparation.run() as ready:
            sensitivity = (
                summed_sensitivity(ready.bench, multiple=4, criterion="taylor", say=say_nothing, max_s=most_s)
                if halved
                else None
            )
        return PreparedStudy(
            definition, ready.plan, {record.name: record for record in self.store.records(ready.study)}, sensitivity
        )


@pytest.fixture(scope="module")
def studies(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Studies]:
    torch.set_num_threads(1)
    made = Studies(tmp_path_factory.mktemp("layout"))
    yield made
    made.store.close()


@pytest.fixture(scope="module")
def combined(studies: Studies) -> PreparedStudy:
    space = "space={type: graft, parts: stages, repeats: true, low: 0.5, high: 1.0, step: 0.25, multiple: 8}"
    return studies.prepared("combined", ROWS, CONTROLS, space)


def test_every_row_has_the_flops_that_the_study_asks_for(combined: PreparedStudy) -> None:
    rows = combined.rows
    assert list(rows) == ["parent", "global", "slim", "again", "thinned", "chance", "fresh", "other"]
    whole, half = rows["parent"].value("flops_g"), rows["global"].value("flops_g")
    chance, again = rows["chance"].value("flops_g"), rows["again"].value("flops_g")
    assert whole is not None and half is not None and chance is not None and again is not None
    # At most the share, and no further below it than the last step of widths by 8 channels.
    assert 0.5 * whole < half <= 0.6 * whole
    assert 0.5 * whole < chance <= 0.6 * whole
    assert 0.65 * half < again <= 0.8 * half


def test_controls_are_made_beside_trials_by_whoever_is_free(studies: Studies, combined: PreparedStudy) -> None:
    definition = load_study(
        "nas_head", [PARENT, ROWS, CONTROLS], name="shared", data=studies.scenes, imgsz=64, epochs=1
    )
    setting = Setting(
        folder=studies.folder, device="cpu", scratch=studies.folder.root / "scratch", idle_wait=IdleWait(tries=1)
    )
    preparation = Preparation(definition=definition, store=studies.store, setting=setting, with_controls=False)
    donors = ["parent", "global", "slim", "again"]
    with preparation.run() as ready:

        def rows() -> list[str]:
            return [record.name for record in studies.store.records(ready.study)]

        assert rows() == donors
        with studies.store.exclusive(f"row {ready.study.id} thinned"):  # another worker trains it
            ready.make_controls()
            assert rows() == [*donors, "chance", "fresh", "other"]
        ready.make_controls()
        assert rows() == [*donors, "chance", "fresh", "other", "thinned"]


def test_fresh_weights_are_trained_while_another_worker_trains_the_parent(
    studies: Studies, combined: PreparedStudy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One of two workers would wait for the parent otherwise. The row is the same as if it were trained afterwards."""
    free, said = studies.store.exclusive_if_free, len(studies.said)
    busy = iter([True])  # at the first look only

    @contextmanager
    def busy_with_parent(name: str) -> Iterator[bool]:
        with free(name) as is_free:
            yield is_free and not (name.endswith(" parent") and next(busy, False))

    monkeypatch.setattr(studies.store, "exclusive_if_free", busy_with_parent)
    unknown = "parent.recipe.sparsity=0.31"
    donors = "donors=[{name: half, from: parent, ratio: 0.5}]"
    ahead = studies.prepared("ahead", donors, "controls=[{name: fresh, from: scratch, ratio: 0.5}]", unknown)
    doing = [each.what for each in studies.said[said:] if isinstance(each, Activity) and "training" in each.what]
    assert doing == ["training fresh", "training parent", "training half"]
    assert list(ahead.rows) == ["parent", "fresh", "half"]
    assert ahead.rows["fresh"].checkpoint == combined.rows["fresh"].checkpoint
    assert ahead.rows["fresh"].seconds["training"] > 0


def test_a_row_of_a_donor_keeps_only_what_the_donor_has(combined: PreparedStudy) -> None:
    for name, source in (("again", "global"), ("thinned", "global")):
        new, old = combined.rows[name].spec, combined.rows[source].spec
        assert new is not None and old is not None
        assert all(set(less) <= set(more) for less, more in zip(new.kept, old.kept, strict=True))


def test_a_stock_model_is_a_row_of_another_structure(combined: PreparedStudy) -> None:
    own, stock = combined.rows["parent"].spec, combined.rows["other"].spec
    assert own is not None and stock is not None
    assert stock.is_whole
    assert stock.parent != own.parent
    assert (combined.rows["other"].value("latency_ms") or 0) > 0


def test_stages_repeats_and_donors_are_dimensions_of_one_space(combined: PreparedStudy) -> None:
    parameters = combined.plan.space.parameters
    names = ("P1", "P2", "P3", "P4", "P5", "neck", "detect")
    donors = Categorical(("global", "slim", "again"))
    assert [name for name, each in parameters.items() if each == donors] == [f"donor.{name}" for name in names]
    assert [name for name, each in parameters.items() if isinstance(each, Float)] == [f"ratio.{n}" for n in names]
    repeats = {name: each for name, each in parameters.items() if isinstance(each, Integer)}
    assert repeats == {f"repeats.P{stage}": Integer(0, most) for stage, most in ((2, 1), (3, 2), (4, 3), (5, 1))}


def test_the_first_trials_mix_donors_and_can_be_built(combined: PreparedStudy) -> None:
    plan = combined.plan
    assert plan.starts[0]["donor.P4"] == "slim"
    assert plan.starts[0]["donor.detect"] == "again"
    for point in plan.starts:
        spec, origin = plan.space.decode(point)
        assert plan.space.build(spec, origin).spec.dropped == ()
    shortest = {**plan.starts[0], "repeats.P3": 0, "repeats.P4": 1}
    spec, origin = plan.space.decode(shortest)
    assert len(spec.dropped) == 4
    assert plan.space.build(spec, origin).spec == spec


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("controls=[{name: a, model: nosuch.yaml}]", "no model 'nosuch.yaml'"),
        ("controls=[{name: a, weights: nosuch.pt}]", "no weights at 'nosuch.pt'"),
    ],
)
def test_a_control_that_cannot_be_read_is_refused_before_any_training(
    studies: Studies, override: str, words: str
) -> None:
    with pytest.raises(SpaceError, match=words):
        studies.prepared("wrong", override)
    assert studies.store.latest_study("wrong") is None


def test_scales_of_weights_trained_without_sparsity_are_refused_as_criterion(studies: Studies, tmp_path: Path) -> None:
    whole = Parent.load("yolov5n.yaml", classes=10, imgsz=64)
    rule = ("space.cut=slimming", "space.criterion=batchnorm")
    for recipe, fine in (({"epochs": 9}, False), ({"epochs": 9, "sparsity": 0.001}, True)):
        folder = tmp_path / str(fine)
        save(whole.candidate(), folder, recipe=recipe)
        weights = f"parent.weights={folder}"
        definition = load_study("baseline", [PARENT, weights, *rule], data=studies.scenes, imgsz=64)
        data = open_data(definition, studies.folder)
        if fine:
            assert load_initial_parent(definition, data).is_trained
        else:
            with pytest.raises(DefinitionError, match="do not say that they were trained with sparsity"):
                load_initial_parent(definition, data)


def test_a_baseline_is_a_space_of_one_share(studies: Studies) -> None:
    made = studies.prepared("sweep", "space.cut=global", "space.criterion=taylor", study="baseline")
    assert list(made.plan.space.parameters) == ["flops"]
    assert [point["flops"] for point in made.plan.starts] == pytest.approx([0.9, 0.6, 0.2])
    specs = [made.plan.space.decode(point)[0] for point in made.plan.starts]
    assert specs[0].channel_ratio > specs[1].channel_ratio > specs[2].channel_ratio


def test_sensitivity_gives_start_points_and_is_measured_once(studies: Studies, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("search.prepare.cutting.RATIOS", (0.5,))  # a third of the time
    starts = "space.starts=[sensitivity]"
    made = studies.prepared("first", starts, "controls=[]", study="channel_ratio")
    maps = sensitivity_maps(studies)
    assert len(maps) == 1
    written = maps[0].stat().st_mtime_ns
    assert studies.prepared("second", starts, "controls=[]", study="channel_ratio").plan.starts == made.plan.starts
    assert maps[0].stat().st_mtime_ns == written
    assert len(made.plan.starts) == 3
    for point in made.plan.starts:
        assert made.plan.space.decode(point)[0].channel_ratio < 1
        assert len({round(float(value), 3) for value in point.values()}) > 1  # not uniform


def test_the_sensitivity_analysis_is_made_once_and_predicts_cuts(studies: Studies) -> None:
    first, second = (
        studies.prepared(name, "controls=[]", study="channel_ratio", halved=True).sensitivity for name in ("one", "two")
    )
    assert first is not None
    assert first == second  # from the file
    halves = [[max(4, width // 2) if place == each else width for place, width in enumerate(first.whole)]
              for each in range(len(first.whole))]  # fmt: skip
    alone = first.total(halves)
    assert (alone > 0).any()
    assert first.total([first.whole]).tolist() == [0.0]


def sensitivity_maps(studies: Studies) -> list[Path]:
    """The stored maps; scores of channels lie beside them."""
    return [file for file in studies.folder.maps.iterdir() if not file.name.startswith("taylor-")]


def test_a_sensitivity_analysis_that_takes_too_long_is_ended(studies: Studies, monkeypatch: pytest.MonkeyPatch) -> None:
    for known in studies.folder.maps.glob("*"):
        known.unlink()
    measured: list[int] = []
    whole_map = sensitivity

    def counted(*args: Any, progress: Callable[[int, int], None], **rest: Any) -> Any:
        def count(done: int, total: int) -> None:
            measured.append(done)
            progress(done, total)

        return whole_map(*args, progress=count, **rest)

    monkeypatch.setattr(cutting, "sensitivity", counted)
    with pytest.raises(TakesTooLong):
        studies.prepared("hurried", "controls=[]", study="channel_ratio", halved=True, most_s=1e-9)
    assert measured == [1, 2, 3, 4, 5]
    assert not sensitivity_maps(studies)
