"""BVH files as clips of the 16 joints in metres, the ground below: naming, units and up axis found out."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from poseaug_core.errors import UserError
from poseaug_core.motion.clip import Clip
from poseaug_core.readers import body
from poseaug_core.readers.body import DEFAULT_FPS
from poseaug_core.readers.bvh_file import parse, positions
from poseaug_core.readers.bvh_names import map_names
from poseaug_core.skeleton import HUMAN16


def read_bvh(path: str | Path, fps: float | None = DEFAULT_FPS) -> Clip:
    """One BVH file as a Clip, thinned to about ``fps`` frames a second (None keeps every frame).

    World frame: z up, metres, the ground at z = 0. Notes tell the naming, unit, stature and frame rate.
    Raises UserError for damaged files, names that cannot be mapped and bodies of no size.
    """
    path = Path(path)
    body.require_fps(fps)
    hierarchy, motion = parse(path, fps)
    mapping = map_names(hierarchy, path)
    # One joint is numbered once even where it serves twice.
    wanted = sorted({*mapping.joints.values(), *mapping.torso, *([mapping.head_tip] if mapping.head_tip else [])})
    with np.errstate(over="ignore", invalid="ignore"):
        placed = positions(hierarchy, motion.values, wanted)
        at = {number: placed[:, column] for column, number in enumerate(wanted)}
        xyz = body.sixteen(
            {joint: at[number] for joint, number in mapping.joints.items()},
            [at[number] for number in mapping.torso],
            at.get(mapping.head_tip),
        )
        stature = body.stature(xyz)
    if not np.isfinite(stature) or stature <= 0:
        raise UserError(f"{path}: the body in it has a stature of {stature:.3g} units; check its OFFSET lines.")
    unit, metres = body.unit_of(stature)
    body.require_near(xyz * metres, path, "its position channels")
    xyz, up = _z_up(xyz * metres)
    apart = _first_frame_apart(xyz)
    xyz = body.on_ground(xyz[apart:])
    kept = body.kept_words(motion.step, motion.fps)
    notes = (f"naming: {mapping.title}", f"unit: {unit}, stature {stature * metres:.2f} m", f"up: {up}", kept)
    if apart:
        notes += ("the first frame, a set pose apart from the motion, is left out",)
    return Clip(path.stem, body.subject_of(path), motion.fps, xyz, notes)


def _z_up(xyz: np.ndarray) -> tuple[np.ndarray, str]:
    """xyz with z up. Files have y up, except where heads are above ankles along z and the ground is steady there."""
    names = HUMAN16.names
    rise = xyz[:, names.index("head")] - xyz[:, [names.index("left ankle"), names.index("right ankle")]].mean(1)
    up = np.median(rise, axis=0)
    floor = xyz.min(1).std(0)
    if up[2] > 2 * abs(up[1]) and floor[2] <= floor[1] + 0.05:
        return xyz.copy(), "z"
    return body.y_to_z_up(xyz), "y"


def _first_frame_apart(xyz: np.ndarray) -> int:
    """1 where frame 0 is a set pose (often a T) put before the motion: a joint leaps 0.3 m, later ones do not."""
    if len(xyz) < 3:
        return 0
    relative = xyz - xyz[:, :1]
    leaps = np.linalg.norm(np.diff(relative[:8], axis=0), axis=-1).max(1)
    return int(leaps[0] > 0.3 and leaps[0] > 2 * leaps[1:].max())
