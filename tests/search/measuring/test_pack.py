"""What another machine measures: packed, measured by the program alone, killed, resumed, brought home."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from objectives.remote.plan import PLAN, PROGRAM, RESULTS, Plan, read_plan
from search.bench import main
from search.cli.command import Exit, run_command
from search.measuring.pack import unused_file
from search.store.base import Store
from search.store.sql import open_store

pytestmark = pytest.mark.slow(file_s=130)

LITTLE = ("--seconds", "0")  # three loadings of each network: the least that has an interval


@pytest.fixture(scope="module")
def packed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A pack of three shapes of 96 px."""
    root = tmp_path_factory.mktemp("bench")
    what = ("--study", "nas_head", "--imgsz", "96", "--networks", "3", "--project", str(root / "runs"))
    assert run_command(main, ["--pack", str(root / "pack"), *what]) == Exit.DONE
    return root / "pack"


@pytest.fixture(scope="module")
def measured(packed: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with results."""
    folder = Path(shutil.copytree(packed, tmp_path_factory.mktemp("measured") / "device"))
    assert measure(folder)[0] == 0
    return folder


@pytest.fixture
def device(packed: Path, tmp_path: Path) -> Path:
    """The folder as it was copied to the other machine."""
    return Path(shutil.copytree(packed, tmp_path / "device"))


def begin(device: Path, *options: str) -> subprocess.Popen[str]:
    """The program in an interpreter that sees neither this project's folder nor the environment."""
    command = [sys.executable, "-I", str(device / PROGRAM), *LITTLE, *options]
    return subprocess.Popen(command, cwd=device.parent, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def measure(device: Path, *options: str) -> tuple[int, str, str]:
    with begin(device, *options) as process:
        out, errors = process.communicate(timeout=120)
    return process.returncode, out, errors


def unpack(folder: Path, url: str) -> int:
    return run_command(main, ["--unpack", str(folder), "--name", "jetson", "--storage", url])


def stored(url: str, plan: Plan) -> tuple[Store, str]:
    store = open_store(url)
    (target,) = store.targets()
    assert target.description["remote"] == "jetson"
    assert target.description["reference"] == plan.compared_with
    return store, target.key


def test_what_is_measured_elsewhere_comes_home_once(
    device: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, errors = measure(device)
    assert (code, errors) == (0, "")
    assert "3 of 3" in out
    url, plan = f"sqlite:///{tmp_path / 'store.db'}", read_plan(device)
    assert unpack(device, url) == Exit.DONE
    assert "3 of 3 measurements are new" in capsys.readouterr().out
    store, key = stored(url, plan)
    before = store.latencies(key, blocks=True)
    assert [entry.shape for entry in before] == [network.shape for network in plan.networks]
    seen = json.loads((device / RESULTS).read_text())["networks"]
    assert [entry.blocks for entry in before] == list(seen.values())
    entry = before[0]
    assert entry.shape is not None and not entry.measurement.predicted
    assert entry.shape_key == entry.shape.key  # at the target's own image size
    frozen = store.target(key)
    assert frozen is not None and entry.measurement.ratio is not None
    assert entry.measurement.value == pytest.approx(entry.measurement.ratio * frozen.reference_ms)
    assert unpack(device, url) == Exit.DONE
    assert "0 of 3 measurements are new" in capsys.readouterr().out
    assert store.latencies(key, blocks=True) == before
    store.close()


def test_a_program_that_is_killed_goes_on_where_it_was(device: Path) -> None:
    with begin(device) as process:
        assert process.stdout is not None
        while "1 of 3" not in process.stdout.readline():
            pass
        process.kill()
    first = json.loads((device / RESULTS).read_text())
    assert len(first["networks"]) < 3
    code, _, errors = measure(device)
    assert (code, errors) == (0, "")
    then = json.loads((device / RESULTS).read_text())
    assert list(then["networks"]) == ["shape 1", "shape 2", "shape 3"]
    assert then["networks"]["shape 1"] == first["networks"]["shape 1"]
    assert then["reference"] == first["reference"]
    assert then["begun"] == {}


def test_what_kills_the_program_time_and_again_is_left_out(device: Path) -> None:
    code, _, _ = measure(device)
    results = json.loads((device / RESULTS).read_text())
    del results["networks"]["shape 2"]
    (device / RESULTS).write_text(json.dumps({**results, "begun": {"shape 2": 3}}))
    code, out, _ = measure(device)
    assert code == 1
    assert "shape 2 could not be timed: the process died 3 times" in out


@pytest.mark.parametrize("name", ["shape-2.onnx", "reference.onnx"])
def test_a_damaged_file_is_refused(device: Path, name: str) -> None:
    content = (device / name).read_bytes()
    (device / name).write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    code, _, errors = measure(device)
    assert code == 2
    assert errors.splitlines() == [f"error: '{device / name}' is damaged; copy it again"]


def test_results_of_another_plan_are_refused(device: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    other = {"format": 1, "plan": "0" * 32, "target": {}, "reference": None, "networks": {}, "failed": {}, "begun": {}}
    (device / RESULTS).write_text(json.dumps(other))
    code, _, errors = measure(device)
    assert code == 2 and "of another plan" in errors
    assert unpack(device, f"sqlite:///{tmp_path / 'store.db'}") == Exit.USAGE
    assert "of another plan" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (
            lambda plain: plain["networks"]["shape 1"]["loadings"][0][1][0][1].__setitem__(0, -1.0),
            "a time of -1 s; 1e-07",
        ),
        (lambda plain: plain["networks"]["shape 1"]["loadings"][0][1][0][1].__setitem__(0, 4e3), "1e-07 to 3600 s"),
        (lambda plain: plain["networks"]["shape 1"]["loadings"][0][1][0][1].__setitem__(0, True), "a time of 1 s"),
        (lambda plain: plain["reference"]["loadings"][0][0][0][0].__setitem__(0, float("nan")), "a time of nan s"),
        (lambda plain: plain["networks"]["shape 1"]["loadings"][0][1].append([[0.1] * 1001] * 2), "without times of"),
        (lambda plain: plain["networks"]["shape 1"].__setitem__("loadings", []), "shape 1 has 0 loadings"),
        (lambda plain: plain["networks"]["shape 1"]["loadings"].extend([[[], []]] * 100), "loadings; 1 to 100"),
        (
            lambda plain: plain["networks"]["shape 1"].__setitem__("cpu_seconds", float("inf")),
            "a duration that is none",
        ),
        (lambda plain: plain["networks"]["shape 1"]["circumstances"].__setitem__("mhz", float("nan")), "no numbers"),
        (lambda plain: plain["target"].__setitem__("engine", "x" * 501), "'engine' is no text of at most 500"),
        (lambda plain: plain["begun"].__setitem__("shape 1", "often"), "no number of tries"),
        (lambda plain: plain["target"].__setitem__("imgsz", 128), "is not the plan's"),
        (lambda plain: plain["networks"].__setitem__("shape 9", plain["networks"]["shape 1"]), "not in the plan"),
    ],
)
def test_figures_that_cannot_be_are_refused_before_anything_is_stored(
    measured: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], damage: Callable[[Any], None], said: str
) -> None:
    folder, url = Path(shutil.copytree(measured, tmp_path / "device")), f"sqlite:///{tmp_path / 'store.db'}"
    plain = json.loads((folder / RESULTS).read_text())
    damage(plain)
    (folder / RESULTS).write_text(json.dumps(plain))
    assert unpack(folder, url) == Exit.USAGE
    assert said in capsys.readouterr().err
    store = open_store(url)
    assert store.targets() == ()
    store.close()


def test_a_record_may_be_called_reference(tmp_path: Path) -> None:
    for name in ("reference.onnx", "trial-3.onnx"):
        (tmp_path / name).touch()
    assert unused_file(tmp_path, "reference").name == "reference-again.onnx"
    assert unused_file(tmp_path, "trial-4").name == "trial-4.onnx"


def test_a_plan_that_was_changed_is_refused(device: Path) -> None:
    plan = json.loads((device / PLAN).read_text())
    (device / PLAN).write_text(json.dumps({**plan, "threads": 2}))
    code, _, errors = measure(device)
    assert code == 2 and "was changed since it was written" in errors


def test_a_folder_that_holds_something_is_left_alone(packed: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(main, ["--pack", str(packed), "--study", "nas_head"]) == Exit.USAGE
    assert "give a new or empty folder" in capsys.readouterr().err


def test_a_folder_in_which_nothing_was_measured_has_nothing_to_bring_home(
    packed: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert unpack(packed, f"sqlite:///{tmp_path / 'store.db'}") == Exit.USAGE
    assert "the results are not there" in capsys.readouterr().err


def test_the_networks_are_told_apart_by_their_shapes(packed: Path) -> None:
    shapes = {network.shape for network in read_plan(packed).networks}
    assert len(shapes) == 3
    assert {shape.imgsz for shape in shapes} == {96}
