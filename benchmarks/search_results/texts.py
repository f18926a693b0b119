"""Texts of the results page of the benchmarks of search."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from benchmarks.searching.methods import MAX_REPEATED, OURS, SLOW_MAX_REPEATED
from benchmarks.searching.surrogate_search import SURROGATE_SEEDS
from benchmarks.searching.table_figures import overall_trainings
from benchmarks.searching.yolobench import TUNING_PROBLEM

FINAL_TRAININGS = "after all trainings that it has"
SEARCH_COMMANDS = """```sh
python -m benchmarks.search --table path/to/yolobench --table benchmarks/tables/digits --out runs/search
python -m benchmarks.digits_surrogate --out runs/search
python -m benchmarks.suggestion --out runs/search
python -m benchmarks.rungs --out runs/rungs
python -m benchmarks.end_to_end --out runs/end_to_end
python -m benchmarks.search_page --out runs/search --rungs runs/rungs --end-to-end runs/end_to_end \\
    --page docs/results/search.md
```"""


def published_tables_text(figures: Mapping[str, Any]) -> str:
    """Return the text about the published tables."""
    ours = [f"{overall_trainings(figures, OURS, goal):g}" for goal in ("98 %", "99 %")]
    return f"""
        Our sampler needs {ours[0]} / {ours[1]} trainings to reach 98 % / 99 % of the best hypervolume of a table of
        trained detectors, as a median over the problems.

        The tables are those of YOLOBench (arXiv 2307.13901). {_runs_text(figures)} The figures are medians. The
        hypervolume is that of mAP50-95 and log latency; its reference point is the lowest accuracy and the slowest
        latency of the table. {_repeated_text()} Our sampler knows the latency of every detector before any training, as
        it does in a study, where latency is predicted; the other methods learn it. It is given the lowest accuracy of
        the table as its reference. Its constants were chosen on only one of these problems:
        {", ".join(TUNING_PROBLEM)}.
        """


def own_table_text(figures: Mapping[str, Any]) -> str:
    """Return the text about our own table."""
    return f"""
        Cut and grafted detectors on digit scenes, made by [benchmarks.variants](../../benchmarks/variants.py).
        {_runs_text(figures)} Constants were chosen on every other ten variants; these figures are from the variants
        between them. A suggestion of a sampler is answered by the variant of the same donors with the nearest ratios.
        {_repeated_text()} Each seed searches nine tenths of the variants, drawn at random; of a variant that was
        trained three times it uses one training. Our sampler knows the latency of all variants, their widths, and the
        loss increase when each layer of the parent is halved; it is given the lowest accuracy of the table as its
        reference. A training that took more than twice the median was delayed by other work; it counts as the median.
        """


def surrogate_text() -> str:
    """Return the text about the surrogate."""
    return f"""
        The same space, but continuous: a linear model and trees, fitted to the table, predict accuracy and latency of
        any point. Each training has noise as large as the difference between seeds; the latency that our sampler
        predicts has an error of 3 %. Medians of {SURROGATE_SEEDS} seeds. NSGA-II has populations of ten; with its
        default of fifty, all trainings would be its first population.
        """


def suggestion_text() -> str:
    """Return the text about the time of a suggestion."""
    return "In the space of our own table, with records in SQLite; both samplers are timed in one run."


def stopping_text() -> str:
    """Return the text about stopping rules."""
    return """
        Learning curves of our own table are replayed. The last table shows how many started members of the table's true
        front were stopped: in all, and by tenth of the range of log latency, the fastest first.
        """


def end_to_end_text() -> str:
    """Return the text about real studies."""
    return "Real trainings on digits: studies in processes of their own, compared at equal training time."


def _runs_text(figures: Mapping[str, Any]) -> str:
    runs = sorted({method["runs"] for problem in figures.values() for method in problem.values()})
    if len(runs) == 1:
        return f"Runs of each method on each problem: {runs[0]}."
    return (
        f"Methods are run {runs[0]} to {runs[-1]} times on each problem, slow methods fewer times than fast ones (the "
        "last table shows how often)."
    )


def _repeated_text() -> str:
    return (
        "A suggestion of a detector that is already trained is not counted. A sampler that makes such suggestions "
        f"{MAX_REPEATED} times in a row is given a random detector (GP, which takes seconds for each suggestion, after "
        f"{SLOW_MAX_REPEATED} times)."
    )
