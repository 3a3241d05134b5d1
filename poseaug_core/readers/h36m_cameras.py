"""Human3.6M's four cameras as they stood for each subject, and the bone lengths of its people."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import torch
from torch import Tensor

from poseaug_core.assets import asset


def templates() -> Tensor:
    """(5, 15) metres: the bone lengths of S1, S5, S6, S7 and S8 that the released code swaps in."""
    return torch.tensor(_constants()["templates"]["lengths"], dtype=torch.float32)


@dataclass(frozen=True)
class Camera:
    """rotation: (3, 3), world to camera axes. place: (3,) metres. nine: its numbers as geometry.project wants them.

    size: width and height in pixels. 2D is normalised by the width, as everywhere in the literature, although two of
    the cameras give two lines more than columns.
    """

    rotation: np.ndarray
    place: np.ndarray
    nine: np.ndarray
    size: np.ndarray

    def seen(self, world: np.ndarray) -> np.ndarray:
        """Points (..., 3) of the world in the camera's frame, metres."""
        return (world - self.place) @ self.rotation.T

    def normalised(self, pixels: np.ndarray) -> np.ndarray:
        return (2 * pixels - self.size) / self.size[0]


@cache
def cameras(subject: str) -> tuple[Camera, ...]:
    """The four cameras as they stood for a subject."""
    found = []
    for inside, outside in zip(_constants()["intrinsics"], _constants()["extrinsics"][subject], strict=True):
        size = np.array([inside["res_w"], inside["res_h"]], dtype=float)
        focal = 2 * np.array(inside["focal_length"]) / size[0]
        centre = (2 * np.array(inside["center"]) - size) / size[0]
        nine = np.concatenate((focal, centre, inside["radial_distortion"], inside["tangential_distortion"]))
        place = np.array(outside["translation"]) / 1000
        found.append(Camera(_turn(outside["orientation"]).T, place, nine.astype(np.float32), size))
    return tuple(found)


@cache
def _constants() -> dict[str, Any]:
    return json.loads(asset("human36m.json").read_text())


def _turn(quaternion: list[float]) -> np.ndarray:
    """(3, 3) rotation matrix of the unit quaternion (w, x, y, z)."""
    w, x, y, z = np.array(quaternion) / np.linalg.norm(quaternion)
    return np.array([
        [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
        [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
        [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
    ])  # fmt: skip
