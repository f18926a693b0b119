"""A new space is a section, a space and a line in the registry: they stand in this file, and nothing else is new."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Literal, final

import pytest

from scripts.source_tree import SourceTree
from search.findings.leaderboard import leaderboard
from search.measuring.shapes import pool_of
from search.prepare.sensitivity_analysis import wants_sensitivity
from search.store.sql import open_store
from search.study.definition import load_study
from search.study.faults import DefinitionError
from search.study.spaces.base import Layout, LayoutTools, SpaceSection
from search.study.spaces.baseline import BaselineSection
from search.study.spaces.channels import ChannelsSection
from search.study.spaces.graft import GraftSection
from search.study.spaces.registry import SPACES
from spaces.allocation.allocation import cutter
from spaces.allocation.uniform import Uniform
from spaces.base import PARENT, ArchSpec, Candidate, Float, Origin, Parameter, ParamValue, Space
from spaces.networks.graft import Donor
from spaces.networks.parent import Parent
from spaces.search_spaces.names import DONOR, RATIO, REPEATS
from spaces.search_spaces.ratios import check
from tests.search.sampler.problem import Problem
from tests.search.study.spaces.plain_tools import PlainTools
from tests.search.study.spaces.section_contract import SpaceSectionContract
from tests.spaces.search_spaces.space_contract import SpaceContract
from tests.tree import ROOT

YAML = """
data: digits
space: {type: thin, low: 0.3, multiple: 4}
objectives: {map50_95: maximize, latency_ms: minimize}
"""


@final
class ThinSpace(Space):
    """One share of channels for the whole network."""

    def __init__(self, parent: Parent, low: float, multiple: int) -> None:
        self._cutter, self._low = cutter(parent, Uniform(), multiple=multiple), low

    @property
    def parameters(self) -> Mapping[str, Parameter]:
        return {"thin": Float(self._low, 1.0)}

    def decode(self, params: Mapping[str, ParamValue]) -> tuple[ArchSpec, Origin]:
        check(self.parameters, params)
        origin = Origin((PARENT,) * len(self._cutter.parent.layer_sections))
        return self._cutter.spec(min(1.0, float(params["thin"]))), origin

    def build(self, spec: ArchSpec, origin: Origin) -> Candidate:
        return self._cutter.parent.build(spec, origin)


class ThinSection(SpaceSection):
    """One share of channels for the whole network, of at least `low`."""

    type: Literal["thin"]
    low: float = 0.25

    def layout(self, tools: LayoutTools, donors: Mapping[str, Donor]) -> Layout:
        space = ThinSpace(tools.parent, self.low, self.multiple)
        return Layout(space, space.start_points())


class DescribedSection(ThinSection):
    """With words for its parameter."""

    @classmethod
    def describe(cls, params: Mapping[str, ParamValue]) -> str:
        return f"thin {params['thin']:.2f}" if "thin" in params else ""


@pytest.fixture(autouse=True)
def registered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(SPACES, "thin", ThinSection)


class TestThinSection(SpaceSectionContract):
    section_type = ThinSection


class TestThinSpace(SpaceContract):
    @pytest.fixture(scope="class")
    @classmethod
    def space(cls, parent: Parent) -> ThinSpace:
        return ThinSpace(parent, low=0.25, multiple=4)


@pytest.fixture
def problem(parent: Parent, tmp_path: Path) -> Iterator[Problem]:
    (tmp_path / "thin.yaml").write_text(YAML)
    section = load_study(tmp_path / "thin.yaml").space
    layout = section.layout(PlainTools(parent), {})
    assert [point["thin"] for point in layout.starts] == pytest.approx([1.0, 0.65, 0.3])
    store = open_store("sqlite://")
    made = Problem(parent, store, space=layout.space)
    made.measure({"thin": 1.0})
    yield made
    store.close()


def test_the_front_sampler_searches_it(problem: Problem) -> None:
    starts = problem.space.start_points()
    records = problem.search(problem.optuna("front", 0, problem.predictions(), starts), 10)
    assert [record.params for record in records[:3]] == list(starts)
    keys = {problem.space.decode(record.params)[0].key for record in records}
    assert len(keys) == len(records)  # none twice
    assert problem.predictions().hints == []


def test_its_trials_have_notes(problem: Problem, monkeypatch: pytest.MonkeyPatch) -> None:
    (record,) = problem.search(problem.optuna("front", 0, problem.predictions(), [{"thin": 0.5}]), 1)
    (row,) = leaderboard([record], {record.name})
    assert "thin" not in row.note  # by default the figures say enough
    monkeypatch.setitem(SPACES, "thin", DescribedSection)
    (row,) = leaderboard([record], {record.name})
    assert "thin 0.50" in row.note


def test_the_rest_of_the_project_asks_its_section_alone(tmp_path: Path, parent: Parent) -> None:
    (tmp_path / "thin.yaml").write_text(YAML)
    definition = load_study(tmp_path / "thin.yaml")
    assert wants_sensitivity(definition, parent, epochs=3, images=512, n_trials=30)
    shapes = pool_of(definition, parent)
    assert all(width % 4 == 0 for shape in shapes for width in shape.widths)
    assert not any(shape.dropped for shape in shapes)
    assert not definition.reads_parents_scales


def test_a_wrong_type_is_answered_with_all_that_there_are(tmp_path: Path) -> None:
    (tmp_path / "thin.yaml").write_text(YAML)
    for given, seen in (("thine", "thine"), ("null", "missing")):
        with pytest.raises(DefinitionError) as caught:
            load_study(tmp_path / "thin.yaml", [f"space.type={given}"])
        assert str(caught.value) == f"space.type is {seen}; it must be one of graft, channels, baseline, thin"


def test_nobody_else_knows_a_space_by_name_or_class() -> None:
    names = {GraftSection.__name__, ChannelsSection.__name__, BaselineSection.__name__}
    found = []
    for module in SourceTree.read(ROOT).modules:
        if module.layer not in ("search", "objectives") or module.path.startswith("search/study/spaces/"):
            continue
        for node in ast.walk(module.tree):
            if isinstance(node, ast.Name) and node.id in names:
                found.append(f"{module.path}:{node.lineno} names {node.id}")
            elif isinstance(node, ast.Constant) and str(node.value).startswith((RATIO, REPEATS, DONOR)):
                found.append(f"{module.path}:{node.lineno} knows {node.value!r}")
            elif isinstance(node, ast.Call) and ast.unparse(node).startswith("getattr(definition.space"):
                found.append(f"{module.path}:{node.lineno} asks whether the space has an attribute")
    assert found == []
