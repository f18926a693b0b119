"""Names of targets: each name means one runtime, provider and precision, and each of these has one name."""

from __future__ import annotations

import pytest

from objectives.device.target import TargetError
from objectives.runtimes.catalogue import runtime_options
from objectives.runtimes.names import name_of, target_named, target_names


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("ort-cpu", ("onnxruntime", "cpu", "fp32")),
        ("ort-tensorrt-fp16", ("onnxruntime", "tensorrt", "fp16")),
        ("openvino-cpu-int8", ("openvino", "cpu", "int8")),
        ("torch-cpu", ("torch", "cpu", "fp32")),
        ("torch-compiled-cuda", ("torch-compiled", "cuda", "fp32")),
    ],
)
def test_a_name_contains_runtime_provider_and_precision(name: str, meant: tuple[str, str, str]) -> None:
    assert target_named(name) == meant
    assert name_of(*meant) == name


def test_every_combination_has_its_own_name() -> None:
    every = [(option.runtime.name, option.provider, option.precision) for option in runtime_options()]
    assert sorted(target_names().values()) == sorted(every)
    assert [target_named(name_of(*option)) for option in every] == every


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ("onnxruntime-cpu", "did you mean ort-cpu"),
        ("openvino-cpu-int", "did you mean openvino-cpu-int8"),
        ("ort-cpu-fp32", "did you mean ort-cpu"),
        ("raspberry", "there are ort-cpu, "),
    ],
)
def test_the_message_about_a_wrong_name_has_the_most_similar_ones(wrong: str, words: str) -> None:
    with pytest.raises(TargetError, match=f"there is no target '{wrong}'; {words}"):
        target_named(wrong)
