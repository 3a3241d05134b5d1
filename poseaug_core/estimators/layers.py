"""Layers that estimators share: dropout from an explicit generator, batch norm of one row or with kept statistics."""

from __future__ import annotations

from contextlib import contextmanager

import torch
import torch.nn.functional as F
from torch import Generator, Tensor, nn


def dropout(x: Tensor, p: float, generator: Generator | None) -> Tensor:
    """Inverted dropout; generator=None drops nothing (evaluation).

    The mask compares random bytes, eight of which come from one 64-bit word: a twentieth of the cost of a
    Bernoulli draw an element on a CPU. p is therefore rounded to 1/256.
    """
    if generator is None or p == 0:
        return x
    threshold = round(p * 256)
    words = torch.empty((x.numel() + 7) // 8, dtype=torch.int64, device=x.device)
    words.random_(-(2**63), None, generator=generator)
    kept = (words.view(torch.uint8)[: x.numel()].view(x.shape) >= threshold).to(x.dtype)
    return x * kept.mul_(256 / (256 - threshold))


class BatchNorm(nn.BatchNorm1d):
    """Batch norm of rows (..., features). A single row has no variance: it is normalised by the running statistics."""

    def forward(self, x: Tensor) -> Tensor:
        rows = x.flatten(0, -2)
        if self.training and len(rows) == 1:
            rows = F.batch_norm(rows, self.running_mean, self.running_var, self.weight, self.bias, eps=self.eps)
        else:
            rows = super().forward(rows)
        return rows.view_as(x)


@contextmanager
def kept_statistics(*networks: nn.Module):
    """Within it, batch norms in train mode normalise by their batch and leave running statistics alone."""
    norms = [m for network in networks for m in network.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm)]
    for norm in norms:
        norm.track_running_stats = False
    try:
        yield
    finally:
        for norm in norms:
            norm.track_running_stats = True


@contextmanager
def frozen(*networks: nn.Module):
    """Within it, no gradient is computed for the networks' weights; gradients still flow through them."""
    for network in networks:
        network.requires_grad_(False)
    try:
        yield
    finally:
        for network in networks:
            network.requires_grad_(True)
