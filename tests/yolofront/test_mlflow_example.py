"""The example for MLflow, against a real file store: what a study stored can be read back from it."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

from tests.search.plausible import plausible_study
from tests.tree import ROOT

EXAMPLE = ROOT / "examples" / "to_mlflow.py"


@pytest.mark.filterwarnings("ignore")  # MLflow's own, about its file store and about older Pythons
def test_every_network_is_a_run_with_its_figures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    mlflow = pytest.importorskip("mlflow", reason="mlflow-skinny is not installed: make install")
    mlflow.set_tracking_uri((tmp_path / "mlruns").as_uri())
    mlflow.set_experiment("yolofront")
    records = plausible_study(trials=3).records
    on_record = runpy.run_path(str(EXAMPLE))["on_record"]
    for record in records:
        on_record(record)
    runs = {run.info.run_name: run.data for run in mlflow.search_runs(output_format="list")}
    assert set(runs) == {record.name for record in records}
    for record in records:
        data = runs[record.name]
        assert data.params == {name: str(value) for name, value in record.params.items()}
        assert data.metrics.get("latency_ms") == record.value("latency_ms")
        assert data.metrics.get("val.map50_95") == record.value("map50_95")
        assert data.metrics.get("map50_95") == (record.rungs[-1].map50_95 if record.rungs else None)


def test_it_is_as_short_as_promised() -> None:
    assert len(EXAMPLE.read_text().splitlines()) <= 32
