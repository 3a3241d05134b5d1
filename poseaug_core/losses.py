"""Losses as pure functions, PoseAug Eq. 8-12 and the released code's variants of them."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

#: Weight of each joint's error in the hardness (released code).
JOINT_WEIGHTS = (1, 5, 2, 1, 5, 2, 1, 1, 1, 1, 5, 2, 1, 5, 2, 1)
#: Joints over which hardness is averaged: hips and shoulders, knees and elbows with the head, ankles and wrists.
JOINT_GROUPS = ((1, 4, 10, 13), (2, 5, 9, 11, 14), (3, 6, 12, 15))

#: Largest exponent of Eq. 9; errors of half a metre give 0.25 in square metres.
STEEPEST = 10.0

_groups: dict = {}


def pose_loss(pred: Float[Tensor, "b 16 3"], target: Float[Tensor, "b 16 3"]) -> Tensor:
    """Mean square error of root-relative poses, m^2 (Eq. 8)."""
    return F.mse_loss(pred, target)


def grouped_error(pred: Float[Tensor, "b 16 3"], target: Float[Tensor, "b 16 3"]) -> Float[Tensor, "b 3"]:
    """Weighted mean joint error of each of JOINT_GROUPS, metres."""
    key = (pred.device, pred.dtype)
    if key not in _groups:
        matrix = torch.zeros(len(JOINT_WEIGHTS), len(JOINT_GROUPS), dtype=pred.dtype)
        for column, joints in enumerate(JOINT_GROUPS):
            for joint in joints:
                matrix[joint, column] = JOINT_WEIGHTS[joint] / len(joints)
        _groups[key] = matrix.to(pred.device)
    return (pred - target).norm(dim=-1) @ _groups[key]


def hardness(augmented: Float[Tensor, "b 3"], original: Float[Tensor, "b 3"]) -> Float[Tensor, "b 3"]:
    """How many times harder the augmented pose is than the original, by joint group."""
    return augmented / original


def hardness_loss(ratio: Float[Tensor, "b 3"], beta: float | Tensor, tolerance: float | Tensor) -> Tensor:
    """(h - beta)^2 where |h - beta| > tolerance, else 0; the mean over all (released form of Eq. 9)."""
    excess = ratio - beta
    return torch.where(excess.abs() > tolerance, excess.square(), 0.0).mean()


def relative_hardness_loss(
    augmented: Float[Tensor, " b"], original: Float[Tensor, " b"], beta: float | Tensor
) -> Float[Tensor, " b"]:
    """|1 - exp(L(X') - beta L(X))| for each pose (Eq. 9 as printed).

    Beyond STEEPEST the exponential goes on as its tangent, so that an estimator metres off cannot overflow it.
    """
    exponent = augmented - beta * original
    capped = exponent.clamp(max=STEEPEST)
    return (1 - capped.exp() * (1 + exponent - capped)).abs()


def angle_range_loss(angle_change: Float[Tensor, "b 15"], mean: float | Tensor, width: float | Tensor) -> Tensor:
    """(m - mean)^2 where the pose's mean angle change m leaves mean +- width, else 0; the mean (released Eq. 10)."""
    excess = angle_change.mean(1) - mean
    return torch.where(excess.abs() > width, excess.square(), 0.0).mean()


def length_limit_loss(ratio: Float[Tensor, "b 9"], limit: float | Tensor) -> Tensor:
    """ratio^2 where |ratio| > limit, else 0; the mean over all (released Eq. 10)."""
    return torch.where(ratio.abs() > limit, ratio.square(), 0.0).mean()


def rectified_loss(change: Float[Tensor, "b ..."], threshold: float | Tensor) -> Tensor:
    """|g|^2 of a pose where the mean of |g| over its elements exceeds the threshold, else 0; the mean (Eq. 10 as
    printed, with the mean taken of absolute values)."""
    flat = change.flatten(1)
    return torch.where(flat.abs().mean(1) > threshold, flat.square().sum(1), 0.0).mean()


def square_error(
    pred: Float[Tensor, "b 16 3"], target: Float[Tensor, "b 16 3"], unit: float | Tensor
) -> Float[Tensor, " b"]:
    """Mean square distance of the joints of each pose, in units of ``unit`` metres squared (L_P of Eq. 9)."""
    return ((pred - target) / unit).square().sum(-1).mean(-1)


#: Factor of the LS-GAN losses: as the released code has it, and as Eq. 12 is printed.
GAN_SCALE = {"halved": 0.5, "unscaled": 1.0}


def discriminator_loss(real: Tensor, fake: Tensor, scale: float = 0.5) -> Tensor:
    """LS-GAN of a discriminator: scale [mean (D(real) - 1)^2 + mean D(fake)^2] (Eq. 12)."""
    return scale * ((real - 1).square().mean() + fake.square().mean())


def adversarial_loss(fake: Tensor, scale: float = 0.5) -> Tensor:
    """LS-GAN of the augmentor: scale mean (D(fake) - 1)^2."""
    return scale * (fake - 1).square().mean()
