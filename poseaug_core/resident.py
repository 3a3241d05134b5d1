"""Resident: training poses where they are trained on, in less than a GPU's memory."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor

from poseaug_core.geometry import project
from poseaug_core.poses import Poses

Batch = tuple[Tensor, Tensor, Tensor]
#: Poses projected at once where their 2D is compared with it.
CHUNK = 1 << 16


class Resident:
    """Columns of n poses on a device, with the bits of the Poses they are of.

    Cameras are rows of a table. lean: 2D that is exactly the projection of its 3D is not held but projected again
    when it is asked for; a GPU has the time and not the room, a CPU holds the Poses anyway, and None takes what suits
    the device. Tags stay behind.
    """

    def __init__(self, poses: Poses, device: torch.device | str = "cpu", lean: bool | None = None):
        self.device, self.skeleton = torch.device(device), poses.skeleton
        table, which = _table(poses.camera.cpu())
        self.xyz, self.cameras, self.which = (column.to(self.device) for column in (poses.xyz, table, which))
        self.lean = self.device.type != "cpu" if lean is None else lean
        self.uv = None if self.lean and self._projects_to(poses.uv) else poses.uv.to(self.device)

    def __len__(self) -> int:
        return len(self.xyz)

    def batch(self, rows: Int[Tensor, " b"]) -> Batch:
        """xyz, uv, camera of rows."""
        xyz, camera = self.xyz[rows], self.camera(rows)
        return xyz, project(xyz, camera) if self.uv is None else self.uv[rows], camera

    def camera(self, rows: Int[Tensor, " b"]) -> Float[Tensor, "b 9"]:
        return self.cameras[self.which[rows]]

    def _projects_to(self, uv: Tensor) -> bool:
        for begin in range(0, len(self), CHUNK):
            rows = torch.arange(begin, min(begin + CHUNK, len(self)), device=self.device)
            if not torch.equal(project(self.xyz[rows], self.camera(rows)), uv[begin : begin + CHUNK].to(self.device)):
                return False
        return True


def _table(camera: Float[Tensor, "n 9"]) -> tuple[Float[Tensor, "k 9"], Int[Tensor, " n"]]:
    """Different cameras, and which of them each pose has; where all differ, each its own.

    By a number made of a camera's bits: torch's own unique rows take minutes for a million.
    """
    generator = torch.Generator().manual_seed(0)
    factors = torch.randint(-(2**62), 2**62, (camera.shape[1],), generator=generator)
    bits = camera.contiguous().view(torch.int32).long()
    _, which = (bits * factors).sum(1).unique(return_inverse=True)
    first = torch.full((int(which.max()) + 1,), len(camera)).scatter_reduce(0, which, torch.arange(len(camera)), "amin")
    table = camera[first]
    if 2 * len(table) > len(camera) or not torch.equal(table[which].view(torch.int32), camera.view(torch.int32)):
        return camera, torch.arange(len(camera), dtype=torch.int32)
    return table, which.int()
