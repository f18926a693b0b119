"""The same study for real by the command line and from Python: the same networks, with the same accuracy."""

from __future__ import annotations

from pathlib import Path

import pytest

import yolofront
from search.record.trial import TrialRecord
from yolofront.__main__ import main
from yolofront.result import Result

pytestmark = pytest.mark.slow

OVERRIDES = {"controls": [], "parent.recipe.epochs": 1, "data.fraction": 0.05, "sampler.name": "random"}
"""Nothing but the parent and a few trials. The random sampler asks for no latency, which no two runs measure alike."""


@pytest.fixture(scope="module")
def by_command(tmp_path_factory: pytest.TempPathFactory) -> Result:
    folder = tmp_path_factory.mktemp("command")
    fields = [word for name, value in OVERRIDES.items() for word in ("-o", f"{name}={value}")]
    size = ["--model", "yolov5n.yaml", "--imgsz", "32", "--epochs", "1", "--n-trials", "2", "--seed", "3"]
    assert main(["run", "--study", "channel_ratio", *size, *fields, "--no-confirm", "--project", str(folder)]) == 0
    return yolofront.open("channel_ratio", project=folder)


def test_python_stores_the_records_of_the_command_line(by_command: Result, tmp_path: Path) -> None:
    heard: list[TrialRecord] = []
    result = yolofront.run(
        "channel_ratio",
        model="yolov5n.yaml",
        imgsz=32,
        epochs=1,
        n_trials=2,
        seed=3,
        overrides=OVERRIDES,
        confirm=False,
        callbacks=[heard.append],
        project=tmp_path,
        quiet=True,
    )
    assert [record.name for record in heard] == [record.name for record in result.records]
    assert [facts(record) for record in result.records] == [facts(record) for record in by_command.records]
    assert [record.name for record in result.records] == ["parent", "trial 0", "trial 1"]
    assert (tmp_path / "channel_ratio" / "report.html").exists()


def facts(record: TrialRecord) -> tuple[object, ...]:
    """Everything of a record that no clock has a part in."""
    counted = {m.name: m.value for m in record.measurements if m.target is None}
    return (record.name, record.params, record.spec, record.recipe, record.evaluations, record.checkpoint, counted)
