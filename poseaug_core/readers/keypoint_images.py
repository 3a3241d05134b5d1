"""Image files that keypoints belong to: finding them by name, and their sizes from their headers."""

from __future__ import annotations

import os
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


def holds_images(folder: str | Path) -> bool:
    """Whether any file in the folder has a name of an image."""
    try:
        with os.scandir(folder) as files:
            return any(file.name.lower().endswith(SUFFIXES) for file in files)
    except OSError:
        return False


def find_image(folder: str | Path, name: str) -> Path | None:
    """The image called name, with any suffix of SUFFIXES where it has none; None if there is none in the folder."""
    # A name in a downloaded file must not lead out of the folder.
    path = Path(folder) / Path(name.replace("\\", "/")).name
    if path.suffix.lower() in SUFFIXES and path.is_file():
        return path
    for suffix in SUFFIXES:
        # OpenPose appends _rendered to what it draws.
        for stem in (path.name, path.stem, f"{path.name}_rendered"):
            for candidate in (path.with_name(stem + suffix), path.with_name(stem + suffix.upper())):
                if candidate.is_file():
                    return candidate
    return None


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
