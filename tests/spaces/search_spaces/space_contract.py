"""Promises of every space. The test of a space subclasses this and provides the space."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Mapping

import pytest

from spaces.base import Categorical, Float, Integer, ParameterRole, ParamValue, Space, SpaceError
from tests.spaces.silencing import states_differ


def choose(space: Space, share: float) -> dict[str, ParamValue]:
    """A point of the space: the category, and the place in each range, at that share of the way."""
    params: dict[str, ParamValue] = {}
    for name, parameter in space.parameters.items():
        if isinstance(parameter, Categorical):
            params[name] = parameter.options[min(int(share * len(parameter.options)), len(parameter.options) - 1)]
        elif isinstance(parameter, Integer):
            params[name] = round(parameter.low + share * (parameter.high - parameter.low))
        else:
            params[name] = parameter.low + share * (parameter.high - parameter.low)
    return params


class SpaceContract(ABC):
    """Promises of `Space`, as tests."""

    @pytest.fixture
    @abstractmethod
    def space(self) -> Space:
        """The space under test."""

    def test_parameters_keep_their_order(self, space: Space) -> None:
        assert list(space.parameters) == list(space.parameters)
        assert len(space.parameters) > 0

    @pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
    def test_decode_is_canonical(self, space: Space, share: float) -> None:
        params = choose(space, share)
        backwards = dict(reversed(params.items()))
        first, second = space.decode(params), space.decode(backwards)
        assert first == second
        assert (first[0].key, first[1].key) == (second[0].key, second[1].key)

    def test_greater_parameters_keep_a_superset_of_the_channels(self, space: Space) -> None:
        params = choose(space, 0.0)
        highest = {name: p.high for name, p in space.parameters.items() if not isinstance(p, Categorical)}
        narrow_spec, wide_spec = space.decode(params)[0], space.decode({**params, **highest})[0]
        for less, more in zip(narrow_spec.kept, wide_spec.kept, strict=True):
            assert set(less) <= set(more)

    def test_decode_takes_less_than_five_milliseconds(self, space: Space) -> None:
        params = choose(space, 0.5)
        space.decode(params)
        times = []
        for _ in range(10):
            begun = time.thread_time()
            space.decode(params)
            times.append(time.thread_time() - begun)
        assert min(times) < 0.005

    def test_a_decoded_spec_can_be_built_and_the_network_has_its_widths(self, space: Space) -> None:
        spec, origin = space.decode(choose(space, 0.5))
        candidate = space.build(spec, origin)
        assert (candidate.spec, candidate.origin) == (spec, origin)
        weights = candidate.network.state_dict()
        assert weights["model.3.conv.weight"].shape[0] == len(spec.kept_in("model.3"))
        assert weights["model.16.conv.weight"].shape[0] == len(spec.kept_in("model.16"))

    def test_building_twice_gives_equal_networks_that_share_nothing(self, space: Space) -> None:
        spec, origin = space.decode(choose(space, 0.5))
        first, second = space.build(spec, origin), space.build(spec, origin)
        assert states_differ(first.network.state_dict(), second.network.state_dict()) == []
        for tensor in first.network.state_dict().values():
            tensor.zero_()
        third = space.build(spec, origin)
        assert states_differ(second.network.state_dict(), third.network.state_dict()) == []

    def test_a_missing_parameter_is_named(self, space: Space) -> None:
        params = choose(space, 0.5)
        name = list(params)[-1]
        del params[name]
        with pytest.raises(SpaceError, match=f"parameter '{name}' is missing"):
            space.decode(params)

    def test_an_unknown_parameter_is_named(self, space: Space) -> None:
        with pytest.raises(SpaceError, match="parameter 'depth' is not one of this space"):
            space.decode({**choose(space, 0.5), "depth": 3})

    @pytest.mark.parametrize("value", [1.5, 0.0, -1, float("nan"), True, "wide"])
    def test_a_ratio_out_of_its_range_is_named(self, space: Space, value: ParamValue) -> None:
        params: Mapping[str, ParamValue] = choose(space, 0.5)
        name = [name for name, parameter in space.parameters.items() if isinstance(parameter, Float)][-1]
        with pytest.raises(SpaceError, match=f"parameter '{name}' is"):
            space.decode({**params, name: value})

    def test_start_points_are_points_of_the_space(self, space: Space) -> None:
        points = space.start_points()
        assert points == space.start_points()
        for point in points:
            assert point.keys() <= space.parameters.keys()
            spec, origin = space.decode({**choose(space, 1.0), **point})
            assert space.build(spec, origin).spec == spec
        assert len({tuple(sorted(point.items())) for point in points}) == len(points)

    @pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
    def test_the_point_nearest_to_a_networks_widths_has_these_widths(self, space: Space, share: float) -> None:
        params = choose(space, share)
        shares = space.decode(params)[0].shares
        point = space.nearest(shares)
        if point is None:
            pytest.skip("the space does not set each width by itself")
        assert space.decode({**params, **point})[0].shares == shares

    def test_a_point_nearest_to_impossible_widths_is_still_a_point(self, space: Space) -> None:
        groups = len(space.decode(choose(space, 1.0))[0].groups)
        for shares in ([1e-3] * groups, [1.0] * groups):
            space.decode({**choose(space, 1.0), **(space.nearest(shares) or {})})

    def test_roles_match_the_effects_of_the_parameters(self, space: Space) -> None:
        highest = choose(space, 1.0)
        whole = space.decode(highest)[0]
        for name, parameter in space.parameters.items():
            if parameter.role is ParameterRole.WIDTH:
                assert isinstance(parameter, Float) and 0 < parameter.low <= parameter.high <= 1
                spec = space.decode({**highest, name: parameter.low})[0]
                assert spec.dropped == whole.dropped
                assert all(less <= more for less, more in zip(spec.shares, whole.shares, strict=True))
            elif parameter.role is ParameterRole.DEPTH:
                assert isinstance(parameter, Integer)
                assert len(space.decode({**highest, name: parameter.low})[0].dropped) > len(whole.dropped)
            elif parameter.role is ParameterRole.DONOR:
                assert isinstance(parameter, Categorical)
                origins = {space.decode({**highest, name: donor})[1].key for donor in parameter.options}
                assert len(origins) == len(parameter.options)
