"""The skeleton: joints, bones and body parts, with every matrix derived from the parents.

Bone ``i`` joins joint ``i + 1`` to its parent and points from the joint to its parent
(``parent - child``, the sign of the released PoseAug code). ``B = H(X)`` and its inverse are
products with constant matrices, PoseAug Sec. 3.3.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np


@dataclass(frozen=True)
class Skeleton:
    """A kinematic tree of ``j`` joints and ``j - 1`` bones.

    names: joint names, the root first.
    parents: parent joint of each joint, -1 for the root; parents come before children.
    mirror: the joint that each joint becomes when left and right are exchanged.
    parts: body parts as bone numbers, in the order in which discriminator scores are reported.
    paint: the part whose colour each bone wears (a bone may belong to several parts).
    """

    names: tuple[str, ...]
    parents: tuple[int, ...]
    mirror: tuple[int, ...]
    parts: dict[str, tuple[int, ...]]
    paint: tuple[str, ...]

    def __post_init__(self):
        if self.parents[0] != -1 or any(not 0 <= p < i for i, p in enumerate(self.parents) if i):
            raise ValueError(f"parents {self.parents} must start with -1 and precede their children")
        if len({len(self.names), len(self.parents), len(self.mirror), len(self.paint) + 1}) != 1:
            raise ValueError("names, parents, mirror and paint do not describe the same joints")

    def __hash__(self):
        return hash((self.names, self.parents))

    @property
    def joint_count(self) -> int:
        return len(self.names)

    @property
    def bone_count(self) -> int:
        return len(self.names) - 1

    @cached_property
    def bone_names(self) -> tuple[str, ...]:
        """``parent-child`` for each bone, for labels."""
        return tuple(f"{self.names[p]}-{self.names[i]}" for i, p in enumerate(self.parents) if i)

    @cached_property
    def edges(self) -> np.ndarray:
        """(j-1, 2) int32, (parent, child) joints of each bone."""
        return np.array([(p, i) for i, p in enumerate(self.parents) if i], dtype=np.int32)

    @cached_property
    def to_bones(self) -> np.ndarray:
        """(j-1, j) float32 H with ``bones = H @ joints``."""
        matrix = np.zeros((self.bone_count, self.joint_count), dtype=np.float32)
        for bone, (parent, child) in enumerate(self.edges):
            matrix[bone, parent], matrix[bone, child] = 1, -1
        return matrix

    @cached_property
    def to_joints(self) -> np.ndarray:
        """(j, j-1) float32 inverse of ``to_bones`` with the root at the origin."""
        matrix = np.zeros((self.joint_count, self.bone_count), dtype=np.float32)
        for bone, (parent, child) in enumerate(self.edges):
            matrix[child] = matrix[parent]
            matrix[child, bone] = -1
        return matrix

    @cached_property
    def mirror_bones(self) -> tuple[int, ...]:
        """The bone that each bone becomes when left and right are exchanged."""
        return tuple(self.mirror[bone + 1] - 1 for bone in range(self.bone_count))

    @cached_property
    def length_groups(self) -> np.ndarray:
        """(j-1,) int, bones that share a length ratio: a bone and its mirror image (9 groups)."""
        first = [min(bone, self.mirror_bones[bone]) for bone in range(self.bone_count)]
        order = {bone: group for group, bone in enumerate(sorted(set(first)))}
        return np.array([order[bone] for bone in first])

    def bones(self, xyz):
        """Bone vectors (..., j-1, d) of joints (..., j, d), torch or numpy."""
        return _product(self.to_bones, xyz)

    def joints(self, bones):
        """Joints (..., j, d) of bone vectors (..., j-1, d), the root at the origin."""
        return _product(self.to_joints, bones)

    def lengths(self, xyz):
        """Bone lengths (..., j-1) in the unit of xyz."""
        return (self.bones(xyz) ** 2).sum(-1) ** 0.5

    @cached_property
    def part_of_bone(self) -> tuple[str, ...]:
        """The part whose score each bone shows: that of its colour, else the first that has it, '' where none has."""
        having = [[part for part, bones in self.parts.items() if bone in bones] for bone in range(self.bone_count)]
        return tuple(
            painted if painted in parts else next(iter(parts), "")
            for painted, parts in zip(self.paint, having, strict=True)
        )

    def part_of_joint(self) -> tuple[str, ...]:
        """The part whose colour each joint wears: that of the bone above it, the first for the root."""
        return (self.paint[self.names.index("spine") - 1], *self.paint)


_constants: dict = {}


def _product(matrix: np.ndarray, points):
    """matrix (r, k) @ points (..., k, d), torch or numpy. Tensors take one product for the whole batch, of all their
    coordinates together: a batch of small ones costs ten times as much."""
    if isinstance(points, np.ndarray):
        return matrix @ points
    key = (id(matrix), points.shape[-1], points.device, points.dtype)
    if key not in _constants:
        import torch

        whole = np.kron(matrix, np.eye(points.shape[-1])).T
        _constants[key] = (matrix, torch.tensor(whole, dtype=points.dtype, device=points.device))
    return (points.flatten(-2) @ _constants[key][1]).unflatten(-1, (len(matrix), -1))


#: PoseAug's 16 joints: Human3.6M without Neck/Nose. Parts are the released code's, which overlap.
HUMAN16 = Skeleton(
    names=(
        "pelvis", "right hip", "right knee", "right ankle", "left hip", "left knee", "left ankle",
        "spine", "thorax", "head", "left shoulder", "left elbow", "left wrist",
        "right shoulder", "right elbow", "right wrist",
    ),
    parents=(-1, 0, 1, 2, 0, 4, 5, 0, 7, 8, 8, 10, 11, 8, 13, 14),
    mirror=(0, 4, 5, 6, 1, 2, 3, 7, 8, 9, 13, 14, 15, 10, 11, 12),
    parts={
        "torso": (0, 3, 6, 7, 8, 9, 12),
        "left arm": (7, 9, 10, 11),
        "right arm": (7, 12, 13, 14),
        "left leg": (0, 3, 4, 5, 6),
        "right leg": (0, 1, 2, 3, 6),
    },
    paint=(
        "right leg", "right leg", "right leg", "left leg", "left leg", "left leg", "torso", "torso", "torso",
        "left arm", "left arm", "left arm", "right arm", "right arm", "right arm",
    ),
)  # fmt: skip

#: The five disjoint parts of the paper (Sec. 3.3), every bone in exactly one.
PAPER_PARTS = {
    part: tuple(bone for bone, painted in enumerate(HUMAN16.paint) if painted == part) for part in HUMAN16.parts
}

#: What each kind of 3D discriminator judges, as a skeleton whose parts are its own; scores come in order of the parts.
#: Bones keep the colours of the body's parts whatever is judged, so that left and right can be told apart.
JUDGED: dict[str, Skeleton] = {
    "parts": HUMAN16,
    "paper_parts": replace(HUMAN16, parts=PAPER_PARTS),
    "whole_body": replace(HUMAN16, parts={"whole body": tuple(range(HUMAN16.bone_count))}),
    "none": replace(HUMAN16, parts={}),
}
