"""SimpleBaseline: Martinez et al., A simple yet effective baseline for 3D human pose estimation, ICCV 2017."""

from __future__ import annotations

import torch.nn.functional as F
from jaxtyping import Float
from torch import Generator, Tensor, nn

from poseaug_core.layers import BatchNorm, rectified_dropout

DROPOUT = 0.25


class Stage(nn.Module):
    """Two fully connected layers with batch norm and a residual connection."""

    def __init__(self, width: int):
        super().__init__()
        self.w1, self.batch_norm1 = nn.Linear(width, width), BatchNorm(width)
        self.w2, self.batch_norm2 = nn.Linear(width, width), BatchNorm(width)

    def forward(self, x: Tensor, generator: Generator | None) -> Tensor:
        y = rectified_dropout(self.w1(x), self.batch_norm1, DROPOUT, generator)
        return x + rectified_dropout(self.w2(y), self.batch_norm2, DROPOUT, generator)


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
        y = rectified_dropout(self.w1(uv.flatten(1)), self.batch_norm1, DROPOUT, generator)
        for stage in self.linear_stages:
            y = stage(y, generator)
        return F.pad(self.w2(y).unflatten(1, (15, 3)), (0, 0, 1, 0))
