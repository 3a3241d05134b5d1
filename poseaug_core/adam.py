"""Adam with gradient clipping, one fused call an update.

torch.optim imports torch's compiler when its first optimiser is made, 1.2 s of CPU that every start of the
studio would wait for; the kernel it then calls is the one called here.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn

BETAS, EPSILON = (0.9, 0.999), 1e-8


class Adam:
    """Kingma and Ba's Adam (ICLR 2015) without weight decay, over parameters on one device."""

    def __init__(self, parameters: Iterable[nn.Parameter]):
        self.parameters = list(parameters)
        device = self.parameters[0].device
        self.mean = [torch.zeros_like(p) for p in self.parameters]
        self.square = [torch.zeros_like(p) for p in self.parameters]
        self.steps = [torch.zeros((), device=device) for _ in self.parameters]

    @torch.no_grad()
    def update(self, lr: float | Tensor, clip: float) -> Tensor:
        """Scale the gradients to a norm of at most clip, make one step of size lr, and forget the gradients. Their norm
        of before, a 0-d tensor; where it is not finite everything stays as it was, found out on the device alone.

        A parameter without one (of a head whose operation is off) stays as it is, as in torch.optim. As torch's
        clip_grad_norm_, without its copy to the host. lr: a number, or a 0-d tensor (on a GPU float32, there).
        """
        held = [i for i, p in enumerate(self.parameters) if p.grad is not None]
        parameters, mean, square, steps = (
            [column[i] for i in held] for column in (self.parameters, self.mean, self.square, self.steps)
        )
        gradients = [p.grad for p in parameters]
        norm = torch.linalg.vector_norm(torch.stack(torch._foreach_norm(gradients)))
        torch._foreach_mul_(gradients, (clip / (norm + 1e-6)).clamp_max(1.0))
        broken = (~norm.isfinite()).float()
        torch._foreach_add_(steps, [1 - broken] * len(steps))
        torch._fused_adam_(
            parameters, gradients, mean, square, [], steps,
            lr=lr, beta1=BETAS[0], beta2=BETAS[1], eps=EPSILON, weight_decay=0.0, amsgrad=False, maximize=False,
            found_inf=broken,
        )  # fmt: skip
        for p in parameters:
            p.grad = None
        return norm

    def restart(self) -> None:
        """As new, in place."""
        for held in self.state().values():
            held.zero_()

    def state(self) -> dict[str, Tensor]:
        """{'mean.0': ..., 'square.0': ..., 'steps.0': ..., ...}: everything to go on from."""
        return {f"{name}.{i}": t for name in ("mean", "square", "steps") for i, t in enumerate(getattr(self, name))}

    def load_state(self, tensors: dict[str, Tensor]) -> None:
        for name, held in self.state().items():
            held.copy_(tensors[name])
