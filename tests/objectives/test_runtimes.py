"""What every runtime promises, and onnxruntime's own."""

from __future__ import annotations

import sys
import time
from abc import ABC, abstractmethod
from pathlib import Path

import pytest

from objectives.runtimes.base import Runtime
from objectives.runtimes.catalogue import RUNTIMES
from objectives.runtimes.ort import OnnxRuntime
from objectives.target import Target
from spaces.base import CandidateError
from tests.objectives.networks import candidate, state_of, unchanged


class RuntimeContract(ABC):
    """What every runtime promises. A new runtime is tested by a subclass that returns it."""

    @abstractmethod
    def runtime(self) -> Runtime:
        """The runtime under test."""

    def target(self) -> Target:
        runtime = self.runtime()
        return Target(runtime.name, runtime.providers[0], "fp32", 96, 1, 1, device="a test's", engine="a test's")

    @pytest.fixture(autouse=True)
    def _needs_the_engine(self) -> None:
        if reason := self.runtime().unavailable(self.runtime().providers[0]):
            pytest.skip(reason)

    def test_it_is_found_by_its_name(self) -> None:
        assert type(RUNTIMES[self.runtime().name]) is type(self.runtime())

    def test_a_provider_that_it_does_not_have_is_named_with_those_it_has(self) -> None:
        reason = self.runtime().unavailable("abacus")
        assert reason is not None
        assert "abacus" in reason
        assert self.runtime().providers[0] in reason

    def test_its_version_begins_with_its_name(self) -> None:
        assert self.runtime().version().startswith(f"{self.runtime().name} ")

    def test_what_it_exports_it_loads_and_runs(self, tmp_path: Path) -> None:
        run = self.runtime().load(self.runtime().export(candidate(), tmp_path, self.target()), self.target())
        run()
        assert run() is None

    def test_each_network_runs_on_images_of_its_own_size_and_larger_ones_take_longer(self, tmp_path: Path) -> None:
        times = []
        for imgsz in (96, 256):
            folder = tmp_path / str(imgsz)
            folder.mkdir()
            exported = self.runtime().export(candidate(imgsz=imgsz), folder, self.target())
            run = self.runtime().load(exported, self.target())
            run()
            started = time.thread_time()
            run()
            times.append(time.thread_time() - started)
        assert times[1] > 2 * times[0]  # 7 times the work

    def test_exporting_does_not_change_the_candidate(self, tmp_path: Path) -> None:
        before = state_of(candidate().network)
        self.runtime().export(candidate(), tmp_path, self.target())
        assert unchanged(candidate().network, before)

    def test_a_file_that_is_no_model_is_the_candidates_fault(self, tmp_path: Path) -> None:
        torn = tmp_path / "model.onnx"
        torn.write_bytes(b"not a model")
        with pytest.raises(CandidateError, match="does not load the network"):
            self.runtime().load(torn, self.target())


class TestOnnxRuntime(RuntimeContract):
    """onnxruntime on the CPU."""

    def runtime(self) -> Runtime:
        return OnnxRuntime()

    def test_without_the_package_it_says_how_to_install_it(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
        assert OnnxRuntime().unavailable("cpu") == "onnxruntime is not installed; pip install onnxruntime"

    @pytest.mark.skipif(sys.platform == "darwin", reason="macOS has no CUDA, but may have other providers")
    def test_without_cuda_it_says_which_package_has_it(self) -> None:
        import onnxruntime

        if "CUDAExecutionProvider" in onnxruntime.get_available_providers():
            pytest.skip("this onnxruntime has CUDA")
        assert "pip install onnxruntime-gpu" in str(OnnxRuntime().unavailable("cuda"))
