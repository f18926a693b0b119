"""The dashboard over a real database: what it shows of our records, and whom it refuses."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from optuna_dashboard import wsgi

from search.cli.command import Exit, run_command
from search.dashboard import main
from search.findings.leaderboard import leaderboard
from search.pages.dashboard_guard import Answer, guarded
from search.pages.dashboard_server import ArtifactFolder, dashboard_app
from search.pages.notes import study_note, trial_note
from search.record.trial import Outcome
from search.sampler.optuna_study import create_optuna_tables
from search.store.base import Store
from search.store.sql import open_store
from tests.search.dashboard.served import HOST, Served, header
from tests.search.plausible import Plausible, plausible_study, with_memory

HTML_FILE = "data:text/html;base64," + base64.b64encode(b"<script>alert(1)</script>").decode()
PNG_FILE = "data:image/png;base64," + base64.b64encode(b"\x89PNG\r\n").decode()


def over_limit(found: Plausible) -> set[int]:
    return {r.number for r in found.records if r.number is not None and not r.feasible}


def test_a_trial_over_its_limit_is_not_best_though_stock_dashboard_says_so(served: Served, found: Plausible) -> None:
    stock = Served(wsgi(served.storage), served.storage).json("/api/studies/1")
    slow = {r.number for r in found.records if r.outcome is Outcome.COMPLETE and not r.feasible}
    assert slow & {trial["number"] for trial in stock["best_trials"]}  # what the shim is for
    ours = served.json("/api/studies/1")
    assert not over_limit(found) & {trial["number"] for trial in ours["best_trials"]}
    shown = {trial["number"] for trial in ours["trials"] if any(excess > 0 for excess in trial["constraints"])}
    assert shown == over_limit(found)


def test_best_trials_are_the_front_of_the_report(served: Served, found: Plausible) -> None:
    members = found.fronts[-1].members
    front = {record.number for record in found.records if record.name in members and record.number is not None}
    assert {trial["number"] for trial in served.json("/api/studies/1")["best_trials"]} == front


def test_only_new_trials_are_sent_but_best_are_sought_among_all(served: Served) -> None:
    whole, rest = served.json("/api/studies/1"), served.json("/api/studies/1?after=15")
    assert [trial["number"] for trial in rest["trials"]] == [15, 16, 17]
    assert [t["number"] for t in rest["best_trials"]] == [t["number"] for t in whole["best_trials"]]
    assert served.ask("/api/studies/1?after=x").status.startswith("400")


def test_metric_names_are_those_of_the_study(served: Served) -> None:
    assert served.json("/api/studies/1")["objective_names"] == ["map50_95", "latency_ms"]


def test_each_finished_trial_has_a_note_and_its_pictures(served: Served, found: Plausible) -> None:
    trials = {trial["number"]: trial for trial in served.json("/api/studies/1")["trials"]}
    assert "**rejected before training**: latency_ms is 16.4" in trials[3]["note"]["body"]
    assert "| latency, ms |" in trials[0]["note"]["body"] and "Against the parent" in trials[0]["note"]["body"]
    assert [artifact["filename"] for artifact in trials[0]["artifacts"]] == ["channels.png", "curves.png"]
    assert [artifact["filename"] for artifact in trials[3]["artifacts"]] == ["channels.png"]  # never trained
    assert "parent" in served.json("/api/studies/1")["note"]["body"]
    for artifact in trials[0]["artifacts"]:
        answer = served.ask(f"/artifacts/1/{trials[0]['trial_id']}/{artifact['artifact_id']}")
        assert answer.status == "200 OK" and answer.body.startswith(b"\x89PNG")
        assert header(answer, "Content-Type") == "image/png"


def test_notes_and_pictures_cost_the_sampler_nothing(served: Served) -> None:
    served.json("/api/studies/1")
    attributes = served.storage.get_study_system_attrs(1)
    assert not [key for key in attributes if "note" in key or "artifact" in key]


def test_a_note_that_a_person_saved_wins(served: Served) -> None:
    trial = served.json("/api/studies/1")["trials"][4]
    saved = {"version": trial["note"]["version"] + 1, "body": "mine"}
    assert served.ask(f"/api/studies/1/{trial['trial_id']}/note", "PUT", saved).status.startswith("204")
    assert served.json("/api/studies/1")["trials"][4]["note"]["body"] == "mine"


def test_notes_stay_under_two_kilobytes() -> None:
    found = plausible_study(trials=60, seed=3)
    rows = leaderboard(found.records, found.fronts[-1].members)
    addresses = {"channels": f"/artifacts/10/1000/{'0' * 36}", "curves": f"/artifacts/10/1000/{'0' * 36}"}
    assert max(len(trial_note(row, rows[0], addresses).encode()) for row in rows) < 2000
    assert len(study_note(rows, "/report/1").encode()) < 2000


def test_the_note_of_a_study_has_columns_for_what_it_asked_for(found: Plausible) -> None:
    three = with_memory(found)
    rows = leaderboard(three.records, three.fronts[-1].members, objectives=three.study.objectives)
    assert "| size, MiB | mAP75 | memory, MiB | ΔmAP50-95 |" in study_note(rows)
    trained = next(row for row in rows if not row.record.is_reference)
    assert "\n| memory, MiB | " in trial_note(trained, rows[0])


def test_the_report_is_served_as_it_stands(served: Served) -> None:
    answer = served.ask("/report/1")
    assert answer.status == "200 OK" and b"<h1>nas_head</h1>" in answer.body
    assert served.ask("/report/77").status == "404 Not Found"


def test_a_study_that_is_not_ours_is_shown_as_stock_does(served: Served) -> None:
    from optuna.study import StudyDirection  # what a colleague's own script would leave in the same database

    other = served.storage.create_new_study([StudyDirection.MINIMIZE], "theirs")
    detail = served.json(f"/api/studies/{other}")
    assert detail["name"] == "theirs" and detail["trials"] == [] and detail["note"]["body"] == ""
    assert served.ask("/api/studies/999").status.startswith("404")
    served.storage.delete_study(other)


def test_an_uploaded_page_is_a_download_and_an_uploaded_image_an_image(served: Served, uploads: Path) -> None:
    def upload(name: str, content: str) -> Answer:
        added = served.ask("/api/artifacts/1", "POST", {"file": content, "filename": name})
        return served.ask(f"/artifacts/1/{json.loads(added.body)['artifact_id']}")

    page = upload("page.html", HTML_FILE)
    assert header(page, "Content-Type") == "application/octet-stream"
    assert header(page, "Content-Disposition") == "attachment"
    image = upload("image.png", PNG_FILE)
    assert header(image, "Content-Type") == "image/png" and image.body == b"\x89PNG\r\n"
    for answer in (page, image):
        assert header(answer, "X-Content-Type-Options") == "nosniff"
        assert header(answer, "Access-Control-Allow-Origin") is None
    assert len(list(uploads.iterdir())) == 2  # whole files, nothing partial


def test_an_uploaded_file_cannot_leave_its_folder(tmp_path: Path) -> None:
    ArtifactFolder(tmp_path / "in").write("../out", io.BytesIO(b"x"))
    assert [path.name for path in tmp_path.iterdir()] == ["in"]


def test_any_name_may_lead_to_a_server_on_an_open_address() -> None:
    def hello(environ: dict[str, Any], start_response: Callable[..., object]) -> list[bytes]:
        start_response("200 OK", [])
        return [b"hello"]

    assert (
        Served(guarded(hello, None, token=None, check=lambda environ: None), None)
        .ask("/", HTTP_HOST="lab.example")
        .body
        == b"hello"
    )


def test_an_empty_database_is_served_rather_than_crashing(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'empty.db'}"
    store = open_store(url)
    tables = create_optuna_tables(store, url)
    served = Served(dashboard_app(store, tables, tmp_path, hosts=(HOST,)), tables)
    assert served.json("/api/studies") == {"study_summaries": []}
    assert served.ask("/dashboard").status.startswith("200")
    store.close()


def test_without_a_database_nothing_is_served_or_made(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(main, ["--project", str(tmp_path / "runs")]) == Exit.USAGE
    assert "there is no database at sqlite:///" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_a_port_that_is_taken_is_named(store: Store, url: str, capsys: pytest.CaptureFixture[str]) -> None:
    import socket

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert run_command(main, ["--storage", url, "--port", str(port)]) == Exit.USAGE
    assert f"cannot serve on 127.0.0.1:{port}" in capsys.readouterr().err
    assert run_command(main, ["--storage", url, "--port", "80000"]) == Exit.USAGE
    assert capsys.readouterr().err == "error: cannot serve on 127.0.0.1:80000: bind(): port must be 0-65535.\n"


def test_an_unknown_study_exits_2(store: Store, url: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(main, ["--storage", url, "--study", "nas_hed"]) == Exit.USAGE
    assert "did you mean nas_head?" in capsys.readouterr().err
