"""A message about an unknown name suggests the name that was probably meant."""

from __future__ import annotations

from spaces.suggestion import did_you_mean

NAMES = ("ort-cpu", "ort-gpu", "torch-cpu")


def test_a_similar_name_is_suggested() -> None:
    assert did_you_mean("ort-cpuu", NAMES) == "did you mean ort-cpu?"
    assert did_you_mean("ort-cpuu", NAMES, most=2) == "did you mean ort-cpu or ort-gpu?"
    assert did_you_mean("nas", ["nas_head"], cutoff=0.5) == "did you mean nas_head?"


def test_without_a_similar_name_the_known_names_are_listed() -> None:
    assert did_you_mean("xyz", NAMES) == "there are ort-cpu, ort-gpu, torch-cpu"
    assert did_you_mean("xyz", []) == "there are none"
    assert did_you_mean("xyz", NAMES, "see `python -m search.doctor`") == "see `python -m search.doctor`"
