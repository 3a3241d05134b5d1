"""Sizes of the images that 2D annotations belong to, from their headers, and what counts as the image without them."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from poseaug_core.errors import UserError
from poseaug_core.readers.keypoint_images import find_image, image_size
from poseaug_core.readers.spec import Spec

#: Of the side of a box around a person, where no image says more: one and a quarter times the person.
MARGIN = 1.25


def image_folder(spec: Spec, *beside: str) -> Path | None:
    """The folder of images: the option ``images``, else the first of those beside the file that is there, else None."""
    if "images" in spec.options:
        folder = spec.path.parent / spec.options["images"]
        if not folder.is_dir():
            raise UserError(
                f"{spec.text}: {folder} is not a folder; name the one with the images, or leave images out."
            )
        return folder
    found = [spec.path.parent / name for name in beside]
    return next((folder for folder in found if folder.is_dir()), None)


def size_in(folder: Path | None, name: str) -> tuple[int, int]:
    """Width and height of the named image by its header; zeros where it is not there."""
    image = folder and find_image(folder, name)
    return (image and image_size(image)) or (0, 0)


def boxes(pixels: np.ndarray, found: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Corner (n, 2) and side (n, 2) of a square around each person, of pixels (n, 16, 2) where found (n, 16)."""
    low = np.where(found[..., None], pixels, np.inf).min(1)
    high = np.where(found[..., None], pixels, -np.inf).max(1)
    # Of nobody the corner is not a number.
    with np.errstate(invalid="ignore"):
        side = MARGIN * (high - low).max(1, keepdims=True)
        return (low + high - side) / 2, np.repeat(side, 2, axis=1)
