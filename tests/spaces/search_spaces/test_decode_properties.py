"""Properties of decoding that hold for any parameters."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spaces.networks.parent import Parent
from spaces.ranking.importance import order
from spaces.search_spaces.channels import ChannelRatioSpace
from spaces.structure.groups import check_ties

LOW = 0.01  # so low that no width is rounded to below it
MULTIPLE = 8


@pytest.fixture(scope="module")
def space(parent: Parent) -> ChannelRatioSpace:
    return ChannelRatioSpace(parent, order(parent.candidate(), parent), low=LOW, step=None, multiple=MULTIPLE)


def ratios(data: st.DataObject, space: ChannelRatioSpace) -> dict[str, float]:
    names = list(space.parameters)
    count = len(names)
    return dict(zip(names, data.draw(st.lists(st.floats(LOW, 1), min_size=count, max_size=count)), strict=True))


@given(data=st.data())
def test_widths_are_aligned_to_the_multiple_and_equal_within_ties(
    parent: Parent, space: ChannelRatioSpace, data: st.DataObject
) -> None:
    spec, _ = space.decode(ratios(data, space))
    for kept, width in zip(spec.kept, spec.widths, strict=True):
        assert len(kept) % MULTIPLE == 0 or len(kept) == width
    check_ties(parent.groups, spec.kept)


@given(data=st.data())
def test_the_ratios_that_a_spec_has_decode_to_it(parent: Parent, space: ChannelRatioSpace, data: st.DataObject) -> None:
    spec, _ = space.decode(ratios(data, space))
    own = {
        f"ratio.{group.tie or group.name}": len(kept) / group.width
        for group, kept in zip(parent.groups, spec.kept, strict=True)
    }
    again, _ = space.decode(own)
    assert again == spec
    assert (again.key, again.shape_key) == (spec.key, spec.shape_key)


@given(data=st.data())
def test_different_networks_have_different_keys(space: ChannelRatioSpace, data: st.DataObject) -> None:
    first, second = (space.decode(ratios(data, space))[0] for _ in range(2))
    assert (first.key == second.key) == (first == second) == (first.kept == second.kept)
