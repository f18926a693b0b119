"""Latency predicted from a few measurements, on a simulated machine whose costs are known."""

from __future__ import annotations

import time
from functools import cache

import numpy as np
import pytest

from objectives.timing.features import Features
from objectives.timing.latency_model import FIRST, SCATTERS, LatencyModel, Observation
from spaces.base import SpaceError
from spaces.networks.cost_formula import CostFormula
from spaces.networks.parent import Parent
from spaces.structure.groups import tied
from spaces.structure.shape import Shape

IMGSZ = 96


@cache
def parent() -> Parent:
    return Parent.load("yolov8n.yaml", classes=10, imgsz=IMGSZ, seed=0)


def shapes(count: int, seed: int) -> tuple[Shape, ...]:
    """Return irregular networks; half of them have aligned widths."""
    random = np.random.default_rng(seed)
    found = []
    for number in range(count):
        level = random.uniform(0.3, 1.0)
        kept: dict[str, int] = {}
        for indices in tied(parent().groups).values():
            width = parent().groups[indices[0]].width
            wanted = width * float(np.clip(level + random.normal(0, 0.2), 0.15, 1.0))
            channels = 8 * round(wanted / 8) if number % 2 else round(wanted)
            kept |= {parent().groups[index].name: min(width, max(1, channels)) for index in indices}
        found.append(Shape.of_spec(parent().spec(kept), IMGSZ))
    return tuple(found)


def machine(asked: tuple[Shape, ...], seed: int = 0, noise: float = 0.005) -> np.ndarray:
    """Return times of a simulated engine: input and output blocks of 16 channels, traffic, a constant per layer."""
    formula = CostFormula.at(parent().structure, IMGSZ)
    widths = np.array([shape.widths for shape in asked])
    layers = formula.layers(widths, np.zeros((len(asked), len(parent().structure.repeats)), dtype=bool))
    read = np.where(layers.depthwise, 1, 16 * np.ceil(layers.read / 16))
    work = (read * 16 * np.ceil(layers.made / 16) * layers.kernel) @ layers.positions
    seconds = 1e-9 * work + 2e-8 * (layers.made @ layers.positions) + 1e-3
    return seconds / 0.2 * np.exp(noise * np.random.default_rng(seed).standard_normal(len(asked)))


@pytest.mark.slow
def test_sixteen_chosen_measurements_predict_the_rest_with_an_honest_error_bar() -> None:
    model = LatencyModel(parent().structure, IMGSZ)
    chosen = model.informative(shapes(200, 1), (), FIRST)
    fitted = model.fit([Observation(*pair) for pair in zip(chosen, machine(chosen), strict=True)])
    others = shapes(64, 2)
    truth, predicted = machine(others, seed=1), fitted.predict(others)
    errors = np.abs(predicted.mean / truth - 1)
    assert errors.mean() < 0.025
    assert errors.max() < 0.08
    assert np.mean(np.abs(predicted.mean - truth) < 1.96 * predicted.sd) > 0.85
    assert (predicted.mean > 0).all()


@pytest.mark.slow
def test_chosen_shapes_are_chosen_once_and_some_are_unaligned() -> None:
    model = LatencyModel(parent().structure, IMGSZ)
    pool = shapes(60, 3)
    first = model.informative(pool, (), 8)
    second = model.informative(pool, first, 8)
    assert len(set(first) | set(second)) == 16
    odd = [any(width % 8 for width in shape.widths) for shape in (*first, *second)]
    assert any(odd)
    assert len(model.informative(pool, (), 100)) == 60


def test_layers_multiply_to_the_flops_of_the_convolutions() -> None:
    formula = CostFormula.at(parent().structure, IMGSZ)
    asked = shapes(8, 4)
    widths = np.array([shape.widths for shape in asked])
    dropped = np.zeros((len(asked), len(parent().structure.repeats)), dtype=bool)
    layers = formula.layers(widths, dropped)
    flops = 2 * (layers.read * layers.made * layers.kernel) @ layers.positions
    counted = formula.of_widths(widths).flops
    rest = counted - flops  # the rest (in this family only DFL's fixed part) does not change
    assert rest == pytest.approx(np.full(len(rest), rest[0]), abs=1.0)


def test_a_shape_of_another_structure_is_refused() -> None:
    other = Shape("other", (8,), (), IMGSZ)
    with pytest.raises(SpaceError, match="of parent other"):
        Features(parent().structure, IMGSZ, 16).of([other])


def test_a_fit_without_measurements_is_refused() -> None:
    with pytest.raises(SpaceError, match="at least one measurement"):
        LatencyModel(parent().structure, IMGSZ).fit([])


def test_thousands_of_measurements_are_fitted_at_once_and_exactly() -> None:
    some = shapes(24, 5)
    asked = some * 125
    ratios = machine(asked)
    begun = time.process_time()
    fitted = LatencyModel(parent().structure, IMGSZ).fit(
        [Observation(*pair) for pair in zip(asked, ratios, strict=True)]
    )
    assert time.process_time() - begun < 2.0  # with matrices of measurements by measurements it takes a minute

    few, scatter = Observation(some[0], float(ratios[0])), float(SCATTERS[3])
    fitted = LatencyModel(parent().structure, IMGSZ).fit([few, Observation(some[1], float(ratios[1]))])
    known = fitted.features.of(some[:2]) / ratios[:2, None]
    mean, deviation = (fitted.level * each for each in fitted.features.prior)
    spread = (known * deviation**2) @ known.T + scatter**2 * np.eye(2)
    gain = np.linalg.solve(spread, known * deviation**2).T
    assert fitted.prices[3] == pytest.approx(mean + gain @ (1.0 - known @ mean), rel=1e-6, abs=1e-9)
    covariance = np.diag(deviation**2) - gain @ (known * deviation**2)
    assert fitted.covariances[3] == pytest.approx(covariance, rel=1e-6, abs=1e-9)
