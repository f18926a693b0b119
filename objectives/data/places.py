"""Finds the images of a split: in folders, in lists, at paths of other systems. What is missing is named.

Paths that people bring come from other machines, from Windows or a notebook's `/content`. A relative path with
backslashes is read as it was meant. Of an absolute one the error names the part that is there.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from objectives.data.yaml_text import DataError, decoded
from spaces.shown import shown

IMAGE_SUFFIXES = frozenset(
    {"avif", "bmp", "dng", "heic", "heif", "jp2", "jpeg", "jpg", "mpo", "png", "tif", "tiff", "webp"}
)
ARCHIVES = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz", ".txz", ".7z", ".rar")
_LARGEST_LIST_BYTES = 512 * 1024**2
_DRIVE = re.compile(r"[A-Za-z]:[\\/]|\\\\")


@dataclass(frozen=True)
class Place:
    """Images and folders that the value of one key (`train`, `val`, ...) names.

    Attributes:
        images: Image files, sorted; those of lists may be missing.
        folders: The folders it names; empty where it is made of lists.
        absent: By image that is not there: the line of the list that names it, and a hint.
    """

    images: tuple[Path, ...]
    folders: tuple[Path, ...]
    absent: Mapping[Path, str] = field(default_factory=dict)


def label_path(image: Path | str) -> str:
    """Return the path at which Ultralytics looks for the label of an image."""
    return "/labels/".join(str(image).rsplit("/images/", 1)).rsplit(".", 1)[0] + ".txt"


def exists(path: Path) -> bool:
    """Return whether there is something at a path of any origin."""
    try:
        return path.exists()
    except (OSError, ValueError):  # too long, or with a null character
        return False


def is_windows(path: str) -> bool:
    """Return whether a path begins with a drive or a share of Windows."""
    return _DRIVE.match(path) is not None


def present_part(path: str, bases: Sequence[Path]) -> str | None:
    """Return the longest end of a path of another machine that is found below one of the folders; None if none is."""
    parts = [part for part in PurePosixPath(path.replace("\\", "/")).parts if part not in ("/", ".", "..")]
    for begin in range(len(parts)):
        part = "/".join(parts[begin:])
        if any(exists(base / part) for base in bases):
            return part
    return None


def archives_in(folder: Path) -> list[str]:
    """Return the names of the archives in a folder."""
    try:
        return sorted(name for name in os.listdir(folder) if name.lower().endswith(ARCHIVES))
    except OSError:
        return []


def images_at(value: Sequence[str], root: Path, key: str, *, may_be_empty: bool) -> Place:
    """List the images of a split.

    Args:
        value: Folders and `.txt` lists, relative to `root` or absolute.
        key: Name of the split, for the messages.

    Raises:
        DataError: If a place is missing or of another kind, or there are no images.
    """
    images: list[str] = []
    folders: list[Path] = []
    absent: dict[Path, str] = {}
    for place in value:
        path = _found(place, root, key)
        if path.is_dir():
            folders.append(_as_written(path))
            images.extend(_walk(folders[-1]))
        elif path.suffix.lower() == ".txt" and path.is_file():
            images.extend(_listed(path.resolve(), root, absent))
        else:
            raise DataError(f"{shown(path)} is neither a folder nor a .txt list")
    if not may_be_empty and not images:
        places = ", ".join(shown(root / place) for place in value)
        raise DataError(f"no images in {places}{_unpack_hint(root)}")
    only_folders = len(folders) == len(value)
    return Place(tuple(Path(image) for image in sorted(images)), tuple(folders) if only_folders else (), absent)


def class_folders(root: Path) -> tuple[tuple[str, ...], dict[str, Place]]:
    """Return the classes and the images of each split of a classification set: `train/cat/1.jpg`, `val/cat/2.jpg`.

    Raises:
        DataError: If `train` or `val` is missing, or a split has a class that `train` has not.
    """
    found = {name: root / name for name in ("train", "val", "test") if exists(root / name)}
    if "val" not in found and exists(root / "validation"):
        found["val"] = root / "validation"
    for name in ("train", "val"):
        if name not in found:
            raise DataError(f"{shown(root)} has no folder '{name}'; a classification set has train/CLASS and val/CLASS")
    classes = tuple(sorted(each.name for each in found["train"].iterdir() if each.is_dir()))
    places: dict[str, Place] = {}
    for name, folder in found.items():
        for each in sorted(folder.iterdir()):
            if each.is_dir() and each.name not in classes:
                raise DataError(f"{shown(each)} is no class of '{shown(found['train'])}'")
        places[name] = images_at(
            [str(folder / each) for each in classes if exists(folder / each)], root, name, may_be_empty=False
        )
    if not classes:
        raise DataError(f"{shown(found['train'])} has no folders; each class has one")
    return classes, places


def _found(place: str, root: Path, key: str) -> Path:
    path = root / place
    if not exists(path) and place.startswith("../"):
        path = root / place[3:]  # paths in exports of Roboflow are one level off; Ultralytics corrects them
    if not exists(path) and "\\" in place and not is_windows(place):
        path = root / place.replace("\\", "/")
    if exists(path):
        return path
    if (part := present_part(place, [root])) is not None and (is_windows(place) or Path(place).is_absolute()):
        kind = "is a Windows path" if is_windows(place) else "does not exist"
        raise DataError(f"{shown(place)} {kind}; {shown(root)} has {shown(part)}: write '{key}: {shown(part)}'")
    if is_windows(place):
        raise DataError(f"{shown(place)} is a Windows path, and {shown(root)} has nothing of it{_unpack_hint(root)}")
    hint = f" ('path' is {shown(root)})" if not Path(place).is_absolute() else ""
    raise DataError(f"{shown(os.path.normpath(path))} does not exist{hint}{_unpack_hint(root)}")


def _unpack_hint(root: Path) -> str:
    archives = archives_in(root)
    if not archives:
        return ""
    named = ", ".join(shown(name)[:60] for name in archives[:3])
    return f"; {shown(root)} holds {named}: unpack it first"


def _as_written(folder: Path) -> Path:
    """Return a path without `..`. Links stay, because labels are looked for beside the path as it is written first."""
    plain = Path(os.path.normpath(folder))
    return plain if exists(plain) and plain.samefile(folder) else folder.resolve()


def _walk(folder: Path) -> Iterator[str]:
    """Yield the images below a folder; links are followed, hidden names are left out."""

    def unreadable(error: OSError) -> None:
        raise DataError(f"{shown(error.filename)} cannot be read: {error.strerror}")

    seen: set[str] = set()
    for parent, folders, files in os.walk(folder, followlinks=True, onerror=unreadable):
        real = os.path.realpath(parent)
        if real in seen:  # a link that leads back up
            folders.clear()
            continue
        seen.add(real)
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in files:
            if not name.startswith(".") and name.rpartition(".")[2].lower() in IMAGE_SUFFIXES:
                yield os.path.join(parent, name)


def _listed(file: Path, root: Path, absent: dict[Path, str]) -> Iterator[str]:
    """Yield the images of a list, also those that are missing; note the latter in `absent`."""
    if (size := file.stat().st_size) > _LARGEST_LIST_BYTES:
        raise DataError(f"{shown(file)}: {size / 1024**2:.0f} MiB is no list of images")
    try:
        text, _ = decoded(file.read_bytes())
    except UnicodeDecodeError:
        raise DataError(f"{shown(file)} is not a text file in UTF-8") from None
    for number, line in enumerate(text.splitlines(), start=1):
        entry = line.strip()
        if not entry:
            continue
        found = _entry(entry, file, root)
        if (found or Path(entry)).suffix[1:].lower() not in IMAGE_SUFFIXES:
            raise DataError(f"{shown(file)}:{number}: {shown(entry)} is not an image")
        if found is None:
            found = Path(os.path.normpath(file.parent / entry))
            absent[found] = (
                f"{shown(file)}:{number}: image {shown(entry)} does not exist{_entry_hint(entry, file, root)}"
            )
        yield os.path.normpath(found)


def _entry(entry: str, file: Path, root: Path) -> Path | None:
    plain = entry.replace("\\", "/")
    for text in dict.fromkeys((entry, plain)):
        bases = [file.parent] if text.startswith("./") else [Path.cwd(), file.parent, root]
        found = next((base / text for base in bases if exists(base / text)), None)
        if found is not None:
            return found
    return None


def _entry_hint(entry: str, file: Path, root: Path) -> str:
    part = present_part(entry, [file.parent, root])
    if part is None:
        return ""
    kind = "a path of another system" if is_windows(entry) else "a path of another place"
    return f"; it is {kind}: the file is at {shown(part)}"
