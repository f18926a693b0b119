"""Pictures and confusion matrices of a stored study: taken if up to date, else made; if not, a line tells why."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from objectives.data.digit_scenes import write_digits
from search.findings.study_results import read_study_results
from search.finish.report_pictures import AT_WORK, are_up_to_date, pictures_of, shown_networks
from search.pages.example_pictures import PICTURES_FILE, Confusion, ExamplePictures, write_pictures
from search.record.folders import RunFolder
from search.report import main as report
from search.store.base import Store, StudyEntry, WorkerId
from search.store.sql import open_store
from search.study.definition import load_study
from spaces.networks.checkpoint import CheckpointStore, load
from tests.search.plausible import plausible_study, store_study
from tests.tree import ROOT

TRAINED = ROOT / "benchmarks/tables/digits/networks"


@pytest.fixture
def store() -> Iterator[Store]:
    store = open_store("sqlite://")
    yield store
    store.close()


@pytest.fixture
def study(store: Store) -> StudyEntry:
    found = plausible_study(trials=4)
    weights = (f"{number:064x}" for number in range(len(found.records)))
    records = [each if each.checkpoint is None else replace(each, checkpoint=next(weights)) for each in found.records]
    return store_study(store, replace(found, records=tuple(records)))


def test_the_parent_and_the_network_with_the_first_role_are_shown(store: Store, study: StudyEntry) -> None:
    shown = shown_networks(store, study)
    assert shown is not None and shown[0].name == "parent"
    roles = {row.record.name: row.roles for row in read_study_results(store, study).rows() if row.record != shown[0]}
    named = [name for role in ("knee", "best", "fastest") for name, own in roles.items() if role in own]
    assert shown[1].name == named[0], "the report names the same roles"


def test_a_front_without_a_knee_is_shown_by_its_most_accurate_member(store: Store) -> None:
    found = plausible_study(trials=4)
    members = found.fronts[-1].members
    ends = [each for each in found.records if each.name in ("parent", members[0], members[-1])]
    weights = [replace(each, checkpoint=f"{number:064x}") for number, each in enumerate(ends)]
    shown = shown_networks(store, store_study(store, replace(found, records=tuple(weights))))
    assert shown is not None
    others = [each for each in weights if each.name != "parent"]
    assert shown[1].name == max(others, key=lambda each: each.value("map50_95") or 0.0).name


def test_what_is_up_to_date_is_taken_and_nothing_is_imported(store: Store, study: StudyEntry, tmp_path: Path) -> None:
    folder, said = RunFolder(tmp_path), list[str]()
    shown = shown_networks(store, study)
    assert shown is not None and not are_up_to_date(store, study, folder)
    names, weights = (tuple(getattr(each, field) for each in shown) for field in ("name", "checkpoint"))
    confusion = Confusion(("a",), (((1, 0), (0, 0)),) * 2, 1, 0.5, 0.5)
    made = ExamplePictures(names, weights, (), confusion)
    write_pictures(folder.study(study.sampler_name), made)
    assert are_up_to_date(store, study, folder)
    assert pictures_of(store, study, folder, said.append) == made and said == []


def test_one_line_tells_why_there_are_none(store: Store, study: StudyEntry, tmp_path: Path) -> None:
    said = list[str]()
    assert pictures_of(store, study, RunFolder(tmp_path), said.append) is None
    assert len(said) == 2 and said[0].startswith("finding what parent and ")
    assert said[1].startswith("no new pictures and confusion matrices in the report: ") and "\n" not in said[1]


def test_a_worker_at_work_is_not_disturbed(store: Store, study: StudyEntry, tmp_path: Path) -> None:
    said = list[str]()
    assert store.reserve(study, WorkerId("elsewhere", 1, 0.0), 99) is not None
    assert pictures_of(store, study, RunFolder(tmp_path), said.append) is None
    assert said == [AT_WORK]


def test_an_old_study_gets_its_pictures_with_the_next_report(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Show two networks that were really trained; the data set is moved away afterwards."""
    runs, found = RunFolder(tmp_path / "runs"), plausible_study(trials=4)
    place = write_digits(tmp_path / "scenes", scenes={"train": 4, "val": 8, "test": 4})
    weights = {name: CheckpointStore(runs.checkpoints).put(load(TRAINED / name)) for name in ("parent", "taylor")}
    definition = load_study("nas_head", [f"data.source={place}", "accuracy.confidence=0.3"]).as_plain()
    records = [
        each if each.checkpoint is None else replace(each, checkpoint=weights.get(each.name, weights["taylor"]))
        for each in found.records
    ]
    given = replace(found, records=tuple(records), study=replace(found.study, definition=definition))
    with closing(open_store(runs.default_storage)) as store:
        study = store_study(store, given)
    command = ["--study", "nas_head", "--project", str(runs.root), "--out"]
    assert report([*command, str(tmp_path / "out"), "--no-pictures"]) == 0
    assert _shown(tmp_path / "out") == (0, 0)
    assert report([*command, str(tmp_path / "out")]) == 0
    assert _shown(tmp_path / "out") == (12, 2) and "at least 0.3" in (tmp_path / "out/report.html").read_text()
    (runs.study(study.sampler_name) / PICTURES_FILE).unlink()
    place.parent.rename(tmp_path / "away")
    capsys.readouterr()
    assert report([*command, str(tmp_path / "without")]) == 0
    assert _shown(tmp_path / "without") == (0, 0)
    assert "no new pictures and confusion matrices in the report: " in capsys.readouterr().out


def _shown(folder: Path) -> tuple[int, int]:
    """Return the numbers of pictures and of confusion matrices in a report."""
    text = (folder / "report.html").read_text()
    return text.count("<use href="), text.count('class="confusion"')
