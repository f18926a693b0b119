"""A command is a command line around library calls: whatever it does, Python can do with plain arguments."""

from __future__ import annotations

import io
import json
import re
import threading
import urllib.request
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from objectives.runtimes.catalogue import target_here
from objectives.timing import width_steps
from search.cli.checkup import Verdict, check_all, check_targets, print_checks
from search.cli.stored_study import existing_store, find_study
from search.findings.comparison import record_differences
from search.findings.selection import select_network
from search.finish.finalists import is_confirmed, select_finalists
from search.finish.network_export import ExportRequest, export_network
from search.finish.polishing import polish, select_for_polishing
from search.finish.run_request import RunRequest
from search.finish.study_run import run_study
from search.measuring.best_multiple import find_best_multiple
from search.measuring.network import BenchRequest, measure_network
from search.measuring.pack import PackRequest, pack
from search.measuring.unpack import unpack
from search.pages.compared_records import select_compared
from search.pages.comparison import write_comparison
from search.pages.dashboard_server import serve
from search.pages.study_report import print_study_results, write_report
from search.record.folders import RunFolder
from search.sampler.optuna_study import create_optuna_tables
from search.store.base import Store, StudyEntry
from search.store.sql import open_store
from search.study.definition import load_study
from search.study.faults import DefinitionError
from spaces.networks.checkpoint import CheckpointError
from tests.search.plausible import Plausible, plausible_study, store_study
from tests.search.sampler.told import tell_sampler
from tests.tree import imports, named, sources


@pytest.fixture(scope="module")
def found() -> Plausible:
    return plausible_study(trials=14)


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory, found: Plausible) -> str:
    url = f"sqlite:///{tmp_path_factory.mktemp('database') / 'study.db'}"
    store = open_store(url)
    tell_sampler(url, store_study(store, found), found)
    store.close()
    return url


@pytest.fixture(scope="module")
def store(url: str) -> Iterator[Store]:
    with existing_store(url) as store:
        yield store


@pytest.fixture(scope="module")
def study(store: Store) -> StudyEntry:
    return find_study(store, "nas_head")


def test_only_commands_and_what_they_share_know_a_command_line() -> None:
    inner = [path for path in sources("search") if named(path).count("/") > 1 and "search/cli/" not in named(path)]
    assert len(inner) > 100
    assert [each.where for path in inner for each in imports(path) if each.package == "argparse"] == []
    assert [named(path) for path in inner if re.search(r"\bNamespace\b", path.read_text())] == []


def test_a_report_is_written_and_printed(store: Store, study: StudyEntry, tmp_path: Path) -> None:
    names = ["report.html", "pareto.png", "leaderboard.md", "leaderboard.csv"]
    assert [path.name for path in write_report(store, study, tmp_path)] == names
    printed = io.StringIO()
    print_study_results(store, study, split="test", to=printed)
    assert "nas_head (test)" in printed.getvalue()


def test_records_are_selected_and_compared(store: Store, tmp_path: Path) -> None:
    compared = select_compared(store, study="nas_head", names=["parent", "round-2"])
    assert [record.name for record in compared.records] == ["parent", "round-2"]
    one, other = compared.records
    files = write_comparison(tmp_path, compared.records, record_differences(one, other, compared.classes))
    assert files[0].name == "comparison.html" and "round-2" in files[0].read_text()


@pytest.mark.parametrize("name", ["trial 7", "trial-7", "trial7", "Trial_7", "7", "nas_head/trial-7"])
def test_a_trial_is_found_as_people_write_it(store: Store, study: StudyEntry, name: str) -> None:
    compared = select_compared(store, study="nas_head", names=["parent", name])
    assert [record.name for record in compared.records] == ["parent", "trial 7"]
    if "/" not in name:
        assert select_network(store, study, name=name).name == "trial 7"
        assert [record.name for record in select_finalists(store, study, f"{name},parent")] == ["trial 7", "parent"]


def test_the_words_of_a_name_that_was_not_quoted_belong_together(store: Store) -> None:
    compared = select_compared(store, study="nas_head", names=["trial", "7", "parent"])
    assert [record.name for record in compared.records] == ["trial 7", "parent"]
    with pytest.raises(DefinitionError, match="RUN is 99; with weights are 0-"):
        select_compared(store, study="nas_head", names=["trial-99"])


def test_networks_are_selected_by_what_a_user_knows_of_them(store: Store, study: StudyEntry) -> None:
    assert select_network(store, study, number=0).name == "trial 0"
    assert select_network(store, study, name="parent").name == "parent"
    fast = select_network(store, study, under_ms=8.0).value("latency_ms")
    assert fast is not None and fast <= 8.0
    assert select_network(store, study).name in store.fronts(study)[-1].members
    chosen = {record.name for record in select_finalists(store, study)}
    assert chosen >= {*store.fronts(study)[-1].members, "parent"}
    assert not is_confirmed(store, study)
    assert all(not record.is_reference for record in select_for_polishing(store, study))


def test_exporting_and_polishing_name_what_is_missing(store: Store, study: StudyEntry, tmp_path: Path) -> None:
    """The weights of a plausible study exist in its records only; both calls reach the run folder."""
    folder, record = RunFolder(tmp_path), select_network(store, study)
    study = replace(study, definition=load_study("nas_head").as_plain())
    with pytest.raises(CheckpointError):
        list(export_network(ExportRequest(study, record, tmp_path / "out"), store, folder))
    with pytest.raises(DefinitionError, match="--format is 'onx'; did you mean onnx"):
        list(export_network(ExportRequest(study, record, tmp_path / "out", "onx"), store, folder))
    if not torch.cuda.is_available():
        with pytest.raises(DefinitionError, match="'engine'; TensorRT needs an NVIDIA GPU, and this machine has none"):
            list(export_network(ExportRequest(study, record, tmp_path / "out", "engine"), store, folder))
    with pytest.raises(DefinitionError, match="--epochs is 0"):
        polish(store, study, folder, [record], epochs=0)


def test_a_study_is_run_by_a_request(tmp_path: Path) -> None:
    """Refused before any process starts; `test_run` continues a real study by such a request."""
    runs, definition = RunFolder(tmp_path), load_study("nas_head", model=tmp_path / "lost.pt")
    with pytest.raises(DefinitionError, match=r"--model \(parent.weights\) is '.*lost.pt': it does not exist"):
        run_study(RunRequest(definition, runs, runs.default_storage))
    assert list(tmp_path.iterdir()) == []


def test_the_dashboard_is_served(store: Store, url: str, tmp_path: Path) -> None:
    with serve(store, create_optuna_tables(store, url), tmp_path, port=0) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        with urllib.request.urlopen(f"http://127.0.0.1:{server.server_port}/api/studies/1", timeout=60) as answer:
            assert json.load(answer)["name"] == "nas_head"
        server.shutdown()


def test_the_machine_is_checked(url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    groups = dict(check_all(RunFolder(tmp_path), url, "nas_head"))
    assert next(check for check in groups["storage"] if check.name == "database").value.endswith("1 study stored")
    assert any(check.verdict is Verdict.GOOD for _, checks in check_targets() for check in checks)
    print_checks(list(groups.items()))
    assert "ok machine: python: " in capsys.readouterr().out


@pytest.mark.slow
def test_a_network_is_measured_and_its_figures_are_values(tmp_path: Path) -> None:
    spec = tmp_path / "spec.json"
    spec.write_text(json.dumps({"model": "yolov8n.yaml", "classes": 3, "imgsz": 64, "kept": {"model.1": 16}}))
    figures = measure_network(BenchRequest(spec))
    ratio = figures.latency.measurement.ratio
    assert ratio is not None and 0 < ratio < 2  # a little less than the reference, which it was cut from
    assert figures.as_plain()["latency"]["ratio"] == ratio
    assert next(figures.lines()).startswith("ratio      ")


@pytest.mark.slow
def test_shapes_are_packed_and_an_empty_result_is_refused(store: Store, tmp_path: Path) -> None:
    request = PackRequest(
        tmp_path / "pack", "nas_head", RunFolder(tmp_path), f"sqlite:///{tmp_path / 'none.db'}", networks=1, imgsz=64
    )
    assert [network.name for network in pack(request).networks] == ["shape 1"]
    with pytest.raises(DefinitionError, match="give a new or empty folder"):
        pack(request)
    with pytest.raises(DefinitionError, match="--name is 'a b'"):
        list(unpack(store, tmp_path / "pack", name="a b"))


@pytest.mark.slow
def test_widths_are_timed_until_the_time_is_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(width_steps, "COARSE", (64, 72, 80))
    monkeypatch.setattr(width_steps, "TWICE", (64,))
    said: list[str] = []
    found = find_best_multiple(target_here(imgsz=64), within_s=0.0, progress=said.append)
    assert list(found.curve) == [64, 72, 80] and len(found.timings) == 4
    assert said[0] == "64 channels, measurement 1" and said[-1] == ""
