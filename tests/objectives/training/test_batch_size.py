"""The measured batch size: which sizes are tried, which one is taken, and that a real one is measured."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from objectives.data.dataset import open_dataset
from objectives.recipe import Recipe
from objectives.training.batch_size import TriedBatch, chosen_batch, measured_batch, sizes
from spaces.networks.parent import Parent

ALL = (2, 4, 8, 16, 32, 64)


def machine(room: int, seconds: dict[int, float], asked: list[int]) -> Callable[[int], TriedBatch | None]:
    """A machine with room for so many images, and the time of an image by the batch size."""

    def fits(size: int) -> TriedBatch | None:
        asked.append(size)
        return TriedBatch(size, seconds.get(size, 1.0), size) if size <= room else None

    return fits


@pytest.mark.parametrize("images, most", [(5, 2), (40, 4), (64, 8), (512, 64), (100_000, 64)])
def test_an_epoch_keeps_its_steps_and_a_step_has_at_most_64_images(images: int, most: int) -> None:
    assert sizes(images) == tuple(size for size in ALL if size <= most)


@pytest.mark.parametrize("room, taken, tried", [
    (1000, 64, [8, 16, 32, 64]),
    (40, 32, [8, 16, 32, 64]),
    (5, 4, [8, 4]),
    (1, 1, [8, 4, 2]),
])  # fmt: skip
def test_a_gpu_takes_the_largest_that_fits(room: int, taken: int, tried: list[int]) -> None:
    asked: list[int] = []
    assert chosen_batch(ALL, machine(room, {}, asked), by_time=False) == taken
    assert asked == tried


@pytest.mark.parametrize("seconds, taken", [
    ({8: 1.0, 16: 0.98}, 8),
    ({8: 1.0, 16: 0.8, 32: 0.79}, 16),
    ({8: 1.0, 16: 0.8, 32: 0.6, 64: 0.5}, 64),
])  # fmt: skip
def test_a_cpu_takes_more_images_only_if_each_then_takes_less_time(seconds: dict[int, float], taken: int) -> None:
    assert chosen_batch(ALL, machine(1000, seconds, []), by_time=True) == taken


def test_a_batch_is_measured_by_training_with_it(tmp_path: Path) -> None:
    data = open_dataset("digits", tmp_path, scenes={"train": 40, "val": 2, "test": 2})
    candidate = Parent.load("yolov5n.yaml", classes=data.classes, imgsz=32, seed=0).as_candidate()
    before = {name: tensor.clone() for name, tensor in candidate.network.state_dict().items()}
    said: list[str] = []
    recipe = Recipe.from_plain({**data.defaults, "imgsz": 32})
    batch = measured_batch(candidate, recipe, data, device="cpu", scratch=tmp_path / "scratch", say=said.append)
    assert batch == 4 and len(said) == 1
    assert said[0].startswith("batch 4: ") and said[0].endswith(" MiB an image")
    assert all(tensor.equal(before[name]) for name, tensor in candidate.network.state_dict().items())
    crowded = measured_batch(
        candidate, recipe, data, device="cpu", scratch=tmp_path / "scratch", workers=10**6, say=said.append
    )
    assert crowded == 1, "a million processes leave no room"
