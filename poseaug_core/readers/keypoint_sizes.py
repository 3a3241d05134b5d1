"""In which units keypoints are, and how large their images: from the file, the user, the images, or a guess."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

import numpy as np

from poseaug_core.errors import UserError
from poseaug_core.readers.keypoint_images import find_image, image_size

UNITS = ("pixels", "fractions", "normalised")
#: Coordinates that stay below this are no pixels.
NO_PIXELS = 4.0
#: Sizes to guess from where nothing tells one: the smallest that holds every joint, landscape before portrait.
USUAL = ((640, 480), (854, 480), (1000, 1000), (1280, 720), (1920, 1080), (2048, 2048), (3840, 2160), (4096, 4096))
#: Joints this many image sides from the corner do not belong to an image of that size.
FAR = 1.5


class Given(Protocol):
    """width, height: pixels, 0 where not given. folder: of the images; images: whether the user named it."""

    width: float
    height: float
    folder: Path
    images: bool


def find_units(points: np.ndarray, asked: str, path: Path) -> tuple[str, list[str]]:
    """'pixels', 'fractions' (of width and height) or 'normalised' (as Keypoints.uv), and what to say of it.

    points: (n, k, 2), NaN where missing. Raises UserError where the numbers may be either of the last two.
    """
    if asked:
        return asked, []
    found = points[np.isfinite(points)]
    low, high = float(found.min()), float(found.max())
    if max(-low, high) >= NO_PIXELS:
        return "pixels", []
    if low < 0:
        return "normalised", [f"Coordinates from {low:.2f} to {high:.2f}: taken as normalised already."]
    raise UserError(
        f"{path}: coordinates run from {low:.2g} to {high:.2g}, which may be fractions of the image or normalised by "
        "its width; add ?units=fractions or ?units=normalised."
    )


def find_sizes(
    known: dict[str, tuple[float, float]], names: list[str], xy: np.ndarray, image: np.ndarray, units: str,
    given: Given, path: Path,
) -> tuple[np.ndarray, list[str]]:  # fmt: skip
    """((m, 2) width and height of each named image, 0 where unknown; what to say of where they are from).

    known: sizes that the file gives. xy: (n, 16, 2) of the people, image: (n,) index into names. Only normalised
    keypoints may remain without. Raises UserError where the size is needed and cannot be had, or cannot be right.
    """
    if given.width:
        size, source = np.tile((given.width, given.height), (len(names), 1)), "?width and ?height"
    else:
        size, source = np.array([known.get(name, (0, 0)) for name in names], dtype=np.float64), "the file"
    size = np.where(np.isfinite(size) & (size >= 1), size, 0).astype(np.float64)
    folder = given.folder
    for number in np.flatnonzero((size == 0).any(1)):
        found = find_image(folder, names[number])
        size[number] = (image_size(found) if found else None) or (0, 0)
        source = f"the images in {folder}" if size[number].all() else source
    missing = (size == 0).any(1)
    if given.images and missing.all():
        raise UserError(f"{path}: {folder} has no image called {names[0]}; name the folder of its images.")
    notes = [f"Image size: {_listed(size[~missing])}, from {source}."] if not missing.all() else []
    if missing.any() and units == "fractions":
        raise UserError(f"{path}: fractions of the image need its size; add ?width=...&height=... or ?images=FOLDER.")
    if missing.any() and units == "pixels":
        size[missing] = guess = _guess(np.nanmax(xy[missing[image]], axis=(0, 1)))
        notes.append(
            f"The size of {int(missing.sum()):,} images is not known: {guess[0]:g} x {guess[1]:g} is assumed, a usual "
            "size that holds every joint; add ?width=...&height=... if it is another."
        )
    if units == "pixels":
        _require_inside(xy, size[image], path)
    return size, notes


def _guess(high: np.ndarray) -> np.ndarray:
    fitting = [(w, h) for a, b in USUAL for w, h in ((a, b), (b, a)) if w >= high[0] and h >= high[1]]
    return np.array(min(fitting, key=lambda side: (side[0] * side[1], -side[0])) if fitting else np.ceil(high), float)


def _listed(size: np.ndarray) -> str:
    kinds = np.unique(size, axis=0)
    more = f" and {len(kinds) - 3} more" if len(kinds) > 3 else ""
    return ", ".join(f"{w:g} x {h:g}" for w, h in kinds[:3]) + more


def _require_inside(xy: np.ndarray, size: np.ndarray, path: Path) -> None:
    """UserError where most people lie far outside images of that size (n, 2)."""
    reach = np.nanmax(np.abs(xy), axis=1)
    beyond = (reach > FAR * size).any(1)
    if beyond.mean() > 0.5:
        row = int(beyond.argmax())
        raise UserError(
            f"{path}: most people lie outside their images (one reaches {reach[row, 0]:.0f}, {reach[row, 1]:.0f} in "
            f"{size[row, 0]:g} x {size[row, 1]:g} pixels); give the right ?width=...&height=..."
        )
