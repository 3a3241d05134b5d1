"""Poses of one person over time as a BVH file: our sixteen joints, each bone turned by a joint of its own.

Names are those of CMU conversions (MotionBuilder), which readers/bvh and animation programs know. Where several bones
leave one of our joints, each hangs from a joint without length (LHipJoint, LowerBack, LeftShoulder, ...), so that a
body of constant bone lengths is reproduced exactly. Centimetres, y up, the camera towards z.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple, TextIO

import numpy as np

from poseaug_core.errors import UserError
from poseaug_core.skeleton import HUMAN16
from poseaug_core.storage import replacing

CENTIMETRES = 100.0
#: Frames turned and written at once, and those that bone lengths are taken from.
CHUNK, SAMPLE = 4096, 5000
#: Height of an ankle above the ground, metres; length of a hand's and a foot's End Site.
ANKLE, TIP = 0.08, 0.1
J = {name: number for number, name in enumerate(HUMAN16.names)}


class FileJoint(NamedTuple):
    """A joint of the file: it lies on our joint ``at`` and turns the bone from there ``to`` another ('' for none)."""

    name: str
    parent: str
    at: str
    to: str = ""


def _tree() -> tuple[FileJoint, ...]:
    tree = [FileJoint("Hips", "", "pelvis")]
    for side, word in (("left", "Left"), ("right", "Right")):
        tree += [
            FileJoint(f"{word[0]}HipJoint", "Hips", "pelvis", f"{side} hip"),
            FileJoint(f"{word}UpLeg", f"{word[0]}HipJoint", f"{side} hip", f"{side} knee"),
            FileJoint(f"{word}Leg", f"{word}UpLeg", f"{side} knee", f"{side} ankle"),
            FileJoint(f"{word}Foot", f"{word}Leg", f"{side} ankle"),
        ]
    tree += [
        FileJoint("LowerBack", "Hips", "pelvis", "spine"),
        FileJoint("Spine", "LowerBack", "spine", "thorax"),
        FileJoint("Spine1", "Spine", "thorax"),
        FileJoint("Neck", "Spine1", "thorax", "head"),
        FileJoint("Head", "Neck", "head"),
    ]
    for side, word in (("left", "Left"), ("right", "Right")):
        tree += [
            FileJoint(f"{word}Shoulder", "Spine1", "thorax", f"{side} shoulder"),
            FileJoint(f"{word}Arm", f"{word}Shoulder", f"{side} shoulder", f"{side} elbow"),
            FileJoint(f"{word}ForeArm", f"{word}Arm", f"{side} elbow", f"{side} wrist"),
            FileJoint(f"{word}Hand", f"{word}ForeArm", f"{side} wrist"),
        ]
    return tuple(tree)


TREE = _tree()


def rest_direction(child: str) -> np.ndarray:
    """(3,) along which the bone to our joint ``child`` points at rest, arms out; x to the person's left, y up."""
    joint = child.split()[-1]
    if joint in ("knee", "ankle"):
        return np.array((0.0, -1.0, 0.0))
    if joint in ("spine", "thorax", "head"):
        return np.array((0.0, 1.0, 0.0))
    return np.array((1.0 if child.startswith("left") else -1.0, 0.0, 0.0))


def write_bvh(
    poses: np.ndarray, path: str | Path, fps: float = 30.0, progress: Callable[[float], None] | None = None
) -> dict[str, float]:
    """Write poses (n, 16, 3), metres, camera frame (x right, y down, z forward), as one motion at fps frames a second.

    BVH has one length a bone: the medians over time are used. Each frame stands on the ground, at the place of its
    pelvis (the middle, for root-relative poses). Gives {'moved_mm': mean distance of joints, relative to the pelvis,
    from where they were}. Complete or not at all; raises UserError for fps out of 0.1..1000 and unwritable files.
    """
    if not 0.1 <= fps <= 1000:
        raise UserError(f"{fps:g} frames a second cannot be written; give 0.1 to 1000.")
    count = len(poses)
    lengths = np.median(HUMAN16.lengths(np.asarray(poses[:: max(count // SAMPLE, 1)], np.float64)), axis=0)
    moved = 0.0
    with replacing(path, needed=count * len(TREE) * 3 * 10) as part, open(part, "w", encoding="ascii") as file:
        _write_hierarchy(file, lengths)
        file.write(f"MOTION\nFrames: {count}\nFrame Time: {1 / fps:.8f}\n")
        for start in range(0, count, CHUNK):
            xyz = np.asarray(poses[start : start + CHUNK], np.float64) * (1, -1, -1)
            values, apart = _frames(xyz, lengths)
            moved += apart.sum()
            np.savetxt(file, values, fmt="%.4f")
            if progress is not None:
                progress(min(start + CHUNK, count) / count)
    return {"moved_mm": 1000 * float(moved) / max(count, 1)}


def _skull(lengths: np.ndarray) -> float:
    """Metres from the base of the skull, where BVH's head joint turns, to our head: a thirteenth of both legs.

    readers/bvh finds our head by the same rule.
    """
    return sum(lengths[J[f"{side} {joint}"] - 1] for side in ("left", "right") for joint in ("knee", "ankle")) / 13


def _write_hierarchy(file: TextIO, lengths: np.ndarray) -> None:
    children = {joint.name: [c for c in TREE if c.parent == joint.name] for joint in TREE}
    by_name = {joint.name: joint for joint in TREE}

    def put(joint: FileJoint, depth: int) -> None:
        pad, parent = "\t" * depth, by_name.get(joint.parent)
        offset = np.zeros(3)
        if parent is not None and parent.at != joint.at:
            offset = rest_direction(joint.at) * lengths[J[joint.at] - 1]
        tip = TIP * (rest_direction(joint.at) if joint.name.endswith("Hand") else np.array((0.0, 0.0, 1.0)))
        if joint.name == "Head":
            tip = rest_direction("head") * _skull(lengths)
            offset = offset - tip
        file.write(f"{pad}{'JOINT' if joint.parent else 'ROOT'} {joint.name}\n{pad}{{\n")
        file.write(f"{pad}\tOFFSET {_numbers(offset)}\n")
        places = "Xposition Yposition Zposition " if not joint.parent else ""
        file.write(f"{pad}\tCHANNELS {6 if places else 3} {places}Zrotation Xrotation Yrotation\n")
        for child in children[joint.name]:
            put(child, depth + 1)
        if not children[joint.name]:
            file.write(f"{pad}\tEnd Site\n{pad}\t{{\n{pad}\t\tOFFSET {_numbers(tip)}\n{pad}\t}}\n")
        file.write(f"{pad}}}\n")

    file.write("HIERARCHY\n")
    put(TREE[0], 0)


def _numbers(vector: np.ndarray) -> str:
    return " ".join(f"{value:.6f}" for value in vector * CENTIMETRES)


def _frames(xyz: np.ndarray, lengths: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """((m, channels) of poses (m, 16, 3), y up, metres; (m,) mean distance of joints from where they were)."""
    bones = HUMAN16.bones(xyz)
    directions = bones / np.maximum(np.linalg.norm(bones, axis=-1, keepdims=True), 1e-9)
    body = HUMAN16.joints(directions * lengths[:, None])
    turned: dict[str, np.ndarray] = {}
    angles = []
    for joint in TREE:
        before = turned.get(joint.parent, np.broadcast_to(np.eye(3), (len(xyz), 3, 3)))
        if not joint.parent:
            now = _pelvis(xyz)
        elif joint.to:
            now = swing(before @ rest_direction(joint.to), -directions[:, J[joint.to] - 1]) @ before
        else:
            now = before
        turned[joint.name] = now
        angles.append(euler_zxy(before.transpose(0, 2, 1) @ now))
    place = xyz[:, 0].copy()
    place[:, 1] = ANKLE - body[..., 1].min(1)
    apart = np.linalg.norm(body - (xyz - xyz[:, :1]), axis=-1).mean(1)
    return np.concatenate([place * CENTIMETRES, *angles], axis=1), apart


def _pelvis(xyz: np.ndarray) -> np.ndarray:
    """(m, 3, 3) of the pelvis: its x along the hips, its y as near the spine as that allows."""
    x = _unit(xyz[:, J["left hip"]] - xyz[:, J["right hip"]])
    z = _unit(np.cross(x, xyz[:, J["spine"]] - xyz[:, J["pelvis"]]))
    return np.stack((x, np.cross(z, x), z), axis=-1)


def _unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-9)


def swing(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """(m, 3, 3) smallest rotations that turn unit vectors a (m, 3) onto b (m, 3)."""
    axis, cos = np.cross(a, b), (a * b).sum(-1)
    opposite = cos < -1 + 1e-9
    cross = np.zeros((len(a), 3, 3))
    cross[:, 0, 1], cross[:, 0, 2], cross[:, 1, 2] = -axis[:, 2], axis[:, 1], -axis[:, 0]
    cross -= cross.transpose(0, 2, 1)
    out = np.eye(3) + cross + cross @ cross / np.where(opposite, 1, 1 + cos)[:, None, None]
    if opposite.any():
        # A half turn about any axis across.
        across = _unit(np.cross(a[opposite], np.eye(3)[np.abs(a[opposite]).argmin(1)]))
        out[opposite] = 2 * across[:, :, None] * across[:, None] - np.eye(3)
    return out


def euler_zxy(rotation: np.ndarray) -> np.ndarray:
    """(m, 3) degrees about z, x, y of rotations (m, 3, 3) = Rz Rx Ry."""
    z = np.arctan2(-rotation[:, 0, 1], rotation[:, 1, 1])
    x = np.arcsin(rotation[:, 2, 1].clip(-1, 1))
    y = np.arctan2(-rotation[:, 2, 0], rotation[:, 2, 2])
    return np.degrees(np.stack((z, x, y), axis=1))
