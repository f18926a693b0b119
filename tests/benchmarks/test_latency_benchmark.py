"""The benchmark of latency in a short form: what does not depend on the machine."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest

from benchmarks.timing import baselines
from benchmarks.timing.background_load import BackgroundTrainings
from benchmarks.timing.baselines import BASELINES
from benchmarks.timing.decisions import (
    CONDITIONS,
    OURS_SEARCH,
    coefficient_of_variation,
    real_coverage,
    wrong_decisions,
    wrong_race_decisions,
)
from benchmarks.timing.latency_bench import FAMILIES, BenchSize
from benchmarks.timing.networks import irregular_cuts, random_parent
from benchmarks.timing.page import write_latency_page
from benchmarks.timing.prediction import error_figures, fit_affine, fit_proportional, gflops
from benchmarks.timing.run import figures_file, run_latency_benchmark
from benchmarks.timing.simulated_clock import (
    DISTURBANCES,
    simulate_coverage,
    simulate_measurement,
    simulate_wrong_orders,
)
from benchmarks.timing.tables import goals
from objectives.timing.protocol import LEAST_PAIRS, LOADINGS, MOST_PAIRS, MOST_TRIES, RUNS

pytestmark = pytest.mark.slow(file_s=110)

TINY = BenchSize(  # little enough for every commit
    ladder_networks=2, spread_networks=1, repeats=1, rounds=0, races=0, simulated=40,
    ultralytics_s=0.0, ultralytics_runs=3, pruning_runs=6,
)  # fmt: skip


def test_the_interval_holds_the_true_ratio_as_often_as_it_says() -> None:
    held = simulate_coverage(2000)
    # 95 % of 2,000 has a standard deviation of 0.5 %; each disturbance's 500 one of 1 %
    assert 0.93 <= sum(each.held for each in held) / 2000 <= 0.97
    assert all(0.91 <= each.held / each.measurements <= 0.99 for each in held)
    assert [each.disturbance for each in held] == list(DISTURBANCES)


def test_pairs_five_percent_apart_are_ordered_rightly_whatever_disturbs_the_machine() -> None:
    assert simulate_wrong_orders(200) <= 10


@pytest.mark.parametrize("disturbance", DISTURBANCES)
def test_a_measurement_has_as_many_loadings_blocks_and_runs_as_the_protocol_says(disturbance: str) -> None:
    timings = simulate_measurement(DISTURBANCES[disturbance], ratio=0.6, seed=3)
    assert LOADINGS <= len(timings.loadings) <= MOST_TRIES
    assert all(LEAST_PAIRS <= len(loading.network) <= MOST_PAIRS for loading in timings.loadings)
    assert all(len(loading.reference) == len(loading.network) + 1 for loading in timings.loadings)
    assert timings.runs == RUNS * sum(len(loading.network) for loading in timings.loadings)


def test_the_simulated_clock_gives_the_same_times_for_the_same_seed() -> None:
    disturbance = DISTURBANCES["all at once"]
    assert simulate_measurement(disturbance, 0.5, seed=1) == simulate_measurement(disturbance, 0.5, seed=1)
    assert simulate_measurement(disturbance, 0.5, seed=1) != simulate_measurement(disturbance, 0.5, seed=2)


def test_background_trainings_run_only_while_switched_on_and_leave_no_process_behind() -> None:
    with BackgroundTrainings(1) as trainings:
        with trainings.running(1) as (pid,):
            process = psutil.Process(pid)
        before = process.cpu_times().user
        for _ in range(30):  # the system counts in steps of 10 ms, and one of training takes less
            with trainings.running(1):
                pass
        assert process.cpu_times().user > before, "it answers after a step of training"
        with trainings.running(0) as pids:
            assert pids == []
        with pytest.raises(ValueError, match="2 trainings are requested; there are 1"):
            trainings.running(2).__enter__()
    assert not process.is_running()


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny run of the real thing: real engines, real load, ladders whose distances nobody measured."""
    folder = tmp_path_factory.mktemp("latency")
    results = folder / "quick" / "cpu" / "results.jsonl"
    results.parent.mkdir(parents=True)
    with results.open("w") as file:
        for family in FAMILIES:
            groups = random_parent(family, 64).groups
            networks = [
                {"family": family, "widths": {g.name: max(8, g.width // part) for g in groups}, "above": above}
                for part, above in ((4, None), (2, 1.05))
            ]
            file.write(json.dumps({"key": f"ladder {family}", "rungs": networks}) + "\n")
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(baselines, "TRTEXEC_S", 0.05)
        _run(folder)
    return folder


def _run(folder: Path) -> None:
    run_latency_benchmark(folder, parts=("spread", "coverage"), quick=True, imgsz=64, size=TINY)


def _figures(out: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(figures_file(out, quick=True, provider="cpu").read_text())
    return found


def test_the_figures_say_what_was_measured_on_what(out: Path) -> None:
    figures = _figures(out)
    assert {"machine", "target", "size", "quick", "minutes", "parts"} <= set(figures)
    assert {"cpu", "cores", "hypervisor", "load_at_start", "versions"} <= set(figures["machine"])
    assert set(figures["machine"]["versions"]) >= {"python", "onnxruntime", "torch", "ultralytics"}
    assert set(figures["parts"]) == {"spread", "coverage"}
    assert set(figures["parts"]["spread"]["variation"]) == {OURS_SEARCH, *BASELINES, f"{OURS_SEARCH}, all networks"}
    assert figures["parts"]["spread"]["networks"] == ["yolov8n-0"]


def test_every_method_measured_every_network_in_every_condition(out: Path) -> None:
    lines = [json.loads(line) for line in (out / "quick" / "cpu" / "results.jsonl").read_text().splitlines()]
    rounds = [line for line in lines if line["key"].startswith("round")]
    assert [each["condition"] for each in rounds] == list(CONDITIONS)
    for each in rounds:
        assert set(each["figures"]) == {"yolov8n-0"}
        for figures in each["figures"].values():
            assert set(figures) == {OURS_SEARCH, *BASELINES}
            assert all(figures[name] > 0 for name in BASELINES)
            ours = figures[OURS_SEARCH]
            assert ours["low"] <= ours["ratio"] <= ours["high"]
            assert LOADINGS <= ours["loadings"] <= MOST_TRIES
            assert ours["runs"] == RUNS * ours["blocks"]


def test_a_second_run_measures_nothing_again(out: Path) -> None:
    results = out / "quick" / "cpu" / "results.jsonl"
    before = results.read_text()
    _run(out)
    assert results.read_text() == before


def test_the_page_comes_from_the_figures_and_keeps_the_notes(out: Path, tmp_path: Path) -> None:
    page = tmp_path / "latency.md"
    page.write_text("# Old\n\n## Notes\n\nSomebody's words.\n")
    for _ in range(2):
        write_latency_page(figures_file(out, quick=True, provider="cpu"), page)
    text = page.read_text()
    assert "Old" not in text
    assert text.count("Somebody's words.") == 1
    assert "A quick run" in text
    assert "- Not measured yet: CPU-s per candidate" in text
    assert all(name in text for name in BASELINES)


def _round(condition: str, **ratios: float) -> dict[str, Any]:
    figures = {
        name: {OURS_SEARCH: {"ratio": ratio, "low": ratio - 0.01, "high": ratio + 0.01}, "other": 10 * ratio}
        for name, ratio in ratios.items()
    }
    return {"condition": condition, "figures": figures}


def test_what_is_counted_of_rounds_is_what_happened() -> None:
    rounds = [_round("idle", a=0.50, b=0.52), _round("idle", a=0.51, b=0.50), _round("all cores busy", a=0.50, b=0.55)]
    assert wrong_decisions(rounds, OURS_SEARCH, [("a", "b")]) == (1, 3)
    assert wrong_decisions(rounds, "other", [("a", "b")]) == (1, 3)
    assert wrong_decisions(rounds, "a third one", [("a", "b")]) == (0, 0)
    spread = coefficient_of_variation(rounds, OURS_SEARCH, "idle", ["a"])
    assert spread == pytest.approx(np.std([0.50, 0.51], ddof=1) / 0.505)
    assert coefficient_of_variation(rounds, OURS_SEARCH, "one core busy", ["a"]) is None
    held = real_coverage(rounds)  # b's others have the medians 0.525, 0.535 and 0.51
    assert held == {"idle": (3, 4), "one core busy": (0, 0), "all cores busy": (1, 2)}


def test_a_race_is_wrong_only_where_it_claims_an_order() -> None:
    settled = {"order": [0, 1, 2], "ties": [[], [], []]}
    tied = {"order": [1, 0, 2], "ties": [[1], [0], []]}
    swapped = {"order": [1, 0, 2], "ties": [[], [], []]}
    assert wrong_race_decisions([settled, tied, swapped]) == (1, 1, 6)


def test_no_figure_counts_as_reached_that_was_not_measured() -> None:
    found = goals({"parts": {}})
    assert [row.met for row in found] == [None] * len(found)
    assert len(found) == 9


def test_irregular_cuts_differ_and_half_of_them_are_aligned() -> None:
    parent = random_parent("yolov8n.yaml", 64)
    cuts = irregular_cuts(parent, 20, seed=0)
    assert len({cut.shape_key for cut in cuts}) == 20
    assert irregular_cuts(parent, 20, seed=0) == cuts
    aligned = [all(len(kept) % 8 == 0 for kept in cut.kept) for cut in cuts]
    assert aligned == [False, True] * 10


def test_what_flops_alone_predict_is_fitted_as_it_says() -> None:
    parent = random_parent("yolov8n.yaml", 64)
    cuts = irregular_cuts(parent, 12, seed=0)
    measured = gflops(parent, cuts)
    np.testing.assert_allclose(fit_proportional(parent, cuts, 3 * measured)(cuts), 3 * measured)
    np.testing.assert_allclose(fit_affine(parent, cuts, 3 * measured + 0.2)(cuts), 3 * measured + 0.2)
    found = error_figures(1.1 * measured, measured)
    assert found == pytest.approx({"mean": 0.1, "max": 0.1, "tau": 1.0, "networks": 12})
    assert error_figures(-measured, measured)["tau"] == pytest.approx(-1.0)
