"""One library, one home: who may import what. A library that is exchanged is then exchanged in one place."""

from __future__ import annotations

import re
import sys
import tomllib
from fnmatch import fnmatch

import pytest

from tests.tree import LAYERS, ROOT, imports, named, sources

HOMES: dict[str, tuple[str, ...]] = {
    "optuna": ("search/sampler/*",),
    "optuna_dashboard": ("search/pages/dashboard_server.py",),
    "sqlalchemy": ("search/store/*",),
    "alembic": ("search/store/*",),
    "psycopg": ("search/store/*",),
    "filelock": ("search/store/*",),
    "moocore": ("search/record/front.py",),
    "jinja2": ("search/pages/page.py",),
    "matplotlib": (
        "search/pictures/curves.py",
        "search/pictures/pareto.py",
        "search/pictures/labels.py",
        "spaces/display/charts.py",
        "spaces/offline.py",
    ),
    "pydantic": ("search/study/*",),
    "torch_pruning": ("tests/*", "benchmarks/*"),  # the oracle and the opponent, never in the product
    "safetensors": ("spaces/networks/checkpoint.py", "spaces/networks/tensor_file.py"),
    "onnx": (
        "objectives/export/onnx_file.py",
        "objectives/export/onnx_inputs.py",
        "objectives/export/onnx_reading.py",
        "objectives/runtimes/suppression.py",
    ),
    "onnxruntime": ("objectives/runtimes/ort.py", "objectives/runtimes/quantization.py"),
    "openvino": ("objectives/runtimes/*",),
    "sklearn": ("objectives/data/digit_scenes.py", "search/sampler/accuracy_model.py"),
    "scipy": ("search/sampler/accuracy_model.py", "search/record/staircase.py", "search/trial/learning_curves.py"),
    "shtab": ("yolofront/completion.py",),
    "polars": ("yolofront/result.py",),
    "pynvml": ("objectives/device/gpu_activity.py",),
    "PIL": ("objectives/data/digit_scenes.py", "objectives/data/pixels.py", "objectives/tasks/class_images.py"),
    "cv2": (
        "objectives/data/digit_scenes.py",
        "objectives/data/loader.py",
        "objectives/data/looks.py",
        "objectives/data/pixels.py",
        "objectives/tasks/*",
    ),
    # Ultralytics, by the part of it: model code, trainer, validator, data, exporter
    "ultralytics.nn": ("spaces/*", "objectives/training/distillation.py"),
    "ultralytics.engine.trainer": ("objectives/training/trainer.py",),
    "ultralytics.models.yolo.detect.DetectionTrainer": (
        "objectives/training/trainer.py",
        "objectives/pruned_training.py",
        "objectives/tasks/*",
    ),
    "ultralytics.models.yolo.detect.DetectionValidator": ("objectives/training/detections.py", "objectives/tasks/*"),
    "ultralytics.data": ("objectives/data/loader.py", "objectives/tasks/class_images.py"),
    "ultralytics.engine.exporter": ("objectives/export/exporter.py",),
    "ultralytics": ("spaces/*", "objectives/*"),
}

DISTRIBUTIONS = {
    "cv2": "opencv-python",
    "PIL": "pillow",
    "pynvml": "nvidia-ml-py",
    "sklearn": "scikit-learn",
    "yaml": "pyyaml",
    "optuna_dashboard": "optuna-dashboard",
    "torch_pruning": "torch-pruning",
}
"""Where the name on the package index is not the name that is imported."""

NEVER_IMPORTED = {"torchvision", "onnxslim", "psycopg"}
"""Needed by other libraries: Ultralytics, its ONNX export, SQLAlchemy's driver."""

NEVER_DECLARED = {"tensorrt"}
"""Comes with NVIDIA's software on the machines that have it, and is imported only there."""


@pytest.mark.parametrize("library", HOMES)
def test_a_library_is_imported_only_at_its_home(library: str) -> None:
    strangers = [
        f"{each.where} imports {each.module}; the home of {library} is {', '.join(HOMES[library])}"
        for path in sources()
        for each in imports(path)
        if (each.module == library or each.module.startswith(f"{library}."))
        and not any(fnmatch(named(path), home) for home in HOMES[library])
    ]
    assert strangers == []


def _declared(group: str | None = None) -> set[str]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    lines = project["dependencies"] if group is None else project["optional-dependencies"][group]
    return {re.split(r"[^A-Za-z0-9._-]", line)[0].lower() for line in lines}


def _imported() -> dict[str, str]:
    ours = {*LAYERS, *NEVER_DECLARED, *sys.stdlib_module_names}
    return {
        DISTRIBUTIONS.get(each.package, each.package): each.where
        for path in sources()
        for each in imports(path)
        if each.package not in ours and each.package != ""
    }


def test_everything_imported_is_declared_and_everything_declared_is_imported() -> None:
    imported = _imported()
    optional = _declared("openvino")
    assert {name: where for name, where in imported.items() if name not in _declared() | optional} == {}
    assert _declared() - set(imported) - NEVER_IMPORTED == set()


def test_each_dependency_has_a_comment_that_names_a_home_which_exists() -> None:
    text = (ROOT / "pyproject.toml").read_text()
    block = text[text.index("dependencies = [") : text.index("[tool.hatch")]
    for line in re.findall(r'^    "[^"]+".*$', block, re.MULTILINE):
        if "types-" in line or "xdist" in line:
            continue
        package, _, comment = line.partition("#")
        assert comment.strip(), f"{package.strip()} has no comment that names its home"
        for home in re.findall(r"\b(?:yolofront|search|objectives|spaces|scripts|tests)/[\w/.-]*", comment):
            assert (ROOT / home).exists(), f"{package.strip()} names {home}, which is not there"
