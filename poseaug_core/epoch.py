"""What lasts for an epoch: the order of the poses, their swapped bone lengths, the augmented pairs collected."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Generator, Tensor

from poseaug_core.augmentor import Augmented, set_lengths
from poseaug_core.geometry import project
from poseaug_core.poses import Poses

Batch = tuple[Tensor, Tensor, Tensor]


class Epoch:
    """Orders and buffers on the poses' device, drawn from the generator and resumable from ``state``.

    Batches all have the same size: the last one of a pass wraps around to the pass's beginning.
    """

    def __init__(
        self,
        poses: Poses,
        templates: Float[Tensor, "k 15"] | None,
        batch: int,
        extra: Float[Tensor, "e 16 2"] | None = None,
    ):
        """templates: bone lengths to swap in, metres. extra: 2D poses without 3D for the 2D discriminator."""
        self.poses, self.templates, self.batch, self.extra = poses, templates, batch, extra
        device, count = poses.xyz.device, len(poses)
        self.order = torch.arange(count, device=device)
        self.order_real = torch.arange(count, device=device)
        self.order_extra = torch.arange(0 if extra is None else len(extra), device=device)
        self.template = torch.zeros(count, dtype=torch.long, device=device)
        rows = -(-count // batch) * batch
        self.collected_xyz = torch.zeros(rows, 16, 3, device=device)
        self.collected_uv = torch.zeros(rows, 16, 2, device=device)
        self.usable = torch.zeros(rows, dtype=torch.bool, device=device)
        self.kept = torch.zeros(0, dtype=torch.long, device=device)

    def begin_pass(self, generator: Generator, swap: bool = False) -> None:
        """Draw new orders; swap also gives every pose the bone lengths of a random template."""
        draw = {"generator": generator, "device": self.order.device}
        self.order = torch.randperm(len(self.poses), **draw)
        if swap:
            self.order_real = torch.randperm(len(self.poses), **draw)
            if self.extra is not None:
                self.order_extra = torch.randperm(len(self.extra), **draw)
            if self.templates is not None:
                self.template = torch.randint(len(self.templates), (len(self.poses),), **draw)

    def real(self, iteration: int) -> Batch:
        """xyz, uv, camera of a batch of source poses as they are."""
        return self._columns(self._rows(self.order, iteration))

    def judged(self, iteration: int, extra_share: float) -> tuple[Tensor, Tensor]:
        """xyz and uv of a batch for the discriminators' real sides, part of the uv from the extra 2D poses."""
        xyz, uv, _ = self._swapped(self._rows(self.order_real, iteration))
        count = round(extra_share * self.batch) if self.extra is not None else 0
        if count:
            uv = torch.cat((self.extra[self._rows(self.order_extra, iteration, count)], uv[count:]))
        return xyz, uv

    def swapped(self, iteration: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Source rows, xyz, uv, camera of a batch with this epoch's bone lengths.

        2D is projected anew, also where lengths stay: what the 2D discriminator is to tell apart is not the error of
        a detector.
        """
        rows = self._rows(self.order, iteration)
        return rows, *self._swapped(rows)

    def _swapped(self, rows: Tensor) -> Batch:
        xyz, _, camera = self._columns(rows)
        if self.templates is not None:
            xyz = set_lengths(xyz, self.templates[self.template[rows]], self.poses.skeleton)
        return xyz, project(xyz, camera), camera

    def collect(self, iteration: int, made: Augmented, keep_rule: str) -> None:
        """Keep an augmented batch (RT poses) for the estimator, marking the pairs that the rule lets through."""
        rows = slice(iteration * self.batch, (iteration + 1) * self.batch)
        self.collected_xyz[rows], self.collected_uv[rows] = made.rt, made.uv_rt
        if keep_rule == "released":
            usable = (made.uv_rt <= 1).flatten(1).all(1)
        else:
            usable = (made.uv_rt.abs() <= 1).flatten(1).all(1) & (made.rt[..., 2] > 0).all(1)
        self.usable[rows] = usable

    def end_collection(self, generator: Generator) -> None:
        """Fix the order in which kept pairs are used: the one host synchronisation of an epoch."""
        rows = self.usable.nonzero()[:, 0]
        self.kept = rows[torch.randperm(len(rows), generator=generator, device=rows.device)]

    def augmented(self, iteration: int) -> tuple[Tensor, Tensor]:
        """xyz, uv of a batch of kept augmented pairs."""
        rows = self._rows(self.kept, iteration)
        return self.collected_xyz[rows], self.collected_uv[rows]

    def mixed(self, iteration: int, share: float) -> tuple[Tensor, Tensor]:
        """xyz, uv of a batch of which a share is augmented (as far as any pair was kept) and the rest real."""
        count = round(share * self.batch) if len(self.kept) else 0
        real_xyz, real_uv, _ = self._columns(self._rows(self.order, iteration, self.batch - count))
        if count == 0:
            return real_xyz, real_uv
        rows = self._rows(self.kept, iteration, count)
        return torch.cat((self.collected_xyz[rows], real_xyz)), torch.cat((self.collected_uv[rows], real_uv))

    def _rows(self, order: Tensor, iteration: int, batch: int | None = None) -> Tensor:
        batch = self.batch if batch is None else batch
        places = torch.arange(iteration * batch, (iteration + 1) * batch, device=order.device)
        return order[places % len(order)]

    def _columns(self, rows: Tensor) -> Batch:
        return self.poses.xyz[rows], self.poses.uv[rows], self.poses.camera[rows]

    STATE = ("order", "order_real", "order_extra", "template", "usable", "kept")
    COLLECTED = ("collected_xyz", "collected_uv")

    def state(self, collected: bool) -> dict[str, Tensor]:
        """Orders and marks; with the pairs ``collected``, by far the largest, where they are still to be used."""
        return {name: getattr(self, name) for name in (*self.STATE, *(self.COLLECTED if collected else ()))}

    def load_state(self, tensors: dict[str, Tensor]) -> None:
        for name in tensors.keys() & {*self.STATE, *self.COLLECTED}:
            setattr(self, name, tensors[name].to(self.order.device))
