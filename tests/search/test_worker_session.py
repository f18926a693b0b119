"""What a worker decides before it searches."""

from __future__ import annotations

from search.worker_session import is_cheap


def test_what_is_looked_at_beforehand_is_small_beside_what_is_trained_on() -> None:
    halvings = 2 * 64 * 51
    assert is_cheap(halvings, trained_on=30 * 3 * 512)  # the built-in data, 30 trials of three epochs
    assert not is_cheap(halvings, trained_on=2 * 1 * 512)  # two trials of one
    assert not is_cheap(halvings, trained_on=0)
