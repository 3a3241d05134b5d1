"""From a file's joints to the 16 of PoseAug, in metres and above the ground: what all motion capture has in common."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from poseaug_core.errors import UserError
from poseaug_core.skeleton import HUMAN16
from poseaug_core.units import BONE, EXTENT, WORLD, require

#: Metres in one unit. CMU's own unit is 1 / 0.45 inch.
UNITS = {"metres": 1.0, "centimetres": 0.01, "millimetres": 0.001, "inches": 0.0254, "CMU units": 0.0254 / 0.45}
STATURE = (1.2, 2.2)
DEFAULT_FPS = 30.0
ANKLE_HEIGHT = 0.08


def require_fps(fps: float | None) -> None:
    """UserError for a frame rate that cannot be kept; None is every frame."""
    if fps is not None and not fps > 0:
        raise UserError(f"The frame rate to keep is {fps}, it must be more than 0; try 30.")


def sixteen(ours: dict[str, np.ndarray], torso: list[np.ndarray], head_tip: np.ndarray | None) -> np.ndarray:
    """(frames, 16, 3) our joints in the file's unit.

    ours: (frames, 3) of each limb joint by name, of ``thorax``, the base of the neck, and of ``skull``, the joint
    that carries it. torso: joints between pelvis and neck from below. head_tip: where the skull points to, if known.
    As Human3.6M has them: the pelvis midway between the hips, the spine in the middle of the torso, the
    thorax at the base of the neck, the head near the middle of the skull.
    """
    ours = dict(ours)
    ours["pelvis"] = (ours["left hip"] + ours["right hip"]) / 2
    legs = sum(
        _length(ours[f"{side} {a}"] - ours[f"{side} {b}"])
        for side in ("left", "right")
        for a, b in (("hip", "knee"), ("knee", "ankle"))
    )
    ours["spine"] = _mid_torso(ours["pelvis"], torso, ours["thorax"])
    skull = ours["skull"]
    axis = skull - ours["thorax"] if head_tip is None else head_tip - skull
    # The middle of the skull lies two thirteenths of a leg beyond the joint that carries it.
    ours["head"] = skull + axis / np.maximum(np.linalg.norm(axis, axis=1, keepdims=True), 1e-9) * legs / 13
    return np.stack([ours[name] for name in HUMAN16.names], axis=1)


def _mid_torso(pelvis: np.ndarray, between: list[np.ndarray], thorax: np.ndarray) -> np.ndarray:
    """The torso joint nearest half-way from pelvis to neck; the point half-way where none is near."""
    chain = [pelvis, *between, thorax]
    steps = [_length(b - a) for a, b in zip(chain, chain[1:], strict=False)]
    share = np.cumsum([0.0, *steps]) / max(sum(steps), 1e-9)
    nearest = int(np.abs(share[1:-1] - 0.5).argmin()) + 1 if between else 0
    if between and 0.35 <= share[nearest] <= 0.67:
        return chain[nearest]
    k = min(int(np.searchsorted(share, 0.5)), len(chain) - 1)
    weight = (0.5 - share[k - 1]) / max(share[k] - share[k - 1], 1e-9)
    return chain[k - 1] * (1 - weight) + chain[k] * weight


def _length(vectors: np.ndarray) -> float:
    return float(np.median(np.linalg.norm(vectors, axis=-1)))


def stature(xyz: np.ndarray) -> float:
    """Standing height that the limbs add up to, in the unit of xyz (frames, 16, 3), whatever the pose.

    Leg, trunk and neck make up nine tenths of it; the rest is the foot's height and the crown.
    """
    lengths = np.median(HUMAN16.lengths(xyz), axis=0)
    bone = {name: lengths[i] for i, name in enumerate(HUMAN16.names[1:])}
    return float((bone["right knee"] + bone["right ankle"] + bone["spine"] + bone["thorax"] + bone["head"]) / 0.9)


def unit_of(height: float) -> tuple[str, float]:
    """Name and metres of the unit in which a person would be that tall."""
    fits = [(abs(height * metres - 1.7), name, metres) for name, metres in UNITS.items()]
    fits = [fit for fit in fits if STATURE[0] <= height * fit[2] <= STATURE[1]]
    if fits:
        return min(fits)[1:]
    return f"the file's own (no usual unit fits a body of {height:.3g}, scaled to 1.70 m)", 1.7 / height


def require_near(xyz: np.ndarray, path: Path, what: str) -> None:
    """UserError where joints, in metres, are further from the origin or each other than can be.

    what: where the distance from the origin comes from.
    """
    far = float(np.abs(xyz).max())
    if not WORLD.holds(far):
        raise UserError(
            f"{path}: joints lie up to {far:.3g} m from the origin, at most {WORLD.high:,.0f} m are believed; "
            f"check {what}."
        )
    require(EXTENT, np.abs(xyz - xyz[:, :1]).max((1, 2)), path, "kept frame", "frames")
    require(BONE, HUMAN16.lengths(xyz), path, "kept frame", "frames")


def y_to_z_up(xyz: np.ndarray) -> np.ndarray:
    """A copy of xyz, given with y up, with z up."""
    return np.stack((xyz[..., 0], -xyz[..., 2], xyz[..., 1]), axis=-1)


def on_ground(xyz: np.ndarray) -> np.ndarray:
    """float32 copy of xyz (frames, 16, 3), metres, z up, with the ground at z = 0."""
    lowest = np.percentile(xyz[..., 2].min(1), 2) - ANKLE_HEIGHT
    return (xyz - np.array([0, 0, lowest])).astype(np.float32)


def kept_words(step: int, fps: float) -> str:
    """What was done about the frame rate; fps: of the frames kept."""
    if step == 1:
        return f"every frame kept, {fps:.4g} a second"
    ordinal = {2: "second", 3: "third", 4: "fourth"}.get(step, f"{step}th")
    return f"every {ordinal} frame kept, {fps:.4g} a second"


def subject_of(path: Path) -> int:
    """The person's number: 'subject3' or 'S3' in the name, else a folder 07, else a name 07_01, else 0."""
    named = re.search(r"(?:subject[ _-]?|(?:^|[_-])s)(\d{1,6})(?=$|[_-])", path.stem, re.IGNORECASE)
    folder = re.fullmatch(r"(?:subject[ _-]?|s)?(\d{1,6})", path.resolve().parent.name, re.IGNORECASE)
    prefix = re.match(r"(\d{1,6})_", path.stem)
    found = named or folder or prefix
    return int(found[1]) if found else 0
