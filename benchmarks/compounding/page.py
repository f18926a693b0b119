"""The page of `benchmarks.compound`: the verdict, tables and pictures, made from the figures alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from benchmarks.compounding.arms import ALONE, ARM_TITLES, HAND_ARMS, OUR_SEARCH, SEARCH_ARMS, STOCK, WISHED
from benchmarks.compounding.figures import (
    ArmFigures,
    Figures,
    NetworkFigures,
    SeedFigures,
    read_figures,
    write_figures,
)
from benchmarks.compounding.picture import draw_seeds
from benchmarks.compounding.verdict import (
    MAX_COST,
    WANTED_GAIN,
    WANTED_MEMBERS,
    WANTED_RUNS,
    WANTED_WORST,
    RunVerdict,
    Verdict,
    at_latency,
    best_by_hand_of,
    signed,
    verdict_of,
)
from benchmarks.setup.markdown import markdown_table, page_text, read_notes, wrap_markdown
from search.record.number_text import score, significant

TABLE_ARMS = (*HAND_ARMS, *SEARCH_ARMS, ALONE, STOCK)
NO_FIGURES = "There is no verdict yet: no data set and seed has both the search and a network by hand."
SeedPair = tuple[SeedFigures, ArmFigures]


def write_compound_page(out: Path, page: Path, commands: str) -> None:
    """Write the page, its figures as JSON and its pictures beside it; the notes on the page are kept."""
    figures = read_figures(out, page.with_suffix(".json"))
    write_figures(figures, page.with_suffix(".json"))
    pictures = page.with_suffix("")
    pictures.mkdir(parents=True, exist_ok=True)
    for name, seeds in figures.items():
        (pictures / f"{name}.png").write_bytes(draw_seeds(seeds))
    page.write_text(compound_page_text(figures, pictures.name, commands, read_notes(page)), encoding="utf-8")


def compound_page_text(figures: Figures, pictures: str, commands: str, notes: str) -> str:
    """Return the page.

    Args:
        pictures: Name of the folder with a picture of each data set.
    """
    verdict = verdict_of(figures)
    blocks = [
        "# The best by hand and the search, at equal training",
        f"```sh\n{commands}\n```",
        NO_FIGURES if verdict is None else wrap_markdown(f"**{verdict.text()}** {_verdict_details(verdict)}"),
        *_verdict_with_limit(figures),
        wrap_markdown(_explanation()),
    ]
    if verdict is not None:
        blocks += ["## The runs", _runs_table(verdict, figures)]
    for name, seeds in figures.items():
        blocks += [f"## {name}", wrap_markdown(_plan_text(seeds)), _arms_table(seeds)]
        blocks.append(f"![accuracy on test against latency, {name}]({pictures}/{name}.png)")
    if figures:
        blocks += ["## What each part brings", wrap_markdown(_ablation_text()), _ablation_table(figures)]
    return page_text(blocks, notes)


def _verdict_details(verdict: Verdict) -> str:
    words = "The goal is reached" if verdict.is_won else "The goal is not reached"
    members = verdict.fewest_members
    return (
        f"In the run with the fewest, {members} of its networks dominate a thinner cut of a network by hand. {words}. "
        f"It is: at least equal in {WANTED_RUNS:.0%} of the runs, {signed(WANTED_GAIN)} on average, never below "
        f"{WANTED_WORST:g}, {WANTED_MEMBERS} such networks in every run, and at most {MAX_COST:g} times the epochs "
        "weighted by FLOPs and the seconds of the best by hand."
    )


def _verdict_with_limit(figures: Figures) -> list[str]:
    """Return a sentence on the search with a limit on latency, if there is one."""
    verdict = verdict_of(figures, WISHED)
    if verdict is None or not verdict.known_gains:
        return []
    known = verdict.known_gains
    return [
        wrap_markdown(
            f"{WISHED}, with a limit at the latency of the slowest network by hand, is at least the best by hand at "
            f"{sum(gain >= 0 for gain in known)} of {len(known)} latencies{verdict.gains_text()}"
        )
    ]


def _explanation() -> str:
    arms = "\n".join(f"- {arm}: {title}." for arm, title in ARM_TITLES.items())
    return f"""
        All arms of a data set and seed begin with the same trained parent and have the same budget: epochs of training
        after the parent, each with as many image passes as there are training images. Donors, trials and polished
        networks count. An epoch weighted by FLOPs counts as much as its network's share of the parent's FLOPs. Seconds
        are those of training.

        Networks are chosen on val and compared on test. At the latency of a network by hand, the most accurate member
        of the search's front (on val) that is no slower is compared with the best network by hand (on val) that is no
        slower. Two latencies that cannot be told apart are equal. The table of the runs has the gain of the search on
        test (in brackets the network by hand that it is compared with, if that is another one), the search's training
        as a multiple of that of the best by hand, and the difference between two trainings of one trial (noise).

        {arms}
        """


def _runs_table(verdict: Verdict, figures: Figures) -> str:
    head = [
        "run",
        *(f"gain at {arm}" for arm in HAND_ARMS),
        "dominate thinner cuts of " + ", ".join(HAND_ARMS),
        "by FLOPs",
        "seconds",
        "noise",
    ]
    return markdown_table(head, [_run_row(run, figures[run.data][run.seed]) for run in verdict.runs])


def _run_row(run: RunVerdict, figures: SeedFigures) -> list[str]:
    by_hand = {each.hand: each for each in run.comparisons}
    gains = []
    for arm in HAND_ARMS:
        found = by_hand.get(arm)
        rival = "" if found is None or found.rival == arm else f" ({found.rival})"
        gains.append("" if found is None else f"{signed(found.gain)}{rival}")
    members = ", ".join(str(run.members[arm]) for arm in HAND_ARMS if arm in run.members)
    costs = [f"{run.by_flops:.2f}", f"{run.by_seconds:.2f}"]
    return [f"{run.data} {run.seed}", *gains, members, *costs, "" if figures.noise is None else score(figures.noise)]


def _plan_text(seeds: Mapping[int, SeedFigures]) -> str:
    first = next(iter(seeds.values()))
    size = "" if first.imgsz is None else f" at {first.imgsz} px"
    budgets = sorted({each.budget for each in seeds.values()})
    climbs = ", ".join(signed(each.parent_climb) for each in seeds.values())
    apart = [str(seed) for seed, each in seeds.items() if not each.side_by_side]
    timed = "Latencies are those of one race of all networks, in turn with each other."
    if apart:
        timed = (
            f"Latencies of seed {', '.join(apart)} are those of the studies, relative to the reference network; they "
            "were not timed side by side."
        )
    return (
        f"{first.model}{size}; {len(seeds)} seed{'s' * (len(seeds) > 1)}. The parent was trained for "
        f"{first.parent_epochs} epochs; over the last fifth of them its accuracy grew by {climbs}. The budget is "
        f"{' or '.join(map(str, budgets))} epochs. {timed} "
        "A search is shown at the latency of the best network by hand."
    )


def _arms_table(seeds: Mapping[int, SeedFigures]) -> str:
    head = ["arm", "seeds", "mAP50-95, val", "test", "latency, ms", "speed-up", "epochs", "by FLOPs", "seconds"]
    parents = [each.parent for each in seeds.values()]
    rows = [["parent", str(len(seeds)), *_network_cells(parents, parents), "", "", ""]]
    for arm in TABLE_ARMS:
        pairs = [(each, each.arms[arm]) for each in seeds.values() if arm in each.arms]
        if pairs:
            rows.append([arm, str(len(pairs)), *_arm_cells(arm, pairs)])
    return markdown_table(head, rows)


def _arm_cells(arm: str, pairs: Sequence[SeedPair]) -> list[str]:
    shown = [(each.parent, network) for each, of in pairs if (network := _shown(arm, each, of)) is not None]
    networks = _network_cells([network for _, network in shown], [parent for parent, _ in shown])
    spent = [of for _, of in pairs]
    return [
        *networks,
        _range([of.epochs for of in spent], lambda value: f"{value:.0f}"),
        _range([of.flop_epochs for of in spent], significant),
        _range([of.seconds for of in spent], lambda value: f"{value:.0f}"),
    ]


def _shown(arm: str, figures: SeedFigures, of: ArmFigures) -> NetworkFigures | None:
    """Return the network that represents an arm; of a search that at the latency of the best by hand."""
    if arm not in SEARCH_ARMS:
        return of.networks[0]
    best = best_by_hand_of(figures)
    return None if best is None else at_latency(of.networks, best)


def _network_cells(networks: Sequence[NetworkFigures], parents: Sequence[NetworkFigures]) -> list[str]:
    if not networks:
        return ["", "", "", ""]
    speeds = [parent.ms / network.ms for network, parent in zip(networks, parents, strict=True)]
    return [
        _range([each.val for each in networks], score),
        _range([each.test for each in networks], score),
        _range([each.ms for each in networks], significant),
        _range(speeds, lambda value: f"{value:.2f}"),
    ]


def _range(values: Sequence[float], text: Callable[[float], str]) -> str:
    """Return the mean, and the range if there is more than one value: `0.570 (0.561 to 0.580)`."""
    mean = text(sum(values) / len(values))
    low, high = text(min(values)), text(max(values))
    return mean if low == high else f"{mean} ({low} to {high})"


def _ablation_text() -> str:
    return f"""
        Mean gain on test over the best by hand, at the latency of each network by hand where the arm has a network that
        is as fast. {ALONE} has the shape that {OUR_SEARCH} chose at the latency of the best by hand, and spends the
        whole budget on it.
        """


def _ablation_table(figures: Figures) -> str:
    head = ["arm", *figures, "all", "worst", "comparisons without a network"]
    return markdown_table(head, list(_ablation_rows(figures)))


def _ablation_rows(figures: Figures) -> Iterator[list[str]]:
    for arm in (*SEARCH_ARMS, ALONE):
        verdict = verdict_of(figures, arm)
        if verdict is None:
            continue
        by_data = [
            [each.gain for run in verdict.runs if run.data == name for each in run.comparisons] for name in figures
        ]
        known = [gain for gain in verdict.gains if gain > float("-inf")]
        missing = len(verdict.gains) - len(known)
        worst = signed(min(known)) if known else ""
        yield [arm, *(_mean(gains) for gains in by_data), _mean(known), worst, str(missing)]


def _mean(gains: Sequence[float]) -> str:
    known = [gain for gain in gains if gain > float("-inf")]
    return signed(sum(known) / len(known)) if known else ""
