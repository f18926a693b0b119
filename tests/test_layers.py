"""Four layers; an import may only go down. Ultralytics is never imported before it is kept off the network."""

from __future__ import annotations

import pytest

from tests.tree import LAYERS, imports, sources


@pytest.mark.parametrize("layer", LAYERS)
def test_a_layer_imports_only_itself_and_what_lies_below(layer: str) -> None:
    above = LAYERS[LAYERS.index(layer) + 1 :]
    upward = [
        f"{each.where} imports {each.module}"
        for path in sources(layer)
        for each in imports(path)
        if each.package in (*above, "tests", "benchmarks", "studies")
    ]
    assert upward == []


def test_imports_are_absolute() -> None:
    assert [each.where for path in sources() for each in imports(path) if each.module.startswith(".")] == []


def test_ultralytics_is_imported_only_after_it_was_kept_off_the_network() -> None:
    late = []
    for path in sources():
        found = list(imports(path))
        first = min((each.line for each in found if each.package == "ultralytics"), default=None)
        guard = min((each.line for each in found if each.module.startswith("spaces.offline")), default=None)
        if first is not None and (guard is None or guard > first):
            late.append(
                f"{path.name}:{first} needs `import spaces.offline  # noqa: F401  (before ultralytics)` above it"
            )
    assert late == []


def test_what_only_reads_records_and_studies_imports_no_torch_at_its_top() -> None:
    light = (
        "spaces/base.py",
        "objectives/base.py",
        "objectives/recipe.py",
        "search/record/trial.py",
        "search/study/definition.py",
        "search/study/recipe.py",
        "search/store/base.py",
        "search/cli/command.py",
        "search/findings/leaderboard.py",
    )
    heavy = ("torch", "ultralytics", "optuna", "onnxruntime")
    found = [
        each.where
        for path in sources()
        if path.as_posix().endswith(light)
        for each in imports(path)
        if each.package in heavy and each.column == 0
    ]
    assert found == []
