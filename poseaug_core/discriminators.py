"""The discriminators: part-aware KCS in 3D and an MLP in 2D, PoseAug Sec. 3.3."""

from __future__ import annotations

import math
from functools import partial

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from poseaug_core.products import grouped, linear
from poseaug_core.skeleton import HUMAN16, Skeleton

HIDDEN, LAST = 256, 100


class PartKCS(nn.Module):
    """D3d: one MLP a body part on the cosines between the part's bones; five scores, 1 is real.

    An MLP is n -> 256 -> 256 -> 256 plus the first layer's features -> 100 -> 1 with LeakyReLUs. The five run as
    batched products on packed inputs, padded to the largest part; the released code feeds 15 x 15 matrices with
    zeros outside the part, which is the same function, and its initial scale (fan-in 225) is kept. One part of all
    bones is the whole-body KCS of Wandt and Rosenhahn (RepNet, CVPR 2019), Table 7.
    mixed: the products in bfloat16, but for those of the cosines and of the scores.
    """

    def __init__(
        self, parts: dict[str, tuple[int, ...]] | None = None, skeleton: Skeleton = HUMAN16, mixed: bool = False
    ):
        super().__init__()
        self.skeleton, self.parts, self.mixed = skeleton, dict(parts or skeleton.parts), mixed
        most = max(map(len, self.parts.values()))
        chosen = torch.zeros(skeleton.bone_count, len(self.parts), most)
        packed = torch.zeros(len(self.parts), most, most, most**2)
        for part, bones in enumerate(self.parts.values()):
            own = torch.arange(len(bones))
            chosen[list(bones), part, own] = 1
            packed[part, own[:, None], own, (own[:, None] * len(bones) + own)] = 1
        # Numbers of all bones to those of the bones of each part, the lesser parts filled up with bones of length 0.
        self.register_buffer("chosen", torch.kron(chosen.flatten(1), torch.eye(3)), persistent=False)
        # Weights of a part's packed cosines to those of the whole square of the largest part.
        self.register_buffer("packed", packed.flatten(1, 2), persistent=False)
        sizes = [
            (most**2, HIDDEN, skeleton.bone_count**2),
            (HIDDEN, HIDDEN, HIDDEN),
            (HIDDEN, HIDDEN, HIDDEN),
            (HIDDEN, LAST, HIDDEN),
            (LAST, 1, LAST),
        ]
        count = len(self.parts)
        self.weight = nn.ParameterList(torch.randn(count, i, o) * math.sqrt(2 / fan) for i, o, fan in sizes)
        self.bias = nn.ParameterList(torch.empty(count, 1, o).uniform_(-(fan**-0.5), fan**-0.5) for _, o, fan in sizes)

    def cosines(self, xyz: Float[Tensor, "b 16 3"]) -> Float[Tensor, "b p k k"]:
        """K = B B^T of each part's unit bones: no size, position or view in it. k is the largest part's number of
        bones; rows and columns past a part's own are 0."""
        directions = F.normalize(self.skeleton.bones(xyz), dim=-1).flatten(1)
        parts = (directions @ self.chosen).view(len(xyz) * len(self.parts), -1, 3)
        return (parts @ parts.transpose(1, 2)).unflatten(0, (len(xyz), -1))

    def forward(self, xyz: Float[Tensor, "b 16 3"]) -> Float[Tensor, "b p"]:
        x = self.cosines(xyz).flatten(1)
        weight = [self.packed @ self.weight[0], *self.weight[1:]]
        layer = lambda k, x: grouped(x, weight[k], self.bias[k])  # noqa: E731
        with torch.autocast(xyz.device.type, torch.bfloat16, enabled=self.mixed):
            first = F.leaky_relu(layer(0, x), 0.01)
            y = layer(2, F.leaky_relu(layer(1, first), 0.01)) + first
            last = F.leaky_relu(layer(3, y), 0.01)
        return layer(4, last.float())


class Pose2D(nn.Module):
    """D2d: an MLP on normalised 2D poses; one score, 1 is real."""

    def __init__(self, joints: int = 16):
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(inputs, LAST) for inputs in (2 * joints, LAST, LAST, LAST, LAST))
        self.score = nn.Linear(LAST, 1)
        for module in (*self.layers, self.score):
            nn.init.kaiming_normal_(module.weight)

    def forward(self, uv: Float[Tensor, "b 16 2"]) -> Float[Tensor, "b 1"]:
        layer = [partial(linear, weight=each.weight, bias=each.bias) for each in (*self.layers, self.score)]
        first = F.leaky_relu(layer[0](uv.flatten(1)), 0.01)
        x = F.leaky_relu(layer[1](first), 0.01)
        x = F.leaky_relu(layer[2](x) + first, 0.01)
        x = F.leaky_relu(layer[4](layer[3](x)), 0.01)
        return layer[5](x)
