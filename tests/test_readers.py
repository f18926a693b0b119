"""One door in: a foreign format is parsed by its reader, and by no other file."""

from __future__ import annotations

import ast
from collections.abc import Iterator

import pytest

from tests.tree import ROOT

PRODUCT = ("yolofront", "search", "objectives", "spaces")
PARSERS = {
    "json.load", "json.loads", "yaml.load", "yaml.safe_load", "yaml.compose", "yaml.parse", "safe_open", "torch.load",
    "torch_safe_load", "parse_tensors", "onnx.load", "onnx.load_model_from_string", "pickle.load", "pickle.loads",
    "zipfile.ZipFile", "yaml_model_load",
}  # fmt: skip
"""Functions that turn the bytes of a file into values."""
READERS = {
    "spaces/foreign/plain_json.py": "JSON",
    "spaces/foreign/plain_yaml.py": "YAML of studies and models",
    "spaces/networks/tensor_file.py": "safetensors",
    "spaces/networks/pt_archive.py": "`.pt`, before it is inflated",
    "spaces/networks/pt_file.py": "`.pt`",
    "spaces/networks/yolov5_file.py": "`.pt` of the original YOLOv5",
    "spaces/networks/checkpoint.py": "checkpoints",
    "spaces/task_names.py": "the name of a class in a `.pt`, as bytes",
    "objectives/data/yaml_text.py": "YAML of data sets",
    "objectives/export/onnx_reading.py": "ONNX",
    "search/pages/dashboard_requests.py": "bodies of requests",
}
OWN = {
    "search/measuring/pack.py": "values that were turned into JSON in the line above",
    "objectives/export/pt_file.py": "the same",
    "spaces/structure/model_cost.py": "the same",
    "search/batch/job_files.py": "what `search.submit` wrote of its jobs; anything else is one line that says so",
    "search/pages/example_pictures.py": "what the measuring of the front has written; other files are passed over",
    "search/store/packing.py": "a column of our own database",
    "search/sampler/tables/trial_rows.py": "columns that Optuna has written, as its own storage reads them",
    "search/sampler/prior_mean.py": "a table that comes with the project",
    "search/pages/dashboard_answers.py": "the answer of optuna-dashboard in this process",
    "objectives/export/onnx_file.py": "a file that the exporter has just written",
    "objectives/runtimes/suppression.py": "the same",
    "objectives/runtimes/torch_native.py": "a program that this run exported",
    "objectives/timing/process.py": "messages of our own process",
    "objectives/timing/child.py": "the same",
    "objectives/data/check_memory.py": "a cache: what cannot be read is measured again",
    "objectives/training/kept_training.py": "what a process of ours kept, with its hash; what does not fit is ignored",
    "objectives/device/lock_holders.py": "what a process of ours wrote of itself; anything else counts as nothing",
}


def _parsed(tree: ast.AST) -> Iterator[str]:
    yield from (ast.unparse(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call))


@pytest.mark.parametrize("layer", PRODUCT)
def test_foreign_files_are_parsed_by_their_readers(layer: str) -> None:
    found = {
        str(path.relative_to(ROOT))
        for path in (ROOT / layer).rglob("*.py")
        if PARSERS & set(_parsed(ast.parse(path.read_text(encoding="utf-8"))))
    }
    known = {name for name in {**READERS, **OWN} if name.startswith(f"{layer}/")}
    assert found == known
