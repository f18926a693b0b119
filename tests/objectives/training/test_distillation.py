"""Distillation from a teacher in memory, with Ultralytics' own wrapper."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from objectives.data.dataset import Dataset
from objectives.recipe import Recipe, RecipeError
from objectives.training.training import train
from spaces.base import CandidateError
from tests.objectives.networks import candidate, state_of, unchanged

RECIPE = Recipe(epochs=2, batch=16, imgsz=96, optimizer="AdamW", lr0=0.002, warmup_epochs=0, mosaic=0.0, fliplr=0.0)
DISTILLED = RECIPE.with_values(distill=6.0)


@pytest.mark.slow
def test_a_narrow_student_learns_from_a_wider_teacher_and_stays_a_stock_network(
    digits: Dataset, tmp_path: Path
) -> None:
    student, teacher = candidate(width=0.0625), candidate(width=0.125)
    before = state_of(teacher.network)
    alone = train(student, RECIPE, digits, seed=0, scratch=tmp_path)
    taught = train(student, DISTILLED, digits, seed=0, scratch=tmp_path, teacher=teacher)
    assert unchanged(teacher.network, before)
    assert all(
        parameter.requires_grad == (".dfl" not in name)
        for name, parameter in taught.candidate.network.named_parameters()
    )
    stock = {name: tensor.shape for name, tensor in student.network.state_dict().items()}
    assert {name: tensor.shape for name, tensor in taught.candidate.network.state_dict().items()} == stock
    assert not taught.candidate.network.get_submodule("model.15")._forward_hooks  # the wrapper listens there
    assert taught.history[-1].loss < taught.history[0].loss
    weights = [result.candidate.network.state_dict()["model.0.conv.weight"] for result in (alone, taught)]
    assert not torch.equal(*weights)


def test_distillation_without_a_teacher_is_refused(digits: Dataset, tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=r"'distill' is 6.0, but there is no teacher; set it to 0"):
        train(candidate(width=0.0625), DISTILLED, digits, seed=0, scratch=tmp_path)


def test_a_teacher_with_other_strides_is_the_candidates_fault(digits: Dataset, tmp_path: Path) -> None:
    teacher = candidate("yolov8-p2.yaml", width=0.0625)
    with pytest.raises(CandidateError, match=r"strides are \(4, 8, 16, 32\), the student's \(8, 16, 32\)"):
        train(candidate(width=0.0625), DISTILLED, digits, seed=0, scratch=tmp_path, teacher=teacher)
    assert not list(tmp_path.iterdir())
