"""The first trials are what an experienced engineer would try."""

from __future__ import annotations

from search.sampler.start_points import start_points
from spaces.base import Categorical, Float

DONORS = Categorical(("one-shot", "round-2", "round-3"))
RATIO = Float(0.5, 1.0, 0.125)


def test_a_graft_begins_with_the_hand_made_one() -> None:
    points = start_points({"backbone": DONORS, "head": DONORS, "ratio.p3": RATIO})
    assert points[0] == {"backbone": "round-2", "head": "round-3", "ratio.p3": 1.0}
    assert len({(point["backbone"], point["head"]) for point in points}) == 3


def test_a_single_donor_gives_one_start() -> None:
    only = Categorical(("one-shot",))
    assert start_points({"backbone": only, "head": only}) == ({"backbone": "one-shot", "head": "one-shot"},)


def test_ratios_alone_begin_uniform_and_on_their_grid() -> None:
    points = start_points({"ratio.a": RATIO, "ratio.b": Float(0.25, 1.0)})
    assert points == (
        {"ratio.a": 1.0, "ratio.b": 1.0},
        {"ratio.a": 0.75, "ratio.b": 0.625},
        {"ratio.a": 0.5, "ratio.b": 0.25},
    )
