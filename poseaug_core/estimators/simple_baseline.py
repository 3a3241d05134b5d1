"""SimpleBaseline: Martinez et al., A simple yet effective baseline for 3D human pose estimation, ICCV 2017."""

from __future__ import annotations

import torch.nn.functional as F
from jaxtyping import Float
from torch import Generator, Tensor, nn

from poseaug_core.layers import BatchNorm, rectified_dropout
from poseaug_core.products import linear

DROPOUT = 0.25


def _hidden(x: Tensor, layer: nn.Linear, norm: BatchNorm, generator: Generator | None) -> Tensor:
    return rectified_dropout(linear(x, layer.weight), norm, DROPOUT, generator, layer.bias)


class Stage(nn.Module):
    """Two fully connected layers with batch norm and a residual connection."""

    def __init__(self, width: int):
        super().__init__()
        self.w1, self.batch_norm1 = nn.Linear(width, width), BatchNorm(width)
        self.w2, self.batch_norm2 = nn.Linear(width, width), BatchNorm(width)

    def forward(self, x: Tensor, generator: Generator | None) -> Tensor:
        y = _hidden(x, self.w1, self.batch_norm1, generator)
        return x + _hidden(y, self.w2, self.batch_norm2, generator)


class SimpleBaseline(nn.Module):
    """uv (b, 16, 2) normalised -> xyz (b, 16, 3) metres, root-relative with a zero root.

    Parameter names are the released code's. generator: source of dropout in training, None for evaluation.
    """

    def __init__(self, width: int = 1024):
        super().__init__()
        self.w1, self.batch_norm1 = nn.Linear(32, width), BatchNorm(width)
        self.linear_stages = nn.ModuleList(Stage(width) for _ in range(2))
        self.w2 = nn.Linear(width, 45)
        for module in self.modules():
            # There is nothing to draw on the meta device, and trying would load torch's compiler: a second.
            if isinstance(module, nn.Linear) and not module.weight.is_meta:
                nn.init.kaiming_normal_(module.weight)

    def forward(self, uv: Float[Tensor, "b 16 2"], generator: Generator | None = None) -> Float[Tensor, "b 16 3"]:
        y = _hidden(uv.flatten(1), self.w1, self.batch_norm1, generator)
        for stage in self.linear_stages:
            y = stage(y, generator)
        return F.pad(linear(y, self.w2.weight, self.w2.bias).unflatten(1, (15, 3)), (0, 0, 1, 0))
