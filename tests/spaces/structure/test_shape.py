"""A shape is all that latency depends on: equal for specs that keep the same numbers of channels."""

from __future__ import annotations

import pytest

from spaces.base import ArchSpec, SpaceError
from spaces.networks.parent import Parent
from spaces.structure.shape import Shape


def test_a_shape_has_the_key_of_the_specs_that_have_it(parent: Parent) -> None:
    repeat = parent.repeats[0].name
    for spec in (parent.full_spec(), parent.spec({parent.groups[0].name: 7}, dropped=[repeat])):
        assert Shape.of_spec(spec, 64).key == spec.shape_key


def test_a_key_of_an_earlier_version_is_still_the_same() -> None:
    spec = ArchSpec("parent", ("a", "b"), (4, 3), ((0, 2), (0, 1, 2)), ("model.2.m.0",))
    assert spec.shape_key == "5b79acbef3828459b5b24b8a0edc862f"


def test_which_channels_are_kept_does_not_matter_but_how_many_does(parent: Parent) -> None:
    name = parent.groups[0].name
    first, other, wider = (parent.spec({name: kept}) for kept in ([0, 1, 2], [1, 2, 3], [0, 1, 2, 3]))
    assert Shape.of_spec(first, 64) == Shape.of_spec(other, 64) != Shape.of_spec(wider, 64)


def test_a_candidate_has_the_shape_of_its_spec_at_its_image_size(parent: Parent) -> None:
    candidate = parent.candidate()
    shape = Shape.of(candidate)
    assert shape == Shape(parent.key, tuple(group.width for group in parent.groups), (), candidate.imgsz)


@pytest.mark.parametrize(("widths", "imgsz"), [((4, 0), 64), ((4, 4), 0)])
def test_impossible_widths_and_image_sizes_are_refused(widths: tuple[int, ...], imgsz: int) -> None:
    with pytest.raises(SpaceError, match=r"it must be at least 1 px|at least one must stay"):
        Shape("parent", widths, (), imgsz)
