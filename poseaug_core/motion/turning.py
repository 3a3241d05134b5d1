"""Products of rotations about coordinate axes, for many frames at once."""

from __future__ import annotations

import numpy as np


def rotations(values: np.ndarray, axes: tuple[int, ...]) -> np.ndarray:
    """(..., 3, 3) product of rotations about axes in order, angles (..., len(axes)) in degrees.

    Axes x, y, z are 0, 1, 2, the outermost first: (2, 0, 1) is ``Rz Rx Ry``, as BVH lists its channels.
    """
    angles = np.radians(values)
    out = np.broadcast_to(np.eye(3), (*values.shape[:-1], 3, 3))
    for k, axis in enumerate(axes):
        i, j = (axis + 1) % 3, (axis + 2) % 3
        cos, sin = np.cos(angles[..., k, None]), np.sin(angles[..., k, None])
        turned = out.copy()
        turned[..., i] = cos * out[..., i] + sin * out[..., j]
        turned[..., j] = cos * out[..., j] - sin * out[..., i]
        out = turned
    return out
