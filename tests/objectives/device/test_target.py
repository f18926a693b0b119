"""Target of a latency: its key, its description and its limits."""

from __future__ import annotations

import platform
import socket
from dataclasses import replace

import pytest

from objectives.device.fingerprint import cpu_fingerprint
from objectives.device.target import Target, TargetError
from objectives.runtimes.catalogue import target_here


def test_equal_targets_have_equal_keys_and_different_targets_different_ones() -> None:
    target = target_here(imgsz=96)
    assert target.key == target_here(imgsz=96).key
    others = [
        Target(**{**target.description(), name: f"{value}x" if isinstance(value, str) else 32 * value})  # type: ignore[arg-type]
        for name, value in target.description().items()
    ]
    assert len({other.key for other in (target, *others)}) == len(target.description()) + 1


@pytest.mark.parametrize(
    ("target", "key"),
    [
        (
            Target("onnxruntime", "cpu", "fp32", 96, 1, 1, "a CPU", "an engine", "yolov8n of some shape"),
            "f37f7ce25efbb7c0c265218673929041",
        ),
        (
            Target("openvino", "gpu", "int8", 640, 4, 2, "a GPU", "openvino 2025.1", "yolov8n 0", "c0ffee"),
            "9755c202ddad48e51d5ce445a45282b5",
        ),
        (
            Target("onnxruntime", "cuda", "fp16", 320, 1, 1, "a board", "onnxruntime 1.23", "yolov8n 0", "", "jetson"),
            "c1284620a6ca68c1f4b08a9eb3d39bd7",
        ),
        (
            Target("onnxruntime", "cpu", "fp32", 96, 1, 4, "a CPU", "an engine", nms=True),
            "70a5cddc526f379a2f7bbf4927f0073d",
        ),
    ],
)
def test_keys_that_are_stored_in_databases_stay_valid(target: Target, key: str) -> None:
    assert target.key == key


def test_a_provider_of_another_name_may_run_on_the_cpu_and_that_is_part_of_its_key() -> None:
    target = Target("relay", "host", "fp32", 96, 1, 1, "a CPU", "an engine")
    assert target.clock == "wall"
    on_cpu = replace(target, on_cpu=True)
    assert on_cpu.clock == "cpu"
    assert on_cpu.key != target.key
    assert Target(**on_cpu.description()) == on_cpu  # type: ignore[arg-type]


def test_a_target_can_be_restored_from_its_description() -> None:
    target = target_here(imgsz=96)
    assert Target(**target.description()) == target  # type: ignore[arg-type]


def test_a_target_is_one_line_for_people() -> None:
    target = Target("onnxruntime", "cpu", "fp32", 96, 1, 2, "some CPU", "onnxruntime 1")
    assert str(target) == "onnxruntime cpu fp32, 96 px, batch 1, 2 threads, some CPU"


def test_the_fingerprint_names_the_hardware_and_not_the_host() -> None:
    assert platform.machine() in cpu_fingerprint()
    assert "cores" in cpu_fingerprint()
    assert socket.gethostname() not in cpu_fingerprint()


def test_one_thread_is_timed_by_cpu_time_and_several_by_wall_time() -> None:
    assert target_here(imgsz=96, threads=1).clock == "cpu"
    assert target_here(imgsz=96, threads=2).clock == "wall"


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"imgsz": 100}, "imgsz is 100; it must be a multiple of 32"),
        ({"batch": 0}, "batch is 0; it must be at least 1"),
        ({"threads": 10**6}, "threads is 1000000; it must be at most 4096"),
        ({"imgsz": 32 * 10**6}, "imgsz is 32000000; it must be at most 8192"),
        ({"threads": -1}, "threads is -1"),
        ({"runtime": "onxruntime"}, "did you mean onnxruntime"),
        ({"runtime": "abc"}, "there are onnxruntime"),
        ({"provider": "tpu"}, "there is no provider 'tpu'; use cpu, cuda or tensorrt"),
        ({"precision": "fp8"}, "precision is 'fp8'; onnxruntime has fp32, fp16, int8"),
        ({"precision": "int8"}, "precision is int8, which needs a study's images to calibrate on"),
    ],
)
def test_a_wrong_target_is_refused_with_the_right_values(wrong: dict[str, object], message: str) -> None:
    with pytest.raises(TargetError, match=message):
        target_here(**{"imgsz": 96, **wrong})  # type: ignore[arg-type]
