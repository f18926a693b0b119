"""The benchmark of the prior mean, on small made-up tables of the published form."""

from __future__ import annotations

import csv
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchmarks.searching.methods import search_by_ours
from benchmarks.searching.prior_cases import CASES, PRIOR_ARMS, cases_table, data_of, learnt_elsewhere, run_case
from benchmarks.searching.yolobench import SizedProblem, yolobench_problems
from benchmarks.setup.results import join_key

FAMILIES = {"yolo3": 0.0, "yolo5": 0.01, "yolo7": 0.03, "yolo8": 0.02}
FILES = {"VOC_scratch_100epochs.csv": 0.5, "VOC_finetuned.csv": 0.3, "SKU_finetuned.csv": 0.2}


def write_rows(file: Path, head: list[str], rows: list[list[object]]) -> None:
    with file.open("w", newline="") as opened:
        csv.writer(opened).writerows([head, *rows])


@pytest.fixture
def problems(tmp_path: Path) -> list[SizedProblem]:
    random = np.random.default_rng(0)
    latencies: list[list[object]] = []
    accuracies: dict[str, list[list[object]]] = {name: [] for name in FILES}
    for family, better in FAMILIES.items():
        for depth, width, px in [(d, w, p) for d in (33, 67) for w in (25, 50, 75) for p in (160, 320, 480)]:
            name = f"{family}d{depth}w{width}_{px}"
            cost = depth * width**2 * px**2 / 1e12
            latencies.append([name, *(0.001 + cost * factor for factor in (1.0, 1.5, 0.5))])
            for file, scale in FILES.items():
                reached = 0.3 + scale * (better + 0.1 * math.log(width) + 0.15 * math.log(px) + 0.02 * math.log(depth))
                accuracies[file].append([name, reached + 0.001 * random.standard_normal()])
    columns = [f"{name}_latency" for name in ("openvino", "vim3", "a40_trt")]
    write_rows(tmp_path / "latency.csv", ["model_name", *columns], latencies)
    for file, rows in accuracies.items():
        write_rows(tmp_path / file, ["model_name", "mAP_0.5:0.95"], rows)
    return yolobench_problems(tmp_path)


def test_further_tables_in_the_folder_are_problems_too(problems: list[SizedProblem]) -> None:
    assert list(dict.fromkeys(map(data_of, problems))) == ["VOC from scratch", "VOC fine-tuned", "SKU_finetuned"]
    assert len(problems) == 9
    assert problems[0].expected is None  # the shipped prior mean was learnt from it
    assert problems[6].expected is not None


def test_the_table_that_is_searched_is_not_learnt_from(problems: list[SizedProblem]) -> None:
    scratch, tuned = problems[0], problems[3]
    wrong = replace(tuned, accuracy=tuned.accuracy[::-1])
    others = [problems[6], problems[7]]
    assert learnt_elsewhere([scratch, tuned], "VOC fine-tuned") == learnt_elsewhere([scratch, wrong], "VOC fine-tuned")
    assert learnt_elsewhere([scratch, tuned], "") == learnt_elsewhere([scratch, tuned, *others], "SKU_finetuned")
    left_out = learnt_elsewhere([scratch, tuned], "VOC fine-tuned", ["yolo8"])
    assert left_out.families.keys() == FAMILIES.keys() - {"yolo8"}


def test_each_case_is_searched_with_each_prior_mean(problems: list[SizedProblem]) -> None:
    found = {
        join_key(case, problems[6].name, arm, seed): run_case(problems, 6, case, arm, seed)
        for case in CASES
        for arm in PRIOR_ARMS
        for seed in range(2)
    }
    table = cases_table(found)
    assert len(table.splitlines()) == 2 + 4 + 4
    first = CASES[0], problems[6].name
    needed = {arm: [found[join_key(*first, arm, seed)]["needed"]["99 %"] for seed in range(2)] for arm in PRIOR_ARMS}
    assert sum(needed["prior mean"]) < sum(needed["none"])


def test_a_search_with_a_prior_mean_does_not_depend_on_the_seed(problems: list[SizedProblem]) -> None:
    prior = learnt_elsewhere(problems, data_of(problems[0]))
    guided = replace(problems[0], prior=prior)
    assert search_by_ours(guided, 0, 8) == search_by_ours(guided, 1, 8)
