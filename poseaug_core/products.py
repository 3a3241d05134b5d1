"""Matrix products with gradients, the bulk of training's arithmetic, by the kernels that are fastest at them.

On CPUs torch multiplies float32 with MKL, which leaves AVX-512 unused on some of them; there oneDNN, which torch takes
for bfloat16 only, runs at twice the rate and to the same precision.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

#: Fewer rows than this are not worth a primitive of oneDNN's for each of their sizes.
FEWEST = 8
_tf32 = False


def use_products(precision: str) -> None:
    """How NVIDIA GPUs multiply in ``linear`` from now on: exactly, or with 'tf32' rounded to 10 bits before.

    Other devices do not ask, and all other products stay exact: half a millimetre in a metre would be lost in poses.
    """
    global _tf32
    _tf32 = precision == "tf32"
    torch.backends.cuda.matmul.fp32_precision = "ieee"


def linear(
    x: Float[Tensor, "*b i"], weight: Float[Tensor, "o i"], bias: Float[Tensor, " o"] | None = None
) -> Float[Tensor, "*b o"]:
    """x W' + b, as F.linear, autocast included."""
    if not _one_dnn(x) and not _rounds(x):
        return F.linear(x, weight, bias)
    return _Linear.apply(*_cast(x.flatten(0, -2), weight, bias)).unflatten(0, x.shape[:-1])


def grouped(
    x: Float[Tensor, "b g*i"], weight: Float[Tensor, "g i o"], bias: Float[Tensor, "g 1 o"] | None = None
) -> Float[Tensor, "b g*o"]:
    """g networks side by side: columns k i to (k + 1) i of x times weight[k], plus bias[k]."""
    groups = len(weight)
    if not _one_dnn(x):
        apart = x.unflatten(1, (groups, -1)).transpose(0, 1)
        made = apart @ weight if bias is None else torch.baddbmm(bias, apart, weight)
        return made.transpose(0, 1).flatten(1)
    return _Grouped.apply(*_cast(x, weight, bias))


def _one_dnn(x: Tensor) -> bool:
    return (
        x.device.type == "cpu"
        and torch.backends.mkldnn.is_available()
        and x.dtype in (torch.float32, torch.bfloat16)
        and x.shape[:-1].numel() >= FEWEST
        and not torch.compiler.is_exporting()
    )


def _rounds(x: Tensor) -> bool:
    return _tf32 and x.is_cuda and x.dtype == torch.float32 and not torch.is_autocast_enabled("cuda")


def _cast(*tensors: Tensor | None) -> list[Tensor | None]:
    """As autocast would, which does not look into functions of one's own."""
    if not torch.is_autocast_enabled("cpu"):
        return list(tensors)
    kind = torch.get_autocast_dtype("cpu")
    return [None if tensor is None else tensor.to(kind) for tensor in tensors]


def _product(a: Tensor, b: Tensor, bias: Tensor | None = None) -> Tensor:
    """a b' + bias, of matrices whose rows or columns lie without gaps: all others take oneDNN's slow road."""
    if not a.is_cuda:
        return torch.ops.mkldnn._linear_pointwise(a, b, bias, "none", [], "")
    torch.backends.cuda.matmul.fp32_precision = "tf32"
    try:
        return F.linear(a, b, bias)
    finally:
        torch.backends.cuda.matmul.fp32_precision = "ieee"


class _Linear(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        x = x.contiguous()
        ctx.save_for_backward(x, weight)
        return _product(x, weight, bias)

    @staticmethod
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
