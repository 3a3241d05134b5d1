"""Plain random augmentation: every pose seen from a random side, at a random place of the image and depth.

Nothing is learnt, so it says how much of an augmentation's gain is due to its ranges alone. The default ranges suit
cameras that stand anywhere around people and look slightly down; on the one small set of wild cameras that it was
recorded on, they beat PoseAug (docs/baselines.md), because they were chosen with such cameras in mind: a range is
knowledge of the test set if it is chosen for it.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Generator, Tensor

from poseaug_core.augmentor import Augmented, stretch_bones, turn_bones
from poseaug_core.baselines.limbs import LIMBS
from poseaug_core.baselines.rotations import about, after, axis_angle
from poseaug_core.geometry import project, rigid
from poseaug_core.indices import indices
from poseaug_core.ranges import RANDOM_VIEWS, RandomRanges
from poseaug_core.skeleton import HUMAN16, Skeleton


class RandomAugmentor:
    """Stands where an Augmentor would: draws for a batch of poses, and the batch at every stage."""

    #: Uniform numbers of a pose (yaw, depth, place in the image), and normal ones (pitch, roll).
    UNIFORM, NORMAL = 4, 2

    def __init__(self, settings: RandomRanges = RANDOM_VIEWS, skeleton: Skeleton = HUMAN16):
        self.settings, self.skeleton = settings, skeleton
        self.ratios = int(skeleton.length_groups.max()) + 1

    def draw(self, rows: Int[Tensor, " b"], generator: Generator) -> Float[Tensor, "b n"]:
        """Numbers for a batch of source rows, whichever they are: uniform in -1..1, then normal."""
        how = {"generator": generator, "device": rows.device}
        uniform = 2 * torch.rand(len(rows), self.UNIFORM + self.ratios, **how) - 1
        return torch.cat((uniform, torch.randn(len(rows), self.NORMAL + 4 * self.skeleton.bone_count, **how)), dim=1)

    @torch.no_grad()
    def __call__(
        self,
        xyz: Float[Tensor, "b 16 3"],
        camera: Float[Tensor, "b 9"],
        draws: Float[Tensor, "b n"],
        apply_ba: bool = True,
        apply_bl: bool = True,
        apply_rt: bool = True,
    ) -> Augmented:
        """Every stage of poses in metres, camera frame, root kept; an operation that is off hands the pose on."""
        bones, how = self.skeleton.bone_count, self.settings
        parts = draws.split((1, 1, 2, self.ratios, self.NORMAL, bones, 3 * bones), dim=1)
        yaw, depth, where, ratio, tilt, angle, side = parts
        residual = self._jitter(xyz, angle, side.unflatten(1, (bones, 3))) * apply_ba
        ba, angle_change = turn_bones(xyz, residual, False, self.skeleton)
        # stretch_bones squashes what it is given to +-0.2; the inverse makes the ratio uniform.
        ratio = (how.random_length / 0.2 * ratio * apply_bl).atanh()
        bl, length_ratio = stretch_bones(ba, ratio, False, self.skeleton)
        pitch, roll = (tilt[:, 0] * how.random_pitch).deg2rad(), (tilt[:, 1] * how.random_roll).deg2rad()
        turn = after(about(2, roll), after(about(0, pitch), about(1, (how.random_yaw * yaw[:, 0]).deg2rad())))
        turn = axis_angle(turn) * apply_rt
        translation = xyz[:, 0]
        if apply_rt:
            body = rigid(bl - bl[:, :1], turn, torch.zeros_like(turn))
            depth = how.random_near + (how.random_far - how.random_near) * (1 + depth) / 2
            translation = _place(body, camera, depth, how.random_reach, where)
        rt = rigid(bl - bl[:, :1], turn, translation)
        uv_ba, uv_rt = project(ba, camera), project(rt, camera)
        return Augmented(ba, bl, rt, uv_ba, uv_rt, residual, angle_change, length_ratio, turn, translation)

    def _jitter(
        self, xyz: Float[Tensor, "b 16 3"], angle: Float[Tensor, "b bones"], side: Float[Tensor, "b bones 3"]
    ) -> Float[Tensor, "b bones 3"]:
        """What turn_bones adds to unit bones so that limbs turn by normal angles, to any side."""
        bones = F.normalize(self.skeleton.bones(xyz), dim=-1)
        across = F.normalize(torch.linalg.cross(bones, side), dim=-1)
        limbs = torch.zeros_like(angle).index_fill_(1, indices(LIMBS, angle.device), self.settings.random_angle)
        angle = (limbs * angle).deg2rad()[..., None]
        return bones * (angle.cos() - 1) + across * angle.sin()


def _place(
    body: Float[Tensor, "b 16 3"],
    camera: Float[Tensor, "b 9"],
    depth: Float[Tensor, "b 1"],
    reach: float,
    where: Float[Tensor, "b 2"],
) -> Float[Tensor, "b 3"]:
    """Where the pelvis goes so that every joint is inside the image, uniform over what is left; where is in -1..1.

    By the pinhole camera: u = focal (x + t) / z + centre of each joint bounds t from both sides. A body too large for
    the image is put at its middle.
    """
    focal, centre = camera[:, None, :2], camera[:, None, 2:4]
    z = (body[..., 2:] + depth[:, None]).clamp_min(0.1)
    # Rays beyond 45 degrees are cut off by the projection.
    low, high = ((-reach - centre) / focal).clamp_min(-1), ((reach - centre) / focal).clamp_max(1)
    low, high = (low * z - body[..., :2]).amax(1), (high * z - body[..., :2]).amin(1)
    room = (high - low).clamp_min(0)
    return torch.cat(((low + high) / 2 + where * room / 2, depth), dim=1)
