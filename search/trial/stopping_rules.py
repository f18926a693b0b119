"""The stopping rules by name. A new one is one file and one line here, and its name in `search/study/choices.py`."""

from __future__ import annotations

from collections.abc import Mapping

from search.trial.front_rule import FrontRule
from search.trial.stopping import NeverStop, StoppingRule
from search.trial.successive_halving import MoAsha

RULES: Mapping[str, StoppingRule] = {rule.name: rule for rule in (FrontRule(), MoAsha(), NeverStop())}


def rule_named(name: str) -> StoppingRule:
    """Return a rule by its name in studies.

    Raises:
        ValueError: If there is none of that name.
    """
    if name not in RULES:
        raise ValueError(f"rungs '{name}' are unknown; there are {', '.join(RULES)}")
    return RULES[name]
