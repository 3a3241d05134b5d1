"""Which joints other data sets and detectors name, and how our sixteen are made of them.

Most of our joints are a joint of theirs or the middle of several. Where there is no pelvis, spine or thorax: the pelvis
lies midway between the hips, the thorax midway between the shoulders, the spine midway between these two. Where there
is no head, it is found by extension: HEAD_FROM says how far beyond ears, eyes or nose it lies from the thorax.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from poseaug_core.errors import UserError
from poseaug_core.skeleton import HUMAN16

#: Our head lies on the line from the thorax through the first of these that was found, so much further out. In motion
#: capture (CMU) it is 0.52 trunks from the middle of the shoulders; eyes and ears are 0.41 trunks above it, the nose
#: about 0.36 (Winter, Biomechanics and Motor Control of Human Movement, after Drillis and Contini).
HEAD_FROM = {"ears": 1.25, "eyes": 1.25, "nose": 1.4}
#: Without a face: the trunk, pelvis to thorax, is continued by so much of its length.
HEAD_BEYOND_TRUNK = 0.52
#: Lengths of bones in shares of the trunk, pelvis to thorax: the means of Human3.6M's five training subjects.
SHARES = {
    "spine": 0.49, "thorax": 0.51, "head": 0.37, "hip": 0.27, "knee": 0.91, "ankle": 0.90, "shoulder": 0.30,
    "elbow": 0.57, "wrist": 0.50,
}  # fmt: skip
#: Of two layouts with as many joints, one is believed whose bones are as unlike a person's as this, sum of the absolute
#: differences of their shares, and by this factor less so than the other's. In motion capture, pose by pose, the right
#: one has 0.12 to 0.33 (5 to 95 %), a wrong one 0.35 to 0.95; together they err in 5 single poses of 16,000.
UNLIKE, CLEARLY = 0.4, 0.65
#: Bones of which a person must show so many to be judged by.
FEWEST_BONES = 8


@dataclass(frozen=True)
class Layout:
    """joints: our joint -> the numbers of theirs whose middle it is. face: 'ears', 'eyes', 'nose' -> their numbers.

    count: how many joints a person has in a file; more may follow that we do not use.
    """

    title: str
    count: int
    joints: dict[str, tuple[int, ...]]
    face: dict[str, tuple[int, ...]]


def _layout(title: str, count: int, limbs: str, face: dict[str, tuple[int, ...]], **trunk: int) -> Layout:
    """limbs: numbers of right hip, knee, ankle, left ones, left shoulder, elbow, wrist, right ones."""
    names = [f"{side} {joint}" for side in ("right", "left") for joint in ("hip", "knee", "ankle")]
    names += [f"{side} {joint}" for side in ("left", "right") for joint in ("shoulder", "elbow", "wrist")]
    joints = {name: (int(number),) for name, number in zip(names, limbs.split(), strict=True)}
    joints |= {name: (number,) for name, number in trunk.items()}
    joints.setdefault("pelvis", joints["right hip"] + joints["left hip"])
    joints.setdefault("thorax", joints["right shoulder"] + joints["left shoulder"])
    return Layout(title, count, joints, face)


_COCO = "12 14 16 11 13 15 5 7 9 6 8 10"
_COCO_FACE = {"ears": (3, 4), "eyes": (1, 2), "nose": (0,)}
LAYOUTS = {
    "coco17": _layout("COCO, 17 joints", 17, _COCO, _COCO_FACE),
    "h36m17": _layout(
        "Human3.6M, 17 joints", 17, "1 2 3 4 5 6 11 12 13 14 15 16", {}, pelvis=0, spine=7, thorax=8, head=10
    ),
    "h36m16": _layout(
        "Human3.6M, 16 joints", 16, "1 2 3 4 5 6 10 11 12 13 14 15", {}, pelvis=0, spine=7, thorax=8, head=9
    ),
    "mpii16": _layout("MPII, 16 joints", 16, "2 1 0 3 4 5 13 14 15 12 11 10", {}, pelvis=6, thorax=7, head=9),
    "openpose25": _layout(
        "OpenPose BODY_25", 25, "9 10 11 12 13 14 5 6 7 2 3 4",
        {"ears": (17, 18), "eyes": (15, 16), "nose": (0,)}, pelvis=8, thorax=1,
    ),
    "openpose18": _layout(
        "OpenPose COCO, 18 joints", 18, "8 9 10 11 12 13 5 6 7 2 3 4",
        {"ears": (16, 17), "eyes": (14, 15), "nose": (0,)}, thorax=1,
    ),
    "halpe26": _layout("Halpe, 26 joints", 26, _COCO, _COCO_FACE, pelvis=19, thorax=18, head=17),
    "halpe136": _layout("Halpe, 136 joints", 136, _COCO, _COCO_FACE, pelvis=19, thorax=18, head=17),
    "coco133": _layout("COCO-WholeBody, 133 joints", 133, _COCO, _COCO_FACE),
}  # fmt: skip


def to_sixteen(points: np.ndarray, confidence: np.ndarray, layout: str) -> tuple[np.ndarray, np.ndarray]:
    """Our joints: (n, 16, 2) points and (n, 16) confidence, NaN and 0 where they cannot be had.

    points: (n, k, 2) in any unit, NaN where missing; confidence: (n, k). A joint made of several is missing where one
    of them is, and as sure as the least sure of them; of two ears or eyes one is enough.
    """
    found = LAYOUTS[layout]
    points = np.where(confidence[..., None] > 0, points, np.nan)
    out = np.full((len(points), 16, 2), np.nan)
    sure = np.zeros((len(points), 16))
    for name, numbers in found.joints.items():
        column = HUMAN16.names.index(name)
        out[:, column] = points[:, list(numbers)].mean(1)
        sure[:, column] = confidence[:, list(numbers)].min(1)
    pelvis, spine, thorax, head = (HUMAN16.names.index(name) for name in ("pelvis", "spine", "thorax", "head"))
    if "spine" not in found.joints:
        out[:, spine] = (out[:, pelvis] + out[:, thorax]) / 2
        sure[:, spine] = np.minimum(sure[:, pelvis], sure[:, thorax])
    for feature, numbers in found.face.items():
        missing = np.isnan(out[:, head, 0])
        place, certain = _middle(points[missing][:, list(numbers)], confidence[missing][:, list(numbers)])
        out[missing, head] = out[missing, thorax] + HEAD_FROM[feature] * (place - out[missing, thorax])
        sure[missing, head] = np.minimum(certain, sure[missing, thorax])
    lost = np.isnan(out[..., 0])
    sure[lost] = 0
    return out, np.nan_to_num(sure).clip(0, 1)


def _middle(points: np.ndarray, confidence: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The middle (n, 2) of those of (n, m, 2) that were found, and the least confidence of these."""
    there = ~np.isnan(points[..., 0])
    place = np.where(there[..., None], points, 0).sum(1) / np.maximum(there.sum(1), 1)[:, None]
    place[~there.any(1)] = np.nan
    return place, np.where(there, confidence, np.inf).min(1, initial=1.0)


def named_layout(name: str) -> str:
    """The key of LAYOUTS that a user names; UserError for another."""
    key = name.lower().replace("_", "").replace("-", "")
    key = {"body25": "openpose25", "coco": "coco17", "coco18": "openpose18", "body18": "openpose18", "h36m": "h36m17",
           "mpii": "mpii16", "halpe": "halpe26"}.get(key, key)  # fmt: skip
    if key not in LAYOUTS:
        raise UserError(f"There is no layout '{name}'; choose one of {', '.join(LAYOUTS)}.")
    return key


def find_layout(points: np.ndarray, confidence: np.ndarray, where: str) -> tuple[str, str]:
    """(key of LAYOUTS, how it was found) of people (n, k, 2) whose layout nothing names.

    The number of joints decides; among layouts with as many, the one under which bones have a person's proportions:
    a wrong one joins an ear to a knee. Raises UserError where that says nothing or no layout has so many.
    """
    count = points.shape[1]
    fitting = [key for key, layout in LAYOUTS.items() if layout.count == count]
    if not fitting:
        known = ", ".join(f"{layout.count} ({key})" for key, layout in LAYOUTS.items())
        raise UserError(f"{where}: people have {count} joints; known are {known}. Map them to one of these first.")
    if len(fitting) == 1:
        return fitting[0], f"{count} joints a person"
    unlike = {key: _unlike_a_person(points, confidence, key) for key in fitting}
    best, other = sorted(fitting, key=lambda key: unlike[key])[:2]
    if not (unlike[best] < UNLIKE and unlike[best] < CLEARLY * unlike[other]):
        raise UserError(
            f"{where}: {count} joints may be {LAYOUTS[best].title} or {LAYOUTS[other].title}, and where they lie does "
            f"not tell; add ?layout={best} or ?layout={other} to the name."
        )
    return best, f"where they lie: as {other}, limbs would not have a person's proportions"


def _unlike_a_person(points: np.ndarray, confidence: np.ndarray, layout: str) -> float:
    """How far the bones' shares of their sum (medians over people) are from a person's; inf where too few are seen."""
    xy, _ = to_sixteen(points, confidence, layout)
    usual = np.array([SHARES[name.split()[-1]] for name in HUMAN16.names[1:]])
    usual /= usual.sum()
    lengths = np.linalg.norm(HUMAN16.bones(xy), axis=-1)
    seen = np.isfinite(lengths)
    total = np.where(seen, lengths, 0).sum(1)
    rows = (seen.sum(1) >= FEWEST_BONES) & (total > 0)
    if not rows.any():
        return float("inf")
    share = lengths[rows] * (np.where(seen, usual, 0).sum(1) / np.where(total > 0, total, 1))[rows, None]
    columns = seen[rows].any(0)
    apart = np.abs(np.nanmedian(share[:, columns], axis=0) - usual[columns])
    return float(apart.sum() / usual[columns].sum())
