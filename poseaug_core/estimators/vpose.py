"""VPose with a receptive field of one frame: Pavllo et al., 3D human pose estimation in video, CVPR 2019."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Generator, Tensor, nn

from poseaug_core.layers import BatchNorm, rectified_dropout
from poseaug_core.products import linear

DROPOUT = 0.25


class PointConv(nn.Module):
    """A convolution over one frame, which is a matrix product; its weight keeps the (out, in, 1) shape."""

    def __init__(self, inputs: int, outputs: int, bias: bool):
        super().__init__()
        bound = inputs**-0.5
        self.weight = nn.Parameter(torch.empty(outputs, inputs, 1).uniform_(-bound, bound))
        self.bias = nn.Parameter(torch.empty(outputs).uniform_(-bound, bound)) if bias else None

    def forward(self, x: Tensor) -> Tensor:
        return linear(x, self.weight[..., 0], self.bias)


class VPose(nn.Module):
    """uv (b, 16, 2) normalised -> xyz (b, 16, 3) metres, root-relative with a zero root.

    Parameter names are the released code's. generator: source of dropout in training, None for evaluation.
    """

    def __init__(self, width: int = 1024):
        super().__init__()
        self.expand_conv, self.expand_bn = PointConv(32, width, bias=False), BatchNorm(width)
        self.layers_conv = nn.ModuleList(PointConv(width, width, bias=False) for _ in range(8))
        self.layers_bn = nn.ModuleList(BatchNorm(width) for _ in range(8))
        self.shrink = PointConv(width, 45, bias=True)

    def forward(self, uv: Float[Tensor, "b 16 2"], generator: Generator | None = None) -> Float[Tensor, "b 16 3"]:
        def layer(x, conv, norm):
            return rectified_dropout(conv(x), norm, DROPOUT, generator)

        x = layer(uv.flatten(1), self.expand_conv, self.expand_bn)
        for k in range(0, 8, 2):
            y = layer(x, self.layers_conv[k], self.layers_bn[k])
            x = x + layer(y, self.layers_conv[k + 1], self.layers_bn[k + 1])
        return F.pad(self.shrink(x).unflatten(1, (15, 3)), (0, 0, 1, 0))
