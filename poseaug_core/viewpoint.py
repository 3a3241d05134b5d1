"""Where the camera stands as seen from the body: the view points of PoseAug's Fig. 7."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from poseaug_core.skeleton import HUMAN16, Skeleton


def body_frame(xyz: Float[Tensor, "b 16 3"], skeleton: Skeleton = HUMAN16) -> Float[Tensor, "b 3 3"]:
    """Rows left, up, front: unit vectors of the body in the frame of xyz; up is pelvis to thorax."""
    joint = {name: xyz[:, i] for i, name in enumerate(skeleton.names)}
    up = F.normalize(joint["thorax"] - joint["pelvis"], dim=-1)
    front = F.normalize(torch.linalg.cross(joint["left hip"] - joint["right hip"], up), dim=-1)
    return torch.stack((torch.linalg.cross(up, front), up, front), dim=1)


def view_point(xyz: Float[Tensor, "b 16 3"], skeleton: Skeleton = HUMAN16) -> Float[Tensor, "b 2"]:
    """Azimuth and elevation of the camera in the body frame, degrees; xyz in the camera frame with its root.

    Azimuth 0 looks at the front of the body, 90 at its left side; elevation is positive from above.
    """
    towards = F.normalize(-xyz[:, 0], dim=-1)
    left, up, front = (body_frame(xyz, skeleton) @ towards[..., None])[..., 0].unbind(-1)
    return torch.stack((torch.atan2(left, front), torch.asin(up.clamp(-1, 1))), dim=-1).rad2deg()
