"""Latencies in every table, note, chart and file: further targets are columns, and a predicted figure says so."""

from __future__ import annotations

import csv
import io
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from rich.console import Console

from objectives.base import Measurement
from search.findings.columns import columns_of
from search.findings.formats import csv_text, markdown
from search.findings.leaderboard import Row, leaderboard
from search.findings.notes import outcome_line
from search.findings.study_results import StudyResults
from search.findings.terminal import terminal_table
from search.pages.charts import chart_data
from search.pages.notes import trial_note
from search.pages.report import html_report
from search.pictures.pareto import pareto_bytes
from search.record.latency_text import latency_text, legend, measured_ms
from search.record.trial import Outcome, TrialRecord
from search.sampler.tables.told_attributes import dashboard_attributes
from tests.search.plausible import Plausible, plausible_study

PREDICTED = Measurement("latency_ms", 7.3, "ms", 7.1, 7.5, 0, 0.9, "a target", None, predicted=True)
REASON = "predicted 7.30 ± 0.20 ms, limit 5"
ELSEWHERE = "latency_ms.openvino-cpu"


@pytest.fixture(scope="module")
def found() -> Plausible:
    """A study of two targets; trial 3 was ruled out by a prediction, the first trial timed under load elsewhere."""
    whole = plausible_study()
    return replace(whole, records=tuple(map(_with_two_targets, whole.records)))


def _with_two_targets(record: TrialRecord) -> TrialRecord:
    own = record.measurement("latency_ms")
    if record.outcome is Outcome.RULED_OUT:
        return replace(record, measurements=(PREDICTED,), reason=REASON)
    if own is None or record.outcome is Outcome.FAILED:
        return record
    half = replace(own, name=ELSEWHERE, value=own.value / 2, low=None, high=None, contended=record.number == 0)
    return replace(record, measurements=(*record.measurements, half))


@pytest.fixture(scope="module")
def rows(found: Plausible) -> tuple[Row, ...]:
    return leaderboard(found.records, found.fronts[-1].members)


def row_of(rows: tuple[Row, ...], name: str) -> Row:
    return next(row for row in rows if row.record.name == name)


@pytest.mark.parametrize(
    ("measured", "text"),
    [
        (Measurement("latency_ms", 12.34, "ms", 11.9, 12.7, 50), "12.3 ± 0.4"),
        (Measurement("latency_ms", 12.34, "ms", 11.9, 12.7, 50, contended=True), "†12.3 ± 0.4"),
        (Measurement("latency_ms", 5.2, "ms", 5.0, 5.4, 0, predicted=True), "~5.20 ± 0.20"),
        (Measurement("latency_ms", 5.2, "ms", predicted=True, contended=True), "~5.20"),
    ],
)
def test_a_contended_latency_and_a_predicted_one_are_marked(measured: Measurement, text: str) -> None:
    assert latency_text(measured) == text


def test_the_legend_explains_the_marks_that_occur(found: Plausible) -> None:
    under_load = "† timed while other work was seen on the device"
    assert legend(found.records) == (under_load, "~ predicted, not measured")
    assert legend([row for row in found.records if row.name == "trial 3"]) == ("~ predicted, not measured",)
    assert legend([]) == ()


def test_a_further_target_is_a_column_after_the_latency(found: Plausible, rows: tuple[Row, ...]) -> None:
    titles = [column.title for column in columns_of(found.records)]
    assert titles[titles.index("latency, ms") + 1] == "openvino-cpu, ms"
    head, _, *lines = markdown(rows).splitlines()
    assert "| latency, ms | openvino-cpu, ms |" in head and len(lines) == len(rows)
    fastest = min(found.records, key=lambda r: (not r.feasible, r.outcome is not Outcome.COMPLETE, r.value(ELSEWHERE)))
    assert ELSEWHERE in row_of(rows, fastest.name).best
    parent = row_of(rows, "parent")
    column = next(column for column in columns_of(found.records) if column.key == ELSEWHERE)
    assert parent.text(column) and row_of(rows, "trial 3").text(column) == ""
    assert row_of(rows, "trial 0").text(column).startswith("†")
    assert f"| openvino-cpu, ms | {parent.text(column)} |" in trial_note(parent, None)


def test_a_predicted_latency_is_marked_in_every_table_and_note(found: Plausible, rows: tuple[Row, ...]) -> None:
    predicted = row_of(rows, "trial 3")
    console = Console(width=200, file=io.StringIO())
    with console.capture() as capture:
        console.print(terminal_table(rows))
    for text in (capture.get(), markdown(rows), trial_note(predicted, row_of(rows, "parent"))):
        assert "~7.30 ± 0.20" in text and " 7.30" not in text.replace(REASON, "")
    assert "~ predicted, not measured" in trial_note(predicted, None)
    assert REASON in predicted.note and outcome_line(predicted.record, ("latency_ms",)).endswith(REASON)
    assert predicted.speed_up is None and measured_ms(predicted.record) is None


def test_in_csv_and_attributes_a_predicted_latency_has_a_name_of_its_own(rows: tuple[Row, ...]) -> None:
    lines = {line["name"]: line for line in csv.DictReader(io.StringIO(csv_text(rows)))}
    ruled_out, parent = lines["trial 3"], lines["parent"]
    assert [ruled_out[f"latency_{what}"] for what in ("ms", "low_ms", "high_ms", "runs", "ratio")] == [""] * 5
    assert ruled_out["latency_predicted_ms"] == "7.3" and ruled_out["latency_predicted_high_ms"] == "7.5"
    record = row_of(rows, "parent").record
    assert parent["latency_ms"] == repr(record.value("latency_ms")) and parent["latency_predicted_ms"] == ""
    assert parent["latency_ms.openvino-cpu"] == repr(record.value(ELSEWHERE))
    assert parent["latency_contended.openvino-cpu"] == "False"
    attributes = dashboard_attributes(row_of(rows, "trial 3").record)
    assert "latency_ms" not in attributes and attributes["latency_ms (predicted)"] == 7.3
    assert ELSEWHERE in dashboard_attributes(record)


def test_the_charts_draw_predictions_and_measurements_differently(found: Plausible, rows: tuple[Row, ...]) -> None:
    findings = StudyResults(found.study, found.records, found.fronts)
    rug = {stroke["name"]: stroke for stroke in chart_data(findings, rows)["panels"][0]["rug"]}
    assert rug["trial 3"]["predicted"] and REASON in rug["trial 3"]["why"]
    assert not any(stroke["predicted"] for name, stroke in rug.items() if name != "trial 3")
    page = html_report(findings, b"", datetime(2026, 3, 3, tzinfo=UTC))
    assert "~7.30 ± 0.20" in page and "~ predicted, not measured" in page and "openvino-cpu, ms" in page
    measured = [
        replace(r, measurements=(replace(PREDICTED, predicted=False),)) for r in found.records if r.name == "trial 3"
    ]
    others = [record for record in found.records if record.name != "trial 3"]
    pictures = [pareto_bytes([*others, *more], found.fronts) for more in ([row_of(rows, "trial 3").record], measured)]
    assert pictures[0] != pictures[1]


def test_a_complete_network_whose_latency_is_predicted_is_drawn_as_such(found: Plausible) -> None:
    """As on a target of another machine."""
    predicted = [
        replace(r, measurements=(replace(PREDICTED, value=r.value("latency_ms") or 7.3),)) for r in found.records
    ]
    drawn = chart_data(StudyResults(found.study, tuple(predicted), found.fronts), leaderboard(predicted))["panels"][0]
    assert drawn["points"] and all(point["predicted"] for point in drawn["points"])
    known = [replace(r, measurements=(replace(r.measurements[0], predicted=False),)) for r in predicted]
    assert pareto_bytes(predicted, found.fronts) != pareto_bytes(known, found.fronts)
    findings = StudyResults(found.study, found.records, found.fronts)
    points = chart_data(findings, leaderboard(found.records))["panels"][0]["points"]
    assert not any("predicted" in point for point in points)
