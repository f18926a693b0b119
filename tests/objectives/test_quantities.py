"""The table of quantities: every name that is measured or stored is in it, once."""

from __future__ import annotations

import dataclasses

import pytest

from objectives.base import Direction, Evaluation
from objectives.quantities import LATENCY_MS, QUANTITIES, USUAL_OBJECTIVES, Quantity, quantity_named

NOT_MEASURED = {"split", "images", "confidence", "iou", "ap_per_class", "curves"}
"""Fields of an `Evaluation` that say how it was taken, or are no single figure."""


@pytest.mark.parametrize("quantity", QUANTITIES.values(), ids=str)
def test_a_quantity_says_what_tables_and_plots_need(quantity: Quantity) -> None:
    assert quantity.name == quantity.name.lower() and quantity.name.isidentifier()
    assert quantity.title and quantity.axis_title
    assert quantity.name.endswith("_ms") == (quantity.unit == "ms")
    assert quantity.name.endswith("_mib") == (quantity.unit == "MiB")


def test_every_figure_of_an_evaluation_is_a_quantity() -> None:
    figures = {field.name for field in dataclasses.fields(Evaluation)} - NOT_MEASURED
    assert figures == {each.name for each in QUANTITIES.values() if each.in_evaluation}


def test_a_limit_can_be_set_on_what_is_known_before_training_and_better_when_smaller() -> None:
    for quantity in QUANTITIES.values():
        assert quantity.limitable == (quantity.before_training and quantity.direction is Direction.MINIMIZE)
    assert LATENCY_MS.limitable


def test_the_usual_objectives_have_the_direction_of_their_quantity() -> None:
    assert all(QUANTITIES[name].direction is direction for name, direction in USUAL_OBJECTIVES)


def test_a_measurement_of_a_further_target_has_the_quantity_of_its_beginning() -> None:
    assert LATENCY_MS.on("openvino-cpu") == "latency_ms.openvino-cpu"
    assert quantity_named("latency_ms.openvino-cpu") is quantity_named("latency_ms") is LATENCY_MS


def test_a_measurement_takes_name_and_unit_from_its_quantity() -> None:
    measured = LATENCY_MS.measurement(4.0, low=3.9, high=4.1)
    assert (measured.name, measured.unit, measured.value, measured.low) == ("latency_ms", "ms", 4.0, 3.9)


@pytest.mark.parametrize("name", ["split", "images", "energy_j", "latency"])
def test_what_is_no_quantity_is_refused_with_those_that_are(name: str) -> None:
    with pytest.raises(KeyError, match=f"'{name}' is no quantity; there are map50_95, map50"):
        quantity_named(name)
