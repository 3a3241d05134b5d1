"""What is refused at the border: every message names the value, the limit and the remedy."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from poseaug_core.errors import UserError
from poseaug_core.geometry import project
from poseaug_core.skeleton import HUMAN16
from poseaug_core.units import BONE, CAMERA, DEPTH, EXTENT, PLACE, UV, Watch

#: Median distance of given from projected 2D, in half image widths, beyond which they cannot belong together.
MAX_APART = 0.1
#: Poses that are looked at together: what is derived of them takes several times their memory.
BAND = 8192


def bands(count: int, size: int = BAND) -> Iterator[slice]:
    """Slices of at most ``size`` rows that make up ``count`` rows."""
    return (slice(start, min(start + size, count)) for start in range(0, count, size))


def check_poses(xyz: Tensor, uv: Tensor, camera: Tensor, name: str) -> None:
    """Raise UserError unless xyz (n,16,3) metres, uv (n,16,2) normalised and camera (n,9) agree and can be."""
    if xyz.ndim != 3 or xyz.shape[-1] != 3:
        raise UserError(f"{name}: 3D poses have shape {tuple(xyz.shape)}, expected (poses, 16, 3).")
    if len(xyz) == 0:
        raise UserError(f"{name}: there are 0 poses in it, at least 1 is needed; check the file or its filters.")
    if xyz.shape[1] != 16:
        hint = {
            17: "drop Neck/Nose, joint 9 of Human3.6M's 17, or add ?joints=h36m17 where they are these",
            32: "keep joints 0 1 2 3 6 7 8 12 13 15 17 18 19 25 26 27, or add ?joints=h36m32 where they are these",
        }.get(xyz.shape[1], "docs/data.md lists their order")
        raise UserError(f"{name}: poses have {xyz.shape[1]} joints, PoseAug uses 16; {hint}.")
    if tuple(uv.shape) != (*xyz.shape[:2], 2):
        raise UserError(
            f"{name}: 2D poses have shape {tuple(uv.shape)}, but 3D needs {(*xyz.shape[:2], 2)}; "
            "give one 2D pose for each 3D pose, with the same joints."
        )
    if tuple(camera.shape) != (len(xyz), 9):
        raise UserError(
            f"{name}: cameras have shape {tuple(camera.shape)}, expected {(len(xyz), 9)}: focal 2, centre 2, "
            "radial 3, tangential 2 for every pose."
        )
    seen = _Seen(xyz, uv, camera)
    for what, (count, first) in seen.bad.items():
        if count:
            raise UserError(
                f"{name}: {count} of {len(xyz)} poses have NaN or infinite {what} values (first: pose {first}); remove "
                "those rows and try again."
            )
    size = seen.reach.median().item()
    if size > EXTENT.high:
        unit = "millimetres, divide by 1000" if size > 300 else "centimetres, divide by 100"
        raise UserError(
            f"{name}: half the poses reach {size:.0f} units from the pelvis, people reach about 1 metre; "
            f"the 3D looks like {unit}."
        )
    if size < EXTENT.low:
        raise UserError(
            f"{name}: half the poses reach less than {size:.3g} units from the pelvis, people reach about 1 metre; "
            "scale the 3D to metres."
        )
    if seen.empty:
        row, bone = seen.first_empty
        raise UserError(
            f"{name}: {seen.empty} of {len(xyz)} poses have a bone of length 0 (first: pose {row}, "
            f"{HUMAN16.bone_names[bone]}); remove those rows or give each joint its own place."
        )
    far = seen.reach2d.median().item()
    if far > 5:
        raise UserError(
            f"{name}: half the 2D poses reach {far:.0f}, normalised 2D stays near [-1, 1]; it looks like pixels: "
            "use u = 2 px / width - 1 and v = 2 py / width - height / width."
        )
    if seen.behind > 0.5 * len(xyz):
        raise UserError(
            f"{name}: {seen.behind} of {len(xyz)} poses are not in front of the camera (z <= 0 m); "
            "3D must be in the camera frame, z forward, with the root kept."
        )
    for watch in seen.watches:
        watch.refuse(name, len(xyz))


class _Seen:
    """What one look at all poses, a band at a time, tells of them.

    bad: of each column, how many rows hold numbers that are none, and the first. reach, reach2d: (n,) the largest
    coordinate from the pelvis, and in 2D. empty: rows with a bone of no length; first_empty: a row and its bone.
    watches: rows that break a bound.
    """

    def __init__(self, xyz: Tensor, uv: Tensor, camera: Tensor):
        self.bad = {what: (0, 0) for what in ("3D", "2D", "camera")}
        self.reach, self.reach2d = torch.empty(len(xyz)), torch.empty(len(xyz))
        self.empty = self.behind = 0
        self.first_empty = (0, 0)
        cameras = [(columns, Watch(bound)) for columns, bound in CAMERA]
        extent, length, place, depth, flat = map(Watch, (EXTENT, BONE, PLACE, DEPTH, UV))
        self.watches = (extent, length, place, depth, flat, *(watch for _, watch in cameras))
        for rows in bands(len(xyz)):
            band = {"3D": xyz[rows], "2D": uv[rows], "camera": camera[rows]}
            for what, values in band.items():
                self._count(what, (~values.isfinite()).flatten(1).any(1), rows.start)
            points = band["3D"]
            self.reach[rows] = (points - points[:, :1]).abs().amax((1, 2))
            self.reach2d[rows] = band["2D"].abs().amax((1, 2))
            self.behind += int((points[..., 2] <= 0).any(1).sum())
            lengths = HUMAN16.lengths(points)
            empty = lengths < BONE.low
            if not self.empty and empty.any():
                row, bone = empty.nonzero()[0].tolist()
                self.first_empty = rows.start + row, bone
            self.empty += int(empty.any(1).sum())
            extent.look(self.reach[rows], rows.start)
            length.look(lengths, rows.start)
            place.look(points, rows.start)
            depth.look(points[:, 0, 2], rows.start)
            flat.look(band["2D"], rows.start)
            for columns, watch in cameras:
                watch.look(band["camera"][:, columns], rows.start)

    def _count(self, what: str, bad: Tensor, start: int) -> None:
        count, first = self.bad[what]
        if bad.any():
            self.bad[what] = count + int(bad.sum()), first if count else start + int(bad.nonzero()[0])


def check_projection(xyz: Tensor, uv: Tensor, camera: Tensor, name: str) -> None:
    """Raise UserError unless uv is about where the camera projects xyz; detected 2D is well within the limit.

    Up to 2000 poses spread over the set are looked at.
    """
    rows = slice(None, None, max(len(xyz) // 2000, 1))
    apart = (project(xyz[rows], camera[rows]) - uv[rows]).norm(dim=-1).median().item()
    if apart > MAX_APART:
        raise UserError(
            f"{name}: half the 2D joints are {apart:.2f} or more from where the camera projects their 3D, the limit is "
            f"{MAX_APART} (half an image is 1); check that rows belong together, that y points down and that "
            "v = 2 py / width - height / width."
        )
