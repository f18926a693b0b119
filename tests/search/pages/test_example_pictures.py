"""Pictures with boxes beside the report: written, read, left out when they are outdated, and shown."""

from __future__ import annotations

import json
import re
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from search.findings.study_results import StudyResults
from search.pages.example_pictures import (
    PICTURES_FILE,
    Confusion,
    ExamplePicture,
    ExamplePictures,
    PlacedBox,
    read_pictures,
    write_pictures,
)
from search.pages.report import html_report
from search.study.sections import AccuracySection
from tests.search.plausible import CHECKPOINT, Plausible, plausible_study

SURE, UNSURE = (PlacedBox("cat <b>", 0.25, 0.5, 0.5, 0.25, confidence) for confidence in (0.9, 0.2))
EXAMPLES = ExamplePictures(
    ("parent", "trial 0"),
    (CHECKPOINT, CHECKPOINT),
    (ExamplePicture("/9j/", 80, 40, (replace(SURE, confidence=1.0),), ((SURE,), (SURE, UNSURE))),),
    Confusion(("cat <b>",), (((8, 1), (2, 0)), ((7, 0), (3, 0))), 6, 0.5, 0.5),
)


@pytest.fixture(scope="module")
def found() -> Plausible:
    return plausible_study(trials=2)


def test_pictures_are_read_as_they_were_written(found: Plausible, tmp_path: Path) -> None:
    assert read_pictures(tmp_path, found.records) is None, "there are none yet"
    assert write_pictures(tmp_path, EXAMPLES) == tmp_path / PICTURES_FILE
    assert read_pictures(tmp_path, found.records) == EXAMPLES


def test_pictures_of_other_weights_and_files_of_others_are_left_out(found: Plausible, tmp_path: Path) -> None:
    write_pictures(tmp_path, EXAMPLES)
    trained = [replace(each, checkpoint="other") if each.name == "trial 0" else each for each in found.records]
    assert read_pictures(tmp_path, trained) is None
    written = (tmp_path / PICTURES_FILE).read_text()
    damaged = [written.replace("[[8,1],[2,0]]", other) for other in ("[[8,1]]", "[[8],[2]]", '"8"', "[8,1]")]
    damaged += ["", "{", "[]", '{"names": 1}', '{"names": [], "checkpoints": [], "pictures": [{"labels": 1}]}']
    for text in damaged:
        (tmp_path / PICTURES_FILE).write_text(text)
        assert read_pictures(tmp_path, found.records) is None, text


def test_what_an_earlier_version_wrote_is_shown_and_not_complete(found: Plausible, tmp_path: Path) -> None:
    (tmp_path / PICTURES_FILE).write_text(json.dumps({**asdict(EXAMPLES), "confusion": None}))
    read = read_pictures(tmp_path, found.records)
    assert read == replace(EXAMPLES, confusion=None)
    shown = [record for record in found.records if record.name in EXAMPLES.names]
    assert EXAMPLES.are_complete(shown, AccuracySection())
    assert not read.are_complete(shown, AccuracySection())
    assert not EXAMPLES.are_complete(shown, AccuracySection(confidence=0.4)), "P and R of the table are taken there"
    assert not EXAMPLES.are_complete(shown[::-1], AccuracySection()), "another network is at the knee"


def test_the_report_shows_each_picture_once_and_the_boxes_of_both_networks(found: Plausible) -> None:
    html = html_report(StudyResults(found.study, found.records, found.fronts), b"", examples=EXAMPLES)
    part = html[html.index('id="examples-section"') : html.index('id="confusion-section"')]
    assert part.count("data:image/jpeg") == 1 and part.count('<use href="#picture-1"/>') == 2
    assert part.count('class="labelled" x="20.0" y="20.0" width="40.0" height="10.0"') == 2
    assert re.findall(r'class="found" data-confidence="([\d.]+)"( hidden)?', part) == [
        ("0.9", ""),
        ("0.9", ""),
        ("0.2", " hidden"),
    ]
    assert "cat &lt;b&gt; 0.90" in part and "<b>" not in part


def test_a_report_without_pictures_has_no_section_for_them(found: Plausible) -> None:
    assert "examples-section" not in html_report(StudyResults(found.study, found.records, found.fronts), b"")
