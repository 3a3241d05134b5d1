"""Poses: the one table of training data, columns of 3D, 2D and cameras, and where each row is from."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
import torch
from torch import Tensor

from poseaug_core.checks import check_poses, check_projection
from poseaug_core.geometry import project
from poseaug_core.skeleton import HUMAN16, Skeleton

TAGS = ("subject", "clip", "frame", "view")


@dataclass(frozen=True)
class Poses:
    """n poses as columns.

    xyz: (n, 16, 3) float32 metres, camera frame (x right, y down, z forward), root kept.
    uv: (n, 16, 2) float32, normalised by image width to [-1, 1].
    camera: (n, 9) float32, see geometry.project.
    tag: (n, 4) int32: subject, clip (index into clips), frame, view (camera number).
    clips: clip names. name: what to call the set in tables and titles.
    notes: what was decided while reading, one sentence each.
    """

    xyz: Tensor
    uv: Tensor
    camera: Tensor
    tag: Tensor
    clips: tuple[str, ...] = ()
    name: str = "poses"
    notes: tuple[str, ...] = ()
    skeleton: Skeleton = field(default=HUMAN16, repr=False)

    def __len__(self) -> int:
        return len(self.xyz)

    @property
    def root_relative(self) -> Tensor:
        """(n, 16, 3) metres, every joint minus the pelvis."""
        return self.xyz - self.xyz[:, :1]

    def subjects(self) -> list[int]:
        return sorted(set(self.tag[:, 0].tolist()))

    def take(self, rows) -> Poses:
        """The poses at rows (indices, slice or mask), in that order."""
        rows = torch.as_tensor(rows, device=self.xyz.device) if not isinstance(rows, (slice, Tensor)) else rows
        return replace(self, **{c: getattr(self, c)[rows] for c in ("xyz", "uv", "camera", "tag")})

    def to(self, device) -> Poses:
        return replace(self, **{c: getattr(self, c).to(device) for c in ("xyz", "uv", "camera", "tag")})

    def bone_templates(self) -> Tensor:
        """(subjects, 15) metres: the mean bone lengths of each subject."""
        lengths, subject = self.skeleton.lengths(self.xyz), self.tag[:, 0]
        return torch.stack([lengths[subject == s].mean(0) for s in self.subjects()])

    def spread(self, count: int) -> Tensor:
        """Row numbers of ``count`` poses spread evenly over the set (fewer if it is smaller)."""
        return torch.linspace(0, len(self) - 1, min(count, len(self))).round().long()


def make_poses(xyz, uv, camera, tag=None, clips=(), name="poses", notes=()) -> Poses:
    """Poses from arrays, checked and converted; uv=None projects xyz with the camera.

    Raises UserError, naming the value and the remedy, for: other than 16 joints, empty sets,
    non-finite numbers, pixels instead of normalised 2D, millimetres instead of metres, columns of
    different length, poses behind the camera, and 2D that is not where the camera projects the 3D.
    """
    to = lambda a, t=torch.float32: torch.as_tensor(np.ascontiguousarray(a)).to(t)  # noqa: E731
    xyz, camera = to(xyz), to(camera)
    if uv is None:
        check_poses(xyz, torch.zeros_like(xyz[..., :2]), camera, name)
        uv = project(xyz, camera)
    uv = to(uv) if not isinstance(uv, Tensor) else uv.float()
    tag = torch.zeros(len(xyz), 4, dtype=torch.int32) if tag is None else to(tag, torch.int32)
    check_poses(xyz, uv, camera, name)
    check_projection(xyz, uv, camera, name)
    return Poses(xyz, uv, camera, tag, tuple(map(str, clips)), name, tuple(notes))
