"""Widths on a grid, uniform cutting, and one more round from a donor."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spaces.allocation.uniform import thin, uniform
from spaces.base import SpaceError
from spaces.networks.graft import Donor
from spaces.networks.parent import Parent
from spaces.ranking.importance import order
from spaces.ranking.widths import aligned
from spaces.structure.groups import check_ties


@pytest.mark.parametrize(
    ("width", "ratio", "expected"),
    [(64, 0.5, 32), (24, 0.5, 16), (16, 0.1, 8), (4, 0.5, 4), (80, 0.77, 64), (100, 1.0, 100), (100, 0.99, 96)],
)
def test_widths_are_rounded_to_the_multiple(width: int, ratio: float, expected: int) -> None:
    assert aligned(width, ratio, 8) == expected


@given(st.integers(1, 512), st.floats(0.01, 1.0), st.sampled_from([1, 4, 8, 16]))
def test_a_width_is_aligned_or_whole_and_off_by_half_a_multiple_at_most(
    width: int, ratio: float, multiple: int
) -> None:
    kept = aligned(width, ratio, multiple)
    assert 1 <= kept <= width
    assert kept % multiple == 0 or kept == width
    assert abs(kept - width * ratio) <= multiple / 2 or kept == min(multiple, width) or kept == width


def test_uniform_keeps_the_most_important_channels_of_each_group(parent: Parent) -> None:
    spec = uniform(parent, 0.5)
    ranked = order(parent.candidate(), parent)
    for group, kept in zip(parent.groups, spec.kept, strict=True):
        assert kept == tuple(sorted(ranked[group.name][: group.width // 2]))


def test_uniform_at_one_is_the_parent(parent: Parent) -> None:
    assert uniform(parent, 1.0) == parent.full_spec()


def test_thinning_keeps_a_subset_of_the_donors_channels(parent: Parent, donors: dict[str, Donor]) -> None:
    donor = donors["one-shot"].candidate
    spec = thin(donor, parent, 0.75)
    assert all(set(new) <= set(old) for new, old in zip(spec.kept, donor.spec.kept, strict=True))
    check_ties(parent.groups, spec.kept)
    assert all(len(kept) % 8 == 0 for kept in spec.kept)
    # Rounding to 8 moves a group of 24 by up to a sixth; over all groups that evens out to within a tenth.
    assert abs(spec.channel_ratio / donor.spec.channel_ratio - 0.75) < 0.1


@pytest.mark.parametrize(
    ("ratio", "multiple", "message"), [(0.0, 8, "strength 0.0"), (1.2, 8, "strength 1.2"), (0.5, 0, "multiple 0")]
)
def test_a_share_outside_zero_to_one_is_refused(parent: Parent, ratio: float, multiple: int, message: str) -> None:
    with pytest.raises(SpaceError, match=message):
        uniform(parent, ratio, multiple)
