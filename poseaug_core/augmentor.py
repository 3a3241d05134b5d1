"""The augmentor A: bone angle (BA), bone length (BL), rotation and translation (RT), PoseAug Sec. 3.3, Eq. 4-6.

The operations are functions of what the networks regress, so that they can be checked on their own and
turned by hand; the networks that regress are ``Augmentor``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Generator, Tensor, nn

from poseaug_core.geometry import project, rigid
from poseaug_core.indices import indices
from poseaug_core.layers import BatchNorm
from poseaug_core.products import grouped, linear
from poseaug_core.skeleton import HUMAN16, Skeleton

#: The released code's pi, the largest rotation a head can regress.
RELEASED_PI = 3.1415
NOISE = 48
HIDDEN = 256


@dataclass(frozen=True)
class Augmented:
    """A batch at every stage; xyz metres in the camera frame, uv normalised, roots as in Snapshot.

    ba, bl, rt: (b, 16, 3). uv_ba, uv_rt: (b, 16, 2). angle_residual (b, 15, 3): what BA adds to unit bone directions.
    angle_change (b, 15): 1 - cos. length_ratio (b, 9). axis_angle (b, 3) radians. translation (b, 3) metres.
    """

    ba: Tensor
    bl: Tensor
    rt: Tensor
    uv_ba: Tensor
    uv_rt: Tensor
    angle_residual: Tensor
    angle_change: Tensor
    length_ratio: Tensor
    axis_angle: Tensor
    translation: Tensor


def turn_bones(
    xyz: Float[Tensor, "b 16 3"], raw: Float[Tensor, "b 15 3"], fix_trunk: bool = True, skeleton: Skeleton = HUMAN16
) -> tuple[Float[Tensor, "b 16 3"], Float[Tensor, "b 15"]]:
    """BA: bone directions d become normalise(d + raw); lengths and root stay. Also 1 - cos of each turn (Eq. 4).

    fix_trunk keeps the directions of pelvis-spine and spine-thorax, as the released code does.
    """
    bones = skeleton.bones(xyz)
    length = bones.norm(dim=-1, keepdim=True)
    direction = F.normalize(bones, dim=-1)
    if fix_trunk:
        raw = raw * _trunk_mask(skeleton, raw)[:, None]
    turned = F.normalize(direction + raw, dim=-1)
    angle_change = 1 - F.cosine_similarity(turned, direction, dim=-1)
    return skeleton.joints(turned * length) + xyz[:, :1], angle_change


def stretch_bones(
    xyz: Float[Tensor, "b 16 3"], raw: Float[Tensor, "b 9"], fix_trunk: bool = True, skeleton: Skeleton = HUMAN16
) -> tuple[Float[Tensor, "b 16 3"], Float[Tensor, "b 9"]]:
    """BL: lengths times 1 + 0.2 tanh(raw), the same left and right; the root stays. Also the ratios (Eq. 5).

    fix_trunk keeps the thorax's length, as the released code does.
    """
    ratio = 0.2 * raw.tanh()
    if fix_trunk:
        ratio = ratio * _thorax_mask(skeleton, raw)
    groups = indices(tuple(skeleton.length_groups.tolist()), xyz.device)
    bones = skeleton.bones(xyz) * (1 + ratio[:, groups])[..., None]
    return skeleton.joints(bones) + xyz[:, :1], ratio


def rotate_translate(
    xyz: Float[Tensor, "b 16 3"], raw_rotation: Float[Tensor, "b 3"], raw_translation: Float[Tensor, "b 3"]
) -> tuple[Float[Tensor, "b 16 3"], Float[Tensor, "b 3"], Float[Tensor, "b 3"]]:
    """RT: R (X - root) + t with t = (x, y, z^2), in front of the camera (Eq. 6). Also axis-angle and t."""
    axis_angle = RELEASED_PI * raw_rotation.tanh()
    translation = torch.cat((raw_translation[:, :2], raw_translation[:, 2:].square()), dim=1)
    return rigid(xyz - xyz[:, :1], axis_angle, translation), axis_angle, translation


def set_lengths(
    xyz: Float[Tensor, "b 16 3"], lengths: Float[Tensor, "b 15"], skeleton: Skeleton = HUMAN16
) -> Float[Tensor, "b 16 3"]:
    """The pose with other bone lengths (metres), its directions and root kept."""
    directions = F.normalize(skeleton.bones(xyz), dim=-1)
    return skeleton.joints(directions * lengths[..., None]) + xyz[:, :1]


def _trunk_mask(skeleton: Skeleton, like: Tensor) -> Tensor:
    names = skeleton.names
    trunk = [names.index("spine") - 1, names.index("thorax") - 1]
    return _mask(tuple(bone not in trunk for bone in range(skeleton.bone_count)), like)


def _thorax_mask(skeleton: Skeleton, like: Tensor) -> Tensor:
    fixed = skeleton.length_groups[skeleton.names.index("thorax") - 1]
    return _mask(tuple(bool(group != fixed) for group in range(skeleton.length_groups.max() + 1)), like)


_masks: dict = {}


def _mask(kept: tuple[bool, ...], like: Tensor) -> Tensor:
    key = (kept, like.device, like.dtype)
    if key not in _masks:
        _masks[key] = torch.tensor(kept, dtype=like.dtype, device=like.device)
    return _masks[key]


class Augmentor(nn.Module):
    """Four generators (angle, length, rotation, translation), run side by side as batched products.

    Each reads the original root-relative pose with its own 48 Gaussian numbers (the length generator also
    the bone lengths); a trunk is Linear BN LeakyReLU, then two pairs of the same at 256 features, then a
    Linear head. Weights are Kaiming-normal by the true number of inputs. The four batch norms are one.
    mixed: the trunks' products in bfloat16; heads and geometry stay in float32.
    """

    def __init__(self, fix_trunk: bool = True, skeleton: Skeleton = HUMAN16, mixed: bool = False):
        super().__init__()
        self.skeleton, self.fix_trunk, self.mixed = skeleton, fix_trunk, mixed
        bones, ratios = skeleton.bone_count, int(skeleton.length_groups.max()) + 1
        pose = 3 * skeleton.joint_count
        fan_in = [pose + NOISE, pose + NOISE + bones, pose + NOISE, pose + NOISE]
        self.input = nn.Parameter(_grouped_kaiming(fan_in, max(fan_in), HIDDEN))
        self.hidden = nn.ParameterList(_grouped_kaiming([HIDDEN] * 4, HIDDEN, HIDDEN) for _ in range(4))
        bound = [n**-0.5 for n in fan_in], [HIDDEN**-0.5] * 4
        self.bias = nn.ParameterList(_grouped_uniform(bound[min(k, 1)], HIDDEN) for k in range(5))
        self.norm = nn.ModuleList(BatchNorm(4 * HIDDEN) for _ in range(5))
        self.heads = nn.ModuleList(nn.Linear(HIDDEN, outputs) for outputs in (3 * bones, ratios, 3, 3))
        for head in self.heads:
            nn.init.kaiming_normal_(head.weight)

    def draw(self, rows: Int[Tensor, " b"], generator: Generator) -> Float[Tensor, "4 b 48"]:
        """Noise for a batch of source rows, whichever they are."""
        return torch.randn(4, len(rows), NOISE, generator=generator, device=self.input.device)

    def regress(self, xyz: Float[Tensor, "b 16 3"], noise: Float[Tensor, "4 b 48"]) -> list[Tensor]:
        """What the four heads say: (b, 45), (b, 9), (b, 3), (b, 3)."""
        pose = (xyz - xyz[:, :1]).flatten(1)
        lengths = self.skeleton.lengths(xyz) * _mask((False, True, False, False), xyz)[:, None, None]
        x = torch.cat((pose.expand(4, -1, -1), noise, lengths), dim=2).transpose(0, 1).flatten(1)
        with torch.autocast(xyz.device.type, torch.bfloat16, enabled=self.mixed):
            for weight, bias, norm in zip((self.input, *self.hidden), self.bias, self.norm, strict=True):
                x = F.leaky_relu(norm(grouped(x, weight), bias.flatten()), 0.01)
        features = x.float().chunk(4, dim=1)
        return [linear(own, head.weight, head.bias) for own, head in zip(features, self.heads, strict=True)]

    def forward(
        self,
        xyz: Float[Tensor, "b 16 3"],
        camera: Float[Tensor, "b 9"],
        noise: Float[Tensor, "4 b 48"],
        apply_ba: bool = True,
        apply_bl: bool = True,
        apply_rt: bool = True,
    ) -> Augmented:
        """Every stage of the batch; an operation that is off hands the pose on unchanged (Table 5's variants)."""
        angle, length, rotation, translation = self.regress(xyz, noise)
        root = xyz[:, 0]
        angle = (angle if apply_ba else torch.zeros_like(angle)).unflatten(1, (-1, 3))
        if self.fix_trunk:
            angle = angle * _trunk_mask(self.skeleton, angle)[:, None]
        length = length if apply_bl else torch.zeros_like(length)
        ba, angle_change = turn_bones(xyz, angle, False, self.skeleton)
        bl, ratio = stretch_bones(ba, length, self.fix_trunk, self.skeleton)
        rt, axis_angle, moved = rotate_translate(bl, rotation, translation)
        if not apply_rt:
            rt, axis_angle, moved = bl, torch.zeros_like(axis_angle), root
        uv_ba, uv_rt = project(ba, camera), project(rt, camera)
        return Augmented(ba, bl, rt, uv_ba, uv_rt, angle, angle_change, ratio, axis_angle, moved)


def _grouped_kaiming(fan_in: list[int], rows: int, columns: int) -> Tensor:
    """(groups, rows, columns) normal weights for x @ w; rows past a group's inputs are zero and stay unused."""
    weight = torch.zeros(len(fan_in), rows, columns)
    for group, inputs in enumerate(fan_in):
        weight[group, :inputs].normal_(0, math.sqrt(2 / inputs))
    return weight


def _grouped_uniform(bounds: list[float], columns: int) -> Tensor:
    return torch.stack([torch.empty(1, columns).uniform_(-bound, bound) for bound in bounds])
