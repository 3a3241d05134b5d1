"""Cameras and places for sets that come without one of the two: fitted so that the 3D falls on the given 2D."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from poseaug_core.keypoints import normalised, normalising_side
from poseaug_core.units import PLACE, UV, require

#: What a fitted camera is cut to, so that what it is refused for can be told.
FARTHEST = 1e4
#: Metres before the camera below which nothing is seen.
NEAREST = 0.01


def require_sane(path: Path, xyz: np.ndarray, uv: np.ndarray) -> None:
    """UserError where numbers of 3D (n, j, 3) metres or 2D (n, j, 2) are not finite, or beyond anything."""
    with np.errstate(invalid="ignore"):
        require(PLACE, xyz, path)
        require(UV, uv, path)


def pinhole(focal: np.ndarray, centre: np.ndarray, size: np.ndarray) -> np.ndarray:
    """(9,) float32 camera without distortion: focal (2,), centre (2,) and image size (2,) in pixels."""
    focal, size = np.asarray(focal, dtype=float), np.asarray(size, dtype=float)
    nine = (*(2 * focal / normalising_side(size)), *normalised(np.asarray(centre, dtype=float), size), 0, 0, 0, 0, 0)
    return np.array(nine, dtype=np.float32)


def fitted_camera(xyz: np.ndarray, uv: np.ndarray) -> np.ndarray:
    """(9,) float32: focal lengths and centre with which xyz (n, j, 3), camera frame, falls best on uv (n, j, 2).

    Least squares of ``uv = focal * xy / z + centre`` for each of the two axes.
    """
    nine = np.zeros(9)
    before = xyz[..., 2] > NEAREST  # who lies behind the camera is refused with it
    for axis in range(2):
        ray = xyz[before][:, axis] / xyz[before][:, 2]
        columns = np.stack((ray, np.ones_like(ray)), axis=1)
        (nine[axis], nine[2 + axis]), *_ = np.linalg.lstsq(columns, uv[before][:, axis], rcond=None)
    return np.clip(nine, -FARTHEST, FARTHEST).astype(np.float32)


def placed(body: np.ndarray, uv: np.ndarray, camera: np.ndarray) -> np.ndarray:
    """(n, j, 3) body (n, j, 3) moved to where it falls best on uv (n, j, 2), in the frame of a pinhole (n, 9).

    Least squares of ``(uv - centre) (z + t_z) = focal (xy + t_xy)``, linear in the translation t.
    """
    focal, ray = camera[:, None, :2], uv - camera[:, None, 2:4]
    n, j = body.shape[:2]
    left = np.zeros((n, j, 2, 3))
    left[..., 0, 0], left[..., 1, 1] = focal[..., 0], focal[..., 1]
    left[..., 2] = -ray
    right = ray * body[..., 2:] - focal * body[..., :2]
    left, right = left.reshape(n, 2 * j, 3), right.reshape(n, 2 * j, 1)
    square = left.transpose(0, 2, 1) @ left
    place = np.linalg.pinv(square, hermitian=True) @ left.transpose(0, 2, 1) @ right
    return body + place.transpose(0, 2, 1)


def apart(xyz: np.ndarray, uv: np.ndarray, camera: np.ndarray) -> np.ndarray:
    """(n,) the median distance of uv (n, j, 2) from where the pinholes (n, 9) see xyz (n, j, 3)."""
    with np.errstate(divide="ignore", invalid="ignore"):
        seen = camera[:, None, :2] * xyz[..., :2] / xyz[..., 2:] + camera[:, None, 2:4]
    return np.median(np.linalg.norm(seen - uv, axis=-1), axis=-1)
