"""Limbs in the frame of what they hang from, after the hierarchical representation of Li et al. (CVPR 2020, Sec. 3.1).

Pelvis, hips, spine, thorax and shoulders are the trunk. The nine bones that move against it are the limbs: head, upper
arms and thighs are told in a frame of the trunk (axes: the body's right, down, and their cross product), forearms and
shins in that frame carried along by the bone above them. The release carries it by a cross product with a direction
from a data file; here the smallest turn from the limb's rest direction does, which has no data and is singular only
for an arm that points straight through the chest and a thigh that points straight up.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from poseaug_core.skeleton import HUMAN16

_NAMES = HUMAN16.names
TRUNK = tuple(_NAMES.index(n) for n in ("pelvis", "right hip", "left hip", "spine", "thorax", "left shoulder",
                                        "right shoulder"))  # fmt: skip
#: Bones of the limbs, those nearer the trunk first; (l = 9).
LIMBS = tuple(bone for bone in range(HUMAN16.bone_count) if bone + 1 not in TRUNK)
#: For each limb the place in LIMBS of the bone above it, -1 where that is the trunk.
ABOVE = tuple(LIMBS.index(bone) if (bone := HUMAN16.parents[b + 1] - 1) in LIMBS else -1 for b in LIMBS)
#: Whether a limb is told in the frame of hips (or shoulders).
_LOWER = tuple("knee" in _NAMES[b + 1] or "ankle" in _NAMES[b + 1] for b in LIMBS)
#: Rest direction of each limb in its trunk frame: legs down, arms outward, head up.
_REST = tuple(
    (0.0, 1.0, 0.0) if lower else (0.0, -1.0, 0.0) if "head" in (name := _NAMES[b + 1])
    else (1.0 if "right" in name else -1.0, 0.0, 0.0)
    for b, lower in zip(LIMBS, _LOWER, strict=True)
)  # fmt: skip


#: What crossover may exchange, as places in LIMBS: both legs (below the pelvis), and what is below hips, knees, thorax,
#: shoulders and elbows, as in the release.
SUBTREES = (
    tuple(place for place, lower in enumerate(_LOWER) if lower),
    *(
        below
        for joint, name in enumerate(_NAMES)
        if joint and name != "spine"
        and (below := tuple(p for p, b in enumerate(LIMBS) if b + 1 != joint and HUMAN16.to_joints[b + 1, joint - 1]))
    ),
)  # fmt: skip


def trunk_frames(xyz: Float[Tensor, "b 16 3"]) -> Float[Tensor, "b 2 3 3"]:
    """Rows right, down, their cross product, of the shoulders and of the hips, in the frame of xyz.

    Of bone directions alone, so that other bone lengths leave them as they are.
    """
    bones = F.normalize(HUMAN16.bones(xyz), dim=-1)
    bone = {name: bones[:, i - 1] for i, name in enumerate(_NAMES) if i}  # by the joint it ends at
    down, frames = bone["thorax"], []
    for side in ("shoulder", "hip"):
        right = F.normalize(bone[f"left {side}"] - bone[f"right {side}"], dim=-1)
        below = F.normalize(down - (down * right).sum(-1, keepdim=True) * right, dim=-1)
        frames.append(torch.stack((right, below, torch.linalg.cross(right, below)), dim=1))
    return torch.stack(frames, dim=1)


def to_local(xyz: Float[Tensor, "b 16 3"]) -> Float[Tensor, "b l 3"]:
    """Unit vectors from joint to child of the limbs in their frames."""
    outward = -F.normalize(HUMAN16.bones(xyz)[:, list(LIMBS)], dim=-1)
    seen = (_frame_of_each(xyz) @ outward[..., None])[..., 0]
    local = seen.clone()
    for place, above in enumerate(ABOVE):
        if above >= 0:
            local[:, place] = _carry(seen[:, above], seen[:, place], place, back=True)
    return local


def from_local(
    xyz: Float[Tensor, "b 16 3"], local: Float[Tensor, "b l 3"], lengths: Float[Tensor, "b 15"]
) -> Float[Tensor, "b 16 3"]:
    """The pose whose trunk is that of xyz, with these limbs and bone lengths (metres); the root stays."""
    seen = local.clone()
    for place, above in enumerate(ABOVE):
        if above >= 0:
            seen[:, place] = _carry(seen[:, above], local[:, place], place, back=False)
    outward = (_frame_of_each(xyz).transpose(-1, -2) @ seen[..., None])[..., 0]
    directions = F.normalize(HUMAN16.bones(xyz), dim=-1)
    directions[:, list(LIMBS)] = -outward
    return HUMAN16.joints(directions * lengths[..., None]) + xyz[:, :1]


def _frame_of_each(xyz: Tensor) -> Float[Tensor, "b l 3 3"]:
    return trunk_frames(xyz)[:, [int(lower) for lower in _LOWER]]


def _carry(towards: Tensor, vector: Tensor, place: int, back: bool) -> Float[Tensor, "b 3"]:
    """vector by the smallest turn from the limb's rest direction towards a unit direction, or ``back`` again.

    That turn is half a turn about the rest direction, then half a turn about the bisector.
    """
    rest = torch.tensor(_REST[place], dtype=vector.dtype, device=vector.device).expand_as(vector)
    middle = rest + towards
    # Opposite directions have no bisector: any direction across keeps the turn a turn.
    across = rest.roll(1, -1)
    middle = F.normalize(torch.where(middle.norm(dim=-1, keepdim=True) < 1e-4, across, middle), dim=-1)
    axes = (middle, rest) if back else (rest, middle)
    for axis in axes:
        vector = 2 * axis * (axis * vector).sum(-1, keepdim=True) - vector
    return vector
