"""Fuzzed text and bytes: each reader of a foreign format returns, or raises its own error with one line."""

from __future__ import annotations

import copy
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st

from objectives.data.yaml_file import read_definition
from objectives.export.onnx_inputs import with_sizes
from objectives.remote.plan import read_plan
from objectives.remote.results import read_results
from search.study.definition import load_study
from search.study.faults import DefinitionError
from spaces.base import SpaceError
from spaces.foreign.plain_json import ForeignError, parse_json
from spaces.foreign.plain_yaml import YamlFault, parse_yaml_text
from spaces.networks.checkpoint import load
from spaces.networks.weights import read_weights
from spaces.structure.stock import resolve
from tests.foreign.checkpoints import NO_TENSORS, signed
from tests.foreign.models import small_model
from tests.foreign.onnx_files import ONNX_FILES
from tests.foreign.packs import plan, results
from tests.foreign.texts import ESCAPE, bytes_of
from tests.foreign.weights import TENSOR_FILES, X, header, pt_files

CHECKS = (HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large)


EXAMPLES = 500 if os.environ.get("CI") else 100
"""Examples of each format."""


def fuzz(examples: int = EXAMPLES) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """The same examples in every run."""

    def decorate(test: Callable[..., None]) -> Callable[..., None]:
        given_settings = settings(
            max_examples=examples, deadline=None, derandomize=True, database=None, suppress_health_check=CHECKS
        )
        return given_settings(seed(18)(test))

    return decorate


SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**20), 10**20),
    st.floats(allow_subnormal=False),  # runtimes of other tests may flush subnormal floats in the whole process
    st.text(max_size=12),
    st.sampled_from([ESCAPE, "", "a" * 3000, "../x", "\0", "nn.Module", "yolov8n.yaml", "1" * 400, 10**400]),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return the path of every value inside a value."""
    found = [path] if path else []
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, each in inner:
        found += places(each, (*path, key))
    return found


@st.composite
def changed(draw: st.DrawFn, good: Any) -> Any:
    """A good value with one to three places replaced, or left out."""
    value = copy.deepcopy(good)
    for _ in range(draw(st.integers(1, 3))):
        found = places(value)
        if not found:
            break
        *path, last = draw(st.sampled_from(found))
        inner = value
        for key in path:
            inner = inner[key]
        if draw(st.integers(0, 4)):
            inner[last] = draw(VALUES)
        else:
            del inner[last]
    return value


@st.composite
def damaged(draw: st.DrawFn, good: bytes) -> bytes:
    """Good bytes, cut or with some replaced."""
    content = bytearray(good)
    for _ in range(draw(st.integers(1, 6))):
        at = draw(st.integers(0, max(0, len(content) - 1)))
        content[at : at + draw(st.integers(0, 4))] = draw(st.binary(max_size=4))
    return bytes(content[: draw(st.integers(0, len(content)))] if draw(st.booleans()) else content)


def ends_in_one_line(read: Callable[[], object], *errors: type[Exception]) -> None:
    """Read; an error must be one of these, with text."""
    try:
        read()
    except errors as error:
        assert str(error) and len(str(error)) < 20_000
    except OSError as error:  # a name that no file can have
        assert error.strerror


@fuzz()
@given(st.binary(max_size=60) | st.text(alphabet='{}[]":,0123456789.eE-+ntfuasrl\\', max_size=60).map(str.encode))
def test_json(content: bytes) -> None:
    ends_in_one_line(lambda: parse_json(content, "x"), ForeignError)


@fuzz()
@given(st.text(max_size=60) | st.text(alphabet="&*!|>{}[]:?-#'\"%@ \n\tab<1", max_size=60))
def test_yaml(text: str) -> None:
    ends_in_one_line(lambda: parse_yaml_text(text), YamlFault)


STUDY = {
    "data": "digits", "n_trials": 3, "seed": 1, "objectives": ["map50_95", "latency_ms"],
    "space": {"type": "channels", "low": 0.5, "high": 1.0, "step": 0.125, "multiple": 8},
    "limits": {"latency_ms": 5}, "sampler": {"name": "random"}, "recipe": {"epochs": 1, "lr0": {"low": 0.1, "high": 1}},
    "parent": {"model": "yolov8n.yaml", "recipe": {"epochs": 1}}, "target": {"runtime": "onnxruntime"}, "controls": [],
}  # fmt: skip


@fuzz()
@given(changed(STUDY))
def test_study(tmp_path: Path, study: Any) -> None:
    file = tmp_path / "study.yaml"
    file.write_bytes(json.dumps(study).encode())  # JSON is YAML, NaN and Infinity as well
    ends_in_one_line(lambda: load_study(str(file)), DefinitionError, SpaceError)


DATA_SET = {"path": ".", "train": "images", "val": ["images"], "names": {"0": "a", "1": "b"}, "nc": 2, "test": "images"}


@fuzz()
@given(changed(DATA_SET))
def test_data_set(tmp_path: Path, definition: Any) -> None:
    file = tmp_path / "data.yaml"
    (tmp_path / "images").mkdir(exist_ok=True)
    (tmp_path / "images" / "a.jpg").touch()
    file.write_bytes(json.dumps(definition).encode())
    ends_in_one_line(lambda: read_definition(file), SpaceError)


@fuzz()
@given(changed(small_model()))
def test_model(model: Any) -> None:
    ends_in_one_line(lambda: resolve(model, 1), SpaceError)


FACTS = {"model": "yolov8n.yaml", "classes": '["a"]', "train_args": '{"imgsz": 64}', "imgsz": "64"}


@fuzz()
@given(changed({"__metadata__": FACTS, "x": X}), st.binary(max_size=8))
def test_safetensors(tmp_path: Path, head: Any, body: bytes) -> None:
    file = tmp_path / "file.safetensors"
    file.write_bytes(header(head, body))
    ends_in_one_line(lambda: read_weights(file), SpaceError)


@fuzz()
@given(st.sampled_from(sorted(FACTS)), VALUES)
def test_safetensors_metadata(tmp_path: Path, name: str, value: Any) -> None:
    file = tmp_path / "file.safetensors"
    text = value if isinstance(value, str) else json.dumps(value)
    file.write_bytes(header({"__metadata__": {**FACTS, name: text}, "x": X}))
    ends_in_one_line(lambda: read_weights(file), SpaceError)


@fuzz()
@given(st.data())
def test_safetensors_bytes(tmp_path: Path, data: st.DataObject) -> None:
    file = tmp_path / "file.safetensors"
    file.write_bytes(data.draw(damaged(TENSOR_FILES["no model"])))
    ends_in_one_line(lambda: read_weights(file), SpaceError)


@pytest.fixture(scope="module")
def small_pt() -> bytes:
    """A `.pt` of a small detector."""
    return pt_files()["small"]


@fuzz()
@given(st.data())
def test_pt_bytes(tmp_path: Path, small_pt: bytes, data: st.DataObject) -> None:
    file = tmp_path / "file.pt"
    file.write_bytes(data.draw(damaged(small_pt[:2000])) + small_pt[2000:])
    ends_in_one_line(lambda: read_weights(file), SpaceError)


@fuzz()
@given(st.data())
def test_onnx_bytes(tmp_path: Path, data: st.DataObject) -> None:
    file = tmp_path / "file.onnx"
    file.write_bytes(data.draw(damaged(ONNX_FILES["good"])))
    ends_in_one_line(lambda: with_sizes(file, tmp_path / "out.onnx", imgsz=64, batch=1), SpaceError)


@fuzz()
@given(changed(results()))
def test_results(tmp_path: Path, content: Any) -> None:
    (tmp_path / "results.json").write_bytes(bytes_of(content))
    ends_in_one_line(lambda: read_results(tmp_path, plan()), SpaceError)


@fuzz()
@given(changed(json.loads(plan().as_text())))
def test_plan(tmp_path: Path, content: Any) -> None:
    (tmp_path / "plan.json").write_bytes(bytes_of(content))
    ends_in_one_line(lambda: read_plan(tmp_path), SpaceError)


SIGNED = {name: value for name, value in json.loads(signed(NO_TENSORS)).items() if name != "hash"}


@fuzz()
@given(changed(SIGNED))
def test_checkpoint(tmp_path: Path, content: Any) -> None:
    if not isinstance(content, dict):
        return
    (tmp_path / "architecture.json").write_bytes(signed(NO_TENSORS, whole=content))
    (tmp_path / "weights.safetensors").write_bytes(NO_TENSORS)
    ends_in_one_line(lambda: load(tmp_path), SpaceError)
