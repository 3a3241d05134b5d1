"""MPII Human Pose: the official mpii_human_pose_v1_u12_1.mat, 16 joints in images.

RELEASE.annolist has for each image its name and annorect, a struct for each person with annopoints.point (x, y, id),
objpos and scale (the person's height in units of 200 pixels).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from poseaug_core.errors import UserError
from poseaug_core.keypoints import Keypoints
from poseaug_core.motion.clip import Progress, tell
from poseaug_core.readers.flat import keypoints_of
from poseaug_core.readers.images import MARGIN, boxes, image_folder, size_in
from poseaug_core.readers.joints import MPII_16, sixteen, sixteen_found
from poseaug_core.readers.mat_file import field
from poseaug_core.readers.spec import Spec

KEY = "RELEASE"
FOLDERS = ("images", "../images", "mpii_human_pose_v1/images")


def mpii_keypoints(spec: Spec, release: Any, progress: Progress | None = None) -> Keypoints:
    """The people of the training images with all 16 joints. Option: images, the folder of the images.

    release: RELEASE as scipy reads it. Images whose size is known are normalised by it; for others a square around
    the person, placed by objpos and scale, counts as the image. Raises UserError for another layout.
    """
    spec.only("images")
    folder = image_folder(spec, *FOLDERS)
    annolist = field(release, "annolist")
    if not isinstance(annolist, np.ndarray) or annolist.dtype.names is None or "annorect" not in annolist.dtype.names:
        raise UserError(f"{spec.path}: {KEY} has no annolist with annorect; give mpii_human_pose_v1_u12_1.mat.")
    people: list[tuple] = []
    entries = annolist.reshape(-1)
    for number, entry in enumerate(entries):
        if number % 500 == 0:
            tell(progress, number / len(entries), f"reading image {number:,} of {len(entries):,}")
        rect = field(entry, "annorect")
        persons = [] if rect is None or getattr(rect, "dtype", None) is None else np.atleast_1d(rect).reshape(-1)
        points = [(person, field(person, "annopoints")) for person in persons]
        annotated = [(person, found) for person, found in points if found is not None]
        if annotated:
            image = _text(field(field(entry, "image"), "name")) or f"image {number + 1}"
            people += [(image, size_in(folder, image), *_person(found, person)) for person, found in annotated]
    if not people:
        raise UserError(f"{spec.path} has 0 annotated people; give mpii_human_pose_v1_u12_1.mat.")
    images, sizes, pixels, found, corner, side = zip(*people, strict=True)
    pixels, found, corner, side = map(np.array, (pixels, found, corner, side))
    ours, there = sixteen(pixels, MPII_16), sixteen_found(found, MPII_16)
    around = boxes(ours, there)
    placed = side.min(1) > 0
    box = tuple(np.where(placed[:, None], own, other) for own, other in zip((corner, side), around, strict=True))
    notes = ["joints are MPII's: the spine is midway between pelvis and thorax, the head is the top of the head"]
    return keypoints_of(ours, there, np.array(sizes, dtype=float), box, list(images), "MPII", notes)


def _person(annopoints: Any, person: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """(16, 2) pixels, (16,) which are annotated, and corner and side of the square that objpos and scale tell."""
    pixels, found = np.zeros((16, 2)), np.zeros(16, dtype=bool)
    points = field(annopoints, "point")
    for point in [] if points is None else np.atleast_1d(points).reshape(-1):
        joint, x, y = (_number(field(point, name)) for name in ("id", "x", "y"))
        if joint is not None and x is not None and y is not None and 0 <= joint < 16:
            pixels[int(joint)], found[int(joint)] = (x, y), True
    place, scale = field(person, "objpos"), _number(field(person, "scale"))
    x, y = (_number(field(place, name)) for name in ("x", "y"))
    if scale is None or x is None or y is None:
        return pixels, found, np.zeros(2), np.zeros(2)
    side = np.full(2, MARGIN * 200 * scale)
    return pixels, found, np.array((x, y)) - side / 2, side


def _number(value: Any) -> float | None:
    value = np.asarray(value if value is not None else [])
    return float(value.reshape(-1)[0]) if value.size and value.dtype.kind in "fiu" else None


def _text(value: Any) -> str:
    return str(np.asarray(value).reshape(-1)[0]) if value is not None and np.asarray(value).size else ""
