"""Matrix products with gradients, the bulk of training's arithmetic, by the kernels that are fastest at them.

On CPUs torch multiplies float32 with MKL, which leaves AVX-512 unused on some of them; there oneDNN, which torch takes
for bfloat16 only, runs at twice the rate and to the same precision. First derivatives only, and not under torch.func.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor
from torch.autograd.function import once_differentiable

#: Fewer rows than this are not worth a primitive of oneDNN's for each of their sizes.
FEWEST = 8
_here = threading.local()


@contextmanager
def rounded(wanted: bool = True) -> Iterator[None]:
    """Within it, in this thread, NVIDIA GPUs round what ``linear`` multiplies to TF32's 10 bits, and for its gradients.

    Other devices do not ask. All else stays exact: in poses half a millimetre of a metre would be lost.
    """
    before, _here.rounds = getattr(_here, "rounds", False), wanted
    try:
        yield
    finally:
        _here.rounds = before


def linear(
    x: Float[Tensor, "*b i"], weight: Float[Tensor, "o i"], bias: Float[Tensor, " o"] | None = None
) -> Float[Tensor, "*b o"]:
    """x W' + b, as F.linear, autocast included."""
    rounds = getattr(_here, "rounds", False) and x.is_cuda and not torch.is_autocast_enabled("cuda")
    if not rounds and not _one_dnn(x, weight):
        return F.linear(x, weight, bias)
    return _Linear.apply(*_cast(x.flatten(0, -2), weight, bias)).unflatten(0, x.shape[:-1])


def grouped(
    x: Float[Tensor, "b g*i"], weight: Float[Tensor, "g i o"], bias: Float[Tensor, "g 1 o"] | None = None
) -> Float[Tensor, "b g*o"]:
    """g networks side by side: columns k i to (k + 1) i of x times weight[k], plus bias[k]."""
    groups = len(weight)
    if not _one_dnn(x, weight):
        apart = x.unflatten(1, (groups, -1)).transpose(0, 1)
        made = apart @ weight if bias is None else torch.baddbmm(bias, apart, weight)
        return made.transpose(0, 1).flatten(1)
    return _Grouped.apply(*_cast(x, weight, bias))


def _one_dnn(x: Tensor, weight: Tensor) -> bool:
    if x.device.type != "cpu" or x.shape[:-1].numel() < FEWEST or torch.compiler.is_exporting():
        return False
    mixed = torch.is_autocast_enabled("cpu")
    kind = torch.get_autocast_dtype("cpu") if mixed else x.dtype
    return _multiplies(kind) and torch.backends.mkldnn.enabled and (mixed or weight.dtype == x.dtype)


@cache
def _multiplies(kind: torch.dtype) -> bool:
    """Whether oneDNN has these products on this CPU."""
    if not torch.backends.mkldnn.is_available():
        return False
    return kind == torch.float32 or (kind == torch.bfloat16 and torch.ops.mkldnn._is_mkldnn_bf16_supported())


def _cast(*tensors: Tensor | None) -> list[Tensor | None]:
    """As autocast would, which does not look into functions of one's own."""
    if not torch.is_autocast_enabled("cpu"):
        return list(tensors)
    kind = torch.get_autocast_dtype("cpu")
    return [None if tensor is None else tensor.to(kind) for tensor in tensors]


def _product(a: Tensor, b: Tensor, bias: Tensor | None = None) -> Tensor:
    """a b' + bias, of matrices whose rows or columns lie without gaps: all others take oneDNN's slow road.

    On a GPU rounded to TF32: only products that shall be come here.
    """
    if not a.is_cuda:
        return torch.ops.mkldnn._linear_pointwise(a, b, bias, "none", [], "")
    matmul = torch.backends.cuda.matmul
    before, matmul.fp32_precision = matmul.fp32_precision, "tf32"
    try:
        return F.linear(a, b, bias)
    finally:
        matmul.fp32_precision = before


class _Linear(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        x = x.contiguous()
        ctx.save_for_backward(x, weight)
        return _product(x, weight, bias)

    @staticmethod
    @once_differentiable
    def backward(ctx, gradient: Tensor) -> tuple[Tensor | None, ...]:
        x, weight = ctx.saved_tensors
        gradient = gradient.contiguous()
        of_x, of_weight, of_bias = ctx.needs_input_grad
        return (
            _product(gradient, weight.t()) if of_x else None,
            _product(gradient.t(), x.t()) if of_weight else None,
            gradient.sum(0) if of_bias else None,
        )


class _Grouped(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        ctx.save_for_backward(x, weight)
        parts = zip(_columns(x, len(weight)), weight, bias if bias is not None else [None] * len(weight), strict=True)
        return torch.cat([_product(part, w.t(), None if b is None else b[0]) for part, w, b in parts], dim=1)

    @staticmethod
    @once_differentiable
    def backward(ctx, gradient: Tensor) -> tuple[Tensor | None, ...]:
        x, weight = ctx.saved_tensors
        of_x, of_weight, of_bias = ctx.needs_input_grad
        columns = _columns(gradient, len(weight))
        of = [None, None, None]
        if of_x:
            of[0] = torch.cat([_product(g, w) for g, w in zip(columns, weight, strict=True)], dim=1)
        if of_weight:
            pairs = zip(_columns(x, len(weight)), columns, strict=True)
            of[1] = torch.stack([_product(part.t(), g.t()) for part, g in pairs])
        if of_bias:
            of[2] = gradient.sum(0).view(len(weight), 1, -1)
        return tuple(of)


def _columns(x: Tensor, groups: int) -> list[Tensor]:
    """The matrices that stand side by side in x, each in memory of its own."""
    return [part.contiguous() for part in x.chunk(groups, dim=1)]
