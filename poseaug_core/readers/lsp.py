"""Leeds Sports Pose: joints.mat, of 2,000 images (3, 14, n) or, of the extended set, 10,000 images (14, 3, n)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from poseaug_core.errors import UserError
from poseaug_core.keypoints import Keypoints
from poseaug_core.motion.clip import Progress, tell
from poseaug_core.readers.flat import keypoints_of
from poseaug_core.readers.images import boxes, image_folder, size_in
from poseaug_core.readers.joints import LSP_14, sixteen, sixteen_found
from poseaug_core.readers.spec import Spec

KEY = "joints"
SPLITS = ("all", "train", "test")
#: The first thousand images of the original set are for training.
TRAINING = 1000


def lsp_keypoints(spec: Spec, joints: Any, progress: Progress | None = None) -> Keypoints:
    """The people with all 14 joints. Options: split (all, train, test) and images, the folder of the images.

    joints: (3, 14, n) x, y, occluded, or (14, 3, n) x, y, annotated. Raises UserError for other shapes.
    """
    spec.only("split", "images")
    split = spec.choice("split", SPLITS, "all")
    shape = getattr(joints, "shape", type(joints).__name__)
    if not isinstance(joints, np.ndarray) or joints.ndim != 3 or shape[:2] not in ((3, 14), (14, 3)) or not shape[2]:
        raise UserError(f"{spec.path}: joints has shape {shape}, expected (3, 14, n) or (14, 3, n) as LSP's.")
    extended = joints.shape[0] == 14
    columns = joints.transpose(2, 0, 1) if extended else joints.transpose(2, 1, 0)
    count = len(columns)
    rows = {"all": slice(None), "train": slice(TRAINING), "test": slice(TRAINING, None)}[split]
    numbers = np.arange(1, count + 1)[rows]
    pixels = columns[rows, :, :2].astype(float)
    # The original set marks occluded joints, whose places are given all the same.
    found = columns[rows, :, 2] > 0 if extended else np.ones(pixels.shape[:2], dtype=bool)
    folder = image_folder(spec, "images")
    images = [f"im{n:05d}.jpg" if extended else f"im{n:04d}.jpg" for n in numbers.tolist()]
    sizes = np.array([_size(folder, image, i, len(images), progress) for i, image in enumerate(images)], dtype=float)
    ours, there = sixteen(pixels, LSP_14), sixteen_found(found, LSP_14)
    notes = [
        "joints are LSP's: pelvis and spine are midpoints of the hips and of pelvis and neck, the head is the top of "
        "the head"
    ]
    name = f"LSP{' extended' if extended else ''}{'' if split == 'all' else f' {split}'}"
    return keypoints_of(ours, there, sizes.reshape(-1, 2), boxes(ours, there), images, name, notes)


def _size(folder: Path | None, image: str, number: int, count: int, progress: Progress | None) -> tuple[int, int]:
    if number % 500 == 0:
        tell(progress, number / count, f"reading image {number:,} of {count:,}")
    return size_in(folder, image)
