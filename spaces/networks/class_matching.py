"""Compares the classes of weights with those of a data set: the same, spelled otherwise, in another order, or others.

A trained detector is the parent as it is where its classes are those of the data. Names are often spelled otherwise in
the two files, or are numbers in one of them. Then the detector is taken as it is too, and the difference is said.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from torch import Tensor

from spaces.base import SpaceError
from spaces.shown import shown

_BETWEEN = re.compile(r"[\s_.\-]+")
_NUMBERED = re.compile(r"(?:class|cls|label|category|object)[\s_\-]*(\d+)", re.IGNORECASE)
_OF_ONE_CLASS = frozenset({"item", "object", "class", "target"})  # Ultralytics' `single_cls` writes "item"
_CLASS_OUTPUT = re.compile(r"model\.\d+\.((one2one_)?cv3\.\d+\.2|proto\.semseg\.2|linear)\.(weight|bias)")
_SHOWN = 3


class Matching(NamedTuple):
    """Match between the classes of weights and those of the data.

    Attributes:
        order: For each class of the data its number in the weights; None if the classes are others or unknown.
        note: Remark for the user, without the name of the file; empty if there is none.
    """

    order: tuple[int, ...] | None
    note: str = ""


def match_classes(theirs: Sequence[str] | None, ours: Sequence[str], *, as_is: bool = False) -> Matching:
    """Return how the classes of weights fit those of the data.

    Args:
        theirs: Classes of the weights; None if the file does not name them.
        ours: Classes of the data.
        as_is: True if the user says that they are the same, in the same order.

    Raises:
        SpaceError: If the user says so, but there are more or fewer.
    """
    same = tuple(range(len(ours)))
    if theirs is None:
        if as_is:
            return Matching(same)
        return Matching(None, f"name no classes, so they are trained over; if they are those of the data, {_OFFER}")
    if tuple(theirs) == tuple(ours):
        return Matching(same)
    if len(theirs) != len(ours) and as_is:
        raise SpaceError(f"parent.as_is is true, but the weights have {len(theirs)} classes and the data {len(ours)}")
    if len(theirs) != len(ours):
        return Matching(None)
    differing = _differing(theirs, ours)
    if as_is:
        return Matching(same, f"have other class names ({differing}); they are taken as they are, as you said")
    if (
        _are_placeholders(theirs)
        or _are_placeholders(ours)
        or (len(ours) == 1 and theirs[0].casefold() in _OF_ONE_CLASS)
    ):
        return Matching(same, f"or the data have no names for the classes ({differing}); they are taken as they are")
    plain, wanted = [_plain(name) for name in theirs], [_plain(name) for name in ours]
    if len(set(plain)) == len(plain) and set(plain) == set(wanted):
        order = tuple(plain.index(name) for name in wanted)
        how = "spell their classes otherwise" if order == same else "have the classes in another order"
        then = "" if order == same else ", with the outputs in the order of the data"
        return Matching(order, f"{how} ({differing}); they are taken as they are{then}")
    return Matching(
        None,
        f"have as many classes as the data, by other names ({differing}), so they are trained over; if they are the "
        f"same classes in the same order, {_OFFER}",
    )


_OFFER = "-o parent.as_is=true takes them as they are"


def in_order(state: Mapping[str, Tensor], order: Sequence[int]) -> dict[str, Tensor]:
    """Return tensors whose class outputs are in another order."""
    if tuple(order) == tuple(range(len(order))):
        return dict(state)
    rows = list(order)
    return {name: tensor[rows] if _CLASS_OUTPUT.fullmatch(name) else tensor for name, tensor in state.items()}


def _plain(name: str) -> str:
    numbered = _NUMBERED.fullmatch(name.strip())
    if numbered is not None:
        return str(int(numbered[1]))
    return _BETWEEN.sub("", unicodedata.normalize("NFKC", name).casefold())


def _are_placeholders(names: Sequence[str]) -> bool:
    """Return whether each name is made of the number of its class, as Ultralytics makes `class_0` where it has none."""
    found = [_NUMBERED.fullmatch(name.strip()) for name in names]
    return all(each is not None and int(each[1]) == number for number, each in enumerate(found))


def _differing(theirs: Sequence[str], ours: Sequence[str]) -> str:
    pairs = [(a, b) for a, b in zip(theirs, ours, strict=True) if a != b]
    listed = ", ".join(f"{shown(a)[:40]} for {shown(b)[:40]}" for a, b in pairs[:_SHOWN])
    return listed + (f" and {len(pairs) - _SHOWN} more" if len(pairs) > _SHOWN else "")
