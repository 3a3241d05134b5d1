"""Errors of estimates, millimetres and percent, each with the protocol it belongs to.

poseaug16: all 16 joints, the root (always exact) included, as the released code reports.
3dhp14: the official 14 joints of MPI-INF-3DHP, pelvis and spine dropped; PCK is stricter by the exact root.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from poseaug_core.geometry import similarity_align

#: protocol -> joints that count.
PROTOCOLS = {"poseaug16": tuple(range(16)), "3dhp14": tuple(j for j in range(16) if j not in (0, 7))}
#: What summarise reports, with its unit and whether less is better.
METRICS = {
    "mpjpe": ("mm", True),
    "pa_mpjpe": ("mm", True),
    "n_mpjpe": ("mm", True),
    "pck150": ("%", False),
    "auc": ("%", False),
}


def joint_errors(pred: Float[Tensor, "b j 3"], target: Float[Tensor, "b j 3"]) -> Float[Tensor, "b j"]:
    """Distances in millimetres of poses in metres; both as they are, nothing aligned."""
    return 1000 * (pred - target).norm(dim=-1)


def scaled(pred: Float[Tensor, "b j 3"], target: Float[Tensor, "b j 3"]) -> Float[Tensor, "b j 3"]:
    """pred times the factor that brings it closest to target (for N-MPJPE)."""
    factor = (pred * target).sum((1, 2), keepdim=True) / pred.square().sum((1, 2), keepdim=True).clamp_min(1e-12)
    return pred * factor


def pck(errors: Float[Tensor, "b j"], limit: float = 150.0) -> Tensor:
    """Percent of joints closer than limit millimetres."""
    return 100 * (errors < limit).double().mean()


def auc(errors: Float[Tensor, "b j"]) -> Tensor:
    """Mean PCK over the 31 limits 0, 5 ... 150 mm (0 counts nothing: the comparison is strict)."""
    limits = torch.linspace(0, 150, 31, dtype=errors.dtype, device=errors.device)
    return 100 * (errors[..., None] < limits).double().mean()


def pose_errors(pred: Float[Tensor, "b 16 3"], target: Float[Tensor, "b 16 3"]) -> dict[str, Float[Tensor, "b 16"]]:
    """Errors per joint, millimetres: as they are, after similarity alignment, after scaling (root-relative input).

    Alignment uses all 16 joints in every protocol, as the released code does.
    """
    return {
        "mpjpe": joint_errors(pred, target),
        "pa_mpjpe": joint_errors(similarity_align(pred, target), target),
        "n_mpjpe": joint_errors(scaled(pred, target), target),
    }


def summarise(errors: dict[str, Float[Tensor, "n 16"]], protocol: str) -> dict[str, float]:
    """METRICS of pose_errors under a protocol: {'poseaug16/mpjpe': ..., ...}."""
    joints = list(PROTOCOLS[protocol])
    means = {name: values[:, joints].double().mean().item() for name, values in errors.items()}
    counted = errors["mpjpe"][:, joints]
    means |= {"pck150": pck(counted).item(), "auc": auc(counted).item()}
    return {f"{protocol}/{name}": means[name] for name in METRICS}
