"""In which units keypoints are, and how large their images: from the file, the user, the images, or a guess."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

import numpy as np

from poseaug_core.errors import UserError
from poseaug_core.keypoint_filling import over_joints
from poseaug_core.motion.clip import Progress, tell
from poseaug_core.readers.keypoint_choice import Chosen
from poseaug_core.readers.keypoint_columns import Column, chunks
from poseaug_core.readers.keypoint_images import ImageFiles, image_size

UNITS = ("pixels", "fractions", "normalised")
#: Coordinates that stay below this are no pixels.
NO_PIXELS = 4.0
#: Sizes to guess from where nothing tells one: the smallest that holds every joint, landscape before portrait.
USUAL = ((640, 480), (854, 480), (1000, 1000), (1280, 720), (1920, 1080), (2048, 2048), (3840, 2160), (4096, 4096))
#: Joints this many image sides from the corner do not belong to an image of that size.
FAR = 1.5
#: Sizes that are told apart, and those that are listed.
KINDS, LISTED = 100_000, 3


class Given(Protocol):
    """width, height: pixels, 0 where not given. folder: of the images; images: whether the user named it."""

    width: float
    height: float
    folder: Path
    images: bool


class Sizes:
    """Width and height of every image of some people: column of (2,), 0 where unknown; guess stands in for these."""

    def __init__(self, folder: Path | None = None):
        self.column, self.guess = Column((2,), np.float64, folder), np.zeros(2)

    def of(self, image: np.ndarray) -> np.ndarray:
        """(n, 2) of images by number."""
        size = self.column.pick(image)
        return np.where((size == 0).any(1)[:, None], self.guess, size)


def find_units(low: float, high: float, asked: str, path: Path) -> tuple[str, list[str]]:
    """'pixels', 'fractions' (of width and height) or 'normalised' (as Keypoints.uv), and what to say of it.

    low, high: of all coordinates. Raises UserError where the numbers may be either of the last two.
    """
    if asked:
        return asked, []
    if max(-low, high) >= NO_PIXELS:
        return "pixels", []
    if low < 0:
        return "normalised", [f"Coordinates from {low:.2f} to {high:.2f}: taken as normalised already."]
    raise UserError(
        f"{path}: coordinates run from {low:.2g} to {high:.2g}, which may be fractions of the image or normalised by "
        "its width; add ?units=fractions or ?units=normalised."
    )


def find_sizes(
    people: Chosen,
    units: str,
    given: Given,
    path: Path,
    folder: Path | None = None,
    progress: Progress | None = None,
) -> tuple[Sizes, list[str]]:
    """The size of every image, 0 where unknown, and what to say of where they are from; a column in ``folder``.

    Only normalised keypoints may remain without. Raises UserError where the size is needed and cannot be had, or
    cannot be right.
    """
    sizes, source = Sizes(folder), "?width and ?height" if given.width else "the file"
    files = None if given.width else ImageFiles(given.folder)
    kinds: set[tuple[float, float]] = set()
    missing = 0
    for rows in chunks(len(people.images)):
        size = people.sizes.read(rows) if not given.width else np.tile((given.width, given.height), (_count(rows), 1))
        size = np.where(np.isfinite(size) & (size >= 1), size, 0).astype(np.float64)
        lost = np.flatnonzero((size == 0).any(1))
        if files and len(lost):
            tell(progress, rows.start / len(people.images), f"looking for image sizes in {given.folder}")
            names = people.images.read(rows)
            for number, found in ((number, files.find(names[number])) for number in lost):
                if found and (told := image_size(found)):
                    size[number], source = told, f"the images in {given.folder}"
        sizes.column.append(size)
        known = (size != 0).all(1)
        missing += int((~known).sum())
        if known.any() and len(kinds) < KINDS:
            kinds.update(map(tuple, np.unique(size[known], axis=0).tolist()))
    if given.images and missing == len(people.images):
        first = people.images.read(slice(0, 1))[0]
        raise UserError(f"{path}: {given.folder} has no image called {first}; name the folder of its images.")
    notes = [f"Image size: {_listed(sorted(kinds))}, from {source}."] if kinds else []
    if missing and units == "fractions":
        raise UserError(f"{path}: fractions of the image need its size; add ?width=...&height=... or ?images=FOLDER.")
    if missing and units == "pixels":
        sizes.guess = _guess(_highest(people, sizes))
        images = "1 image" if missing == 1 else f"{missing:,} images"
        notes.append(
            f"The size of {images} is not known: {sizes.guess[0]:g} x {sizes.guess[1]:g} is assumed, a usual "
            "size that holds every joint; add ?width=...&height=... if it is another."
        )
    if units == "pixels":
        _require_inside(people, sizes, path)
    return sizes, notes


def _count(rows: slice) -> int:
    return rows.stop - rows.start


def _highest(people: Chosen, sizes: Sizes) -> np.ndarray:
    """(2,) highest x and y of people in images whose size is not known."""
    highest = np.full(2, -np.inf)
    for rows in chunks(len(people)):
        unknown = (sizes.column.pick(people.image.read(rows)) == 0).any(1)
        if unknown.any():
            highest = np.maximum(highest, np.nanmax(people.xy.read(rows)[unknown], axis=(0, 1)))
    return highest


def _guess(high: np.ndarray) -> np.ndarray:
    fitting = [(w, h) for a, b in USUAL for w, h in ((a, b), (b, a)) if w >= high[0] and h >= high[1]]
    return np.array(min(fitting, key=lambda side: (side[0] * side[1], -side[0])) if fitting else np.ceil(high), float)


def _listed(kinds: list[tuple[float, float]]) -> str:
    more = f" and {len(kinds) - LISTED} more" if len(kinds) > LISTED else ""
    return ", ".join(f"{w:g} x {h:g}" for w, h in kinds[:LISTED]) + more


def _require_inside(people: Chosen, sizes: Sizes, path: Path) -> None:
    """UserError where most people lie far outside their images."""
    outside, first = 0, None
    for rows in chunks(len(people)):
        reach = over_joints(np.fmax, np.abs(people.xy.read(rows)))
        size = sizes.of(people.image.read(rows))
        beyond = (reach > FAR * size).any(1)
        outside += int(beyond.sum())
        if first is None and beyond.any():
            first = reach[beyond.argmax()], size[beyond.argmax()]
    if outside > 0.5 * len(people):
        reach, size = first
        raise UserError(
            f"{path}: most people lie outside their images (one reaches {reach[0]:.0f}, {reach[1]:.0f} in "
            f"{size[0]:g} x {size[1]:g} pixels); give the right ?width=...&height=..."
        )
