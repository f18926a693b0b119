"""`python -m spaces.show`: what can be cut of a detector, as a table and as a picture."""

from __future__ import annotations

import io
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from matplotlib.colors import to_hex
from PIL import Image

from spaces.display.charts import SECTION_COLOURS, lighten
from spaces.display.group_rows import Overview, total
from spaces.display.overview import condensed, overview, overview_of
from spaces.networks import checkpoint
from spaces.networks.cost_formula import CostFormula
from spaces.networks.parent import Parent
from spaces.show import headline, main, remarks
from tests.spaces.silencing import random_spec

pytestmark = pytest.mark.slow

FAMILIES = ("yolov5n", "yolov8n", "yolov9t", "yolov10n", "yolo11n", "yolo12n", "yolo26n")
ROW = re.compile(r"^ (model\.\S+) +(\w+) +P(\d) ")


@pytest.fixture(scope="module")
def cut(parent: Parent, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint that keeps half of its parent's channels and lacks one bottleneck."""
    spec = parent.structure.spec(random_spec(parent, 0.5, seed=2).kept, [parent.repeats[1].name])
    folder = tmp_path_factory.mktemp("shown") / "thin"
    checkpoint.save(parent.build(spec), folder)
    return folder


def colours(picture: bytes) -> set[str]:
    """Colours that fill more than 40 pixels."""
    image = np.asarray(Image.open(io.BytesIO(picture)).convert("RGB")).reshape(-1, 3)
    found, counts = np.unique(image, axis=0, return_counts=True)
    return {to_hex(colour / 255) for colour, count in zip(found, counts, strict=True) if count > 40}


@pytest.mark.parametrize("family", FAMILIES)
def test_the_shares_of_all_groups_and_of_uncut_channels_add_up_in_every_family(family: str) -> None:
    seen = overview_of(f"{family}.yaml", classes=5, imgsz=64)
    whole = total([*(row.part for row in seen.groups), seen.stays_whole])
    assert (*whole.parameters, *whole.flops) == pytest.approx((1, 1, 1, 1), abs=1e-12)  # sums of floats
    assert [len(seen.section(name)) > 0 for name in ("backbone", "neck", "detect")] == [True] * 3
    assert 0.8 < 1 - seen.stays_whole.flops[0] < 1  # at 64 px; attention and the last 1x1 convolutions stay
    assert not seen.is_cut and seen.unknown_operations == ()
    assert any(re.fullmatch(r"model\.\d+\.\{cv2,cv3.*\}\.\{0,1,2\}\.2", layer) for layer in seen.whole_layers)


def test_the_table_lists_every_group_once_and_the_picture_shows_every_section(
    parent: Parent, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    picture = tmp_path / "groups.png"
    assert main(["yolov8n.yaml", "--classes", "3", "--imgsz", "64", "--out", str(picture)]) == 0
    printed = capsys.readouterr().out
    listed = [found.groups() for line in printed.splitlines() if (found := ROW.match(line))]
    assert listed == [(group.name, group.section, str(group.stage)) for group in parent.groups]
    shares = [float(found) for found in re.findall(r"^ (?:backbone|neck|detect|stays).*?([\d.]+) *$", printed, re.M)]
    assert sum(shares) == pytest.approx(100, abs=0.03)  # four numbers, rounded to two places
    assert {to_hex(colour) for colour in SECTION_COLOURS.values()} <= colours(picture.read_bytes())


def test_widths_and_shares_of_a_cut_checkpoint_are_shown_before_and_after(
    parent: Parent, cut: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    seen, spec = overview_of(str(cut)), checkpoint.load(cut).spec
    gone = parent.structure.groups_inside(spec.dropped)
    assert [row.kept for row in seen.groups] == [0 if i in gone else len(kept) for i, kept in enumerate(spec.kept)]
    assert seen.flops == tuple(CostFormula.of(parent).costs((parent.full_spec(), spec)).flops)
    picture = tmp_path / "cut.png"
    main([str(cut), "--out", str(picture)])
    printed = capsys.readouterr().out
    row = seen.groups[0]
    assert re.search(rf"^ {re.escape(row.name)} .* {row.width} → {row.kept} .* → ", printed, re.M)
    assert f"left out: {parent.repeats[1].name}" in printed
    assert headline(seen).startswith("thin (yolov8n): ")
    assert {to_hex(lighten(colour)) for colour in SECTION_COLOURS.values()} <= colours(picture.read_bytes())


def test_weights_are_shown_as_the_model_that_they_name(parent: Parent, tmp_path: Path) -> None:
    checkpoint.save(parent.candidate(), tmp_path / "whole")
    weights = tmp_path / "whole" / checkpoint.WEIGHTS
    seen = overview_of(str(weights), model="yolov8n.yaml", classes=3, imgsz=64)
    assert (seen.classes, seen.imgsz, seen.title) == (3, 64, weights.name)
    assert seen.groups == overview_of("yolov8n.yaml", classes=3, imgsz=64).groups


def test_operations_that_the_tracer_does_not_know_are_named(parent: Parent) -> None:
    seen: Overview = overview(parent.structure, parent.full_spec(), 64, 3, "some")
    strange = replace(seen, unknown_operations=("aten.cumsum in model.3",))
    assert not any("unknown" in line for line in remarks(seen))
    assert "unknown operation aten.cumsum in model.3: the channels that it reads stay whole" in remarks(strange)


def test_an_unknown_model_is_one_line_and_exit_2() -> None:
    done = subprocess.run([sys.executable, "-m", "spaces.show", "yolo27q.yaml"], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (2, "")
    assert re.fullmatch(r"error: no model 'yolo27q.yaml': .*\n", done.stderr)


def test_names_that_differ_in_one_part_are_written_as_one() -> None:
    names = ("a.cv2.0.2", "a.cv2.1.2", "a.cv3.0.2", "a.cv3.1.2", "b.0", "c")
    assert condensed(names) == ("a.{cv2,cv3}.{0,1}.2", "b.0", "c")
    assert condensed(()) == ()
