"""Measured figures as plain values, and back: for steps that are kept."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from typing import Any

from objectives.base import Curves, EpochResult, Evaluation, Measurement

Figure = Measurement | Evaluation


def plain_figures(figures: Iterable[Figure]) -> list[dict[str, Any]]:
    """Return figures as plain values."""
    return [asdict(figure) for figure in figures]


def figures_of(plain: Iterable[dict[str, Any]]) -> list[Figure]:
    """Return the figures that were turned into plain values."""
    return [_evaluation(values) if "split" in values else Measurement(**values) for values in plain]


def measurements_of(plain: Iterable[dict[str, Any]]) -> tuple[Measurement, ...]:
    """Return the measurements that were turned into plain values."""
    return tuple(Measurement(**values) for values in plain)


def _evaluation(values: dict[str, Any]) -> Evaluation:
    curves = values["curves"]
    return Evaluation(
        **{
            **values,
            "ap_per_class": tuple(values["ap_per_class"]),
            "curves": None if curves is None else Curves(**{name: tuple(each) for name, each in curves.items()}),
        }
    )


def plain_curve(curve: Iterable[EpochResult]) -> list[dict[str, Any]]:
    """Return a learning curve as plain values."""
    return [asdict(result) for result in curve]


def curve_of(plain: Iterable[dict[str, Any]]) -> tuple[EpochResult, ...]:
    """Return the learning curve that was turned into plain values."""
    return tuple(EpochResult(**values) for values in plain)
