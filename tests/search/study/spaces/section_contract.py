"""What every `space:` section promises. A test of a section subclasses this and says which sections a YAML may have."""

from __future__ import annotations

import json
from abc import ABC
from collections.abc import Mapping
from typing import Any, ClassVar

import pytest

from search.study.definition import StudyDefinition, checked, stored_definition
from search.study.faults import DefinitionError
from search.study.spaces.base import Layout, SpaceSection
from search.study.spaces.registry import SPACES, describe_params, name_of_space
from spaces.networks.graft import Donor
from spaces.networks.parent import Parent
from tests.search.study.spaces.plain_tools import PlainTools
from tests.spaces.search_spaces.space_contract import choose

DONOR_ROWS = [{"name": name, "from": "parent", "ratio": 0.5} for name in ("one", "two")]


class SpaceSectionContract(ABC):
    """Promises of `SpaceSection`, as tests.

    Attributes:
        section_type: The class under test; its fields but `type` have defaults.
    """

    section_type: ClassVar[type[SpaceSection]]

    @pytest.fixture
    def definition(self) -> StudyDefinition:
        return self.read({"multiple": 4})

    @pytest.fixture
    def layout(self, definition: StudyDefinition, parent: Parent, donors: Mapping[str, Donor]) -> Layout:
        return definition.space.layout(PlainTools(parent), donors)

    def read(self, fields: Mapping[str, Any]) -> StudyDefinition:
        space = {"type": name_of_space(self.section_type), **fields}
        return checked({"name": "small", "data": {"source": "digits"}, "donors": DONOR_ROWS, "space": space})

    def test_it_is_registered_under_its_type(self) -> None:
        assert SPACES[name_of_space(self.section_type)] is self.section_type

    def test_a_study_has_it_by_its_type_and_stores_all_its_fields(self, definition: StudyDefinition) -> None:
        assert type(definition.space) is self.section_type
        plain = json.loads(json.dumps(definition.as_plain()))
        assert plain["space"].keys() == self.section_type.model_fields.keys()
        assert stored_definition("small", plain) == definition

    def test_an_unknown_field_is_named(self) -> None:
        with pytest.raises(DefinitionError, match=r"space.multipel is unknown; did you mean multiple\?"):
            self.read({"multipel": 8})

    def test_a_multiple_below_one_is_refused(self) -> None:
        with pytest.raises(DefinitionError, match=r"space.multiple is 0; it must be at least 1"):
            self.read({"multiple": 0})

    def test_donors_are_asked_for_only_if_something_is_taken_from_them(self, definition: StudyDefinition) -> None:
        plain = {**definition.model_dump(by_alias=True), "donors": []}
        if definition.space.takes_from_donors:
            with pytest.raises(DefinitionError, match=f"donors is empty; {definition.space.takes_from_donors}"):
                checked(plain)
        else:
            assert checked(plain).donors == ()

    def test_the_first_trials_are_points_of_the_space_that_can_be_built(self, layout: Layout) -> None:
        for point in layout.starts:
            spec, origin = layout.space.decode({**choose(layout.space, 1.0), **point})
            assert layout.space.build(spec, origin).spec == spec

    def test_hints_are_points_of_the_space_from_wide_to_narrow(self, layout: Layout) -> None:
        kept = []
        for point in layout.hints:
            spec, _ = layout.space.decode({**choose(layout.space, 1.0), **point})
            kept.append(sum(map(len, spec.kept)))
        assert kept == sorted(kept, reverse=True)

    def test_widths_are_multiples(self, layout: Layout, definition: StudyDefinition) -> None:
        spec, _ = layout.space.decode(choose(layout.space, 0.3))
        assert all(
            len(kept) % definition.space.multiple == 0 or len(kept) == width
            for kept, width in zip(spec.kept, spec.widths, strict=True)
        )

    def test_layouts_of_equal_sections_are_equal(
        self, layout: Layout, definition: StudyDefinition, parent: Parent, donors: Mapping[str, Donor]
    ) -> None:
        again = definition.space.layout(PlainTools(parent), donors)
        assert again.starts == layout.starts
        assert list(again.space.parameters.items()) == list(layout.space.parameters.items())
        params = choose(layout.space, 0.5)
        assert again.space.decode(params) == layout.space.decode(params)

    def test_it_describes_its_own_parameters_alone(self, layout: Layout, definition: StudyDefinition) -> None:
        params = choose(layout.space, 0.5)
        assert definition.space.describe({}) == ""
        assert definition.space.describe({"recipe.lr0": 0.1, "cut.threshold": 0.01}) == ""
        assert describe_params(params) == definition.space.describe(params)

    def test_the_parent_is_fit_for_the_defaults(self, definition: StudyDefinition, parent: Parent) -> None:
        definition.space.check_parent(parent)
