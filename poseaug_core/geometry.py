"""Geometry that knows no skeleton: rotations, rigid motion, projection, alignment, mirroring.

Frames: camera frame x right, y down, z forward, metres. 2D is normalised so that the image's width
maps to [-1, 1] (``u = 2 px / w - 1``, ``v = 2 py / w - h / w``). A camera is nine numbers:
focal (2), centre (2), radial k1 k2 k3, tangential p1 p2, all in normalised units.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor


def rotation_matrix(axis_angle: Float[Tensor, "b 3"]) -> Float[Tensor, "b 3 3"]:
    """Rodrigues' formula; radians. Smooth at zero, where the released code is too."""
    angle = (axis_angle.square().sum(-1, keepdim=True) + 1e-16).sqrt()
    x, y, z = (axis_angle / angle).unbind(-1)
    zero = torch.zeros_like(x)
    cross = torch.stack((zero, -z, y, z, zero, -x, -y, x, zero), dim=-1).unflatten(-1, (3, 3))
    sin, cos = angle.sin()[..., None], angle.cos()[..., None]
    eye = torch.eye(3, dtype=axis_angle.dtype, device=axis_angle.device)
    return eye + sin * cross + (1 - cos) * (cross @ cross)


def rigid(
    xyz: Float[Tensor, "b j 3"], axis_angle: Float[Tensor, "b 3"], translation: Float[Tensor, "b 3"]
) -> Float[Tensor, "b j 3"]:
    """``R xyz + t`` for points about their origin."""
    return xyz @ rotation_matrix(axis_angle).transpose(-1, -2) + translation[:, None]


#: Metres.
NEAREST = 1e-6


def project(xyz: Float[Tensor, "b j 3"], camera: Float[Tensor, "b 9"]) -> Float[Tensor, "b j 2"]:
    """Normalised 2D of points in the camera frame, with lens distortion.

    As the released code: the ratio xy / z is clamped to [-1, 1], so points far outside the image
    or behind the camera land on its border and carry no gradient there. A depth below NEAREST counts as that.
    """
    focal, centre, radial, tangential = camera[:, None].split((2, 2, 3, 2), dim=-1)
    # Among millions of augmented joints one at depth 0 comes by; its gradient, 0 times infinity, would end a training.
    depth = torch.where(xyz[..., 2:].abs() < NEAREST, NEAREST, xyz[..., 2:])
    ray = (xyz[..., :2] / depth).clamp(-1, 1)
    r2 = ray.square().sum(-1, keepdim=True)
    gain = 1 + (radial * torch.cat((r2, r2 * r2, r2 * r2 * r2), dim=-1)).sum(-1, keepdim=True)
    gain = gain + (tangential * ray).sum(-1, keepdim=True)
    return focal * (ray * gain + tangential * r2) + centre


def similarity_align(pred: Float[Tensor, "b j 3"], target: Float[Tensor, "b j 3"]) -> Float[Tensor, "b j 3"]:
    """pred moved onto target by the best rotation, scale and translation (Procrustes, no mirroring)."""
    mu_p, mu_t = pred.mean(1, keepdim=True), target.mean(1, keepdim=True)
    p, t = pred - mu_p, target - mu_t
    norm_p, norm_t = p.square().sum((1, 2), keepdim=True).sqrt(), t.square().sum((1, 2), keepdim=True).sqrt()
    p, t = p / norm_p.clamp_min(1e-12), t / norm_t.clamp_min(1e-12)
    u, s, vh = torch.linalg.svd(t.transpose(1, 2) @ p)
    sign = torch.det(u @ vh).sign()
    flip = torch.stack((torch.ones_like(sign), torch.ones_like(sign), sign), dim=-1)
    rotation = (u * flip[:, None]) @ vh
    scale = (s * flip).sum(-1)[:, None, None]
    return norm_t * scale * (p @ rotation.transpose(1, 2)) + mu_t


def mirror(points: Float[Tensor, "b j d"], permutation) -> Float[Tensor, "b j d"]:
    """Points reflected left to right (x or u negated) with left and right joints exchanged."""
    out = points[:, list(permutation)].clone()
    out[..., 0] *= -1
    return out
