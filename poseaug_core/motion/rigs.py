"""Camera rigs: a laboratory of four fixed cameras, and cameras found anywhere."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Camera:
    """One camera in the world (metres, z up).

    lens: (9,) as geometry.project takes it. rotation: (3, 3) world to camera. position: (3,) of its centre.
    aspect: image height over width.
    """

    lens: np.ndarray
    rotation: np.ndarray
    position: np.ndarray
    aspect: float = 1.0

    def view(self, xyz: np.ndarray) -> np.ndarray:
        """World points (..., 3) in the camera frame: x right, y down, z forward."""
        return (xyz - self.position) @ self.rotation.T


@dataclass(frozen=True)
class Rig:
    """Cameras that film at the same time; the person is near the world's origin."""

    name: str
    cameras: tuple[Camera, ...]


def look_at(position: np.ndarray, target: np.ndarray, roll: float = 0.0) -> np.ndarray:
    """(3, 3) world to camera of a camera at position that looks at target, rolled by radians."""
    forward = (target - position) / np.linalg.norm(target - position)
    right = np.cross(forward, (0.0, 0.0, 1.0))
    right /= np.linalg.norm(right)
    down = np.cross(forward, right)
    cos, sin = np.cos(roll), np.sin(roll)
    return np.stack((cos * right + sin * down, cos * down - sin * right, forward))


def _lab_camera(focal, centre, radial, tangential, position, size) -> Camera:
    """A calibrated camera, pixels and metres, that looks at the middle of the room at hip height."""
    width, height = size
    lens = np.array(
        (
            2 * focal[0] / width, 2 * focal[1] / width, 2 * centre[0] / width - 1,
            2 * centre[1] / width - height / width, *radial, *tangential,
        )
    )  # fmt: skip
    place = np.array(position)
    return Camera(lens, look_at(place, np.array((0.0, 0.0, 0.85))), place, height / width)


#: Four cameras in the corners of a room, about 5 m from its middle and 1.5 m up, like Human3.6M's.
LAB = Rig(
    "lab",
    (
        _lab_camera((1145.0, 1143.8), (512.5, 515.5), (-0.2071, 0.2478, -0.0031), (-0.00098, -0.00142),
                    (1.841, 4.955, 1.563), (1000, 1002)),
        _lab_camera((1149.7, 1147.6), (508.8, 508.1), (-0.1942, 0.2404, 0.0068), (-0.00162, -0.00274),
                    (1.761, -5.078, 1.606), (1000, 1000)),
        _lab_camera((1149.1, 1148.8), (519.8, 501.4), (-0.2083, 0.2555, -0.0025), (0.00148, -0.00076),
                    (-1.847, 5.215, 1.492), (1000, 1000)),
        _lab_camera((1145.5, 1144.8), (515.0, 501.9), (-0.1984, 0.2183, -0.0089), (-0.00059, -0.00181),
                    (-1.795, -3.723, 1.575), (1000, 1002)),
    ),
)  # fmt: skip


def lab(rng: np.random.Generator) -> Rig:
    """The laboratory, the same for every draw."""
    return LAB


def wild(rng: np.random.Generator) -> Rig:
    """One camera anywhere: 0.3-3.5 m up, 2.5-7 m away, aimed past the person, undistorted, any common lens."""
    azimuth, distance, height = rng.uniform(0, 2 * np.pi), rng.uniform(2.5, 7), rng.uniform(0.3, 3.5)
    position = np.array((distance * np.cos(azimuth), distance * np.sin(azimuth), height))
    aspect = rng.choice((1.0, 0.75, 9 / 16, 4 / 3))
    # The image must hold a person: a lens too long for the distance would only be thrown away.
    longest = max(1.3, min(2.6, 0.9 * distance * aspect / 1.15))
    focal = rng.uniform(1.2, longest)
    # Up to 0.45 of half the image's width aside, and less up or down, where a standing person needs the room.
    shift = rng.uniform(-1, 1, 2) * (0.45, 0.2 * aspect) * distance / focal
    right = np.array((-np.sin(azimuth), np.cos(azimuth), 0.0))
    target = np.array((0.0, 0.0, 0.9 + shift[1])) + shift[0] * right
    lens = np.array((focal, focal, 0, 0, 0, 0, 0, 0, 0), dtype=np.float64)
    return Rig("wild", (Camera(lens, look_at(position, target, rng.normal(0, 0.05)), position, float(aspect)),))


#: A rig by name; each is drawn anew for every shot.
RIGS: dict[str, Callable[[np.random.Generator], Rig]] = {"lab": lab, "wild": wild}
