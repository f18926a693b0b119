"""Runs laid over each other, and what differs between two, from records in a real database."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from objectives.base import EpochResult
from search.cli.command import Exit, run_command
from search.compare import main
from search.findings.comparison import record_differences
from search.pictures.curves import top_of_losses
from search.record.copied import named_with_study
from search.record.trial import TrialRecord
from search.store.sql import open_store
from tests.search.plausible import Plausible, plausible_study, store_study


@pytest.fixture(scope="module")
def study() -> Plausible:
    return plausible_study(trials=14)


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory, study: Plausible) -> Iterator[str]:
    url = f"sqlite:///{tmp_path_factory.mktemp('database') / 'study.db'}"
    store = open_store(url)
    store_study(store, study)
    store_study(store, plausible_study(trials=3, seed=5, name="channel_ratio"))
    store.close()
    yield url


def named(study: Plausible, name: str) -> TrialRecord:
    return next(record for record in study.records if record.name == name)


def test_without_names_it_is_the_front_and_the_rows(
    url: str, study: Plausible, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_command(main, ["--study", "nas_head", "--storage", url, "--out", str(tmp_path)]) == Exit.DONE
    printed = capsys.readouterr().out
    rows = list(csv.DictReader((tmp_path / "comparison.csv").open()))
    wanted = {"parent", "one-shot", "round-2", "round-3", "uniform-0.5", *study.fronts[-1].members}
    assert {row["name"] for row in rows} == wanted
    assert "differences" not in printed
    files = {path.name for path in tmp_path.iterdir()}
    assert files >= {"comparison.html", "comparison.md", "curves-val.png", "curves-test.png", "learning.png"}
    assert files >= {"sizes.png", "widths-0.png"}
    page = (tmp_path / "comparison.html").read_text()
    assert "<script" not in page and "http" not in page.replace("http-equiv", "")
    assert page.count("data:image/png") >= 5


def test_two_of_different_studies_are_named_with_their_study(
    url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    runs = ["nas_head/parent", "channel_ratio/trial 1"]
    assert run_command(main, [*runs, "--storage", url, "--out", str(tmp_path)]) == Exit.DONE
    printed = capsys.readouterr().out
    for words in ("nas_head/parent", "channel_ratio/trial 1", "differences", "recipe", "widths", "mAP50-95"):
        assert words in printed


def test_a_copied_trial_is_named_as_in_its_own_study(
    study: Plausible, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    url = f"sqlite:///{tmp_path / 'copied.db'}"
    store = open_store(url)
    complete = [record for record in study.records if record.checkpoint]
    copied = [replace(named_with_study(record, "nas_head"), number=None) for record in complete]
    entry = replace(study.study, name="nas_head@openvino-cpu")
    store_study(store, replace(study, study=entry, records=tuple(copied)))
    front = store.fronts(store.studies()[-1])[-1].members
    store.close()
    trial = next(record.name for record in copied if record.is_copied)
    place = ["--study", "nas_head@openvino-cpu", "--storage", url, "--out", str(tmp_path)]
    assert run_command(main, [*place, "parent", trial]) == Exit.DONE
    assert trial in capsys.readouterr().out
    assert run_command(main, place) == Exit.DONE
    names = {row["name"] for row in csv.DictReader((tmp_path / "comparison.csv").open())}
    assert names == {"parent", "one-shot", "round-2", "round-3", "uniform-0.5", *front}


def test_what_differs_is_figures_recipe_and_widths(study: Plausible) -> None:
    one, other = named(study, "parent"), named(study, "one-shot")
    found = {(each.part, each.name): each for each in record_differences(one, other)}
    ours, theirs = one.value("map50_95"), other.value("map50_95")
    assert ours is not None and theirs is not None
    accuracy = found["accuracy (val)", "mAP50-95"]
    assert (accuracy.first, accuracy.second, accuracy.change) == (
        f"{ours:.3f}", f"{theirs:.3f}", f"{theirs - ours:+.3f}",
    )  # fmt: skip
    assert found["recipe", "epochs"].first == "14" and found["recipe", "epochs"].second == "3"
    assert found["weights", "made from"].second == "parent"
    assert one.spec is not None and other.spec is not None
    for group, before, after in zip(one.spec.groups, one.spec.kept, other.spec.kept, strict=True):
        assert (("widths", group) in found) is (len(before) != len(after))


def test_a_record_does_not_differ_from_itself(study: Plausible) -> None:
    record = named(study, "round-2")
    assert record_differences(record, replace(record, name="again")) == ()


def test_overlapping_intervals_and_other_targets_are_said(study: Plausible) -> None:
    record = named(study, "round-2")
    latency = record.measurement("latency_ms")
    assert latency is not None

    def moved(**changes: object) -> TrialRecord:
        now = replace(latency, **changes)  # type: ignore[arg-type]
        return replace(record, measurements=(*(m for m in record.measurements if m is not latency), now))

    (near,) = record_differences(record, moved(value=latency.value * 1.001))
    assert "intervals overlap" in near.change
    far = latency.value * 3
    (apart,) = record_differences(record, moved(value=far, low=far, high=far))
    assert apart.change == "3.00x"
    (elsewhere,) = record_differences(record, moved(value=far, target="another"))
    assert elsewhere.change == "other targets: not comparable"


def test_classes_are_named_with_the_greatest_change_first(study: Plausible) -> None:
    record = named(study, "round-2")
    accuracy = record.evaluations[0]
    ap = (0.5, 0.9, *accuracy.ap_per_class[2:])
    changed = replace(record, evaluations=(replace(accuracy, ap_per_class=ap), *record.evaluations[1:]))
    found = [each for each in record_differences(record, changed, ("zero", "one")) if each.part.startswith("AP")]
    assert {each.name for each in found} == {"zero", "one"}
    changes = [abs(float(each.change)) for each in found]
    assert changes == sorted(changes, reverse=True)


def test_losses_of_the_first_epochs_do_not_press_the_others_to_the_bottom(study: Plausible) -> None:
    parent = named(study, "parent")
    epochs = [EpochResult(epoch, 0.5, 0.7, 3.0, 1.0) for epoch in range(1, 9)]
    calm = replace(parent, rungs=tuple(epochs))
    wild = replace(parent, rungs=(replace(epochs[0], loss=1e4), *epochs[1:]))
    assert top_of_losses([calm]) is None
    assert top_of_losses([calm, wild]) == pytest.approx(6.0)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "name a study with --study"),
        (["parent"], "names no study"),
        (["nas_head/nobody"], "has no 'nobody'; it has parent, one-shot"),
        (["elsewhere/parent"], "elsewhere"),
    ],
)
def test_what_is_not_there_is_said(
    url: str, arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_command(main, [*arguments, "--storage", url]) == Exit.USAGE
    assert words in capsys.readouterr().err
