"""Confusion matrices in the report: nothing is lost in the drawing, names are harmless and short."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest

from search.findings.study_results import StudyResults
from search.pages.confusion import LABEL_WIDTH, MOST_CLASSES, draw_confusion
from search.pages.example_pictures import Confusion, ExamplePictures
from search.pages.report import html_report
from tests.search.plausible import plausible_study

NAMES = ("parent", "trial 0")


def _confusion(classes: int, *, boxes: bool = True) -> Confusion:
    """Random counts; the classes with higher numbers are mistaken more often."""
    random = np.random.default_rng(classes)
    size = classes + boxes
    matrices = [random.poisson(np.outer(np.arange(1, size + 1), np.arange(1, size + 1)) / size) for _ in NAMES]
    for matrix in matrices:
        matrix[classes:, classes:] = 0
        matrix[range(classes), range(classes)] += 50
    counts = tuple(tuple(tuple(map(int, row)) for row in matrix) for matrix in matrices)
    return Confusion(tuple(f"class {number}" for number in range(classes)), counts, 100, 0.5, 0.5)


@pytest.mark.parametrize("classes", [1, 2, 10, 20, 80])
@pytest.mark.parametrize("boxes", [True, False])
def test_every_object_is_in_one_cell_whatever_the_number_of_classes(classes: int, boxes: bool) -> None:
    confusion = _confusion(classes, boxes=boxes)
    drawing = draw_confusion(confusion, NAMES)
    assert len(drawing.rows) == min(classes, MOST_CLASSES + 1) + boxes
    assert drawing.left_out == max(0, classes - MOST_CLASSES)
    for matrix, counts in zip(drawing.matrices, confusion.counts, strict=True):
        assert sum(int(cell.told.split()[0]) for cell in matrix.cells) == np.sum(counts)
        assert sum(cell.kind == "rest" for cell in matrix.cells) == (classes > MOST_CLASSES)
        edges = [cell.left + drawing.side for cell in matrix.cells] + [cell.top + drawing.side for cell in matrix.cells]
        assert min(cell.left for cell in matrix.cells) >= drawing.gutter and max(edges) <= drawing.size
    if classes > MOST_CLASSES:
        assert min(int(label.whole[6:]) for label in drawing.rows[:MOST_CLASSES]) > 50, "those with the most mistakes"


def test_cells_and_differences_tell_what_they_count() -> None:
    counts = (((8, 1, 3), (0, 4, 0), (2, 0, 0)), ((7, 1, 0), (0, 5, 0), (3, 0, 0)))
    drawing = draw_confusion(Confusion(("cat", "dog"), counts, 9, 0.5, 0.5), NAMES)
    parent = drawing.matrices[0]
    assert parent.sentence == (
        "of 15 labelled boxes, 12 found as their class, 1 as another, 2 not found; 3 found where nothing is labelled"
    )
    assert [(cell.told, cell.kind) for cell in parent.cells] == [
        ("8 of 10 boxes labelled cat were found as cat", "right"),
        ("1 of 5 boxes labelled dog were found as cat", "wrong"),
        ("3 of 12 boxes found as cat are where nothing is labelled", "wrong"),
        ("4 of 5 boxes labelled dog were found as dog", "right"),
        ("2 of 10 boxes labelled cat are not found", "wrong"),
    ]
    differences = [(each.labelled, each.found, each.counts) for each in drawing.differences]
    assert differences == [("not labelled", "cat", (3, 0)), ("cat", "not found", (2, 3))]


def test_the_report_escapes_and_shortens_names() -> None:
    found = plausible_study(trials=2)
    hostile = ("<b>a class</b> with a long name", "赤血球" * 5)
    confusion = replace(_confusion(2), classes=hostile)
    weights = {record.name: record.saved_checkpoint for record in found.records if record.checkpoint}
    examples = ExamplePictures(NAMES, tuple(weights[name] for name in NAMES), (), confusion)
    html = html_report(StudyResults(found.study, found.records, found.fronts), b"", examples=examples)
    part = html[html.index('id="confusion-section"') : html.index("Front by trials")]
    assert "<b>a class" not in part and "&lt;b&gt;a class&lt;/b&gt; with a long name</td>" in part
    labels = re.findall(r"</title>([^<]+)</text>", part)
    assert set(labels) == {"&lt;b&gt;a class&lt;/b…", "赤血球赤血球…", "not found", "not labelled"}
    assert all(len(label.replace("&lt;", "<").replace("&gt;", ">")) <= LABEL_WIDTH for label in labels)
    assert "examples-section" not in html, "there are no pictures"
