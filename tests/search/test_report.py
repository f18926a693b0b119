"""The report's command line and files over a real database."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from search.cli.command import Exit, run_command
from search.cli.stored_study import find_study
from search.findings.leaderboard import leaderboard
from search.findings.study_results import StudyResults, read_study_results
from search.findings.time_table import time_table
from search.pages.report import headline, html_report
from search.pages.study_report import print_study_results, write_report
from search.record.copied import named_with_study
from search.record.trial import Outcome
from search.report import main
from search.store.base import Store, StudyEntry
from search.store.entries import TargetEntry
from search.store.sql import open_store
from search.study.faults import DefinitionError
from tests.search.plausible import START, TARGET, plausible_study, store_study, with_memory

PIXEL = b"\x89PNG\r\n\x1a\n"


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> str:
    return f"sqlite:///{tmp_path_factory.mktemp('database') / 'study.db'}"


@pytest.fixture(scope="module")
def store(url: str) -> Iterator[Store]:
    store = open_store(url)
    yield store
    store.close()


@pytest.fixture(scope="module")
def study(store: Store) -> StudyEntry:
    return store_study(store, plausible_study(trials=14))


def page(trials: int, **changes: object) -> str:
    found = plausible_study(trials)
    study = replace(found.study, **changes)  # type: ignore[arg-type]
    return html_report(StudyResults(study, found.records, found.fronts), PIXEL, clock=START)


def figures(html: str) -> dict[str, Any]:
    found = re.search(r'<script type="application/json" id="figures">(.*?)</script>', html, re.DOTALL)
    assert found is not None
    read: dict[str, Any] = json.loads(found[1])
    return read


def test_the_command_prints_the_leaderboard_and_writes_four_files(
    study: StudyEntry, url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--study", "nas_head", "--storage", url, "--out", str(tmp_path)]) == Exit.DONE
    printed = capsys.readouterr().out
    names = ["report.html", "pareto.png", "leaderboard.md", "leaderboard.csv"]
    assert [Path(line).name for line in printed.splitlines()[-4:]] == names
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(names)
    for words in ("parent", "trial 13", "where the time went", "training", "hypervolume of the front"):
        assert words in printed
    assert (
        "## val" in (tmp_path / "leaderboard.md").read_text() and "## test" in (tmp_path / "leaderboard.md").read_text()
    )


def test_the_report_says_what_the_store_says(store: Store, study: StudyEntry, tmp_path: Path) -> None:
    html = write_report(store, study, tmp_path)[0].read_text()
    places = re.findall(r'id="([^"]+)"', html)
    assert len(places) == len(set(places)) and "<<<" not in html
    drawn = figures(html)
    complete = [record for record in store.records(study) if record.outcome is Outcome.COMPLETE]
    assert {point["name"] for point in drawn["panels"][0]["points"]} == {record.name for record in complete}
    front = store.fronts(study)[-1]
    assert {point["name"] for point in drawn["panels"][0]["points"] if point["front"]} == set(front.members)
    trained_s = sum(r.seconds.get("training", 0.0) for r in store.records(study) if not r.is_reference)
    assert drawn["history"][-1] == [
        store.counted(study),
        pytest.approx(trained_s, abs=0.1),
        pytest.approx(front.hypervolume, rel=1e-5),  # 6 digits kept
    ]
    assert {curve["name"] for curve in drawn["curves"]} == {*front.members, "parent"}
    assert "onnxruntime" in html  # the target, from the store
    assert "<dt>parent</dt><dd>yolov8n.yaml" in html and "images in val" in html and "for the trials" in html


def test_a_reference_that_was_frozen_under_load_is_said_with_the_target() -> None:
    store = open_store("sqlite://")
    store.add_target(TargetEntry(TARGET, {"runtime": "onnxruntime"}, 9.0, contended=True))
    study = store_study(store, plausible_study(trials=1))
    found = read_study_results(store, study)
    assert found.target["reference_timed"] == "while other work was seen on the device"
    assert "while other work was seen on the device" in html_report(replace(found, records=()), PIXEL, clock=START)
    store.close()


def test_csv_alone_is_what_a_pipe_gets(study: StudyEntry, url: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--study", "nas_head", "--storage", url, "--csv"]) == Exit.DONE
    lines = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert lines[0]["name"] == "parent" and len(lines) == 5 + 14


def test_another_split_can_be_printed_and_an_unknown_one_is_named(
    study: StudyEntry, url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = ["--study", "nas_head", "--storage", url, "--out", str(tmp_path)]
    assert run_command(main, [*given, "--split", "test"]) == Exit.DONE
    assert "nas_head (test)" in capsys.readouterr().out
    assert run_command(main, [*given, "--split", "tset"]) == Exit.USAGE
    assert "no split 'tset' was evaluated; there are: val, test" in capsys.readouterr().err


def test_an_unknown_study_exits_2_and_names_the_nearest(
    study: StudyEntry, url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_command(main, ["--study", "nas_hed", "--storage", url]) == Exit.USAGE
    assert capsys.readouterr().err == "error: no study 'nas_hed' is stored; did you mean nas_head?\n"


def test_a_report_makes_no_database(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(main, ["--study", "nas_head", "--project", str(tmp_path / "runs")]) == Exit.USAGE
    assert "there is no database at sqlite:///" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_time_that_no_record_knows_of_is_printed_too(store: Store, study: StudyEntry) -> None:
    stream = io.StringIO()
    print_study_results(store, study, to=stream, more_seconds={"data": 7.0, "sensitivity": 24.0})
    assert re.search(r"data +7\.0 s", stream.getvalue())
    assert re.search(r"sensitivity +24 s", stream.getvalue())


def test_a_phase_that_took_no_time_has_no_line() -> None:
    phases = [time.phase for time in time_table((), more_seconds={"data": 7.0, "sensitivity": 0.001})]
    assert phases == ["data"]


def test_a_study_is_found_by_name_generation_and_yaml() -> None:
    store = open_store("sqlite://")
    assert store.studies() == ()
    with pytest.raises(DefinitionError, match="the database is empty; start it with"):
        find_study(store, "nas_head")
    with pytest.raises(DefinitionError, match=r"start it with `yolofront run --study nas_head --data MY\.yaml`"):
        find_study(store, "nas_head-blood")
    objectives = plausible_study(0).study.objectives
    for name in ("nas_head", "nas_head", "channel_ratio-bccd", "channel_ratio-digits"):
        store.add_study(name, {}, objectives)
    assert find_study(store, "nas_head").generation == 2
    assert find_study(store, "nas_head-2").generation == 2
    assert find_study(store, "studies/nas_head.yaml").name == "nas_head"
    assert find_study(store, "channel_ratio").name == "channel_ratio-digits"  # the newest from that YAML
    assert find_study(store, "channel_ratio-bccd").name == "channel_ratio-bccd"
    with pytest.raises(DefinitionError, match="stored: nas_head, channel_ratio-bccd, channel_ratio-digits"):
        find_study(store, "xyz")
    store.close()


def test_time_goes_to_the_parent_the_donors_and_the_phases_of_trials() -> None:
    records = plausible_study(trials=3).records
    times = {time.phase: time.seconds for time in time_table(records)}
    assert times["parent"] == pytest.approx(86.0)  # 84 s of training, 2 s of latency
    assert times["donors"] == pytest.approx(sum(sum(r.seconds.values()) - r.seconds["database"] for r in records[1:5]))
    assert times["training"] == pytest.approx(sum(r.seconds["training"] for r in records[5:]))
    assert sum(time.share for time in time_table(records)) == pytest.approx(1.0)
    assert times["data"] == pytest.approx(1.4)


def test_a_copied_trial_was_trained_in_another_study() -> None:
    records = plausible_study(trials=3).records
    rows = [replace(named_with_study(each, "nas_head"), number=None) for each in records]
    times = {time.phase: time.seconds for time in time_table(rows)}
    assert "training" not in times
    assert times["latency"] == pytest.approx(sum(row.seconds["latency"] for row in rows[5:]))


def test_a_parent_made_for_an_earlier_study_took_no_time_here() -> None:
    records = plausible_study(trials=3).records
    phases = {time.phase for time in time_table(records, since=START + timedelta(days=1))}
    assert "parent" not in phases and "training" in phases


def test_the_page_asks_nobody_for_anything() -> None:
    html = page(14)
    policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]*)"', html)
    assert policy is not None and policy[1].startswith("default-src 'none'")
    elsewhere = set(re.findall(r"(?:https?:)?//[a-z][\w.-]+", html)) - {"http://www.w3.org"}  # the name space of SVG
    assert not elsewhere
    assert not re.findall(r'(?:src|href)="(?!data:|#)', html)


def test_a_page_stays_small() -> None:
    assert len(page(14).encode()) < 100_000
    assert len(page(200).encode()) < 250_000  # some 0.5 kB a trial: a megabyte holds 2,000


def test_text_from_outside_is_text_in_the_page() -> None:
    found = plausible_study(14)
    hostile = "</script><img src=x onerror=alert(1)>"
    records = (
        *found.records[:5],
        replace(found.records[5], name=f"trial {hostile}", reason=hostile),
        replace(found.records[6], outcome=Outcome.FAILED, reason=hostile, params={"backbone": hostile, "head": "b"}),
    )
    study = replace(found.study, name=hostile, definition={"description": hostile, "data": hostile})
    html = html_report(StudyResults(study, records, found.fronts), PIXEL, clock=START)
    assert "<img src=x" not in html
    assert html.count("</script>") == 2  # the figures' block and ours
    assert f"trial {hostile}" in {point["name"] for point in figures(html)["panels"][0]["points"]}


def test_a_study_of_three_objectives_shows_the_third_in_every_file(tmp_path: Path) -> None:
    store = open_store("sqlite://")
    study = store_study(store, with_memory(plausible_study(trials=14)))
    files = {path.name: path for path in write_report(store, study, tmp_path)}
    drawn = figures(files["report.html"].read_text())
    assert [panel["axes"]["x"]["title"] for panel in drawn["panels"]] == ["latency, ms", "memory, MiB"]
    assert [panel["axes"]["limit"] for panel in drawn["panels"]] == [14.0, 9.0]
    assert drawn["history"][-1][2] == pytest.approx(store.fronts(study)[-1].hypervolume, rel=1e-5)
    assert "members behind it are better in another objective" in files["report.html"].read_text()
    assert "<button>memory, MiB</button>" in files["report.html"].read_text()
    table = files["leaderboard.md"].read_text()
    assert "| size, MiB | memory, MiB | ΔmAP50-95 |" in table and "| mAP50 | mAP75 | P |" in table
    rows = {row["name"]: row for row in csv.DictReader(io.StringIO(files["leaderboard.csv"].read_text()))}
    for record in store.records(study):
        for column, value in (
            ("memory_mib", record.value("memory_mib")),
            ("val.map75", record.value("map75")),
            ("test.map75", record.value("map75", "test")),
        ):
            assert rows[record.name][column] == ("" if value is None else repr(value))
    store.close()


def test_a_study_of_two_objectives_has_no_column_of_a_quantity_that_it_does_not_name(tmp_path: Path) -> None:
    store = open_store("sqlite://")
    study = store_study(store, plausible_study(trials=14))
    for path in write_report(store, study, tmp_path):
        if path.suffix != ".png":
            assert "mAP75" not in path.read_text() and "memory" not in path.read_text().replace("out of memory", "")
    store.close()


def test_a_study_that_has_just_begun_has_a_page() -> None:
    study = plausible_study(0).study
    html = html_report(StudyResults(study, (), ()), PIXEL)
    assert "No network is on the front yet." in html and figures(html)["panels"][0]["points"] == []


def test_the_headline_says_what_knee_and_fast_end_gain() -> None:
    found = plausible_study(20)
    front = found.fronts[-1].members
    text = headline(leaderboard(found.records, front))
    assert text.startswith(f"{len(front)} of 21 measured networks are on the Pareto front.")
    assert f"At its fast end, {front[0]} runs" in text and "less mAP50-95" in text
