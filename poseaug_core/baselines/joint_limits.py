"""Joint-angle limits learnt from poses, in the manner of Akhter and Black (CVPR 2015).

Their limits are tables of the directions that a bone can take, those of forearms and shins conditioned on the
direction of the bone above. The data file that Li et al. check their offspring with is not part of this program;
the same kind of table is learnt from the source's own poses and their mirror images: which cells of a sphere each limb
was seen in, widened by ``slack``. What no source pose comes near is refused, so that the limits are as wide as the
source is, and narrower than what people can do.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor

from poseaug_core.baselines.limbs import ABOVE, LIMBS, to_local
from poseaug_core.geometry import mirror
from poseaug_core.skeleton import HUMAN16

#: The sphere is unfolded from an octahedron into side x side cells: for a limb about 7 degrees wide, for the bone above
#: it about 20.
SIDE, SIDE_ABOVE = 28, 10
#: Degrees by which the seen directions of the bone above are widened.
SLACK_ABOVE = 20.0
_CHUNK = 8192


@dataclass(frozen=True)
class JointLimits:
    """allowed: for each limb, by the cell of the bone above and its own; rows are alike for limbs at the trunk."""

    allowed: Bool[Tensor, "l above cells"]

    @classmethod
    def learn(cls, xyz: Float[Tensor, "b 16 3"], slack: float = 10.0) -> JointLimits:
        """From poses in any frame; slack: degrees by which the seen directions are widened."""
        seen = torch.zeros(len(LIMBS), SIDE_ABOVE**2, SIDE**2, device=xyz.device)
        for chunk in xyz.split(_CHUNK):
            for poses in (chunk, mirror(chunk, HUMAN16.mirror)):
                above, cell = _places(to_local(poses))
                for limb in range(len(LIMBS)):
                    seen[limb, above[:, limb], cell[:, limb]] = 1
        wider = _near(SIDE, slack, xyz), _near(SIDE_ABOVE, SLACK_ABOVE, xyz)
        allowed = torch.stack([(wider[1] @ table @ wider[0]) > 0 for table in seen])
        for limb, above in enumerate(ABOVE):
            if above < 0:
                allowed[limb] = allowed[limb, :1]  # only the first cell of ``above`` was filled
        return cls(allowed)

    def allow(self, local: Float[Tensor, "b l 3"]) -> Bool[Tensor, "b l"]:
        """Whether each limb (unit vectors of limbs.to_local) is within its limits."""
        above, cell = _places(local)
        limb = torch.arange(len(LIMBS), device=local.device)
        return self.allowed[limb, above, cell]


def _places(local: Float[Tensor, "b l 3"]) -> tuple[Int[Tensor, "b l"], Int[Tensor, "b l"]]:
    """Cells of the bone above (0 where it is the trunk) and of the limb."""
    above = torch.zeros(local.shape[:2], dtype=torch.long, device=local.device)
    for limb, over in enumerate(ABOVE):
        if over >= 0:
            above[:, limb] = _cell(local[:, over], SIDE_ABOVE)
    return above, _cell(local, SIDE)


def _cell(direction: Float[Tensor, "*b 3"], side: int) -> Int[Tensor, "*b"]:
    """Number of the cell that a direction is in."""
    x, y, z = (direction / direction.abs().sum(-1, keepdim=True)).unbind(-1)
    u, v = _fold(x, y, z)
    row, column = (((value + 1) / 2 * side).long().clamp(0, side - 1) for value in (u, v))
    return row * side + column


def _fold(x: Tensor, y: Tensor, z: Tensor) -> tuple[Tensor, Tensor]:
    """The lower half of the octahedron is folded out to the corners of a square; folding twice is folding back."""
    sign_x, sign_y = (torch.where(value < 0, -1.0, 1.0) for value in (x, y))
    return torch.where(z < 0, (1 - y.abs()) * sign_x, x), torch.where(z < 0, (1 - x.abs()) * sign_y, y)


def _near(side: int, degrees: float, like: Tensor) -> Float[Tensor, "cells cells"]:
    """1 for every two cells whose middles lie within so many degrees of each other."""
    middle = (torch.arange(side, dtype=like.dtype, device=like.device) + 0.5) / side * 2 - 1
    u, v = (grid.flatten() for grid in torch.meshgrid(middle, middle, indexing="ij"))
    z = 1 - u.abs() - v.abs()
    direction = F.normalize(torch.stack((*_fold(u, v, z), z), dim=-1), dim=-1)
    return ((direction @ direction.T) >= math.cos(math.radians(degrees)) - 1e-6).to(like.dtype)
