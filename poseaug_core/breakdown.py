"""Errors of an estimator seen from any side: by action, joint, body part, subject or view, under both protocols."""

from __future__ import annotations

import re
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from poseaug_core.metrics import PROTOCOLS, joint_values, summarise
from poseaug_core.poses import Poses
from poseaug_core.skeleton import HUMAN16, Skeleton

SIDES = ("action", "joint", "part", "subject", "view")
Row = dict[str, float | int | None]


@dataclass(frozen=True)
class Breakdown:
    """values: for each of METRICS what every joint of n poses counts, (n, 16) mm or percent; a reported number is a
    mean of them over poses and joints. poses: the n poses."""

    values: dict[str, Float[Tensor, "n 16"]]
    poses: Poses

    @classmethod
    def of(cls, pred: Float[Tensor, "n 16 3"], poses: Poses) -> Breakdown:
        """Of answers in root-relative metres."""
        return cls(joint_values(pred, poses.root_relative), poses)

    def overall(self) -> dict[str, float]:
        """{'poseaug16/mpjpe': mm, ..., '3dhp14/auc': percent} over all poses."""
        return summarise(self._joint_means())

    def by(self, side: str) -> dict[str, Row]:
        """Rows by what SIDES name: {'Walking': {'poses': n, 'poseaug16/mpjpe': mm, ...}, ...}.

        A joint or part with no joint in a protocol has None there. Actions, subjects and views end with 'mean', the
        mean of the rows above, as papers average over actions.
        """
        if side in ("joint", "part"):
            skeleton = self.poses.skeleton
            groups = {name: (i,) for i, name in enumerate(skeleton.names)} if side == "joint" else part_joints(skeleton)
            means = self._joint_means()
            return {name: {"poses": len(self.poses)} | summarise(means, joints) for name, joints in groups.items()}
        names, group = self._groups(side)
        count = torch.bincount(group, minlength=len(names))
        sums = {name: value.double().new_zeros(len(names), value.shape[1]).index_add_(0, group, value.double())
                for name, value in self.values.items()}  # fmt: skip
        means = {name: (total / count[:, None]).cpu() for name, total in sums.items()}
        rows: dict[str, Row] = {
            label: {"poses": int(count[i])} | summarise({name: mean[i] for name, mean in means.items()})
            for i, label in enumerate(names)
        }
        mean = {key: sum(row[key] for row in rows.values()) / len(rows) for key in self.overall()}
        return rows | {"mean": {"poses": len(self.poses)} | mean}

    def note(self) -> str:
        """By how much poseaug16 flatters PCK and AUC on these poses, and through which joints."""
        means, free = self._joint_means(), [j for j in PROTOCOLS["poseaug16"] if j != 0]
        told = []
        for name, label in (("pck150", "PCK@150"), ("auc", "AUC")):
            wide, bare, strict = (
                float(means[name][list(joints)].mean())
                for joints in (PROTOCOLS["poseaug16"], free, PROTOCOLS["3dhp14"])
            )
            through = f"{wide - bare:+.2f} by the pelvis, {bare - strict:+.2f} by the spine"
            told.append(f"{label} by {wide - strict:+.2f} points ({through})")
        return (
            "poseaug16 counts the pelvis, which is exact by definition, and the spine; 3dhp14 does not. "
            f"On {self.poses.name} that changes {' and '.join(told)}."
        )

    def _joint_means(self) -> dict[str, Float[Tensor, " 16"]]:
        return {name: value.double().mean(0).cpu() for name, value in self.values.items()}

    def _groups(self, side: str) -> tuple[list[str], Int[Tensor, " n"]]:
        """Labels and the label of each pose."""
        column = {"subject": 0, "action": 1, "view": 3}[side]
        numbers, group = self.poses.tag[:, column].long().unique(return_inverse=True)
        if side != "action":
            return [str(number) for number in numbers.tolist()], group
        clips = self.poses.clips
        actions = [action_of(clips[n]) if n < len(clips) else str(n) for n in numbers.tolist()]
        names = list(dict.fromkeys(actions))
        of_clip = torch.tensor([names.index(action) for action in actions], device=group.device)
        return names, of_clip[group]


def action_of(clip: str) -> str:
    """The action that a clip's name tells: without subject and take, so that takes count together.

    'S9 Walking 1' and 'Walking' are Walking, 'courtyard_golf_00' is courtyard_golf; a name without a word, such as
    CMU's '07_01', stays as it is.
    """
    action = re.sub(r"^S\d+[ _/]+|[ _.]\d+$", "", clip)
    return action if re.search(r"[^\W\d_]{2}", action) else clip


def part_joints(skeleton: Skeleton = HUMAN16) -> dict[str, tuple[int, ...]]:
    """Joints of the body parts, each in one; of both arms and both legs; and by how far out on the limb they are."""
    painted, names = skeleton.part_of_joint(), skeleton.names
    parts = {part: [i for i, own in enumerate(painted) if own == part] for part in skeleton.parts}
    parts |= {f"{limb}s": parts[f"left {limb}"] + parts[f"right {limb}"] for limb in ("arm", "leg")}
    for inner, outer in (("hip", "shoulder"), ("knee", "elbow"), ("ankle", "wrist")):
        parts[f"{inner}s, {outer}s"] = [i for i, name in enumerate(names) if name.endswith((inner, outer))]
    return {part: tuple(sorted(joints)) for part, joints in parts.items()}
