"""Labels of channels: one number per channel, joined where channels must be cut together (union-find)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Labels = NDArray[np.int64]

FIXED = -1
"""Label of a channel that can never be cut (the image's colours, the results of an unknown operation)."""


class LabelBook:
    """Labels of one trace: which are joined, which are fixed."""

    def __init__(self) -> None:
        self._up: list[int] = []
        self._fixed: list[bool] = []

    def new(self, count: int) -> Labels:
        """Return this number of new labels."""
        first = len(self._up)
        self._up.extend(range(first, first + count))
        self._fixed.extend([False] * count)
        return np.arange(first, first + count, dtype=np.int64)

    def find(self, label: int) -> int:
        """Return the label that stands for all labels joined with this one."""
        root = label
        while self._up[root] != root:
            root = self._up[root]
        while self._up[label] != root:
            self._up[label], label = root, self._up[label]
        return root

    def join(self, first: Labels, second: Labels) -> None:
        """Join two runs of labels channel by channel; a channel joined with `FIXED` becomes fixed."""
        for a, b in zip(first.tolist(), second.tolist(), strict=True):
            if FIXED in (a, b):
                self._fix_one(max(a, b))
                continue
            low, high = sorted((self.find(a), self.find(b)))
            self._up[high] = low
            self._fixed[low] = self._fixed[low] or self._fixed[high]

    def fix(self, labels: Labels) -> bool:
        """Fix all these channels; return whether that changed anything."""
        return any([self._fix_one(label) for label in labels.tolist()])

    def is_fixed(self, label: int) -> bool:
        """Return whether that channel can never be cut."""
        return label == FIXED or self._fixed[self.find(label)]

    def _fix_one(self, label: int) -> bool:
        if self.is_fixed(label):
            return False
        self._fixed[self.find(label)] = True
        return True
