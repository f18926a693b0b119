"""Studies from Python: a stored one is opened, read, and asked; mistakes raise what the commands say."""

from __future__ import annotations

import ast
import inspect
import subprocess
import sys
from pathlib import Path

import polars
import pytest

import search.run
import yolofront
from search.finish.run_request import RunRequest
from search.finish.study_workers import tell_listeners
from search.record.folders import RunFolder
from search.record.trial import TrialRecord
from search.store.sql import open_store
from search.study.definition import load_study
from search.study.faults import DefinitionError
from spaces.command_line import parser_of
from tests.search.plausible import Plausible, plausible_study, store_study
from tests.tree import ROOT
from yolofront.result import Result


@pytest.fixture(scope="module")
def found() -> Plausible:
    return plausible_study(trials=14)


@pytest.fixture(scope="module")
def result(found: Plausible, tmp_path_factory: pytest.TempPathFactory) -> Result:
    folder = tmp_path_factory.mktemp("runs")
    store = open_store(f"sqlite:///{folder / 'yolofront.db'}")
    store_study(store, found)
    store.close()
    return yolofront.open("nas_head", project=folder)


def test_a_stored_study_is_opened(result: Result, found: Plausible) -> None:
    assert result.name == "nas_head"
    assert [record.name for record in result.records] == [record.name for record in found.records]
    assert {record.name for record in result.front} == set(found.fronts[-1].members)
    times = [record.value("latency_ms") or 0.0 for record in result.front]
    assert times == sorted(times)
    assert result["parent"] == result.records[0]
    with pytest.raises(KeyError, match="trial 99"):
        result["trial 99"]
    count = len(found.fronts[-1].members)
    assert repr(result).startswith("<study 'nas_head' in ") and repr(result).endswith(f" {count} on the front>")
    assert "sqlite" not in repr(result), "a URL may hold a password"


def test_the_best_network_under_a_latency_is_found(result: Result) -> None:
    chosen = result.best(under_ms=8.0)
    ms, score = chosen.value("latency_ms"), chosen.value("map50_95")
    assert ms is not None and score is not None and ms <= 8.0
    rivals = [each.value("map50_95") or 0.0 for each in result.records if (each.value("latency_ms") or 99.0) <= 8.0]
    assert score == max(rivals)
    assert result.best() in result.front
    with pytest.raises(DefinitionError, match="the fastest is"):
        result.best(under_ms=0.1)


def test_the_leaderboard_is_a_data_frame(result: Result) -> None:
    frame = result.to_dataframe()
    assert frame["name"].to_list() == [row.record.name for row in result.rows]
    assert {"on_front", "val.map50_95", "test.map50_95", "latency_ms", "speed_up", "params.head"} <= set(frame.columns)
    assert frame.schema["latency_ms"] == polars.Float64 and frame.schema["on_front"] == polars.Boolean
    front = frame.filter(polars.col("on_front"))
    assert set(front["name"]) == {record.name for record in result.front}


def test_a_notebook_shows_the_front(result: Result) -> None:
    html = result._repr_html_()
    assert "data:image/png;base64," in html and "<script" not in html
    assert all(f"<th>{record.name}</th>" in html for record in result.front)


def test_a_report_is_written(result: Result, tmp_path: Path) -> None:
    assert result.report(tmp_path).read_text().startswith("<!doctype html>")


def test_mistakes_say_what_the_commands_say(result: Result, tmp_path: Path) -> None:
    with pytest.raises(DefinitionError, match="no study 'nas_hed' is stored; did you mean nas_head"):
        yolofront.open("nas_hed", project=result.project)
    with pytest.raises(DefinitionError, match="which is 99; with weights are"):
        result.export("trial 99", out=tmp_path)
    with pytest.raises(DefinitionError, match="no study 'nas_hed'; did you mean nas_head"):
        yolofront.run("nas_hed", project=tmp_path)
    with pytest.raises(DefinitionError, match="this machine has cpu"):
        yolofront.run("nas_head", device="97", project=tmp_path)
    assert not (tmp_path / "yolofront.db").exists()


@pytest.mark.parametrize("overrides", [{"recipe.lr": 0.01}, ["recipe.lr=0.01"]])
def test_fields_are_set_by_a_mapping_or_as_on_the_command_line(overrides: dict[str, float], tmp_path: Path) -> None:
    with pytest.raises(DefinitionError, match=r"recipe\.lr is unknown; did you mean lr0"):
        yolofront.run("nas_head", overrides=overrides, project=tmp_path)


def test_an_error_of_a_callback_is_told_and_the_others_are_called(found: Plausible, tmp_path: Path) -> None:
    heard: list[str] = []

    def fail(record: TrialRecord) -> None:
        raise ZeroDivisionError("by zero")

    listeners = (fail, lambda record: heard.append(record.name))
    request = RunRequest(load_study("nas_head"), RunFolder(tmp_path), "sqlite://", on_record=listeners)
    lines: list[str] = []
    tell_listeners(request, found.records[0], lines.append)
    assert heard == ["parent"]
    assert lines == ["warning: parent is stored, but a callback failed: ZeroDivisionError: by zero"]


def test_every_argument_of_a_run_is_one_of_the_command() -> None:
    options = set(parser_of(search.run.main).format_help().replace("[", " ").split())
    own = {"overrides": "--override", "timeout_s": "--timeout", "callbacks": "--study", "confirm": "--no-confirm"}
    for name in inspect.signature(yolofront.run).parameters:
        assert own.get(name, f"--{name.replace('_', '-')}") in options


def test_names_are_offered_without_an_import_and_told_to_type_checkers() -> None:
    code = "import sys, yolofront; print(dir(yolofront)); print(*sys.modules, file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    assert {"torch", "pydantic", "yolofront.studies"}.isdisjoint(done.stderr.split())
    told = ast.parse((ROOT / "yolofront/__init__.pyi").read_text()).body
    names = {
        each.asname or each.name: (node.module, each.name)
        for node in told
        if isinstance(node, ast.ImportFrom)
        for each in node.names
    }
    for name, (module, own_name) in names.items():
        assert repr(name) in done.stdout
        assert getattr(yolofront, name).__module__ == module
        assert getattr(yolofront, name).__name__ == own_name
    with pytest.raises(AttributeError, match="no attribute 'runs'"):
        yolofront.runs  # type: ignore[attr-defined]  # noqa: B018
