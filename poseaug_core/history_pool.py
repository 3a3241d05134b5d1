"""The pool of past augmented poses that the discriminators are shown."""

from __future__ import annotations

import torch
from torch import Tensor


class HistoryPool:
    """Fakes of past iterations for the discriminator's update (as in SimGAN and the released code).

    While it fills, poses are stored and returned; then each is, with probability 1/2, swapped with one of the
    pool's. The slots offered to a batch are drawn without repeats, so a batch swaps in one indexed copy.
    """

    def __init__(self, size: int, *shape: int, device=None):
        self.poses = torch.zeros(size, *shape, device=device)
        self.filled = 0

    @property
    def full(self) -> bool:
        """From here on an exchange does the same every time."""
        return self.filled == len(self.poses)

    def load(self, poses: Tensor, filled: int) -> None:
        """Take up the poses of another pool of this size, in place."""
        self.poses.copy_(poses)
        self.filled = filled

    def exchange(self, batch: Tensor, generator: torch.Generator) -> Tensor:
        """A batch (b, *shape) of the same size, part of it from the past; the argument stays as it is."""
        size, room = len(self.poses), len(self.poses) - self.filled
        if room > 0:
            stored = batch[:room]
            self.poses[self.filled : self.filled + len(stored)] = stored
            self.filled += len(stored)
            if len(stored) == len(batch):
                return batch
            return torch.cat((stored, self.exchange(batch[room:], generator)))
        if len(batch) > size:
            return torch.cat([self.exchange(part, generator) for part in batch.split(size)])
        slots = torch.randperm(size, generator=generator, device=batch.device)[: len(batch)]
        swap = torch.rand(len(batch), generator=generator, device=batch.device) < 0.5
        swap = swap.view(-1, *[1] * (batch.ndim - 1))
        past = self.poses[slots]
        self.poses[slots] = torch.where(swap, batch, past)
        return torch.where(swap, past, batch)
