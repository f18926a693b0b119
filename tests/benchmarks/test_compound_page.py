"""The verdict on the best by hand and the search, and the page, on made-up figures."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from benchmarks.compounding.figures import ArmFigures, Figures, NetworkFigures, SeedFigures, read_figures, write_figures
from benchmarks.compounding.page import compound_page_text, write_compound_page
from benchmarks.compounding.verdict import NO_MEMBER, compare, dominating_members, verdict_of


# -- verdict ---------------------------------------------------------------------------------------------------------
def _network(name: str, val: float, test: float, ms: float, *ties: str) -> NetworkFigures:
    return NetworkFigures(name, val, test, ms, 90, ties)


def _seed(**networks: list[NetworkFigures]) -> SeedFigures:
    arms = {name: ArmFigures(tuple(each), 90, 50.0, 300.0, 400.0) for name, each in networks.items()}
    parent = _network("parent", 0.95, 0.94, 3.0)
    return SeedFigures(90, None, "yolov5n.yaml", parent, 40, 0.001, 0.004, True, arms)


HAND = {
    "H1": [_network("H1", 0.90, 0.89, 2.0)],
    "H2": [_network("H2", 0.85, 0.84, 1.0)],
    "H3": [_network("H3", 0.88, 0.87, 1.0, "S3/trial 2")],
}
FRONT = [
    _network("S3/trial 1", 0.80, 0.79, 0.8),
    _network("S3/trial 2", 0.89, 0.88, 1.02),
    _network("S3/trial 3", 0.92, 0.88, 1.9),
    _network("S3/trial 4", 0.94, 0.95, 2.5),
]


def test_the_rival_is_the_best_by_hand_that_is_no_slower_and_ties_are_equal() -> None:
    found = {each.hand: each for each in compare(_seed(**HAND, S3=FRONT))}
    assert {name: each.rival for name, each in found.items()} == {"H1": "H1", "H2": "H3", "H3": "H3"}
    assert found["H1"].gain == pytest.approx(0.88 - 0.89)  # chosen on val, compared on test
    assert found["H3"].gain == pytest.approx(0.88 - 0.87)  # 1.02 ms ties with 1.0 ms
    assert found["H2"].gain == pytest.approx(0.79 - 0.87)  # no tie with H2


def test_a_search_without_a_network_that_is_as_fast_loses() -> None:
    found = _seed(H3=HAND["H3"], S3=FRONT[2:])
    assert [each.gain for each in compare(found)] == [NO_MEMBER]
    verdict = verdict_of({"digits": {0: found}})
    assert verdict is not None and verdict.held == 0 and "no network" in verdict.text()


def test_members_that_dominate_a_thinner_cut_are_counted_for_each_network_by_hand() -> None:
    thin = [_network("thin/H1 to 0.75", 0.5, 0.80, 1.5), _network("thin/H3 to 0.5", 0.5, 0.9, 3.0)]
    assert dominating_members(_seed(**HAND, S3=FRONT, thin=thin)) == {"H1": 1, "H2": 0, "H3": 1}
    assert dominating_members(_seed(**HAND, S3=FRONT)) == {}


def test_the_verdict_is_a_sentence_over_runs_and_says_what_is_lacking() -> None:
    winner = [_network("S3/trial 9", 0.95, 0.90, 0.9)]
    figures = {"digits": {0: _seed(**HAND, S3=winner), 1: _seed(**HAND, S3=winner)}, "bccd": {0: _seed(S3=winner)}}
    verdict = verdict_of(figures)
    assert verdict is not None
    assert verdict.text() == "S3 is at least the best of H1 to H3 in 2 of 2 runs, on average +0.023, at worst +0.010."
    assert not verdict.is_won  # no thinner cuts are dominated
    partial = verdict_of({"digits": {0: _seed(H3=HAND["H3"], S3=winner)}})
    assert partial is not None and "1 of them lack" in partial.text()
    assert verdict_of({"digits": {0: _seed(**HAND)}}) is None


def test_a_verdict_is_won_if_everything_holds() -> None:
    members = [_network(f"S3/trial {number}", 0.95, 0.91, 0.9) for number in range(6)]
    thin = [_network("thin/H1 to 0.75", 0.5, 0.80, 1.5)]
    won = verdict_of({"digits": {0: _seed(**HAND, S3=members, thin=thin)}})
    assert won is not None and won.is_won and won.fewest_members == 6


# -- page ------------------------------------------------------------------------------------------------------------
FIGURES: Figures = {"digits": {0: _seed(**HAND, S3=FRONT), 1: _seed(H3=HAND["H3"], S3=FRONT, S4=FRONT[1:])}}


def test_figures_are_kept_where_their_databases_are_not_there(tmp_path: Path) -> None:
    file = tmp_path / "compound.json"
    write_figures(FIGURES, file)
    assert read_figures(tmp_path, file) == FIGURES
    assert json.loads(file.read_text())["digits"]["1"]["arms"]["H3"]["epochs"] == 90


def test_the_page_has_a_table_of_the_arms_and_keeps_its_notes(tmp_path: Path) -> None:
    page = tmp_path / "compound.md"
    write_figures(FIGURES, page.with_suffix(".json"))
    write_compound_page(tmp_path, page, "python -m benchmarks.compound")
    text = page.read_text()
    assert "| H3 | 2 | 0.880 | 0.870 | 1.00 | 3.00 | 90 | 50.0 | 300 |" in text
    assert "S3 is at least the best of H1 to H3 in" in text
    assert (tmp_path / "compound" / "digits.png").read_bytes().startswith(b"\x89PNG")
    page.write_text(text.replace("None yet.", "A note by hand."))
    write_compound_page(tmp_path, page, "python -m benchmarks.compound")
    assert "A note by hand." in page.read_text()


def test_a_page_without_figures_says_so() -> None:
    figures: Mapping[str, Mapping[int, SeedFigures]] = {}
    assert "There is no verdict yet" in compound_page_text(figures, "compound", "", "")
