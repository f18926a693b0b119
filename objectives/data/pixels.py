"""Decodes images as the training decodes them, and checks them: what passes can be trained on.

An image must pass two decoders. OpenCV's is the one that the training uses; Pillow's also refuses what OpenCV completes
with grey pixels, such as a truncated JPEG. The size is read from the header first, so that no image inflates unbounded.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from io import BytesIO
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

import spaces.offline  # noqa: F401  (before ultralytics)
from objectives.data.looks import look_of

# isort: split
from spaces.shown import shown

from ultralytics.utils.patches import imread

Pixels = NDArray[np.uint8]

MOST_PIXELS = 100_000_000
"""Maximum number of pixels of an image: its decoded form takes 300 MB."""
MOST_IMAGE_BYTES = 512 * 1024**2
"""Maximum size of an image file."""
_LARGE_PIXELS = 16_000_000
_FORMATS = frozenset({"AVIF", "BMP", "DNG", "HEIF", "JPEG", "JPEG2000", "MPO", "PNG", "TIFF", "WEBP"})
_SMALLEST_PX = 10  # Ultralytics drops smaller images

_one_large_at_a_time = threading.Lock()
Image.MAX_IMAGE_PIXELS = None  # `_header_problem` has a bound; Pillow's own is a warning among the lines of a run
cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_ERROR)  # each fault is reported with its file


def decode(file: str | Path) -> Pixels | None:
    """Return an image `(height, width, 3)` in BGR as the training sees it; None if OpenCV cannot decode it."""
    pixels: Pixels | None = imread(str(file), flags=cv2.IMREAD_COLOR)
    return pixels


def jpeg(pixels: Pixels, longest_px: int, quality: int = 80) -> bytes:
    """Return a picture `(height, width, 3)` in RGB as a JPEG, made smaller if its longer side is above `longest_px`."""
    scale = min(1.0, longest_px / max(pixels.shape[:2]))
    size = (max(1, round(pixels.shape[1] * scale)), max(1, round(pixels.shape[0] * scale)))
    smaller = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA) if scale < 1 else pixels
    _, encoded = cv2.imencode(".jpg", cv2.cvtColor(smaller, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, quality])
    return encoded.tobytes()


def open_image(file: Path | BytesIO) -> Image.Image:
    """Open an image with Pillow itself.

    Ultralytics replaces `PIL.Image.open` by a function that tries to install a package when it meets a file that
    is no image.

    Raises:
        PIL.UnidentifiedImageError: If it is no image.
    """
    patches = sys.modules.get("ultralytics.utils.patches")
    opener: Callable[[Path | BytesIO], Image.Image] = patches._image_open if patches else Image.open
    return opener(file)


def check_pixels(path: Path, content: bytes) -> tuple[str, str | None]:
    """Decode an image with both decoders.

    Returns:
        Its look (see `objectives.data.looks`), and its problem if there is one.
    """
    if not content:
        return "", "the file is empty"
    try:
        with open_image(BytesIO(content)) as image:
            if (problem := _header_problem(image)) is not None:
                return "", problem
            size = image.width * image.height
            if image.format == "PNG":
                image.verify()  # the checksums; Pillow's decoder ignores some of them, OpenCV's none
        with _turn(size):
            with open_image(BytesIO(content)) as image:
                image.load()
            return _decoded(path)
    except UnidentifiedImageError:
        return "", "not an image that can be read"
    except Exception as error:  # the decoders raise any error on broken bytes; each is reported with its file
        return "", f"the image cannot be decoded: {shown(str(error))[:200]}"


def _header_problem(image: Image.Image) -> str | None:
    if image.format not in _FORMATS:
        return f"format {image.format} is not one that Ultralytics reads"
    if min(image.size) < _SMALLEST_PX:
        return f"the image is {image.width} x {image.height} px; at least {_SMALLEST_PX} px is needed"
    frames = getattr(image, "n_frames", 1) if image.format == "TIFF" else 1  # OpenCV decodes all pages of a TIFF
    if image.width * image.height * frames > MOST_PIXELS:
        size = f"{image.width} x {image.height} px" + (f" on {frames} pages" if frames > 1 else "")
        return f"the image is {size}; at most {MOST_PIXELS / 1e6:.0f} megapixels are read"
    return None


def _decoded(path: Path) -> tuple[str, str | None]:
    pixels = decode(path)
    if pixels is None:
        return "", "OpenCV, which the training uses, cannot decode the image; save it again as PNG or JPEG"
    if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3:
        kind = f"{pixels.dtype} {' x '.join(map(str, pixels.shape))}"
        return "", f"the image decodes to {kind}; 8 bits and 3 colours are needed"
    return look_of(pixels), None


def _turn(pixels: int) -> AbstractContextManager[object]:
    """Return a lock for a large image: threads that decode several at once would take gigabytes."""
    return _one_large_at_a_time if pixels > _LARGE_PIXELS else nullcontext()
