"""Every sampler of the registry keeps the contract, and its name is known where a study may say it."""

from __future__ import annotations

import re
from typing import get_args

import pytest

from search.sampler.registry import FACTORIES, sampler_named
from search.study.choices import SAMPLERS
from search.study.sections import SamplerSection
from tests.search.sampler.sampler_contract import SamplerContract
from tests.tree import ROOT


class TestFront(SamplerContract):
    name = "front"


class TestTpe(SamplerContract):
    name = "tpe"


class TestOptunasDefault(SamplerContract):
    name = "optuna"


class TestNsga2(SamplerContract):
    name = "nsga2"


class TestNsga3(SamplerContract):
    name = "nsga3"


@pytest.mark.slow
class TestGp(SamplerContract):
    name = "gp"


class TestQmc(SamplerContract):
    name = "qmc"


class TestRandom(SamplerContract):
    name = "random"


def test_each_sampler_is_named_in_the_schema_the_registry_and_a_contract() -> None:
    assert get_args(SamplerSection.model_fields["name"].annotation) == SAMPLERS
    assert tuple(FACTORIES) == SAMPLERS
    assert {each.name for each in SamplerContract.__subclasses__()} == set(SAMPLERS)


def test_the_documents_name_every_sampler() -> None:
    text = (ROOT / "docs/studies.md").read_text(encoding="utf-8")
    sentence = text[text.index("Alternatives are `-o sampler.name=") :].partition(" and `-o rungs.rule=")[0]
    named = re.findall(r"`(?:-o sampler\.name=)?(\w+)`", sentence)
    assert {"front", *named} == set(SAMPLERS)


def test_an_unknown_sampler_is_refused_with_the_names_that_there_are() -> None:
    with pytest.raises(ValueError, match="sampler 'cma' is unknown; there are front, tpe, optuna, nsga2, nsga3, gp"):
        sampler_named("cma")


def test_only_where_another_sampler_takes_its_place_the_user_is_told() -> None:
    assert "'front' needs two objectives" in sampler_named("front").note(None)
    assert sampler_named("tpe").note(None) == ""
