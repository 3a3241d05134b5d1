"""Keypoints as plain arrays: ``keypoints`` (n, k, 2 or 3) in .npz, or the array itself in .npy."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from poseaug_core.errors import UserError
from poseaug_core.readers.keypoint_formats import People
from poseaug_core.readers.npz_file import explained, open_npz

KEYS = ("keypoints", "confidence", "scores", "images", "width", "height")


def read_keypoint_arrays(path: Path) -> People:
    """The people of ``keypoints`` (n, k, 2 or 3): x, y and, where given, confidence in 0..1.

    Optional beside it in .npz: ``confidence`` or ``scores`` (n, k), ``images`` (n,) names or frame numbers, ``width``
    and ``height`` of all images or (n,). Rows are images in order where ``images`` is not there. Nothing is ever
    unpickled. Raises UserError.
    """
    columns = _columns(path)
    points = _numeric(columns, "keypoints", path)
    if points.ndim != 3 or points.shape[2] not in (2, 3) or not points.size:
        raise UserError(f"{path}: keypoints have shape {points.shape}, expected (people, joints, 2 or 3).")
    count = len(points)
    sure = next((_numeric(columns, key, path) for key in ("confidence", "scores") if key in columns), None)
    if sure is not None and sure.shape != points.shape[:2]:
        raise UserError(f"{path}: confidence has shape {sure.shape}, expected {points.shape[:2]}, one a joint.")
    images = columns.get("images", np.arange(count))
    if images.shape != (count,) or images.dtype.kind not in "iuU":
        raise UserError(f"{path}: images has shape {images.shape}, expected {count} names or numbers, one a person.")
    people = People("Arrays")
    for row in range(count):
        people.add(images[row], points[row], None if sure is None else sure[row])
    if {"width", "height"} <= set(columns):
        sides = [_numeric(columns, key, path).reshape(-1) for key in ("width", "height")]
        if any(side.size not in (1, count) for side in sides):
            raise UserError(f"{path}: width and height must be one number, or one for each of {count} people.")
        pairs = np.stack([np.broadcast_to(side, count) for side in sides], axis=1).tolist()
        people.sizes = {str(image): tuple(pair) for image, pair in zip(images, pairs, strict=True)}
    return people


def _numeric(columns: dict[str, np.ndarray], key: str, path: Path) -> np.ndarray:
    if not isinstance(columns[key], np.ndarray) or columns[key].dtype.kind not in "fiu":
        raise UserError(f"{path}: {key} does not hold numbers; save it as float32.")
    return columns[key].astype(np.float64)


def _columns(path: Path) -> dict[str, np.ndarray]:
    if path.suffix.lower() == ".npy":
        with explained(path):
            # Mapped, so that a header cannot ask for memory that the file does not fill.
            return {"keypoints": np.load(path, mmap_mode="r", allow_pickle=False)}
    with open_npz(path) as file:
        if "keypoints" not in file.headers:
            listed = ", ".join(list(file.headers)[:8]) or "no arrays"
            raise UserError(f"{path}: keypoints (people, joints, 2 or 3) missing, the file has {listed}.")
        return file.read(*KEYS)
