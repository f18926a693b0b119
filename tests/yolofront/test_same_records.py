"""The same study for real by the command line and in a notebook: the same networks, with the same weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import yolofront
from search.record.trial import TrialRecord
from tests.tree import ROOT
from yolofront.__main__ import main
from yolofront.result import Result

pytestmark = pytest.mark.slow(file_s=110)

NOTEBOOK = ROOT / "examples" / "first_study.ipynb"
NAMES = ["parent", "trial 0", "trial 1"]
WITHIN_S = 420
"""Longer than a cell takes on a slow machine."""


@pytest.fixture(scope="module")
def by_command(tmp_path_factory: pytest.TempPathFactory) -> Result:
    """The study of the notebook, by the command. A random sampler asks for no latency, which no two runs find alike."""
    folder = tmp_path_factory.mktemp("command")
    fields = ["-o", "controls=[]", "-o", "parent.recipe.epochs=1", "-o", "data.fraction=0.05", "sampler.name=random"]
    size = ["--model", "yolov5n.yaml", "--imgsz", "32", "--epochs", "1", "--n-trials", "2", "--seed", "3"]
    assert main(["run", "--study", "channel_ratio", *size, *fields, "--no-confirm", "--project", str(folder)]) == 0
    return yolofront.open("channel_ratio", project=folder)


@pytest.fixture(scope="module")
def cells(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Any]]:
    """The folder that the notebook ran in, and its cells with their outputs."""
    pytest.importorskip("ipykernel", reason="ipykernel is not installed: make install")
    nbclient = pytest.importorskip("nbclient", reason="nbclient is not installed: make install")
    nbformat = pytest.importorskip("nbformat")
    folder = tmp_path_factory.mktemp("notebook")
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    resources = {"metadata": {"path": str(folder)}}
    nbclient.NotebookClient(notebook, timeout=WITHIN_S, resources=resources).execute()
    return folder, notebook.cells


def test_the_notebook_stores_the_records_of_the_command_line(by_command: Result, cells: tuple[Path, list[Any]]) -> None:
    result = yolofront.open("channel_ratio", project=cells[0] / "runs")
    assert [record.name for record in result.records] == NAMES
    assert [facts(record) for record in result.records] == [facts(record) for record in by_command.records]
    assert (cells[0] / "runs" / "channel_ratio" / "report.html").exists()


def test_the_notebook_shows_progress_and_front(by_command: Result, cells: tuple[Path, list[Any]]) -> None:
    outputs = [output for cell in cells[1] for output in cell.get("outputs", ())]
    printed = "".join(output.text for output in outputs if output.output_type == "stream")
    stored = [line.removeprefix("stored: ") for line in printed.splitlines() if line.startswith("stored: ")]
    assert [line.rpartition(" ")[0] for line in stored] == NAMES
    assert "(2 of 2)" in printed and "the study is done" in printed
    assert {output.output_type for output in outputs} == {"stream", "execute_result"}, "progress is one text, no pieces"
    results = [output.data for output in outputs if output.output_type == "execute_result"]
    assert "Pareto front" in results[0]["text/html"] and results[0]["text/plain"].startswith("<study 'channel_ratio'")
    assert results[-1]["text/plain"].strip("'") in NAMES


def facts(record: TrialRecord) -> tuple[object, ...]:
    """Everything of a record that no clock has a part in."""
    counted = {m.name: m.value for m in record.measurements if m.target is None}
    return (record.name, record.params, record.spec, record.recipe, record.evaluations, record.checkpoint, counted)
