"""Keeps Ultralytics off the network and away from the user's settings. Import this before `ultralytics`.

Ultralytics reads its environment at import: without this it may run pip at run time, look up assets and fonts,
execute pickles and share its settings file with other projects.
"""

from __future__ import annotations

import os
import tempfile
from contextlib import suppress
from pathlib import Path

from spaces.durable import write_bytes

SETTINGS = {
    "YOLO_OFFLINE": "1",
    "YOLO_AUTOINSTALL": "False",
    "YOLO_VERBOSE": "False",
    "ULTRALYTICS_SAFE_LOAD": "1",
    "MPLBACKEND": "Agg",
    "WANDB_MODE": "disabled",
}


def _private_folder() -> Path:
    cache = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    folder = Path(cache) / "yolofront" / "ultralytics"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if os.access(folder, os.W_OK):
            return folder
    except OSError:
        pass  # a read-only home is common in containers
    return Path(tempfile.mkdtemp(prefix="yolofront-ultralytics-"))


def _place_fonts(folder: Path) -> None:
    """Write matplotlib's font under the name of Arial, which Ultralytics downloads if it is missing."""
    import matplotlib

    source = Path(matplotlib.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf"
    for name in ("Arial.ttf", "Arial.Unicode.ttf"):
        target = folder / "Ultralytics" / name
        if not target.exists():
            write_bytes(target, source.read_bytes())


def _apply() -> None:
    for name, value in SETTINGS.items():
        os.environ[name] = value
    folder = _private_folder()
    try:
        _place_fonts(folder)
    except OSError:  # the disk is full, which must not end a command that only reads
        folder = Path(tempfile.mkdtemp(prefix="yolofront-ultralytics-"))
        with suppress(OSError):
            _place_fonts(folder)
    os.environ["YOLO_CONFIG_DIR"] = str(folder)


_apply()
