"""In what units numbers are given and what they can be: declared here once, asked of every row by every reader.

A bound is far beyond what real data has, and far below what would spoil a training without a word.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from poseaug_core.errors import UserError


@dataclass(frozen=True)
class Bound:
    """what: the numbers, as a sentence names them. low, high: what they can be, both included. remedy: a clause."""

    what: str
    unit: str
    low: float
    high: float
    remedy: str

    def holds(self, values: Any) -> Any:
        """Which of values (a number, an array or a tensor) can be; NaN and infinity cannot."""
        return (values >= self.low) & (values <= self.high)

    @property
    def limits(self) -> str:
        """As a sentence says them: 'at most 10 m either way', '0.1 to 200 half image widths'."""
        unit = f" {self.unit}" if self.unit else ""
        if self.low == -self.high:
            return f"at most {self.high:,g}{unit} either way"
        return f"{self.low:,g} to {self.high:,g}{unit}"


#: Poses: a joint from the pelvis along an axis, a bone, a joint in the camera's frame, the pelvis before the camera.
REACH = Bound("3D joints from the pelvis", "m", -10, 10, "scale those to metres or remove them")
EXTENT = Bound("sizes, pelvis to farthest joint,", "m", 0.05, 10, "scale those to metres or remove them")
BONE = Bound("bone lengths", "m", 1e-6, 1, "scale those to metres or remove them")
PLACE = Bound("3D coordinates", "m", -1000, 1000, "give metres in the camera's frame, or remove those rows")
DEPTH = Bound("depths of the pelvis", "m", 1e-3, 1000, "3D must be in the camera's frame, z forward: remove those rows")
#: Normalised 2D: half an image width is 1.
UV = Bound("2D coordinates", "half image widths", -10, 10, "use u = 2 px / width - 1, or remove those rows")
#: Cameras, see geometry.project.
FOCAL = Bound("focal lengths", "half image widths", 0.1, 200, "give 2 f / width, both in pixels")
CENTRE = Bound("image centres", "half image widths", -10, 10, "give 2 c / width - 1, both in pixels")
RADIAL = Bound("radial distortions", "", -100, 100, "give the lens's k1, k2, k3, or 0")
TANGENTIAL = Bound("tangential distortions", "", -10, 10, "give the lens's p1, p2, or 0")
CAMERA = ((slice(0, 2), FOCAL), (slice(2, 4), CENTRE), (slice(4, 7), RADIAL), (slice(7, 9), TANGENTIAL))
#: Keypoints and their images.
PIXEL = Bound("coordinates", "pixels", -1e6, 1e6, "detect it again, or give such joints the confidence 0")
SIDE = Bound("image widths or heights", "pixels", 1, 1e6, "correct it, or leave it out")
CONFIDENCE = Bound("confidences", "", -100, 100, "write it as 0 to 1")
#: Motion capture, in the file's unit (metres to millimetres) and degrees; and when its unit is known.
OFFSET = Bound("offsets", "units", -1e5, 1e5, "export the file again")
LENGTH = Bound("inches in a unit of length", "inches", 1e-4, 1e4, "CMU has 0.45")
POSITION = Bound("positions", "units", -1e8, 1e8, "export the file again")
ANGLE = Bound("angles", "degrees", -1e6, 1e6, "export the file again")
FRAME_TIME = Bound("Frame Time", "s", 1e-5, 10, "correct that line")
WORLD = Bound("joints from the origin", "m", -1e4, 1e4, "export the file again")
#: What an estimator says of a pose.
ANSWER = Bound("answers", "m", -10, 10, "name another checkpoint, or train it again")


class Watch:
    """Rows looked at a band at a time: how many break a bound, and the first of them with its number."""

    def __init__(self, bound: Bound):
        self.bound, self.count, self.row, self.value = bound, 0, 0, 0.0

    def look(self, values: Any, start: int = 0) -> None:
        """values: (rows, ...) array or tensor, of which the first is row ``start``."""
        if not math.prod(values.shape) or (self.bound.holds(values.min()) and self.bound.holds(values.max())):
            return  # NaN is its own least and greatest
        good = self.bound.holds(values)
        good, values = (np.asarray(part).reshape(len(part), -1) for part in (good, values))
        bad = ~good.all(1)
        if not self.count:
            at = int(bad.argmax())
            self.row, self.value = start + at, float(values[at][~good[at]][0])
        self.count += int(bad.sum())

    def refuse(self, where: Any, total: int, row: str = "pose", rows: str = "poses") -> None:
        """UserError, where any row broke the bound, that names the row, its number, the limits and what to do."""
        if self.count:
            bound = self.bound
            raise UserError(
                f"{where}: {self.count:,} of {total:,} {rows} have {bound.what} that cannot be (first: {row} "
                f"{self.row:,}, {self.value:.3g}; {bound.limits}); {bound.remedy}."
            )


def require(bound: Bound, values: Any, where: Any, row: str = "pose", rows: str = "poses", numbers: Any = None) -> None:
    """UserError unless all of values (n, ...), an array or tensor, can be; see Watch. numbers: (n,) of the rows, where
    they are not counted from 0."""
    watch = Watch(bound)
    watch.look(values)
    if numbers is not None:
        watch.row = int(numbers[watch.row])
    watch.refuse(where, len(values), row, rows)
