"""Label rows of each task are read as Ultralytics reads them; others are refused with what is right."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

from objectives.data.label_rows import parse_labels
from objectives.tasks.base import LabelFactsError
from objectives.tasks.label_form import CornerRows, KeypointRows, LabelForm, PolygonRows
from objectives.tasks.registry import TASKS, task_named
from spaces.base import SpaceError

TRIANGLE = "1 .1 .2 .5 .2 .3 .6"
SQUARE = "0 .2 .2 .4 .2 .4 .4 .2 .4"
POSE = "1 .5 .5 .2 .4 .5 .5 2 .45 .4 0"


def test_a_polygon_gives_its_points_and_the_box_around_them() -> None:
    found = parse_labels(TRIANGLE.encode(), 2, PolygonRows())
    np.testing.assert_allclose(found.boxes, [[1, 0.3, 0.4, 0.4, 0.4]], rtol=1e-6)
    np.testing.assert_allclose(found.points[0], [[0.1, 0.2], [0.5, 0.2], [0.3, 0.6]], rtol=1e-6)
    assert found.odd == {}


def test_four_corners_give_an_oriented_box() -> None:
    found = parse_labels(SQUARE.encode(), 2, CornerRows())
    assert found.points[0].shape == (4, 2)
    np.testing.assert_allclose(found.boxes, [[0, 0.3, 0.3, 0.2, 0.2]], rtol=1e-6)


def test_a_pose_gives_its_box_and_its_keypoints() -> None:
    found = parse_labels(POSE.encode(), 2, KeypointRows(2, 3))
    np.testing.assert_allclose(found.boxes, [[1, 0.5, 0.5, 0.2, 0.4]], rtol=1e-6)
    np.testing.assert_allclose(found.points[0], [[0.5, 0.5, 2], [0.45, 0.4, 0]], rtol=1e-6)


def test_a_keypoint_without_visibility_is_hidden_where_its_place_is_negative() -> None:
    found = parse_labels(b"0 .5 .5 .2 .4 .5 .5 -.005 .4", 1, KeypointRows(2, 2))
    assert found.points[0][:, 2].tolist() == [1, 0]


@pytest.mark.parametrize(
    ("form", "row", "problem"),
    [
        (PolygonRows(), "0 .5 .5 .2 .2", "5 columns; a segmentation label has a class and at least 3 points (x y)"),
        (PolygonRows(), "0 .1 .2 .5 .2 .3 1.6", "coordinate 1.6 is out of range"),
        (CornerRows(), TRIANGLE, "7 columns; the label of an oriented box has 9 (class and 4 corners, x y)"),
        (KeypointRows(2, 3), "0 .5 .5 .2 .2", "5 columns; a pose label has 11 (class x y width height, 2 x 3)"),
        (KeypointRows(2, 3), POSE.replace(".45", "1.45"), "coordinate 1.45 is out of range"),
        (KeypointRows(2, 3), POSE.replace(".2 .4", "-.005 .4"), "a box of size -0.005 x 0.4"),
    ],
)
def test_a_row_of_another_form_is_refused(form: LabelForm, row: str, problem: str) -> None:
    (found,) = parse_labels(row.encode(), 2, form).problems
    assert found.startswith(f":1: {problem}")


def test_rows_that_are_left_out_take_their_points_with_them() -> None:
    flat = "0 .1 .1 .5 .1 .3 .1"
    found = parse_labels(f"{flat}\n{TRIANGLE}\n{TRIANGLE}".encode(), 2, PolygonRows())
    assert (len(found.boxes), len(found.points), found.repeated) == (1, 1, 1)


@pytest.mark.parametrize(
    ("content", "key", "message"),
    [
        ({}, "kpt_shape", "'kpt_shape' is missing"),
        ({"kpt_shape": [3]}, "kpt_shape", r"must be \[keypoints, 2 or 3\]"),
        ({"kpt_shape": [3, 4]}, "kpt_shape", r"must be \[keypoints, 2 or 3\]"),
        ({"kpt_shape": [3, 3], "flip_idx": [0, 1]}, "flip_idx", "must be a list of 3 numbers"),
    ],
)
def test_keypoints_that_are_not_described_are_refused(content: Mapping[str, Any], key: str, message: str) -> None:
    with pytest.raises(LabelFactsError, match=message) as raised:
        TASKS["pose"].data_facts(content)
    assert raised.value.key == key


def test_a_pose_data_set_is_refused_by_other_tasks() -> None:
    with pytest.raises(LabelFactsError, match="this is a pose data set, and the model is for the task 'segment'"):
        TASKS["segment"].data_facts({"kpt_shape": [3, 3]})


def test_a_task_that_is_not_trained_here_is_named() -> None:
    with pytest.raises(SpaceError, match="networks for the task 'depth' are not trained here; there are detect, seg"):
        task_named("depth")
