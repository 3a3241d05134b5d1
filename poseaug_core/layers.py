"""Layers that networks share: batch norm of one row or with kept statistics, dropout from an explicit generator."""

from __future__ import annotations

import functools
from contextlib import contextmanager

import torch
import torch.nn.functional as F
from torch import Generator, Tensor, nn


def dropout(x: Tensor, p: float, generator: Generator | None) -> Tensor:
    """Inverted dropout, p rounded to 1/256; generator=None drops nothing (evaluation)."""
    if generator is None or p == 0:
        return x
    return x * _kept(x, p, generator).mul_(_scale(p))


def rectified_dropout(
    x: Tensor, norm: BatchNorm, p: float, generator: Generator | None, bias: Tensor | None = None
) -> Tensor:
    """dropout(relu(norm(x + bias))), what most hidden layers end with, in half the passes over memory.

    The scale of what dropout keeps goes into the norm's weights, as relu(s x) = s relu(x).
    """
    if generator is None or p == 0:
        return F.relu(norm(x, bias))
    x = norm(x, bias, _scale(p))
    return _RectifiedDropout.apply(x, _kept(x, p, generator))


class _RectifiedDropout(torch.autograd.Function):
    """relu(x) times a mask of zeros and ones: the answer alone says where its gradient passes."""

    @staticmethod
    def forward(ctx, x: Tensor, kept: Tensor) -> Tensor:
        answer = x.relu().mul_(kept)
        ctx.save_for_backward(answer)
        return answer

    @staticmethod
    def backward(ctx, gradient: Tensor) -> tuple[Tensor, None]:
        (answer,) = ctx.saved_tensors
        return torch.ops.aten.threshold_backward(gradient, answer, 0), None


def _threshold(p: float) -> int:
    return round(p * 256)


def _scale(p: float) -> float:
    return 256 / (256 - _threshold(p))


def _kept(x: Tensor, p: float, generator: Generator) -> Tensor:
    """Zeros with probability p and ones, shaped and typed as x.

    From random 64-bit words, drawn one after the other by one core: where p is 1/2, 1/4 or 1/8, an element takes as
    many bits, of which one must be set; else it compares a byte. A Bernoulli draw an element costs a CPU twenty times
    as much. Written as the numbers that x is multiplied by: a mask of bools costs three times as much.
    """
    threshold, count = _threshold(p), x.numel()
    bits = {128: 1, 64: 2, 32: 3}.get(threshold)
    words = torch.empty(bits or 8, -(-count // 64), dtype=torch.int64, device=x.device)
    words.random_(-(2**63), None, generator=generator)
    if bits:
        some = functools.reduce(torch.bitwise_or, words).view(torch.uint8)
        drawn, threshold = (some & _places(x.device)).flatten(), 1
    else:
        drawn = words.view(torch.uint8).flatten()
    drawn = drawn[:count].view(x.shape)
    return torch.ge(drawn, threshold, out=torch.empty(x.shape, dtype=x.dtype, device=x.device))


@functools.cache
def _places(device: torch.device) -> Tensor:
    """(8, 1) the bits of a byte."""
    return torch.tensor([[1 << place] for place in range(8)], dtype=torch.uint8, device=device)


class BatchNorm(nn.BatchNorm1d):
    """Batch norm of rows (..., features). A single row has no variance: it is normalised by the running statistics."""

    def forward(self, x: Tensor, bias: Tensor | None = None, scale: float = 1.0) -> Tensor:
        """bias (features): of the layer before, not yet added. A batch's own mean takes it away again: there it is only
        noted in the running mean, and has no gradient. scale: of the answer, for who multiplies it next."""
        rows = x.flatten(0, -2)
        weight, offset = (self.weight, self.bias) if scale == 1 else (self.weight * scale, self.bias * scale)
        by_batch = self.training and len(rows) > 1
        running = (self.running_mean, self.running_var) if self.track_running_stats or not by_batch else (None, None)
        if not by_batch:
            if bias is not None:
                scaled = weight * (running[1] + self.eps).rsqrt()
                offset = offset + bias * scaled
            return F.batch_norm(rows, *running, weight, offset, eps=self.eps).view_as(x)
        if rows.device.type == "cpu":
            # As one image of n pixels, the same memory: torch's kernels for this backward take half the time.
            image = rows.contiguous().t()[None, ..., None]
            image = F.batch_norm(image, *running, weight, offset, True, self.momentum, self.eps)
            rows = image.squeeze(-1).squeeze(0).t()  # not indexed, whose gradient would be copied
        else:
            rows = F.batch_norm(rows, *running, weight, offset, True, self.momentum, self.eps)
        if self.track_running_stats:
            self.num_batches_tracked.add_(1)
            if bias is not None:
                # By its data: the gradient of the norm asks for the batch's mean, not for this one.
                self.running_mean.data.add_(bias.detach(), alpha=self.momentum)
        return rows.view_as(x)


@contextmanager
def kept_statistics(*networks: nn.Module):
    """Within it, batch norms in train mode normalise by their batch and leave running statistics alone."""
    modules = [m for network in networks for m in network.modules()]
    # Only those that do: the user's own estimator may hold some back.
    norms = [m for m in modules if isinstance(m, nn.modules.batchnorm._BatchNorm) and m.track_running_stats]
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
    learning = [p for network in networks for p in network.parameters() if p.requires_grad]  # not those frozen before
    for parameter in learning:
        parameter.requires_grad_(False)
    try:
        yield
    finally:
        for parameter in learning:
            parameter.requires_grad_(True)
