"""The HTML report and the dashboard in a real browser: drawn, without an error, without asking anybody else."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import threading
from collections.abc import Iterator
from html import unescape
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from search.findings.columns import COLUMNS
from search.findings.study_results import StudyResults, read_study_results
from search.pages.dashboard_server import serve
from search.pages.report import html_report
from search.pictures.pareto import pareto_bytes
from search.sampler.optuna_study import create_optuna_tables
from search.store.sql import open_store
from tests.search.plausible import Plausible, plausible_study, store_study, with_memory
from tests.search.sampler.told import tell_sampler

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
    "--disable-background-networking", "--disable-component-update", "--hide-scrollbars", "--enable-logging=stderr",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",  # nobody but us can be reached
)  # fmt: skip
pytestmark = pytest.mark.skipif(BROWSER is None, reason="no chromium is installed (Debian: apt-get install chromium)")

# Loads the report in a frame as wide as the address asks and writes down what a test cannot see from outside.
FRAME = """<!doctype html><body style="margin:0"><script>
const frame = document.createElement("iframe");
frame.style.cssText = `border:0;height:4000px;width:${location.hash.slice(1)}px`;
frame.addEventListener("load", () => setTimeout(() => {
  const page = frame.contentDocument, root = page.documentElement, facts = document.createElement("pre");
  const count = (what) => page.querySelectorAll(what).length;
  [...page.querySelectorAll("thead button")].find((button) => button.textContent.startsWith("latency")).click();
  const star = page.querySelector('[data-name="parent"] .mark').getBoundingClientRect();
  page.querySelector("#pareto svg").dispatchEvent(
    new frame.contentWindow.PointerEvent("pointermove", { clientX: star.x + 8, clientY: star.y + 8 }));
  const seen = {
    width: root.clientWidth, content: root.scrollWidth, drawn: root.dataset.drawn, marks: count("#pareto .mark"),
    requests: frame.contentWindow.performance.getEntriesByType("resource").length, rows: count("#leaderboard tbody tr"),
    lines: count("path.line"), widths: count("#widths svg"), stairs: count("path.stairs"),
    sorted: [...page.querySelectorAll("#leaderboard tbody tr")].map((row) => row.cells[0].textContent),
    tip: page.getElementById("tip").textContent,
  };
  const visible = () => [...page.querySelectorAll("#leaderboard tbody tr")].filter((row) => !row.hidden).length;
  const type = (id, change) => {
    change(page.getElementById(id));
    page.getElementById(id).dispatchEvent(new frame.contentWindow.Event("input"));
    return visible();
  };
  seen.visible = visible();
  seen.members = type("front-only", (box) => { box.checked = true; });
  seen.parents = type("search", (field) => { field.value = "parent"; });
  seen.none = type("search", (field) => { field.value = "no such network"; });
  type("confidence-slider", (slider) => { slider.value = 0.3; });
  seen.confidence = page.getElementById("confidence-value").textContent;
  type("search", (field) => { field.value = ""; });
  type("front-only", (box) => { box.checked = false; });
  const head = [...page.querySelectorAll("thead button")].find((button) => button.textContent.startsWith("latency"));
  head.click(); // slowest first
  head.click(); // the order of reading
  seen.read = [...page.querySelectorAll("#leaderboard tbody tr")].map((row) => row.cells[0].textContent);
  facts.id = "facts";
  facts.textContent = JSON.stringify(seen);
  document.body.append(facts);
}, 200));
frame.src = "report.html";
document.body.append(frame);
</script>"""


def browse(address: str, profile: Path, budget_ms: int = 3000) -> tuple[str, list[str]]:
    """The page after its scripts have run, and what the console said."""
    command = [str(BROWSER), *FLAGS, f"--user-data-dir={profile}", f"--virtual-time-budget={budget_ms}", "--dump-dom"]
    done = subprocess.run([*command, address], capture_output=True, text=True, timeout=120, check=True)
    return done.stdout, re.findall(r"CONSOLE.*", done.stderr)


def framed(folder: Path, name: str, report: str) -> str:
    """Write a report and a page that opens it in a frame of any width; return the name of that page."""
    (folder / f"{name}.html").write_text(report, encoding="utf-8")
    frame = f"frame-{name}.html"
    (folder / frame).write_text(FRAME.replace("report.html", f"{name}.html"), encoding="utf-8")
    return frame


def seen_in_frame(address: str, width: int, profile: Path) -> dict[str, Any]:
    """Return what a framed report shows at a width in px. The console must have said nothing."""
    page, said = browse(f"{address}#{width}", profile, budget_ms=5000)
    assert said == []
    facts = re.search(r'<pre id="facts">(.*?)</pre>', page, re.DOTALL)
    assert facts is not None
    seen: dict[str, Any] = json.loads(unescape(facts[1]))
    return seen


@pytest.fixture(scope="module")
def found() -> Plausible:
    return plausible_study(trials=8)


@pytest.fixture(scope="module")
def folder(found: Plausible, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("report")
    findings = StudyResults(found.study, found.records, found.fronts)
    html = html_report(findings, pareto_bytes(found.records, found.fronts))
    (folder / "report.html").write_text(html, encoding="utf-8")
    (folder / "frame.html").write_text(FRAME, encoding="utf-8")
    (folder / "broken.html").write_text("<!doctype html><script>missing()</script>", encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def address(folder: Path) -> Iterator[str]:
    class Quiet(SimpleHTTPRequestHandler):
        def __init__(self, *arguments: Any) -> None:
            super().__init__(*arguments, directory=str(folder))

        def log_message(self, format: str, *arguments: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Quiet)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_the_console_is_really_listened_to(folder: Path, tmp_path: Path) -> None:
    _, said = browse((folder / "broken.html").as_uri(), tmp_path)
    assert any("missing is not defined" in line for line in said)


def test_the_report_opens_from_disk_without_an_error(folder: Path, found: Plausible, tmp_path: Path) -> None:
    page, said = browse((folder / "report.html").as_uri(), tmp_path)
    assert said == []
    assert 'data-drawn="yes"' in page
    for record in found.records:
        assert f">{record.name}</th>" in page
    for column in COLUMNS:
        assert f"<button>{column.title}</button>" in page


@pytest.mark.parametrize("width", [1400, 420])
def test_the_report_fits_its_window_sorts_and_answers_the_pointer(
    address: str, found: Plausible, tmp_path: Path, width: int
) -> None:
    seen = seen_in_frame(f"{address}/frame.html", width, tmp_path)
    members = len(found.fronts[-1].members)
    complete = [record for record in found.records if record.evaluations]
    fastest_first = sorted(found.records, key=lambda record: record.value("latency_ms") or 1e9)
    assert seen["width"] == width and seen["content"] <= width  # nothing to scroll sideways
    assert seen["requests"] == 0
    assert seen["marks"] == len(complete) and seen["rows"] == len(found.records) and seen["stairs"] == 3
    assert seen["widths"] == members
    assert seen["lines"] >= 3 * members  # P, R and F1 of each member, besides the learning curves
    assert seen["sorted"] == [record.name for record in fastest_first]
    assert seen["tip"].startswith("parent")
    assert (seen["visible"], seen["members"], seen["none"]) == (len(found.records), members, 0)
    assert 1 <= seen["parents"] <= members and seen["read"][0] == "parent" and seen["read"] != seen["sorted"]
    assert seen["confidence"] == "0.30"


def test_hundreds_of_networks_are_turned_over_page_by_page(folder: Path, address: str, tmp_path: Path) -> None:
    many = plausible_study(trials=120)
    findings = StudyResults(many.study, many.records, many.fronts)
    frame = framed(folder, "many", html_report(findings, pareto_bytes(many.records, many.fronts)))
    seen = seen_in_frame(f"{address}/{frame}", 420, tmp_path)
    assert seen["rows"] == len(many.records) and seen["visible"] == 50
    assert seen["members"] == len(many.fronts[-1].members)
    assert seen["content"] <= 420


@pytest.mark.parametrize("width", [1400, 420])
def test_three_objectives_are_drawn_as_two_plots_that_fit_the_window(
    folder: Path, address: str, found: Plausible, tmp_path: Path, width: int
) -> None:
    three = with_memory(found)
    findings = StudyResults(three.study, three.records, three.fronts)
    frame = framed(
        folder,
        "three",
        html_report(findings, pareto_bytes(three.records, three.fronts, objectives=three.study.objectives)),
    )
    seen = seen_in_frame(f"{address}/{frame}", width, tmp_path)
    assert seen["width"] == width and seen["content"] <= width
    assert seen["marks"] == 2 * len([record for record in found.records if record.evaluations])
    assert seen["stairs"] == 4, "two plots, and two of how the front grew"
    assert seen["tip"].startswith("parent")


@pytest.fixture(scope="module")
def dashboard(found: Plausible, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("runs")
    url = f"sqlite:///{folder / 'study.db'}"
    store = open_store(url)
    study = store_study(store, found)
    tell_sampler(url, study, found)
    assert read_study_results(store, study).front
    with serve(store, create_optuna_tables(store, url), folder, port=0) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/dashboard/studies/1"
        server.shutdown()
    store.close()


def test_the_dashboard_draws_the_pareto_page(dashboard: str, found: Plausible, tmp_path: Path) -> None:
    page, _ = browse(dashboard, tmp_path, budget_ms=15_000)
    assert "Pareto Front" in page
    assert "map50_95" in page and "latency_ms" in page
    points = re.findall(r'<path class="point"', page)
    finished = [r for r in found.records if r.number is not None and r.evaluations]
    assert len(points) >= len(finished)  # of the Pareto plot; the charts below it have points too


def test_a_trial_page_shows_note_figures_and_pictures(dashboard: str, found: Plausible, tmp_path: Path) -> None:
    page, _ = browse(f"{dashboard}/trials?numbers=5", tmp_path, budget_ms=15_000)
    record = next(record for record in found.records if record.number == 5)
    accuracy = record.evaluation()
    assert accuracy is not None
    assert "Trial 5" in page and f"{accuracy.map50_95:.3f}</td>" in page
    assert re.search(r'<img[^>]+src="/artifacts/1/6/', page)
    assert "Best Trial" in page
