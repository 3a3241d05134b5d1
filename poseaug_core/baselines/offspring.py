"""What evolution makes of a source; stands where an Augmentor would, with each pose's children for its augmented."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Generator, Tensor

from poseaug_core.augmentor import Augmented
from poseaug_core.baselines.limbs import trunk_frames
from poseaug_core.baselines.rotations import axis_angle, quaternion
from poseaug_core.geometry import project, rigid
from poseaug_core.indices import indices
from poseaug_core.poses import Poses
from poseaug_core.skeleton import HUMAN16


@dataclass(frozen=True)
class Evolved:
    """The children of a source, in the order of their source poses.

    source: n poses. poses: the m children; 2D is projected by the camera of the source pose, whose tag they have.
    parent: (m,) row of source: the pose whose father line a child is of, with its trunk, place and camera.
    """

    source: Poses
    poses: Poses
    parent: Int[Tensor, " m"]

    @cached_property
    def _families(self) -> tuple[Tensor, Tensor]:
        """(n,) row of each source pose's first child, and how many it has."""
        count = torch.bincount(self.parent, minlength=len(self.source))
        return count.cumsum(0) - count, count

    def draw(self, rows: Int[Tensor, " b"], generator: Generator) -> Int[Tensor, " b"]:
        """A random child, as a row of poses, for each of these source rows; -1 for a pose without any."""
        first, count = (column[rows] for column in self._families)
        share = torch.rand(len(rows), generator=generator, device=rows.device)
        nth = (share * count).long().clamp_max((count - 1).clamp_min(0))
        return torch.where(count > 0, first + nth, -1)

    @torch.no_grad()
    def __call__(
        self,
        xyz: Float[Tensor, "b 16 3"],
        camera: Float[Tensor, "b 9"],
        children: Int[Tensor, " b"],
        apply_ba: bool = True,
        apply_bl: bool = True,
        apply_rt: bool = True,
    ) -> Augmented:
        """The way from poses (metres, camera frame) to their children as stages; one without a child stays itself.

        xyz: the source's poses, other bone lengths allowed. ba: with the child's limb directions. bl: also with its
        bone lengths. rt: also turned and moved to where the child is, so that it is the child. An operation that is
        off hands the pose on.
        """
        child = torch.where((children >= 0)[:, None, None], self.poses.xyz[children.clamp_min(0)], xyz)
        # The trunks of both differ by a turn and by lengths alone.
        turn = trunk_frames(child)[:, 0].transpose(1, 2) @ trunk_frames(xyz)[:, 0]
        own, other = HUMAN16.bones(xyz), HUMAN16.bones(child) @ turn
        direction, other_direction = F.normalize(own, dim=-1), F.normalize(other, dim=-1)
        length, other_length = own.norm(dim=-1), other.norm(dim=-1)
        if not apply_ba:
            other_direction = direction
        if not apply_bl:
            other_length = length
        root = xyz[:, :1]
        ba = HUMAN16.joints(other_direction * length[..., None]) + root
        bl = HUMAN16.joints(other_direction * other_length[..., None]) + root
        angle, place = axis_angle(quaternion(turn)) * apply_rt, child[:, 0] if apply_rt else xyz[:, 0]
        rt = rigid(bl - root, angle, place)
        groups = indices(tuple(HUMAN16.length_groups.tolist()), xyz.device)
        members = indices(tuple(np.bincount(HUMAN16.length_groups).tolist()), xyz.device)
        ratio = xyz.new_zeros(len(xyz), len(members)).index_add(1, groups, other_length / length - 1) / members
        change = 1 - (direction * other_direction).sum(-1)
        residual = other_direction - direction
        return Augmented(ba, bl, rt, project(ba, camera), project(rt, camera), residual, change, ratio, angle, place)
