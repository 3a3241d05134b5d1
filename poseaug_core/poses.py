"""Poses: the one table of training data, columns of 3D, 2D and cameras, and where each row is from."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
import torch
from torch import Tensor

from poseaug_core.checks import bands, check_poses, check_projection
from poseaug_core.geometry import project
from poseaug_core.plain_text import NAME, plain
from poseaug_core.skeleton import HUMAN16, Skeleton

TAGS = ("subject", "clip", "frame", "view")
COLUMNS = ("xyz", "uv", "camera", "tag")


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
        return self.tag[:, 0].unique().tolist()

    def take(self, rows) -> Poses:
        """The poses at rows (indices, slice or mask), in that order."""
        rows = torch.as_tensor(rows, device=self.xyz.device) if not isinstance(rows, (slice, Tensor)) else rows
        return replace(self, **{c: getattr(self, c)[rows] for c in COLUMNS})

    def to(self, device) -> Poses:
        return replace(self, **{c: getattr(self, c).to(device) for c in COLUMNS})

    def divided(self, second: Tensor) -> tuple[Poses, Poses]:
        """The poses where ``second`` (n,) bool is false, and those where it is true, each in order.

        Both are made in the memory of this set, which must not be used any more.
        """
        first, moved = (~second).nonzero()[:, 0], second.nonzero()[:, 0]
        for name in COLUMNS:
            column = getattr(self, name)
            aside = column[moved]
            for rows in bands(len(first)):
                column[rows] = column[first[rows]]  # never from before what was written already
            column[len(first) :] = aside
        return self.take(slice(0, len(first))), self.take(slice(len(first), None))

    def bone_templates(self) -> Tensor:
        """(subjects, 15) metres: the mean bone lengths of each subject."""
        return torch.stack([self._lengths((self.tag[:, 0] == s).nonzero()[:, 0]).mean(0) for s in self.subjects()])

    def _lengths(self, rows: Tensor) -> Tensor:
        """(rows, 15) metres: bone lengths of these poses."""
        lengths = torch.empty(len(rows), self.skeleton.bone_count, device=rows.device)
        for band in bands(len(rows)):
            lengths[band] = self.skeleton.lengths(self.xyz[rows[band]])
        return lengths

    def spread(self, count: int) -> Tensor:
        """Row numbers of ``count`` poses spread evenly over the set (fewer if it is smaller)."""
        return torch.linspace(0, len(self) - 1, min(count, len(self))).round().long()


def make_poses(xyz, uv, camera, tag=None, clips=(), name="poses", notes=()) -> Poses:
    """Poses from arrays, checked and converted; uv=None projects xyz with the camera.

    float32 arrays (int32 for tag) that may be written to are not copied: whoever changes them changes the poses.
    Raises UserError, naming the value and the remedy, for: other than 16 joints, empty sets,
    non-finite numbers, pixels instead of normalised 2D, millimetres instead of metres, columns of
    different length, poses behind the camera, and 2D that is not where the camera projects the 3D.
    """
    xyz, camera = _column(xyz), _column(camera)
    if uv is None:
        check_poses(xyz, torch.zeros(1, 1, 1).expand(*xyz.shape[:2], 2), camera, name)
        uv = torch.empty(*xyz.shape[:2], 2)
        for rows in bands(len(xyz)):
            uv[rows] = project(xyz[rows], camera[rows])
    uv = _column(uv)
    tag = torch.zeros(len(xyz), 4, dtype=torch.int32) if tag is None else _column(tag, torch.int32)
    check_poses(xyz, uv, camera, name)
    check_projection(xyz, uv, camera, name)
    clips, notes = (tuple(plain(text) for text in texts) for texts in (clips, notes))
    return Poses(xyz, uv, camera, tag, clips, plain(name, NAME), notes)


def _column(values, kind: torch.dtype = torch.float32) -> Tensor:
    """A tensor of its own or shared with the array, which is not copied where it need not be."""
    return torch.as_tensor(np.require(values, requirements="CW")).to(kind)
