"""Ultralytics is kept off the network even where nothing can be written."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_a_full_disk_does_not_end_a_command_that_only_reads(tmp_path: Path) -> None:
    code = (
        "import os, resource\nresource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))\n"
        "import spaces.offline\nprint(os.environ['YOLO_OFFLINE'], os.environ['YOLO_CONFIG_DIR'])\n"
    )
    environment = {**os.environ, "XDG_CACHE_HOME": str(tmp_path / "cache"), "TMPDIR": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"1 {tmp_path}/yolofront-ultralytics-")
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]
