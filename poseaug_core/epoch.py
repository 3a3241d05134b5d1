"""What lasts for an epoch: the order of the poses, their swapped bone lengths, the augmented pairs collected."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Generator, Tensor

from poseaug_core.augmentor import Augmented, set_lengths
from poseaug_core.geometry import project
from poseaug_core.resident import Batch, Resident


class Epoch:
    """Orders and buffers on the poses' device, drawn from the generator and resumable from ``state``.

    Batches all have the same size: the last one of a pass wraps around to the pass's beginning. Buffers stay in their
    places, and an iteration may be told as a 0-d tensor there, so that a recorded iteration finds its own batch. Row
    numbers are 32-bit, to take half the room.
    """

    def __init__(
        self,
        poses: Resident,
        templates: Float[Tensor, "k 15"] | None,
        batch: int,
        extra: Float[Tensor, "e 16 2"] | None = None,
    ):
        """templates: bone lengths to swap in, metres. extra: 2D poses without 3D for the 2D discriminator. Both on
        the poses' device."""
        self.poses, self.templates, self.batch, self.extra = poses, templates, batch, extra
        count, how = len(poses), {"dtype": torch.int32, "device": poses.device}
        rows = -(-count // batch) * batch
        self.order, self.order_real = torch.arange(count, **how), torch.arange(count, **how)
        self.order_extra = torch.arange(0 if extra is None else len(extra), **how)
        self.template = torch.zeros(count, **how)
        self.usable = torch.zeros(rows, dtype=torch.bool, device=poses.device)
        self.collected_xyz = torch.zeros(rows, 16, 3, device=poses.device)
        self.collected_uv = None if poses.lean else torch.zeros(rows, 16, 2, device=poses.device)
        self.origin = torch.zeros(count, **how)  # the order in which the poses collected came
        self.kept_rows = torch.zeros(rows, **how)
        self.kept_count = torch.zeros((), dtype=torch.long, device=poses.device)
        self.kept_length = 0
        self.places = torch.arange(batch, device=poses.device)

    @property
    def kept(self) -> Tensor:
        """Places of the collected pairs that are to be used, in the order of their use."""
        return self.kept_rows[: self.kept_length]

    @kept.setter
    def kept(self, places: Tensor) -> None:
        self.kept_length = len(places)
        self.kept_count.fill_(self.kept_length)
        self.kept_rows[: self.kept_length] = places

    def begin_pass(self, generator: Generator, swap: bool = False) -> None:
        """Draw new orders; swap also gives every pose the bone lengths of a random template."""
        draw = {"generator": generator, "device": self.poses.device}
        self.order.copy_(torch.randperm(len(self.poses), **draw))
        if swap:
            self.order_real.copy_(torch.randperm(len(self.poses), **draw))
            if self.extra is not None:
                self.order_extra.copy_(torch.randperm(len(self.extra), **draw))
            if self.templates is not None:
                self.template.copy_(torch.randint(len(self.templates), (len(self.poses),), **draw))

    def real(self, iteration: int | Tensor) -> Batch:
        """xyz, uv, camera of a batch of source poses as they are."""
        return self.poses.batch(self._rows(self.order, iteration))

    def judged(self, iteration: int | Tensor, extra_share: float) -> tuple[Tensor, Tensor]:
        """xyz and uv of a batch for the discriminators' real sides, part of the uv from the extra 2D poses."""
        xyz, uv, _ = self._swapped(self._rows(self.order_real, iteration))
        count = round(extra_share * self.batch) if self.extra is not None else 0
        if count:
            uv = torch.cat((self.extra[self._rows(self.order_extra, iteration, count)], uv[count:]))
        return xyz, uv

    def swapped(self, iteration: int | Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Source rows, xyz, uv, camera of a batch with this epoch's bone lengths.

        2D is projected anew, also where lengths stay: what the 2D discriminator is to tell apart is not the error of
        a detector.
        """
        rows = self._rows(self.order, iteration)
        return rows, *self._swapped(rows)

    def _swapped(self, rows: Tensor) -> Batch:
        xyz, camera = self.poses.xyz[rows], self.poses.camera(rows)
        if self.templates is not None:
            xyz = set_lengths(xyz, self.templates[self.template[rows]], self.poses.skeleton)
        return xyz, project(xyz, camera), camera

    def collect(self, iteration: int | Tensor, made: Augmented, keep_rule: str) -> Tensor:
        """Keep an augmented batch (RT poses) for the estimator; (b,) bool, which pairs the rule lets through."""
        if keep_rule == "released":
            usable = (made.uv_rt <= 1).flatten(1).all(1)
        else:
            usable = (made.uv_rt.abs() <= 1).flatten(1).all(1) & (made.rt[..., 2] > 0).all(1)
        places = self.places + iteration * self.batch
        self.collected_xyz.index_copy_(0, places, made.rt)
        if self.collected_uv is not None:
            self.collected_uv.index_copy_(0, places, made.uv_rt)
        self.usable.index_copy_(0, places, usable)
        return usable

    def end_collection(self, generator: Generator) -> None:
        """Fix the order in which kept pairs are used: the one host synchronisation of an epoch."""
        rows = self.usable.nonzero()[:, 0]
        self.kept = rows[torch.randperm(len(rows), generator=generator, device=rows.device)]
        self.origin.copy_(self.order)

    def augmented(self, iteration: int | Tensor) -> tuple[Tensor, Tensor]:
        """xyz, uv of a batch of kept augmented pairs."""
        return self._collected(self._rows(self.kept_rows, iteration, length=self.kept_count))

    def mixed(self, iteration: int | Tensor, share: float) -> tuple[Tensor, Tensor]:
        """xyz, uv of a batch of which a share is augmented (as far as any pair was kept) and the rest real."""
        count = round(share * self.batch) if self.kept_length else 0
        real_xyz, real_uv, _ = self.poses.batch(self._rows(self.order, iteration, self.batch - count))
        if count == 0:
            return real_xyz, real_uv
        xyz, uv = self._collected(self._rows(self.kept_rows, iteration, count, self.kept_count))
        return torch.cat((xyz, real_xyz)), torch.cat((uv, real_uv))

    def _collected(self, places: Tensor) -> tuple[Tensor, Tensor]:
        """Augmented pairs; 2D that is not held is projected again, being what it was when they were made."""
        xyz = self.collected_xyz[places]
        return xyz, self._projected(xyz, places) if self.collected_uv is None else self.collected_uv[places]

    def _projected(self, xyz: Tensor, places: Tensor) -> Tensor:
        return project(xyz, self.poses.camera(self.origin[places % len(self.poses)]))

    def _rows(
        self, order: Tensor, iteration: int | Tensor, batch: int | None = None, length: Tensor | None = None
    ) -> Tensor:
        """The batch's part of an order, of which the first ``length`` count."""
        places = self.places if batch is None else self.places[:batch]
        places = places + iteration * (self.batch if batch is None else batch)
        return order[places % (len(order) if length is None else length)]

    STATE = ("order", "order_real", "order_extra", "template", "usable", "kept")
    COLLECTED = ("collected_xyz", "collected_uv", "origin")

    def state(self, collected: bool) -> dict[str, Tensor]:
        """Orders and marks; with the pairs ``collected``, by far the largest, where they are still to be used."""
        held = {name: getattr(self, name) for name in (*self.STATE, *(self.COLLECTED if collected else ()))}
        return {name: tensor for name, tensor in held.items() if tensor is not None}

    def load_state(self, tensors: dict[str, Tensor]) -> None:
        """Take up a ``state``, also one of another device, in place."""
        self.kept = tensors["kept"].to(self.poses.device)
        for name in tensors.keys() & {*self.STATE, *self.COLLECTED} - {"kept"}:
            if (held := getattr(self, name)) is not None:
                held.copy_(tensors[name])
        if "collected_xyz" in tensors and self.collected_uv is not None and "collected_uv" not in tensors:
            places = torch.arange(len(self.collected_xyz), device=self.poses.device)
            self.collected_uv.copy_(self._projected(self.collected_xyz, places))
