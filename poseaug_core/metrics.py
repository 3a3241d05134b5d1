"""Errors of estimates, millimetres and percent, each with the protocol it belongs to.

poseaug16: all 16 joints, the root (always exact) included, as the released code reports.
3dhp14: the official 14 joints of MPI-INF-3DHP, pelvis and spine dropped; PCK is stricter by the exact root.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
from jaxtyping import Float
from torch import Tensor

from poseaug_core.geometry import similarity_align

#: protocol -> joints that count.
PROTOCOLS = {"poseaug16": tuple(range(16)), "3dhp14": tuple(j for j in range(16) if j not in (0, 7))}
#: What is reported, with its unit and whether less is better.
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


def pck(errors: Float[Tensor, "b j"], limit: float = 150.0) -> Float[Tensor, "b j"]:
    """100 for a joint closer than limit millimetres, else 0: the mean over joints and poses is PCK in percent."""
    return 100 * (errors < limit).to(errors.dtype)


def auc(errors: Float[Tensor, "b j"]) -> Float[Tensor, "b j"]:
    """Percent of the 31 limits 0, 5 ... 150 mm that a joint is closer than (0 counts nothing: the comparison is
    strict); the mean over joints and poses is AUC."""
    limits = torch.linspace(0, 150, 31, dtype=errors.dtype, device=errors.device)
    passed = len(limits) - torch.bucketize(errors.contiguous(), limits, right=True)
    return 100 * passed.to(errors.dtype) / len(limits)


def joint_values(pred: Float[Tensor, "b 16 3"], target: Float[Tensor, "b 16 3"]) -> dict[str, Float[Tensor, "b 16"]]:
    """What each joint of each pose counts in METRICS, from root-relative metres; a metric is the mean over joints and
    poses. Errors as they are, after similarity alignment and after scaling; PCK and AUC of those as they are.

    Alignment uses all 16 joints in every protocol, as the released code does.
    """
    errors = joint_errors(pred, target)
    return {
        "mpjpe": errors,
        "pa_mpjpe": joint_errors(similarity_align(pred, target), target),
        "n_mpjpe": joint_errors(scaled(pred, target), target),
        "pck150": pck(errors),
        "auc": auc(errors),
    }


def summarise(values: dict[str, Float[Tensor, "*n 16"]], joints: Iterable[int] = range(16)) -> dict[str, float | None]:
    """Means of joint_values, of many poses or of their mean, over those of the joints that count in each protocol.

    {'poseaug16/mpjpe': ..., ..., '3dhp14/auc': ...}; None where none of the joints counts.
    """
    counted = {protocol: [joint for joint in joints if joint in own] for protocol, own in PROTOCOLS.items()}
    return {
        f"{protocol}/{name}": values[name][..., shared].double().mean().item() if shared else None
        for protocol, shared in counted.items()
        for name in METRICS
    }
