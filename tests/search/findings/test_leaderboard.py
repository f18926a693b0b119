"""The leaderboard: its order, its marks and its three formats."""

from __future__ import annotations

import csv
import io
from dataclasses import replace

import pytest

from objectives.base import Direction
from objectives.quantities import MAP50_95_INT8
from search.findings.columns import COLUMNS, columns_of
from search.findings.formats import csv_text, markdown, shortened, splits_of
from search.findings.leaderboard import Row, leaderboard
from search.findings.notes import note
from search.findings.terminal import terminal_table
from search.record.copied import named_with_study
from search.record.trial import Outcome
from search.record.words import NOTE_HEAD, SPEED_UP
from spaces.base import ParamValue
from spaces.display.terminal import table_console
from tests.search.plausible import LIMIT_MS, THREE_OBJECTIVES, Plausible, plausible_study, with_memory


@pytest.fixture(scope="module")
def found() -> Plausible:
    return plausible_study(trials=20)


@pytest.fixture(scope="module")
def rows(found: Plausible) -> tuple[Row, ...]:
    return leaderboard(found.records, found.fronts[-1].members)


def names(rows: tuple[Row, ...]) -> list[str]:
    return [row.record.name for row in rows]


def row_of(rows: tuple[Row, ...], name: str) -> Row:
    return next(row for row in rows if row.record.name == name)


def test_the_parent_is_row_zero_wherever_it_was_stored(found: Plausible) -> None:
    turned = leaderboard(tuple(reversed(found.records)))
    assert turned[0].record.name == "parent"


def test_reference_rows_follow_the_parent_in_the_order_they_were_made(rows: tuple[Row, ...]) -> None:
    assert names(rows)[:5] == ["parent", "one-shot", "round-2", "round-3", "uniform-0.5"]


def test_trials_follow_best_first_and_unfinished_ones_last(rows: tuple[Row, ...]) -> None:
    trials = [row for row in rows if not row.record.is_reference]
    scores = [row.values["map50_95"] for row in trials if row.record.outcome is Outcome.COMPLETE]
    assert scores == sorted(scores, key=lambda score: -(score or 0))
    assert [row.record.outcome for row in trials[len(scores) :]] == [
        Outcome.STOPPED,
        Outcome.RULED_OUT,
        Outcome.FAILED,
        Outcome.DUPLICATE,
    ]


def test_only_the_front_is_marked(found: Plausible, rows: tuple[Row, ...]) -> None:
    assert {row.record.name for row in rows if row.on_front} == set(found.fronts[-1].members)


def test_front_roles_are_the_ends_and_one_knee_between_them(found: Plausible, rows: tuple[Row, ...]) -> None:
    roles = {role: row.record.name for row in rows for role in row.roles}
    members = found.fronts[-1].members  # ascending in latency
    assert roles["fastest"] == members[0]
    assert roles["best"] == members[-1]
    assert roles["knee"] in members[1:-1]


def test_quantities_on_request_have_columns_where_they_were_measured(found: Plausible) -> None:
    plain = [column.title for column in columns_of(found.records)]
    three = with_memory(found)
    columns = columns_of(three.records)
    assert [column.title for column in columns if column.title not in plain] == ["mAP75", "memory, MiB"]
    rows = leaderboard(three.records, three.fronts[-1].members, objectives=THREE_OBJECTIVES, split="test")
    map75 = next(column for column in columns if column.key == "map75")
    assert row_of(rows, "parent").values["map75"] == three.records[0].value("map75", "test")
    assert row_of(rows, "parent").text(map75) == f"{three.records[0].value('map75', 'test'):.3f}"


def test_best_of_a_column_is_sought_among_complete_and_feasible_records_only(found: Plausible) -> None:
    slow = max((r for r in found.records if not r.feasible), key=lambda r: r.value("map50_95") or 0)
    records = [record for record in found.records if not record.is_reference]
    rows = leaderboard(records)
    best = row_of(rows, max((r for r in records if r.feasible), key=lambda r: r.value("map50_95") or 0).name)
    assert "map50_95" in best.best
    assert not row_of(rows, slow.name).best


def test_gain_and_speed_up_are_against_the_parent(found: Plausible, rows: tuple[Row, ...]) -> None:
    parent, other = found.records[0], found.records[1]
    row = row_of(rows, other.name)
    assert row.gain == (other.value("map50_95") or 0) - (parent.value("map50_95") or 0)
    assert row.speed_up == (parent.value("latency_ms") or 0) / (other.value("latency_ms") or 1)
    assert rows[0].gain is None and rows[0].speed_up_text == ""


def test_a_latency_is_shown_with_its_spread_to_the_same_decimals(rows: tuple[Row, ...]) -> None:
    latency = next(column for column in COLUMNS if column.key == "latency_ms")
    for row in rows:
        if text := row.text(latency):
            latency_found = row.record.measurement("latency_ms")
            assert latency_found is not None and text.startswith("†") == latency_found.contended
            value, spread = text.removeprefix("†").split(" ± ")
            assert len(value.partition(".")[2]) == len(spread.partition(".")[2]) and float(spread) > 0


def test_the_note_says_by_how_much_a_limit_was_missed(found: Plausible, rows: tuple[Row, ...]) -> None:
    missed = next(r for r in found.records if r.outcome is Outcome.COMPLETE and not r.feasible)
    by = (missed.value("latency_ms") or 0) - LIMIT_MS
    assert f"{by:.3f} ms over the limit" in row_of(rows, missed.name).note


def test_the_note_says_how_a_trial_ended_and_what_a_row_was_made_from(rows: tuple[Row, ...]) -> None:
    assert row_of(rows, "trial 3").note.startswith("rejected before training: latency_ms is 16.4; the limit is 14")
    assert row_of(rows, "trial 6").note.startswith(
        "stopped early at epoch 1"
    )  # said once, though the reason says it too
    assert "from one-shot" in row_of(rows, "round-2").note


@pytest.mark.parametrize(("share", "said"), [(0.1, True), (0.6, False)])
def test_the_note_says_that_a_file_is_broken(found: Plausible, share: float, said: bool) -> None:
    whole = found.records[0].value("map50_95") or 0.0
    file = MAP50_95_INT8.measurement(share * whole)
    record = replace(found.records[0], measurements=(*found.records[0].measurements, file))
    assert (
        f"int8 broken: mAP50-95 {share * whole:.3f} of the file, {whole:.3f} of the network" in note(record)
    ) is said


def test_gain_is_that_of_the_files_in_a_study_that_aims_at_theirs(found: Plausible) -> None:
    records = [
        replace(each, measurements=(*each.measurements, MAP50_95_INT8.measurement(0.5 * whole)))
        for each in found.records
        if (whole := each.value("map50_95")) is not None
    ]
    objectives = (("map50_95_int8", Direction.MAXIMIZE), ("latency_ms", Direction.MINIMIZE))
    rows = leaderboard(records, objectives=objectives)
    of_network = {row.record.name: row.gain for row in leaderboard(records)}
    gains = [(row.gain, of_network[row.record.name]) for row in rows if row.gain is not None]
    assert all(mine == pytest.approx(0.5 * (whole or 0.0)) for mine, whole in gains)
    assert len(gains) > 3


def test_the_note_says_which_recipe_was_drawn(found: Plausible) -> None:
    record = next(r for r in found.records if r.outcome is Outcome.COMPLETE and not r.is_reference)
    params = {**record.params, "recipe.lr0": 0.0031622, "recipe.optimizer": "AdamW", "recipe.epochs": 5}
    assert note(replace(record, params=params)).endswith("lr0 0.00316, optimizer AdamW, epochs 5")


def test_the_note_says_whose_stages_a_graft_has_and_what_it_does_without(found: Plausible) -> None:
    record = next(each for each in found.records if each.spec is not None and each.outcome is Outcome.COMPLETE)
    assert record.spec is not None
    donors = {"P1": "one-shot", "P2": "one-shot", "P3": "round-2", "neck": "round-2", "detect": "one-shot"}
    short = replace(record.spec, dropped=("model.4.m.0", "model.6.m.1"))
    grafted = replace(record, spec=short, params={f"donor.{part}": donor for part, donor in donors.items()})
    assert "one-shot P1 P2 detect, round-2 P3 neck; without 2 bottlenecks" in note(grafted)


def test_the_note_names_a_few_of_the_layers_that_a_threshold_would_empty(found: Plausible) -> None:
    record = next(r for r in found.records if r.name == "one-shot")
    cut: dict[str, ParamValue] = {"cut.threshold": 0.01, "cut.share_below": 0.43}
    cut["cut.emptied"] = "model.5, model.6.cv1, model.7, model.8.cv1"
    said = note(replace(record, params=cut))
    assert said.startswith("43 % of BatchNorm's gammas below 0.01, all of model.5, model.6.cv1 and 2 more layers (the")


def test_another_split_changes_accuracy_but_not_the_front(found: Plausible, rows: tuple[Row, ...]) -> None:
    on_test = leaderboard(found.records, found.fronts[-1].members, split="test")
    accuracy = found.records[0].evaluation("test")
    assert accuracy is not None and on_test[0].values["map50_95"] == accuracy.map50_95
    assert [row.on_front for row in on_test] == [row.on_front for row in rows]


def test_an_objective_that_is_minimized_first_sorts_upwards(found: Plausible) -> None:
    objectives = (("flops_g", Direction.MINIMIZE), ("latency_ms", Direction.MINIMIZE))
    rows = leaderboard(found.records, objectives=objectives)
    costs = [row.values["flops_g"] or 0 for row in rows[5:] if row.record.outcome is Outcome.COMPLETE]
    assert costs == sorted(costs)


def test_a_study_without_a_record_has_no_row() -> None:
    assert leaderboard(()) == ()


def printed(rows: tuple[Row, ...], width: int) -> str:
    stream = io.StringIO()
    table_console(stream, width=width).print(terminal_table(rows), crop=False)
    return stream.getvalue()


@pytest.mark.parametrize("width", [60, 80, 100, 120, 160, 200, 400])
def test_the_terminal_table_cuts_nothing_off(rows: tuple[Row, ...], width: int) -> None:
    text = printed(rows, width)
    assert max(map(len, text.splitlines())) <= min(width, 200)
    assert "…" not in text and "\n\n" not in text
    words = set(text.split())
    for row in rows:  # wrapped, but whole
        assert {*row.note.split(), *row.record.name.split()} <= words
        kept = [column for column in COLUMNS if column.key in ("map50_95", "latency_ms") or width >= 160]
        assert all(set(row.text(column).split()) <= words for column in kept if column.key != "f1")


def test_a_narrow_terminal_loses_the_columns_of_least_worth(rows: tuple[Row, ...]) -> None:
    heads = {width: printed(rows, width).splitlines()[0] for width in (60, 80, 100, 120)}
    assert "mAP50-95" in heads[60] and "latency, ms" in heads[60] and "MiB" not in heads[80]
    assert "ΔmAP50-95" in heads[80] and SPEED_UP in heads[80] and "MiB" in heads[120]
    assert [width for width, head in heads.items() if NOTE_HEAD in head.split()] == []  # below its row


def test_the_epoch_with_the_best_f1_is_no_row_of_its_own_if_it_is_the_last_one(found: Plausible) -> None:
    row = next(each for each in found.records if each.name == "round-2")
    twin, other = replace(row, name="round-2-f1"), replace(row, name="round-2-f1", evaluations=())
    merged = leaderboard([*found.records, twin], ["round-2-f1"])
    assert names(merged) == names(leaderboard(found.records))
    assert row_of(merged, "round-2").note.endswith("also best by F1") and row_of(merged, "round-2").on_front
    assert "round-2-f1" in names(leaderboard([*found.records, other]))


def test_markup_in_a_reason_is_text_in_every_format(found: Plausible) -> None:
    hostile = replace(
        found.records[8], outcome=Outcome.FAILED, reason="[bold red]x[/] | <script>alert(1)</script>\nnext"
    )
    rows = leaderboard([hostile])
    assert "[bold red]x[/]" in printed(rows, 200)
    lines = markdown(rows).splitlines()
    assert len(lines) == 3
    assert lines[2].replace("\\|", "").count("|") == lines[0].count("|")
    assert "<script" not in lines[2]


def test_csv_holds_every_figure_at_full_precision(found: Plausible, rows: tuple[Row, ...]) -> None:
    splits = splits_of(found.records)
    assert splits == ("val", "test")
    read = list(csv.DictReader(io.StringIO(csv_text(rows, splits))))
    assert [line["name"] for line in read] == names(rows)
    for line, row in zip(read, rows, strict=True):
        accuracy = row.record.evaluation("test")
        assert line["test.map50_95"] == ("" if accuracy is None else repr(accuracy.map50_95))
        latency = row.record.measurement("latency_ms")
        assert line["latency_high_ms"] == ("" if latency is None else repr(latency.high))
        assert line["params.head"] == row.record.params.get("head", "")


def test_copied_trials_stand_where_trials_do(found: Plausible, rows: tuple[Row, ...]) -> None:
    copied = [each if each.is_reference else replace(named_with_study(each, "nas_head"), number=None)
              for each in found.records if each.checkpoint]  # fmt: skip
    complete = [row.record.name for row in rows if row.record.checkpoint]
    assert [name.removeprefix("nas_head/") for name in names(leaderboard(copied))] == complete


def test_a_long_leaderboard_is_shortened_but_keeps_references_and_front() -> None:
    found = plausible_study(trials=80)
    front = found.fronts[-1].members
    rows = leaderboard(found.records, front)
    short = shortened(rows, trials=25)
    assert sum(not row.record.is_reference for row in short) == 25
    assert set(front) <= set(names(short)) and names(short)[:5] == names(rows)[:5]
    assert shortened(rows, trials=1000) == rows
