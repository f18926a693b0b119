"""Export: a real study of one network, taken away as files that others can use."""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch

from objectives.base import Direction, Measurement
from objectives.data.dataset import Dataset, open_dataset
from objectives.data.loader import real_images
from objectives.export.onnx_file import export_onnx, read_metadata
from objectives.export.onnx_reading import read_onnx
from objectives.metrics.cost import Cost, count_parameters
from objectives.runtimes.ort import open_session
from objectives.runtimes.parity import check_parity
from search.cli.command import Exit, run_command
from search.export import main
from search.record.folders import RunFolder
from search.record.trial import Outcome, TrialRecord
from search.store.sql import open_store
from search.study.definition import load_study
from spaces.allocation.uniform import uniform
from spaces.base import Candidate, CandidateError
from spaces.networks.checkpoint import CheckpointStore, load
from spaces.networks.deployed import deployed
from spaces.networks.parent import Parent
from tests.search.plausible import plausible_evaluation
from tests.spaces.trained_look import make_look_trained

# isort: split
from ultralytics.nn.tasks import torch_safe_load

pytestmark = pytest.mark.slow


@dataclass(frozen=True)
class Run:
    """A run folder with one finished trial and one that was ruled out."""

    root: Path
    candidate: Candidate
    data: Dataset

    def export(self, *arguments: str) -> int:
        common = ["--study", "nas_head", "--project", str(self.root), "--data", str(self.data.yaml)]
        return run_command(main, [*common, *arguments])


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = RunFolder(tmp_path_factory.mktemp("runs"))
    torch.set_num_threads(1)
    definition = load_study("nas_head")
    data = open_dataset("digits", folder.data, scenes={"train": 4, "val": 12, "test": 4})
    parent = Parent.load("yolov8n.yaml", classes=data.classes, imgsz=96, seed=0)
    candidate = parent.build(uniform(parent, 0.25))
    make_look_trained(candidate.network, seed=0)
    checkpoints = CheckpointStore(folder.checkpoints)
    store = open_store(folder.default_storage)
    try:
        study = store.add_study("nas_head", definition.as_plain(), _objectives(definition.objectives))
        store.freeze(study, {"reference_point": [0.0, 10.0]})
        store.add(study, _record(0, candidate, checkpoints.put(candidate)), None)
        store.add(study, _record(None, parent.candidate(), checkpoints.put(parent.candidate())), None)
    finally:
        store.close()
    return Run(folder.root, candidate, data)


def _objectives(objectives: Mapping[str, str]) -> list[tuple[str, Direction]]:
    return [(name, Direction(value)) for name, value in objectives.items()]


def _record(number: int | None, candidate: Candidate, checkpoint: str) -> TrialRecord:
    name = "parent" if number is None else f"trial {number}"
    return TrialRecord(
        number=number,
        name=name,
        outcome=Outcome.COMPLETE,
        reason="",
        params={},
        spec=candidate.spec,
        origin=candidate.origin,
        identity=name,
        recipe={},
        seed=0,
        measurements=(*Cost(count_parameters(candidate)).measure(candidate), Measurement("latency_ms", 2.0, "ms")),
        evaluations=(plausible_evaluation("val", 0.4),),
        checkpoint=checkpoint,
    )


@pytest.fixture(scope="module")
def exported(run: Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("out") / "taken"
    assert run.export("--trial", "0", "--out", str(out)) == Exit.DONE
    return out


def test_an_export_holds_model_figures_and_weights_and_nothing_else(exported: Path) -> None:
    files = sorted(path.name for path in exported.iterdir())
    assert files == ["README.md", "architecture.json", "trial-0.json", "trial-0.onnx", "weights.safetensors"]


def test_ultralytics_own_facts_stay_as_it_wrote_them(exported: Path) -> None:
    facts = read_metadata(exported / "trial-0.onnx")
    assert facts["imgsz"] == "[96, 96]"
    assert facts["stride"] == "32"


def test_ultralytics_validates_the_onnx_file(run: Run, exported: Path, tmp_path: Path) -> None:
    from ultralytics import YOLO

    network = YOLO(str(exported / "trial-0.onnx"), task="detect")
    arguments = {"plots": False, "project": str(tmp_path), "verbose": False, "workers": 0}
    assert network.val(data=str(run.data.yaml), **arguments).box.map >= 0


def test_a_study_on_an_int8_target_delivers_the_int8_file_and_its_accuracy(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = RunFolder(run.root)
    definition = load_study("nas_head", ["target=ort-cpu-int8"], name="int8")
    store = open_store(folder.default_storage)
    study = store.add_study("int8", definition.as_plain(), _objectives(definition.objectives))
    store.freeze(study, {"reference_point": [0.0, 10.0]})
    store.add(study, _record(0, run.candidate, CheckpointStore(folder.checkpoints).put(run.candidate)), None)
    store.close()
    common = ["--study", "int8", "--project", str(run.root), "--data", str(run.data.yaml), "--trial", "0"]
    assert run_command(main, [*common, "--out", str(tmp_path / "out")]) == Exit.DONE
    kinds = {node.op_type for node in read_onnx(tmp_path / "out/trial-0.onnx").graph.node}
    assert "QuantizeLinear" in kinds
    assert "converted to int8, as it was timed: val mAP50-95 0." in capsys.readouterr().out
    facts = json.loads((tmp_path / "out/trial-0.json").read_text(encoding="utf-8"))
    assert 0 <= facts["figures"]["accuracy_int8"]["val"]["map50_95"] <= 1


def test_the_onnx_file_detects_as_the_network_does(run: Run, exported: Path) -> None:
    image = real_images(run.data, 96, 1)[0]
    found = open_session(exported / "trial-0.onnx").run(None, {"images": image[None]})[0]
    stored = load(exported)  # half precision, as the ONNX file was made from
    with torch.inference_mode():
        expected = deployed(stored)(torch.from_numpy(image[None]))[0].numpy()
    np.testing.assert_allclose(found, expected, atol=1e-2, rtol=1e-4)  # px and scores


def test_the_metadata_names_classes_architecture_and_figures(run: Run, exported: Path) -> None:
    facts = read_metadata(exported / "trial-0.onnx")
    assert json.loads(facts["classes"]) == list(run.data.classes)
    assert json.loads(facts["architecture"])["spec"] == run.candidate.spec.key
    figures = json.loads(facts["figures"])
    assert figures["accuracy"]["val"]["map50_95"] == 0.4
    assert 0 < figures["latency_ms_now"]["low"] <= figures["latency_ms_now"]["value"]
    beside = json.loads((exported / "trial-0.json").read_text())
    assert beside["figures"] == figures
    assert beside["parity"]["images"] == 8


def test_nothing_of_this_machine_is_named_in_what_is_given_away(run: Run, exported: Path) -> None:
    for file in exported.iterdir():
        content = file.read_bytes()
        assert str(run.root).encode() not in content
        assert str(exported).encode() not in content


def test_a_second_export_replaces_the_first_and_says_little(
    run: Run, exported: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = sorted(path.name for path in exported.iterdir())
    assert run.export("--knee", "--out", str(exported), "--images", "2") == Exit.DONE
    out, err = capsys.readouterr()
    assert err == ""
    assert len(out.splitlines()) < 10
    assert "onnx agrees with torch: on 2 images" in out
    assert sorted(path.name for path in exported.iterdir()) >= before


def test_other_formats_are_written_by_ultralytics(run: Run, tmp_path: Path) -> None:
    assert run.export("--name", "parent", "--format", "torchscript", "--out", str(tmp_path)) == Exit.DONE
    module = torch.jit.load(str(tmp_path / "parent.torchscript"))  # type: ignore[no-untyped-call]  # torch has no types
    assert module(torch.zeros(1, 3, 96, 96)).shape[1] == 4 + 10


def test_a_pt_is_read_back_by_ultralytics_and_holds_figures_classes_and_image_size(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run.export("--trial", "0", "--format", "pt", "--out", str(tmp_path)) == Exit.DONE
    files = sorted(path.name for path in tmp_path.iterdir())
    assert files == ["README.md", "architecture.json", "trial-0.json", "trial-0.pt", "weights.safetensors"]
    assert f"pt reads back in stock Ultralytics: {_parameters(run.candidate):,} parameters" in capsys.readouterr().out
    content = torch_safe_load(str(tmp_path / "trial-0.pt"), safe_only=True)[0]
    assert content["facts"] == json.loads((tmp_path / "trial-0.json").read_text())
    assert content["facts"]["figures"]["accuracy"]["val"]["map50_95"] == 0.4
    assert tuple(content["model"].names.values()) == run.data.classes
    assert content["train_args"]["imgsz"] == 96
    for path in (run.root, tmp_path):
        assert str(path).encode() not in (tmp_path / "trial-0.pt").read_bytes()


def _parameters(candidate: Candidate) -> int:
    return sum(parameter.numel() for parameter in candidate.network.parameters())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--trial", "7"], "--trial is 7; with weights are 0"),
        (["--name", "parnt"], "did you mean parent?"),
        (["--trial", "0", "--format", "onx"], "--format is 'onx'; did you mean onnx?"),
        (["--trial", "0", "--format", "ncnn"], "needs the package 'ncnn', which is not installed: pip install ncnn"),
        (["--trial", "0", "--images", "0"], "--images is 0; it must be at least 1"),
    ],
)
def test_what_cannot_be_exported_ends_with_2_and_what_there_is(
    run: Run, arguments: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if "ncnn" in arguments and _installed("ncnn"):
        pytest.skip("ncnn is installed here")
    out = tmp_path / "out"
    assert run.export(*arguments, "--out", str(out)) == Exit.USAGE
    assert message in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def _installed(package: str) -> bool:
    import importlib.util

    return importlib.util.find_spec(package) is not None


def test_a_network_that_differs_from_its_onnx_file_is_noticed(run: Run, tmp_path: Path) -> None:
    path = export_onnx(run.candidate, tmp_path / "model.onnx")
    images = real_images(run.data, 96, 1)
    assert check_parity(run.candidate, path, images).holds
    other = copy.deepcopy(run.candidate)
    other.network.model[0].conv.weight.data *= 1.01  # type: ignore[index, union-attr]
    with pytest.raises(CandidateError, match="disagrees with the network: on 1 images scores differ by at most"):
        check_parity(other, path, images)


def test_end_to_end_outputs_are_compared_as_sets(tmp_path: Path) -> None:
    network = Parent.load("yolov10n.yaml", classes=3, imgsz=96, seed=0).candidate()
    make_look_trained(network.network, seed=0)
    network.network.end2end = True  # type: ignore[assignment]
    path = export_onnx(network, tmp_path / "model.onnx")
    image = np.random.default_rng(0).random((3, 96, 96), dtype=np.float32)
    assert check_parity(network, path, [image]).holds
    network.network.model[0].conv.weight.data *= 1.01  # type: ignore[index, union-attr]
    with pytest.raises(CandidateError, match="disagrees"):
        check_parity(network, path, [image])
