"""All runtimes: each fulfils the contract, and has tests of its own."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import pytest

from objectives.data.calibration import Calibration
from objectives.data.dataset import Dataset
from objectives.runtimes.base import Runtime
from objectives.runtimes.catalogue import RUNTIMES, runtimes_reading, target_here
from objectives.runtimes.openvino import OpenVino
from objectives.runtimes.ort import OnnxRuntime
from objectives.runtimes.torch_native import TorchCompiled, TorchEager
from objectives.timing.meter import LatencyMeter
from spaces.base import Candidate
from tests.objectives.runtimes.runtime_contract import (
    SMALL,
    Int8Contract,
    RuntimeContract,
    ThreadContract,
    block,
)


class TestOnnxRuntime(Int8Contract):
    """onnxruntime on the CPU."""

    install = "pip install onnxruntime"

    def runtime(self) -> Runtime:
        return OnnxRuntime()

    @pytest.mark.skipif(sys.platform == "darwin", reason="macOS has no CUDA, but may have other providers")
    @pytest.mark.parametrize("provider", ["cuda", "tensorrt"])
    def test_without_the_provider_of_gpus_the_message_names_the_package(self, provider: str) -> None:
        import onnxruntime

        if "CUDAExecutionProvider" in onnxruntime.get_available_providers():
            pytest.skip("this onnxruntime has CUDA")
        assert "pip install onnxruntime-gpu" in str(OnnxRuntime().unavailable(provider))


class TestOpenVino(Int8Contract):
    """OpenVINO on the CPU."""

    install = "pip install openvino"

    def runtime(self) -> Runtime:
        return OpenVino()

    def test_int8_convolutions_run_in_int8(self, tmp_path: Path, digits: Dataset) -> None:
        import openvino

        core = openvino.Core()
        exported = OpenVino().export(block(SMALL), tmp_path, self.int8(), Calibration(digits, images=2))
        operations = core.compile_model(exported, "CPU").get_runtime_model().get_ops()
        facts = [{name: entry.astype(str) for name, entry in each.get_rt_info().items()} for each in operations]
        in_int8 = [fact["runtimePrecision"] in ("u8", "i8") for fact in facts if fact["layerType"] == "Convolution"]
        # all but the head's sum over distance bins, and the engine's version of the last convolution
        assert sum(in_int8) >= len(in_int8) - 2 > 0

    def test_a_precision_that_the_processor_lacks_is_refused_and_the_others_run(self) -> None:
        import openvino

        has = openvino.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
        assert (OpenVino().unavailable("cpu", "fp16") is None) is ("FP16" in has)
        assert OpenVino().unavailable("cpu", "fp32") is None


class TestTorchEager(ThreadContract):
    """Torch, operation by operation."""

    install = "pip install torch"
    has_torch = True

    def runtime(self) -> Runtime:
        return TorchEager()


@pytest.mark.slow(file_s=65)
class TestTorchCompiled(RuntimeContract):
    """Torch, compiled ahead of time: one small network, because compiling takes long."""

    install = "pip install torch"

    def runtime(self) -> Runtime:
        return TorchCompiled()

    def network(self, imgsz: int) -> Candidate:
        return block(imgsz)

    def test_a_full_disk_is_not_the_candidates_fault(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        def full(*_: object, **__: object) -> None:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr("torch._inductor.aoti_compile_and_package", full)
        with pytest.raises(OSError, match="No space left"):
            self.runtime().export(block(SMALL), tmp_path, self.target())

    def test_without_a_compiler_the_message_says_how_to_install_one(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("CXX", "no-such-compiler")
        assert "there is none; apt-get install g++ python3-dev" in str(TorchCompiled().unavailable("cpu"))


@pytest.mark.slow
@pytest.mark.parametrize("runtime", ["openvino", "torch"])
def test_the_meter_times_each_runtime_in_a_separate_process(runtime: str, tmp_path: Path) -> None:
    if reason := RUNTIMES[runtime].unavailable("cpu"):
        pytest.skip(reason)
    with LatencyMeter(target_here(runtime, imgsz=SMALL), block(SMALL), scratch=tmp_path) as meter:
        latency, _, _ = meter.measure(block(SMALL), reference_ms=10.0)
    assert latency.ratio == pytest.approx(1.0, abs=0.1)  # as for onnxruntime in test_latency.py
    assert list(tmp_path.iterdir()) == []


def test_the_calibrations_key_depends_on_data_and_number_of_images(digits: Dataset) -> None:
    keys = {Calibration(digits).key, Calibration(digits, 4).key, Calibration(replace(digits, key="other")).key}
    assert len(keys) == 3
    assert [image.shape for image in Calibration(digits, 4).at(SMALL)] == [(3, SMALL, SMALL)] * 4


@pytest.mark.parametrize(
    ("runtime", "provider", "visible", "device"),
    [
        (OnnxRuntime(), "cpu", "1", "cpu"),
        (OnnxRuntime(), "tensorrt", "3", "gpu3"),
        (TorchEager(), "cuda", None, "gpu0"),
        (OpenVino(), "cpu", None, "cpu"),
        (OpenVino(), "gpu", "2", "gpu0"),  # Intel's
    ],
)
def test_each_provider_has_the_device_in_the_name_of_its_lock(
    runtime: Runtime, provider: str, visible: str | None, device: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if visible is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert runtime.device_name(provider) == device
    assert runtime.on_cpu(provider) is (device == "cpu")


def test_runtimes_declare_which_exported_files_they_load() -> None:
    assert runtimes_reading("onnx") == ("onnxruntime", "openvino")
    assert runtimes_reading("openvino") == ("openvino",)
    assert runtimes_reading("pt") == ()
