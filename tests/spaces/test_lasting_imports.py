"""The garbage collector passes over objects of imports during which it paused, and collects later ones."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator

import pytest

from spaces.lasting_imports import without_garbage_collection


class _Node:
    """An object that only the collector can free: it refers to itself."""

    def __init__(self) -> None:
        self.own = self


@pytest.fixture
def enabled() -> Iterator[None]:
    was_enabled = gc.isenabled()
    gc.enable()
    yield
    gc.enable() if was_enabled else gc.disable()


def test_the_collector_pauses_in_the_block_and_passes_over_its_objects(enabled: None) -> None:
    with without_garbage_collection():
        assert not gc.isenabled()
        made = [_Node() for _ in range(10)]
    assert gc.isenabled()
    assert not {id(each) for each in made} & {id(each) for each in gc.get_objects()}
    later = weakref.ref(_Node())
    gc.collect()
    assert later() is None, "what is made after the block is collected"


def test_a_collector_that_was_off_stays_off_also_after_an_error(enabled: None) -> None:
    gc.disable()
    with pytest.raises(ImportError), without_garbage_collection():
        raise ImportError
    assert not gc.isenabled()
