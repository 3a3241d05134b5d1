"""Quaternions (w, x, y, z), to compose turns and to tell them as axis-angle without trouble at half a turn."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor


def about(axis: int, radians: Float[Tensor, " b"]) -> Float[Tensor, "b 4"]:
    """The turn about the axis x, y or z (0, 1, 2)."""
    turn = torch.zeros(len(radians), 4, dtype=radians.dtype, device=radians.device)
    turn[:, 0], turn[:, 1 + axis] = (radians / 2).cos(), (radians / 2).sin()
    return turn


def after(second: Float[Tensor, "b 4"], first: Float[Tensor, "b 4"]) -> Float[Tensor, "b 4"]:
    """Hamilton's product: the turn ``first`` followed by ``second``."""
    w, u = second[:, :1], second[:, 1:]
    v, x = first[:, :1], first[:, 1:]
    return torch.cat((w * v - (u * x).sum(1, keepdim=True), w * x + v * u + torch.linalg.cross(u, x)), dim=1)


def quaternion(matrix: Float[Tensor, "b 3 3"]) -> Float[Tensor, "b 4"]:
    """Of rotation matrices: of four ways to the same quaternion the best conditioned one."""
    m = matrix
    xx, yy, zz = m[:, 0, 0], m[:, 1, 1], m[:, 2, 2]
    a, b, c = m[:, 2, 1] - m[:, 1, 2], m[:, 0, 2] - m[:, 2, 0], m[:, 1, 0] - m[:, 0, 1]
    d, e, f = m[:, 0, 1] + m[:, 1, 0], m[:, 0, 2] + m[:, 2, 0], m[:, 1, 2] + m[:, 2, 1]
    rows = [(1 + xx + yy + zz, a, b, c), (a, 1 + xx - yy - zz, d, e), (b, d, 1 - xx + yy - zz, f)]
    rows.append((c, e, f, 1 - xx - yy + zz))
    ways = torch.stack([torch.stack(row, dim=-1) for row in rows], dim=1)  # each is q times 4 of its own diagonal entry
    best = ways.diagonal(dim1=1, dim2=2).argmax(1)
    return torch.nn.functional.normalize(ways[torch.arange(len(m), device=m.device), best], dim=-1)


def axis_angle(turn: Float[Tensor, "b 4"]) -> Float[Tensor, "b 3"]:
    """Radians, at most half a turn."""
    turn = torch.where(turn[:, :1] < 0, -turn, turn)
    size = turn[:, 1:].norm(dim=1, keepdim=True)
    return turn[:, 1:] / size.clamp_min(1e-12) * 2 * torch.atan2(size, turn[:, :1])
