"""How networks are described to what learns accuracy from them."""

from __future__ import annotations

import numpy as np
import pytest

from search.sampler.network_features import DONOR_WEIGHT, SENSITIVITY_WEIGHT, NetworkFeatures
from spaces.allocation.summed_sensitivity import SummedSensitivity
from spaces.base import Categorical, Float, Parameter, ParameterRole

RATIO = Float(0.25, 1.0, role=ParameterRole.WIDTH)
PARAMETERS: dict[str, Parameter] = {
    "backbone": Categorical(("thin", "wide"), role=ParameterRole.DONOR),
    "head": Categorical(("thin", "wide"), role=ParameterRole.DONOR),
    "ratio.a": RATIO,
    "recipe.lr0": Float(0.001, 0.1, log=True),
}
WHOLE = (64, 32)


def point(backbone: str, ratio: float) -> dict[str, str | float]:
    return {"backbone": backbone, "head": "wide", "ratio.a": ratio, "recipe.lr0": 0.01}


def test_widths_count_however_they_were_asked_for() -> None:
    thin, wide = NetworkFeatures(PARAMETERS, WHOLE).of([point("thin", 1.0), point("wide", 0.5)], [[32, 16], [32, 16]])
    assert thin[:2].tolist() == wide[:2].tolist()
    assert np.abs(thin - wide).max() == DONOR_WEIGHT  # whose weights they are still makes a difference


def test_each_halving_counts_the_same_and_the_thinnest_is_0() -> None:
    features = NetworkFeatures(PARAMETERS, WHOLE).of([point("wide", 1.0)] * 4, [[64, 32], [32, 32], [16, 32], [4, 2]])
    assert features[:, 0].tolist() == pytest.approx([1.0, 2 / 3, 1 / 3, 0.0])
    assert features[3, 1] == 0.0


def test_what_is_no_ratio_is_described_as_it_was_asked_for() -> None:
    features = NetworkFeatures(PARAMETERS, WHOLE).of([point("wide", 1.0)], [WHOLE])
    assert features[0, 2:].tolist() == pytest.approx([0.0, DONOR_WEIGHT, 0.0, DONOR_WEIGHT, 0.5])


def test_damage_is_one_column_more() -> None:
    sensitivity = SummedSensitivity(WHOLE, [[0], [1]], [0.4, 0.1])
    widths = [[64, 32], [32, 32], [64, 16], [8, 4], [2, 1]]
    features = NetworkFeatures(PARAMETERS, WHOLE, sensitivity).of([point("wide", 1.0)] * 5, widths)
    assert features.shape[1] == 2 + 4 + 1 + 1
    assert features[0, -1] == 0.0
    assert features[1, -1] == pytest.approx(4 * features[2, -1])
    assert features[3:, -1].tolist() == [SENSITIVITY_WEIGHT, SENSITIVITY_WEIGHT]


def test_a_space_of_ratios_alone_has_its_widths_alone() -> None:
    features = NetworkFeatures({"ratio.a": RATIO}, WHOLE).of([{"ratio.a": 1.0}], [WHOLE])
    assert features.tolist() == [[1.0, 1.0]]
