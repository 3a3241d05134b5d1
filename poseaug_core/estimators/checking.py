"""Trying an estimator of the user's own before hours of training rely on it."""

from __future__ import annotations

import torch
from torch import Generator, nn

from poseaug_core.errors import UserError
from poseaug_core.layers import kept_statistics
from poseaug_core.plain_text import named_error
from poseaug_core.units import ANSWER

SHAPE = (16, 3)
#: uv (16, 2) of a person who stands 5 m before a camera: what any estimator must have a sensible answer to.
PROBE = (
    (0.0, 0.05), (-0.06, 0.05), (-0.06, 0.25), (-0.06, 0.45), (0.06, 0.05), (0.06, 0.25), (0.06, 0.45),
    (0.0, -0.06), (0.0, -0.17), (0.0, -0.25), (0.07, -0.16), (0.14, -0.06), (0.16, 0.04),
    (-0.07, -0.16), (-0.14, -0.06), (-0.16, 0.04),
)  # fmt: skip


def made_and_checked(kind: type[nn.Module], width: int, name: str) -> nn.Module:
    """A new network of this class, tried on batches of 1 and 4; width 0 leaves the class its default. Raises UserError.

    The weights are drawn from torch's global generator, and nothing else is.
    """
    try:
        network = kind(width) if width else kind()
    except Exception as error:
        remedy = "give its __init__ a width" if width else "give what its __init__ takes a default"
        asked = f"{width} wide " if width else ""
        raise UserError(f"{name} cannot be made {asked}({named_error(error)}); mend the class, or {remedy}.") from error
    state = torch.random.get_rng_state()
    try:
        _check(network, name)
    finally:
        torch.random.set_rng_state(state)
    return network


@torch.no_grad()
def require_answers(network: nn.Module, source: str) -> None:
    """UserError unless the network answers PROBE with places where joints can be; its mode and statistics are kept."""
    training = network.training
    device = next((weight.device for weight in network.parameters()), None)
    try:
        xyz = network.eval()(torch.tensor([PROBE] * 2, device=device), None)
    except UserError:
        raise
    except Exception as error:
        what = f"fails on a standing person ({named_error(error)})"
        raise UserError(f"{source} {what}; name another checkpoint.") from error
    finally:
        network.train(training)
    found = tuple(xyz.shape) if isinstance(xyz, torch.Tensor) else type(xyz).__name__
    if found != (2, *SHAPE):
        raise UserError(f"{source} answers two people with {found}, but {(2, *SHAPE)} is needed; name another file.")
    good = ANSWER.holds(xyz)
    if not good.all():
        raise UserError(
            f"{source} places a joint of a standing person at {xyz[~good][0].item():.3g} m (limit: {ANSWER.limits}); "
            f"{ANSWER.remedy}."
        )


def _check(network: nn.Module, name: str) -> None:
    if not any(weight.requires_grad for weight in network.parameters()):
        raise UserError(f"{name} has no weights to train; make its layers attributes of the module.")
    uv = torch.linspace(-0.5, 0.5, 4 * 16 * 2).view(4, 16, 2).sin().requires_grad_()
    network.eval()
    for batch in (1, 4):
        _answer(network, uv[:batch], None, name)
    network.train()
    with kept_statistics(network):
        first, second = (_answer(network, uv, torch.Generator().manual_seed(0), name) for _ in range(2))
        if not torch.equal(first, second):
            raise UserError(
                f"{name} draws random numbers of its own in training, so that runs could not be repeated; draw them "
                "from the generator: poseaug_core.layers.dropout(x, p, generator) replaces nn.Dropout."
            )
        (gradient,) = torch.autograd.grad(first.square().sum(), uv, allow_unused=True)
    if gradient is None or not gradient.any():
        raise UserError(f"{name} passes no gradient on to its input, from which the augmentor learns.")


def _answer(network: nn.Module, uv: torch.Tensor, generator: Generator | None, name: str) -> torch.Tensor:
    try:
        xyz = network(uv, generator)
    except Exception as error:
        mode = "training" if network.training else "evaluation"
        raise UserError(
            f"{name} fails on a batch of {len(uv)} in {mode} ({named_error(error)}); it must have "
            "forward(self, uv, generator=None) and map (batch, 16, 2) to (batch, 16, 3)."
        ) from error
    found = tuple(xyz.shape) if isinstance(xyz, torch.Tensor) else type(xyz).__name__
    if found != (len(uv), *SHAPE):
        raise UserError(
            f"{name} answers a batch of {len(uv)} with {found}, but {(len(uv), *SHAPE)} is needed, in metres."
        )
    if not xyz.isfinite().all():
        raise UserError(f"{name} answers with NaN or infinite numbers on a batch of {len(uv)}; check its layers.")
    return xyz
