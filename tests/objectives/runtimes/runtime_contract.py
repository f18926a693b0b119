"""Promises of every runtime. A test of a runtime subclasses this and returns the runtime."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from objectives.data.calibration import Calibration
from objectives.data.dataset import Dataset
from objectives.data.loader import real_images
from objectives.device.target import Target, TargetError
from objectives.runtimes.base import Loaded, Runtime
from objectives.runtimes.catalogue import RUNTIMES
from objectives.runtimes.parity import BOX_TOLERANCE_PX, SCORE_TOLERANCE
from objectives.timing.plain_block import plain_block
from spaces.base import Candidate, CandidateError
from tests.objectives.networks import candidate, state_of, unchanged
from tests.spaces.trained_look import make_look_trained

ROOT = Path(__file__).parents[3]
SMALL, LARGE = 96, 384


@cache
def block(imgsz: int) -> Candidate:
    """Return a detector with few layers, which compiles in seconds instead of minutes."""
    small = plain_block(64, imgsz)
    make_look_trained(small.network, seed=0)
    return small


def expected(network: Candidate, images: np.ndarray) -> np.ndarray:
    import torch

    from spaces.networks.deployed import deployed

    with torch.inference_mode():
        return np.asarray(deployed(network)(torch.from_numpy(images))[0])


def differences(found: np.ndarray, right: np.ndarray) -> tuple[float, float]:
    """Return the greatest differences of scores, and of boxes in px."""
    change = np.abs(found - right)
    return float(change[:, 4:].max()), float(change[:, :4].max())


class RuntimeContract(ABC):
    """Promises of `Runtime`, as tests. A new runtime is tested by a subclass that returns it."""

    install = ""  # part of the message if the engine is missing
    has_torch = False  # in the timing process

    @abstractmethod
    def runtime(self) -> Runtime:
        """Return the runtime under test."""

    def network(self, imgsz: int) -> Candidate:
        return candidate(imgsz=imgsz)

    def target(self, threads: int = 1) -> Target:
        runtime = self.runtime()
        return Target(runtime.name, runtime.providers[0], "fp32", 96, 1, threads, device="a test's", engine="a test's")

    @pytest.fixture(autouse=True)
    def _subnormals_stay_on(self) -> Iterator[None]:
        """Restore subnormal numbers: engines turn them off in the thread that loads them (the timing process)."""
        import torch

        yield
        torch.set_flush_denormal(False)

    @pytest.fixture(autouse=True)
    def _needs_the_engine(self) -> None:
        if reason := self.runtime().unavailable(self.runtime().providers[0]):
            pytest.skip(reason)

    @pytest.fixture(scope="class")
    @classmethod
    def small(cls, tmp_path_factory: pytest.TempPathFactory) -> Path:
        """Return a file exported at 96 px for one thread."""
        return cls()._export(SMALL, 1, tmp_path_factory)

    def _export(self, imgsz: int, threads: int, factory: pytest.TempPathFactory) -> Path:
        network = self.network(imgsz)
        before = state_of(network.network)
        folder = factory.mktemp("exported")
        exported = self.runtime().export(network, folder, self.target(threads))
        assert unchanged(network.network, before), "exporting does not change the candidate"
        assert list(folder.iterdir()) == [exported], "exporting leaves one file"
        return exported

    def test_the_runtime_is_found_by_its_name(self) -> None:
        assert type(RUNTIMES[self.runtime().name]) is type(self.runtime())

    def test_the_message_about_an_unknown_provider_or_precision_names_the_known_ones(self) -> None:
        for reason in (self.runtime().unavailable("abacus"), self.runtime().unavailable("cpu", "abacus")):
            assert reason is not None
            assert "abacus" in reason
        assert self.runtime().providers[0] in str(self.runtime().unavailable("abacus"))
        assert self.runtime().precisions[0] in str(self.runtime().unavailable("cpu", "abacus"))

    def test_without_the_package_the_message_says_how_to_install_it(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
        assert str(self.runtime().unavailable("cpu")).endswith(f"is not installed; {self.install}")

    def test_the_version_begins_with_the_name(self) -> None:
        assert self.runtime().version().startswith(f"{self.runtime().name} ")

    def test_an_exported_file_loads_and_runs(self, small: Path) -> None:
        run = self.runtime().load(small, self.target())
        run()
        assert run() is None

    def test_predictions_between_timed_runs_agree_with_torch_on_a_real_picture(
        self, small: Path, digits: Dataset
    ) -> None:
        loaded = self.runtime().load(small, self.target())
        loaded()
        images = real_images(digits, SMALL, 1)[0][None]
        score, box_px = differences(loaded.predict(images), expected(self.network(SMALL), images))
        loaded()
        assert score <= SCORE_TOLERANCE
        assert box_px <= BOX_TOLERANCE_PX

    def test_a_file_that_is_no_model_is_the_candidates_fault(self, tmp_path: Path) -> None:
        torn = tmp_path / "model.onnx"
        torn.write_bytes(b"not a model")
        with pytest.raises(CandidateError, match="does not load the network"):
            self.runtime().load(torn, self.target())


class ThreadContract(RuntimeContract):
    """Promises of a runtime about image sizes and threads."""

    @pytest.fixture(scope="class")
    @classmethod
    def large(cls, tmp_path_factory: pytest.TempPathFactory) -> Path:
        """Return a file exported at 384 px for two threads."""
        return cls()._export(LARGE, 2, tmp_path_factory)

    def test_each_network_runs_on_images_of_its_own_size_and_larger_ones_take_longer(
        self, small: Path, large: Path
    ) -> None:
        of_small, of_large = (_median_s(self.runtime().load(file, self.target())) for file in (small, large))
        assert of_large > 1.5 * of_small  # 16 times the work, partly hidden by torch's constant cost for each operation

    @pytest.mark.slow
    def test_one_thread_is_the_callers_two_threads_share_the_work_and_none_spins(
        self, small: Path, large: Path
    ) -> None:
        command = [sys.executable, "-m", "tests.objectives.runtimes.thread_probe"]
        for model, threads in ((small, 1), (large, 2)):
            command += [str(model), json.dumps(self.target(threads).description())]
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
        assert done.returncode == 0, done.stderr
        answer = json.loads(done.stdout)
        one, two = answer["seen"]
        assert one["others_s"] < 0.005 * one["caller_s"]  # one-thread targets are timed by the caller's CPU time
        # half of the work if both cores are free; on a busy machine the caller does most of it
        assert two["others_s"] > 0.01 * two["caller_s"]
        assert max(one["idle"], two["idle"]) < 0.1  # of a core; a thread that spins takes all of one
        assert answer["heavy"] == (["torch"] if self.has_torch else [])


def _median_s(run: Loaded) -> float:
    """Return the CPU time of a run."""
    run()
    times = []
    for _ in range(5):
        started = time.process_time()
        run()
        times.append(time.process_time() - started)
    return sorted(times)[2]


class Int8Contract(ThreadContract):
    """Promises of runtimes that run int8."""

    def int8(self) -> Target:
        return replace(self.target(), precision="int8", calibration="a test's")

    def test_int8_nearly_agrees_with_torch(self, tmp_path: Path, digits: Dataset) -> None:
        exported = self.runtime().export(block(SMALL), tmp_path, self.int8(), Calibration(digits, images=4))
        loaded = self.runtime().load(exported, self.int8())
        loaded()
        images = real_images(digits, SMALL, 1)[0][None]
        score, box_px = differences(loaded.predict(images), expected(block(SMALL), images))
        assert score < 0.1  # error of 8 bits after five layers; mixed-up scores would differ by up to 1
        assert score > SCORE_TOLERANCE, "it computed in fp32"
        assert box_px < 5.0  # of 96

    def test_int8_without_images_to_calibrate_on_is_refused(self, tmp_path: Path) -> None:
        with pytest.raises(TargetError, match="calibrated on images; none were given"):
            self.runtime().export(block(SMALL), tmp_path, self.int8())
