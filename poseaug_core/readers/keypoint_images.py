"""Image files that keypoints belong to: finding them by name, and their sizes from their headers."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from poseaug_core.errors import UserError
from poseaug_core.readers.spec import Spec

SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff")


def image_folder(spec: Spec) -> Path:
    """Where the images of keypoints are looked for: ?images (also as seen from the file), or 'images' or beside it.

    Raises UserError for an ``images`` that is no folder.
    """
    beside = spec.path if spec.path.is_dir() else spec.path.parent
    if "images" not in spec.options:
        return beside / "images" if (beside / "images").is_dir() else beside
    named = spec.options["images"]
    found = next((folder for folder in (Path(named), beside / named) if named and folder.is_dir()), None)
    if found is None:
        raise UserError(f"{spec.text}: images is '{named}', which is no folder; name the folder of the images.")
    return found


def find_image(folder: str | Path, name: str) -> Path | None:
    """The image called name, with any suffix of SUFFIXES where it has none; None if there is none in the folder."""
    paths = (Path(folder) / candidate for candidate in _candidates(_last(name)))
    return next((path for path in paths if path.is_file()), None)


class ImageFiles:
    """The images of a folder, listed once: many names are found in it without asking the disk for each."""

    def __init__(self, folder: str | Path):
        self.folder = Path(folder)
        try:
            with os.scandir(folder) as files:
                self.names = {file.name for file in files if file.name.lower().endswith(SUFFIXES) and file.is_file()}
        except OSError:
            self.names = set()
        self.stems = {os.path.splitext(name)[0] for name in self.names}

    def __len__(self) -> int:
        return len(self.names)

    def find(self, name: str) -> Path | None:
        """As find_image."""
        name = _last(name)
        if name not in self.names and self.stems.isdisjoint(_stems(name)):
            return None
        return next((self.folder / candidate for candidate in _candidates(name) if candidate in self.names), None)


def _last(name: str) -> str:
    """The last part of a path: a name in a downloaded file must not lead out of the folder."""
    return name.replace("\\", "/").rstrip("/").rpartition("/")[2]


def _stems(name: str) -> tuple[str, str, str]:
    # OpenPose appends _rendered to what it draws.
    return name, os.path.splitext(name)[0], f"{name}_rendered"


def _candidates(name: str) -> Iterator[str]:
    """Names of files that may be the image called name, the likeliest first."""
    if name.lower().endswith(SUFFIXES):
        yield name
    for suffix in SUFFIXES:
        for stem in _stems(name):
            yield stem + suffix
            yield stem + suffix.upper()


def image_size(path: Path) -> tuple[int, int] | None:
    """(width, height) in pixels, as detectors see them (turned by EXIF); None for what is no image."""
    try:
        with Image.open(path) as image:
            width, height = image.size
            turned = image.getexif().get(0x0112, 1) in (5, 6, 7, 8)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return None
    return (height, width) if turned else (width, height)


def load_image(path: Path, longest: int = 1600) -> np.ndarray | None:
    """(h, w, 3) uint8, turned by EXIF, its longer side at most ``longest`` pixels; None for what is no image."""
    try:
        with Image.open(path) as image:
            image.draft("RGB", (longest, longest))
            image = ImageOps.exif_transpose(image)
            image.thumbnail((longest, longest))
            return np.asarray(image.convert("RGB"))
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return None
