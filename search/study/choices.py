"""Names that a study may choose from; each has one line here and one in the registry that maps it to a class.

The registries are `search/sampler/registry.py` and `search/trial/stopping_rules.py`. The names stand apart from them so
that reading a study imports neither Optuna nor torch; tests compare both.
"""

from __future__ import annotations

from typing import Literal, get_args

SamplerName = Literal[
    "front",
    "tpe",
    "optuna",
    "nsga2",
    "nsga3",
    "gp",
    "qmc",
    "random",
]
"""Names of the samplers."""

StoppingRuleName = Literal[
    "front",
    "mo-asha",
    "none",
]
"""Names of the rules that stop a trial at a rung."""

SAMPLERS: tuple[str, ...] = get_args(SamplerName)
STOPPING_RULES: tuple[str, ...] = get_args(StoppingRuleName)
