"""SemGCN: Zhao et al., Semantic Graph Convolutional Networks for 3D Human Pose Regression, CVPR 2019."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Generator, Tensor, nn

from poseaug_core.layers import BatchNorm
from poseaug_core.products import linear
from poseaug_core.skeleton import HUMAN16

BLOCKS = 4
#: Of the random weights at the start, as in the released code.
GAIN = 1.414


def linked() -> np.ndarray:
    """(16, 16) bool: each joint with itself, its parent and its children."""
    found = np.eye(HUMAN16.joint_count, dtype=bool)
    parent, child = HUMAN16.edges.T
    found[parent, child] = found[child, parent] = True
    return found


class SemanticConv(nn.Module):
    """Each joint gathers itself and its neighbours with learnt shares that sum to 1; itself by a matrix of its own.

    Works on (joints, batch, features), so that both steps are one product over the whole batch.
    """

    def __init__(self, inputs: int, outputs: int):
        super().__init__()
        links = np.stack(np.nonzero(linked()))
        self.register_buffer("own", torch.eye(HUMAN16.joint_count), persistent=False)
        self.register_buffer("links", torch.as_tensor(links), persistent=False)
        self.W = nn.Parameter(torch.empty(2, inputs, outputs))
        self.e = nn.Parameter(torch.ones(1, links.shape[1]))
        self.bias = nn.Parameter(torch.empty(outputs).uniform_(-(outputs**-0.5), outputs**-0.5))
        nn.init.xavier_uniform_(self.W, gain=GAIN)

    def forward(self, x: Float[Tensor, "j b i"]) -> Float[Tensor, "j b o"]:
        joints, batch, _ = x.shape
        logits = torch.full_like(self.own, -torch.inf).index_put((self.links[0], self.links[1]), self.e[0])
        share = logits.softmax(1)
        share = torch.cat((share * self.own, share * (1 - self.own)), dim=1)
        rows = x.flatten(0, 1)
        seen = torch.cat([linear(rows, matrix.t()) for matrix in self.W]).view(2 * joints, -1)
        gathered = (share @ seen).view(joints, batch, -1)
        return gathered + self.bias.type_as(gathered)  # bfloat16 stays bfloat16


class Layer(nn.Module):
    """A semantic convolution with batch norm and ReLU."""

    def __init__(self, inputs: int, outputs: int):
        super().__init__()
        self.gconv, self.bn = SemanticConv(inputs, outputs), BatchNorm(outputs)

    def forward(self, x: Float[Tensor, "j b i"]) -> Float[Tensor, "j b o"]:
        return F.relu(self.bn(self.gconv(x)))


class Block(nn.Module):
    """Two layers with a residual connection."""

    def __init__(self, width: int):
        super().__init__()
        self.gconv1, self.gconv2 = Layer(width, width), Layer(width, width)

    def forward(self, x: Float[Tensor, "j b w"]) -> Float[Tensor, "j b w"]:
        return x + self.gconv2(self.gconv1(x))


class SemGCN(nn.Module):
    """uv (b, 16, 2) normalised -> xyz (b, 16, 3) metres, about the root, whose own answer is not exactly zero.

    The form without non-local layers that PoseAug uses. Parameter names are the released code's. generator: taken as
    every estimator does; there is no dropout here.
    """

    def __init__(self, width: int = 128):
        super().__init__()
        self.gconv_input = nn.Sequential(Layer(2, width))
        self.gconv_layers = nn.Sequential(*(Block(width) for _ in range(BLOCKS)))
        self.gconv_output = SemanticConv(width, 3)

    def forward(self, uv: Float[Tensor, "b 16 2"], generator: Generator | None = None) -> Float[Tensor, "b 16 3"]:
        x = self.gconv_layers(self.gconv_input(uv.transpose(0, 1)))
        return self.gconv_output(x).transpose(0, 1)
