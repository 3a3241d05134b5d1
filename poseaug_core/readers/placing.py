"""Cameras and places for sets that come without one of the two: fitted so that the 3D falls on the given 2D."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from poseaug_core.errors import UserError
from poseaug_core.keypoints import normalised, normalising_side

#: Metres, or half image widths: nothing that can be placed is farther.
FARTHEST = 1e4


def require_sane(path: Path, xyz: np.ndarray, uv: np.ndarray) -> None:
    """UserError where numbers of 3D (n, j, 3) metres or 2D (n, j, 2) are not finite, or beyond anything."""
    for what, column in (("3D", xyz), ("2D", uv)):
        with np.errstate(invalid="ignore"):
            bad = ~(np.abs(column) < FARTHEST).all((1, 2))
        if bad.any():
            raise UserError(
                f"{path}: {bad.sum():,} of {len(bad):,} poses have {what} values that are no numbers or beyond "
                f"{FARTHEST:,.0f} m or image widths (first: pose {bad.argmax()}); get the file again."
            )


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
    for axis in range(2):
        ray = (xyz[..., axis] / xyz[..., 2]).ravel()
        columns = np.stack((ray, np.ones_like(ray)), axis=1)
        (nine[axis], nine[2 + axis]), *_ = np.linalg.lstsq(columns, uv[..., axis].ravel(), rcond=None)
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
    seen = camera[:, None, :2] * xyz[..., :2] / xyz[..., 2:] + camera[:, None, 2:4]
    return np.median(np.linalg.norm(seen - uv, axis=-1), axis=-1)
