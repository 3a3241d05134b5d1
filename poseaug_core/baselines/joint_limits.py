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
from jaxtyping import Bool, Float, Int
from torch import Tensor

from poseaug_core.baselines.limbs import ABOVE, LIMBS, to_local
from poseaug_core.geometry import mirror
from poseaug_core.skeleton import HUMAN16

#: Cells of the sphere for a limb (about 7 degrees apart), and for the bone above it (about 20).
CELLS, CELLS_ABOVE = 800, 100
#: Degrees by which the seen directions of the bone above are widened.
SLACK_ABOVE = 20.0
_CHUNK = 8192


@dataclass(frozen=True)
class JointLimits:
    """allowed: for each limb (CELLS_ABOVE, CELLS); rows are alike for limbs at the trunk."""

    allowed: Bool[Tensor, "l above cells"]

    @classmethod
    def learn(cls, xyz: Float[Tensor, "b 16 3"], slack: float = 10.0) -> JointLimits:
        """From poses in any frame; slack: degrees by which the seen directions are widened."""
        seen = torch.zeros(len(LIMBS), CELLS_ABOVE, CELLS, device=xyz.device)
        for chunk in xyz.split(_CHUNK):
            for poses in (chunk, mirror(chunk, HUMAN16.mirror)):
                above, cell = _places(to_local(poses))
                for limb in range(len(LIMBS)):
                    seen[limb].view(-1)[above[:, limb] * CELLS + cell[:, limb]] = 1
        wider = _near(_sphere(CELLS, xyz), slack), _near(_sphere(CELLS_ABOVE, xyz), SLACK_ABOVE)
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
    cell = (local @ _sphere(CELLS, local).T).argmax(-1)
    above = torch.zeros_like(cell)
    coarse = _sphere(CELLS_ABOVE, local)
    for limb, over in enumerate(ABOVE):
        if over >= 0:
            above[:, limb] = (local[:, over] @ coarse.T).argmax(-1)
    return above, cell


def _sphere(count: int, like: Tensor) -> Float[Tensor, "cells 3"]:
    """Directions spread evenly over the sphere (Fibonacci's lattice); a direction's cell is the nearest one."""
    step = torch.arange(count, dtype=like.dtype, device=like.device) + 0.5
    height = 1 - 2 * step / count
    turn, across = math.pi * (1 + 5**0.5) * step, (1 - height.square()).sqrt()
    return torch.stack((across * turn.cos(), across * turn.sin(), height), dim=-1)


def _near(cells: Float[Tensor, "cells 3"], degrees: float) -> Float[Tensor, "cells cells"]:
    """1 for every two cells that lie within so many degrees of each other."""
    return ((cells @ cells.T) >= math.cos(math.radians(degrees)) - 1e-6).to(cells.dtype)
