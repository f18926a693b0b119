"""The Pareto plot as a PNG, and the pictures of one trial."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from matplotlib.figure import Figure
from PIL import Image

from objectives.base import Direction
from search.findings.panels import kind_of
from search.pictures.curves import channel_picture, curves_picture
from search.pictures.labels import Label, place_labels
from search.pictures.pareto import KINDS, pareto_bytes, pareto_png
from search.record.trial import Outcome
from tests.search.plausible import LIMIT_MS, THREE_OBJECTIVES, Plausible, plausible_study, with_memory


@pytest.fixture(scope="module")
def found() -> Plausible:
    return plausible_study(trials=20)


def pixels(picture: bytes) -> npt.NDArray[np.int16]:
    return np.asarray(Image.open(io.BytesIO(picture)).convert("RGB")).astype(np.int16)


def has_colour(image: npt.NDArray[np.int16], colour: str) -> bool:
    wanted = np.array([int(colour[start : start + 2], 16) for start in (1, 3, 5)])
    return bool((np.abs(image - wanted).max(axis=2) <= 3).sum() > 40)  # 3 of 255: rounding when drawn


def test_parent_donors_front_and_trials_are_drawn_in_their_colours(found: Plausible, tmp_path: Path) -> None:
    path = pareto_png(tmp_path / "new" / "pareto.png", found.records, found.fronts, limits={"latency_ms": LIMIT_MS})
    image = pixels(path.read_bytes())
    assert image.shape[1] >= 2000  # twice the dots of a screen
    for kind in ("parent", "reference", "front"):
        assert has_colour(image, KINDS[kind].colour), kind


def test_without_reference_rows_their_colours_are_absent(found: Plausible) -> None:
    trials = [record for record in found.records if not record.is_reference]
    image = pixels(pareto_bytes(trials, ()))
    assert not has_colour(image, KINDS["parent"].colour) and not has_colour(image, KINDS["reference"].colour)


def test_a_study_without_a_measured_record_still_gives_a_picture(found: Plausible) -> None:
    failed = [replace(record, outcome=Outcome.FAILED, measurements=()) for record in found.records[5:7]]
    for records in ((), failed):
        assert pixels(pareto_bytes(records, ())).size > 0


def test_other_objectives_and_directions_can_be_plotted(found: Plausible) -> None:
    objectives = (("flops_g", Direction.MINIMIZE), ("map50", Direction.MAXIMIZE))
    assert has_colour(pixels(pareto_bytes(found.records, found.fronts, objectives=objectives)), KINDS["front"].colour)


def test_a_third_objective_has_a_panel_of_its_own(found: Plausible) -> None:
    three = with_memory(found)
    limits = {"latency_ms": LIMIT_MS, "memory_mib": 9.0}
    image = pixels(pareto_bytes(three.records, three.fronts, objectives=THREE_OBJECTIVES, limits=limits))
    assert image.shape[1] > pixels(pareto_bytes(found.records, found.fronts)).shape[1]
    left, right = image[:, : image.shape[1] * 2 // 5], image[:, image.shape[1] // 2 : image.shape[1] * 4 // 5]
    for panel in (left, right):
        assert all(has_colour(panel, KINDS[kind].colour) for kind in ("parent", "reference", "front"))


def test_each_record_is_drawn_as_what_it_is(found: Plausible) -> None:
    front, parent = found.fronts[-1].members, found.records[0]
    kinds = {record.name: kind_of(record, front, parent) for record in found.records}
    assert kinds["parent"] == "parent" and kinds["one-shot"] == "reference"
    over = next(r for r in found.records if r.outcome is Outcome.COMPLETE and not r.feasible)
    assert kinds[over.name] == "infeasible"
    assert {name for name, kind in kinds.items() if kind == "front"} == set(front) - {"parent", *list(kinds)[1:5]}


def test_no_name_covers_a_point_or_another_name() -> None:
    chance = np.random.default_rng(0)
    points = [(float(x), float(y)) for x, y in chance.normal(size=(40, 2))]
    figure = Figure(figsize=(8, 5), layout="constrained")
    axes = figure.add_subplot()
    axes.scatter([x for x, _ in points], [y for _, y in points])
    labels = [Label(f"trial {number}", x, y, number % 2 == 0) for number, (x, y) in enumerate(points)]
    place_labels(figure, axes, labels, points, "black")
    figure.draw_without_rendering()
    boxes = [text.get_window_extent() for text in axes.texts]
    assert 10 < len(boxes) < 40  # the crowded ones are left out
    assert all(box.count_overlaps(boxes) == 1 for box in boxes)  # itself
    assert not any(box.contains(*axes.transData.transform(point)) for box in boxes for point in points)


def test_a_trial_has_a_picture_of_its_channels_and_of_its_curves(found: Plausible) -> None:
    record = next(record for record in found.records if record.name == "trial 0")
    for picture in (channel_picture(record), curves_picture(record, found.records[0])):
        assert picture is not None and has_colour(pixels(picture), KINDS["front"].colour)


def test_a_trial_that_was_never_trained_has_no_curves(found: Plausible) -> None:
    ruled_out = next(record for record in found.records if record.outcome is Outcome.RULED_OUT)
    assert curves_picture(ruled_out, found.records[0]) is None
    assert channel_picture(replace(ruled_out, spec=None)) is None
