"""ST-GCN of one frame: Cai et al., Exploiting Spatial-temporal Relationships for 3D Pose Estimation via Graph
Convolutional Networks, ICCV 2019.

All layers work on (nodes, batch, features), so that each step is one product over the whole batch.
"""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Generator, Tensor, nn

from poseaug_core.indices import indices
from poseaug_core.layers import BatchNorm, dropout, rectified_dropout
from poseaug_core.products import linear
from poseaug_core.skeleton import HUMAN16

DROPOUT_GRAPH, DROPOUT_BODY, DROPOUT_OUT = 0.05, 0.25, 0.1
#: Of the batch norm of the input: the released code hands over its momentum in the epsilon's place.
INPUT_EPSILON = 0.1
#: How a node may be linked to one it gathers from.
KINDS = 4

THORAX, HEAD = HUMAN16.names.index("thorax"), HUMAN16.names.index("head")


def with_neck() -> tuple[list[int], list[int]]:
    """(parents, mirror) of the 17 joints inside: a neck stands between thorax and head, with the head's old number."""
    moved = [joint + (joint >= HEAD) for joint in range(HUMAN16.joint_count)]
    parents = [-1, *(moved[parent] for parent in HUMAN16.parents[1:])]
    mirror = [moved[joint] for joint in HUMAN16.mirror]
    parents[HEAD:HEAD] = [THORAX]
    parents[moved[HEAD]] = HEAD
    mirror[HEAD:HEAD] = [HEAD]
    return parents, mirror


def body_parts(parents: list[int], mirror: list[int]) -> list[list[int]]:
    """Joints of each limb, by what has a mirror image, and of the trunk, which comes last."""
    limbs: dict[int, list[int]] = {}
    first = list(range(len(parents)))
    for joint, parent in enumerate(parents):
        if mirror[joint] != joint:
            if mirror[parent] != parent:
                first[joint] = first[parent]
            limbs.setdefault(first[joint], []).append(joint)
    return [*limbs.values(), [joint for joint, other in enumerate(mirror) if other == joint]]


def graph(links: list[tuple[int, int]], pairs: list[tuple[int, int]], centre: int) -> np.ndarray:
    """(4, n, n) weights [kind, from, to] by which nodes gather: from themselves, from links that are farther from the
    centre than they are, from nearer ones, from their mirror image. All that reach a node sum to 1."""
    distance = {centre: 0}
    while len(distance) <= len(links):
        for a, b in [*links, *(link[::-1] for link in links)]:
            if a in distance:
                distance.setdefault(b, distance[a] + 1)
    weights = np.zeros((KINDS, len(distance), len(distance)), dtype=np.float32)
    weights[0] = np.eye(len(distance))
    for a, b in [*links, *(link[::-1] for link in links)]:
        weights[1 if distance[a] > distance[b] else 2, a, b] = 1
    for a, b in pairs:
        weights[3, a, b] = weights[3, b, a] = 1
    return weights / weights.sum((0, 1))


def joint_graph() -> np.ndarray:
    """The graph of the 17 joints, about the spine."""
    parents, mirror = with_neck()
    links = [(parent, joint) for joint, parent in enumerate(parents) if parent >= 0]
    pairs = [(joint, other) for joint, other in enumerate(mirror) if joint < other]
    return graph(links, pairs, HUMAN16.names.index("spine"))


def part_graph(parts: list[list[int]], mirror: list[int]) -> np.ndarray:
    """The graph of the parts: every limb linked to the trunk and paired with its mirror image."""
    trunk, of = len(parts) - 1, {joint: part for part, joints in enumerate(parts) for joint in joints}
    pairs = [(part, of[mirror[parts[part][0]]]) for part in range(trunk)]
    return graph([(trunk, part) for part in range(trunk)], pairs, trunk)


class PointConv(nn.Module):
    """A matrix for every node alike; its weight keeps the (out, in, 1, 1) shape of a convolution."""

    def __init__(self, inputs: int, outputs: int):
        super().__init__()
        bound = inputs**-0.5
        self.weight = nn.Parameter(torch.empty(outputs, inputs, 1, 1).uniform_(-bound, bound))
        self.bias = nn.Parameter(torch.empty(outputs).uniform_(-bound, bound))

    def forward(self, x: Tensor) -> Tensor:
        return linear(x, self.weight[..., 0, 0], self.bias)


class Graph(nn.Module):
    """What a graph convolution needs of (4, n, n) weights [kind, from, to]; nothing of it is learnt or saved.

    senders: for each kind the nodes that send by it. reach: (n, all senders) what of each reaches a node. share: (n, 4)
    the sum of what reaches a node by each kind.
    """

    def __init__(self, weights: np.ndarray):
        super().__init__()
        sending = weights.any(2)
        for kind in range(KINDS):
            self.register_buffer(f"senders{kind}", torch.as_tensor(np.flatnonzero(sending[kind])), persistent=False)
        self.register_buffer("reach", torch.as_tensor(weights[sending].T), persistent=False)
        self.register_buffer("share", torch.as_tensor(weights.sum(1).T), persistent=False)

    @property
    def senders(self) -> list[Tensor]:
        return [getattr(self, f"senders{kind}") for kind in range(KINDS)]


class GraphConv(nn.Module):
    """A matrix for each kind of link on the nodes that send by it, then the sum of what reaches each node."""

    def __init__(self, inputs: int, outputs: int):
        super().__init__()
        self.conv = PointConv(inputs, KINDS * outputs)

    def forward(self, x: Float[Tensor, "n b i"], graph: Graph) -> Float[Tensor, "n b o"]:
        nodes, batch, inputs = x.shape
        matrices = self.conv.weight.view(KINDS, -1, inputs)
        pairs = zip(graph.senders, matrices, strict=True)
        sent = torch.cat([linear(x.index_select(0, senders), matrix) for senders, matrix in pairs])
        bias = graph.share @ self.conv.bias.view(KINDS, -1)
        gathered = (graph.reach @ sent.flatten(1)).view(nodes, batch, -1)
        return gathered + bias[:, None].type_as(gathered)  # bfloat16 stays bfloat16


class GraphLayer(nn.Module):
    """A graph convolution and a matrix, with a residual connection (none on the first layer)."""

    def __init__(self, inputs: int, outputs: int, residual: bool = True):
        super().__init__()
        self.gcn = GraphConv(inputs, outputs)
        norm, last = BatchNorm(outputs), BatchNorm(outputs)
        self.tcn = nn.ModuleDict({"0": norm, "3": PointConv(outputs, outputs), "4": last})
        self.adds_input = residual and inputs == outputs
        self.residual = (
            nn.Sequential(PointConv(inputs, outputs), BatchNorm(outputs)) if residual and inputs != outputs else None
        )

    def forward(self, x: Tensor, graph: Graph, generator: Generator | None) -> Tensor:
        y = rectified_dropout(self.gcn(x, graph), self.tcn["0"], DROPOUT_GRAPH, generator)
        y = dropout(self.tcn["4"](self.tcn["3"](y)), DROPOUT_GRAPH, generator)
        if self.residual is not None:
            y = y + self.residual(x)
        return F.relu(y + x if self.adds_input else y)


class NonLocal(nn.Module):
    """Wang et al., Non-local Neural Networks, CVPR 2018, embedded Gaussian: every node attends to every other."""

    def __init__(self, width: int):
        super().__init__()
        inner = width // 2
        self.g, self.theta, self.phi = (PointConv(width, inner) for _ in range(3))
        self.W = nn.Sequential(PointConv(inner, width), BatchNorm(width))
        nn.init.zeros_(self.W[1].weight)

    def forward(self, x: Float[Tensor, "n b w"]) -> Float[Tensor, "n b w"]:
        value, query, key = (layer(x).transpose(0, 1) for layer in (self.g, self.theta, self.phi))
        seen = (query @ key.transpose(1, 2)).softmax(-1) @ value
        return x + self.W(seen.transpose(0, 1))


class Network(nn.Module):
    """uv of the 17 joints (17, b, 2) -> their xyz (17, b, 3): joints, then body parts, then the body, put together."""

    def __init__(self, width: int):
        super().__init__()
        parents, mirror = with_neck()
        self.parts = body_parts(parents, mirror)
        self.part_of = [part for joint in range(len(parents)) for part, held in enumerate(self.parts) if joint in held]
        self.joint_links, self.part_links = Graph(joint_graph()), Graph(part_graph(self.parts, mirror))
        self.data_bn = BatchNorm(2 * len(parents), eps=INPUT_EPSILON)
        shapes = ((2, width, False), (width, width, True), (width, 2 * width, True))
        self.st_gcn_networks = nn.ModuleList(GraphLayer(*shape) for shape in shapes)
        self.st_gcn_pool = nn.ModuleList((GraphLayer(2 * width, 4 * width), GraphLayer(4 * width, 4 * width)))
        self.conv4 = nn.ModuleList((PointConv(4 * width, 4 * width), BatchNorm(4 * width)))
        self.conv2 = nn.ModuleList((PointConv(8 * width, 2 * width), BatchNorm(2 * width)))
        self.non_local = NonLocal(4 * width)
        self.fcn = nn.ModuleDict({"1": PointConv(4 * width, 3)})

    def forward(self, uv: Float[Tensor, "17 b 2"], generator: Generator | None) -> Float[Tensor, "17 b 3"]:
        x = self.data_bn(uv.transpose(0, 1).flatten(1)).unflatten(1, (-1, 2)).transpose(0, 1)
        for layer in self.st_gcn_networks:
            x = layer(x, self.joint_links, generator)
        part = torch.stack([x[indices(tuple(joints), x.device)].amax(0) for joints in self.parts])
        for layer in self.st_gcn_pool:
            part = layer(part, self.part_links, generator)
        body = rectified_dropout(self.conv4[0](part.amax(0)), self.conv4[1], DROPOUT_BODY, generator)
        part = torch.cat((body.expand_as(part), part), dim=-1)
        part = rectified_dropout(self.conv2[0](part), self.conv2[1], DROPOUT_OUT, generator)
        x = self.non_local(torch.cat((x, part[indices(tuple(self.part_of), x.device)]), dim=-1))
        return self.fcn["1"](dropout(x, DROPOUT_OUT, generator))


class STGCN(nn.Module):
    """uv (b, 16, 2) normalised -> xyz (b, 16, 3) metres, about the root.

    width: of the first two layers; those above are twice and four times as wide. Parameter names are the released
    code's. generator: source of dropout in training, None for evaluation.
    """

    def __init__(self, width: int = 128):
        super().__init__()
        self.stgcn = Network(width)

    def forward(self, uv: Float[Tensor, "b 16 2"], generator: Generator | None = None) -> Float[Tensor, "b 16 3"]:
        joints = uv.transpose(0, 1)
        neck = (joints[THORAX] + joints[HEAD]) / 2
        xyz = self.stgcn(torch.cat((joints[:HEAD], neck[None], joints[HEAD:])), generator)
        return torch.cat((xyz[:HEAD], xyz[HEAD + 1 :])).transpose(0, 1)
