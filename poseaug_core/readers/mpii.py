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
from poseaug_core.readers.spec import Spec

KEY = "RELEASE"
FOLDERS = ("images", "../images", "mpii_human_pose_v1/images")


def mpii_keypoints(spec: Spec, release: Any, progress: Progress | None = None) -> Keypoints:
    """The people of the training images with all 16 joints. Option: images, the folder of the images.

    release: RELEASE as read_mat5 gives it. Images whose size is known are normalised by it; for others a square around
    the person, placed by objpos and scale, counts as the image. Raises UserError for another layout.
    """
    spec.only("images")
    folder = image_folder(spec, *FOLDERS)
    annolist = _first(release).get("annolist")
    if not isinstance(annolist, list) or "annorect" not in _first(annolist):
        raise UserError(f"{spec.path}: {KEY} has no annolist with annorect; give mpii_human_pose_v1_u12_1.mat.")
    people: list[tuple] = []
    for number, entry in enumerate(annolist):
        if number % 500 == 0:
            tell(progress, 0.5 + number / len(annolist) / 2, f"reading image {number:,} of {len(annolist):,}")
        persons = [person for person in _structs(entry.get("annorect")) if _structs(person.get("annopoints"))]
        if persons:
            name = _first(entry.get("image")).get("name")
            image = name if isinstance(name, str) and name else f"image {number + 1}"
            people += [(image, size_in(folder, image), *_person(person)) for person in persons]
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


def _person(person: dict) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """(16, 2) pixels, (16,) which are annotated, and corner and side of the square that objpos and scale tell."""
    pixels, found = np.zeros((16, 2)), np.zeros(16, dtype=bool)
    for point in _structs(_first(person["annopoints"]).get("point")):
        joint, x, y = (_number(point.get(name)) for name in ("id", "x", "y"))
        if joint is not None and x is not None and y is not None and 0 <= joint < 16:
            pixels[int(joint)], found[int(joint)] = (x, y), True
    place, scale = _first(person.get("objpos")), _number(person.get("scale"))
    x, y = (_number(place.get(name)) for name in ("x", "y"))
    if scale is None or x is None or y is None:
        return pixels, found, np.zeros(2), np.zeros(2)
    side = np.full(2, MARGIN * 200 * scale)
    return pixels, found, np.array((x, y)) - side / 2, side


def _structs(value: Any) -> list[dict]:
    """The structs of a struct array; none where it is something else, as an empty annorect is."""
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def _first(value: Any) -> dict:
    return next(iter(_structs(value)), {})


def _number(value: Any) -> float | None:
    good = isinstance(value, np.ndarray) and value.size == 1 and np.isfinite(value).all() and np.abs(value).max() < 1e9
    return float(value.reshape(-1)[0]) if good else None
