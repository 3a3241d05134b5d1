"""Estimators at the rate of their matrix products: batch norms folded in, weights packed, one worker a core."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from poseaug_core.device import threads, use_threads
from poseaug_core.errors import UserError
from poseaug_core.estimators.semgcn import SemGCN
from poseaug_core.estimators.simple_baseline import SimpleBaseline
from poseaug_core.estimators.st_gcn import STGCN
from poseaug_core.estimators.vpose import VPose
from poseaug_core.geometry import mirror
from poseaug_core.skeleton import HUMAN16

#: Rows that go through the layers at once: 1024 wide, two activations of them stay in a core's second-level cache.
ROWS = 512
#: Parts handed to a worker beyond the one it works on, so that it never waits for a reader.
AHEAD = 1
PRECISIONS = ("float32", "bfloat16")
Item, Result = TypeVar("Item"), TypeVar("Result")
Product = Callable[[Tensor], Tensor]


class Folded:
    """SimpleBaseline or VPose in evaluation mode as products alone: into 2 widths, residual pairs, out.

    A batch norm in evaluation mode is a scale and a shift, which the weights before it take over. On CPUs weights are
    packed once, in the order in which oneDNN's kernels read them, and ReLU is done as the product is stored. The
    network's weights are copied: later changes of it do not count.
    """

    def __init__(self, network: SimpleBaseline | VPose, precision: str = "float32"):
        first, *hidden, last = _layers(network)
        kind = getattr(torch, precision)
        self.kind = kind
        self.first, self.hidden = _product(*first, True, kind), [_product(*layer, True, kind) for layer in hidden]
        # Metres need more digits than bfloat16 has.
        self.last = _product(*last, False, torch.float32)

    def __call__(self, uv: Tensor) -> Tensor:
        """(b, 16, 3) root-relative metres of uv (b, 16, 2)."""
        x = self.first(uv.flatten(1).to(self.kind))
        for into, out in zip(self.hidden[::2], self.hidden[1::2], strict=True):
            x = out(into(x)).add_(x)
        return F.pad(self.last(x.float()).unflatten(1, (15, 3)), (0, 0, 1, 0))


class Inference:
    """An estimator made ready to answer: ``answer`` may be called from ``workers`` threads at once.

    precision: of the products of SimpleBaseline and VPose; bfloat16 only where the CPU multiplies it. Raises UserError
    where it cannot be had.
    """

    def __init__(self, network: nn.Module, precision: str = "float32"):
        weight = next(network.parameters(), None)
        self.device = weight.device if weight is not None else None
        foldable = isinstance(network, (SimpleBaseline, VPose))
        if precision != "float32":
            _require(precision, foldable, self.device)
        self.forward: Product = Folded(network, precision) if foldable else network
        known = foldable or isinstance(network, (SemGCN, STGCN))
        # ONNX has threads of its own, a user's network may keep something between calls, a GPU has one queue.
        on_cpu = self.device is not None and self.device.type == "cpu"
        self.workers = threads() if known and on_cpu else 1

    @torch.no_grad()
    def answer(self, uv: Tensor, flip: bool) -> Tensor:
        """(n, 16, 3) float32, root-relative metres, of normalised 2D (n, 16, 2), on the network's device.

        flip: average with the mirrored answer to the mirrored input.
        """
        uv = uv.to(self.device) if self.device is not None else uv
        out = torch.empty(len(uv), 16, 3, device=uv.device)
        size = ROWS // 2 if flip else ROWS
        for start in range(0, len(uv), size):
            rows = uv[start : start + size]
            if flip:
                straight, turned = self.forward(torch.cat((rows, mirror(rows, HUMAN16.mirror)))).split(len(rows))
                answer = (straight + mirror(turned, HUMAN16.mirror)) / 2
            else:
                answer = self.forward(rows)
            torch.sub(answer, answer[:, :1], out=out[start : start + size])
        return out


def in_order(work: Callable[[Item], Result], items: Iterable[Item], workers: int) -> Iterator[Result]:
    """work(item) of each, in their order, by so many threads, of which each runs torch on one core.

    Items are taken and results given in the caller's thread, and few wait at any time. Several threads with whole
    parts of their own beat torch's threads inside each product: they wait for nobody, and reading and writing go on
    beside them. The numbers of torch's threads elsewhere stay as they are.
    """
    if workers == 1:
        yield from map(work, items)
        return
    waiting: deque = deque()
    with ThreadPoolExecutor(workers, "inference", initializer=use_threads, initargs=(1,)) as pool:
        try:
            for item in items:
                waiting.append(pool.submit(work, item))
                if len(waiting) > workers * (1 + AHEAD):
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for job in waiting:
                job.cancel()


def has_bfloat16() -> bool:
    """Whether this CPU multiplies bfloat16 numbers itself."""
    return bool(torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported())


def _require(precision: str, foldable: bool, device: torch.device | None) -> None:
    if precision not in PRECISIONS:
        training = " (tf32 is for training on a GPU)" if precision == "tf32" else ""
        raise UserError(f"Estimators lift in {' or '.join(PRECISIONS)}, not in '{precision}'{training}; choose one.")
    if not foldable:
        raise UserError(f"{precision} is for SimpleBaseline and VPose, this estimator is another; use float32.")
    if device is not None and device.type == "cpu" and not has_bfloat16():
        raise UserError(f"This CPU has no products of {precision} numbers (AVX512-BF16 or AMX); use float32.")


@torch.no_grad()
def _layers(network: SimpleBaseline | VPose) -> list[tuple[Tensor, Tensor]]:
    """(weight (out, in), bias (out)) of every product in order, batch norms folded in."""
    if isinstance(network, SimpleBaseline):
        pairs = [(network.w1, network.batch_norm1)]
        for stage in network.linear_stages:
            pairs += [(stage.w1, stage.batch_norm1), (stage.w2, stage.batch_norm2)]
        return [*(_folded(*pair) for pair in pairs), (network.w2.weight, network.w2.bias)]
    pairs = [(network.expand_conv, network.expand_bn), *zip(network.layers_conv, network.layers_bn, strict=True)]
    return [*(_folded(*pair) for pair in pairs), (network.shrink.weight[..., 0], network.shrink.bias)]


def _folded(linear: nn.Module, norm: nn.BatchNorm1d) -> tuple[Tensor, Tensor]:
    scale = norm.weight / (norm.running_var + norm.eps).sqrt()
    bias = 0 if linear.bias is None else linear.bias
    weight = linear.weight.flatten(1)  # a convolution over one frame has a third axis of length 1
    return weight * scale[:, None], (bias - norm.running_mean) * scale + norm.bias


def _product(weight: Tensor, bias: Tensor, relu: bool, kind: torch.dtype) -> Product:
    """x -> x W' + b, then ReLU where asked."""
    weight, bias = weight.detach().to(kind).contiguous(), bias.detach().to(kind).contiguous()
    if weight.device.type == "cpu" and torch.backends.mkldnn.is_available():
        # torch's own float32 products leave AVX-512 unused on some CPUs, where these run at twice the rate.
        packed = torch.ops.mkldnn._reorder_linear_weight(weight, ROWS)
        after = "relu" if relu else "none"
        return lambda x: torch.ops.mkldnn._linear_pointwise(x, packed, bias, after, [], "")
    return lambda x: F.linear(x, weight, bias).relu_() if relu else F.linear(x, weight, bias)
