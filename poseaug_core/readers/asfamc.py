"""ASF/AMC as clips of the 16 joints in metres, the ground below: each .amc finds the skeleton that belongs to it."""

from __future__ import annotations

import re
import tomllib
from functools import lru_cache
from pathlib import Path

import numpy as np

from poseaug_core.errors import UserError
from poseaug_core.motion.clip import Clip
from poseaug_core.readers import body
from poseaug_core.readers.amc import ASSUMED_FPS, read_amc
from poseaug_core.readers.asf import Body, ends, read_asf

#: Where our joints lie: at the end of these bones, as CMU and other Vicon skeletons name them.
_ENDS = {
    "hip": "{}hipjoint", "knee": "{}femur", "ankle": "{}tibia", "shoulder": "{}clavicle", "elbow": "{}humerus",
    "wrist": "{}radius",
}  # fmt: skip
JOINTS = {
    "thorax": "thorax", "skull": "upperneck",
    **{f"{side} {joint}": name.format(side[0]) for side in ("left", "right") for joint, name in _ENDS.items()},
}  # fmt: skip
TORSO = ("lowerback", "upperback")
#: Beside the .amc files, where it is known: each trial's frames a second and what is done in it.
TRIALS = "trials.toml"


def read_asfamc(path: str | Path, fps: float | None = body.DEFAULT_FPS) -> Clip:
    """One AMC file, with the ASF file beside it, as a Clip thinned to about ``fps`` frames a second (None keeps all).

    World frame: z up, metres, the ground at z = 0. AMC files have no frame rate: that of ``trials.toml`` beside them
    is taken, else 120, and said. Raises UserError for damaged files, a missing skeleton and bones of other names.
    """
    path = Path(path)
    body.require_fps(fps)
    skeleton = skeleton_of(path)
    actor = _skeleton(skeleton, skeleton.stat().st_mtime_ns)
    missing = [name for name in (*JOINTS.values(), "head") if name not in actor.bones]
    if missing:
        raise UserError(
            f"{skeleton}: {len(missing)} of {len(JOINTS) + 1} bones that are read are missing: "
            f"{', '.join(missing[:5])}; it has {', '.join(list(actor.bones)[1:9])}. Name them as CMU's files do."
        )
    recorded = _recorded(path)
    motion = read_amc(path, actor, skeleton.name, recorded or ASSUMED_FPS, fps)
    with np.errstate(over="ignore", invalid="ignore"):
        at = ends(actor, motion.angles, [*JOINTS.values(), *(n for n in TORSO if n in actor.bones)])
        torso = [at[name] for name in TORSO if name in at]
        xyz = body.sixteen({joint: at[name] for joint, name in JOINTS.items()}, torso, None)
        height = body.stature(xyz)
    if not np.isfinite(height) or height <= 0:
        raise UserError(f"{path}: the body in it has a stature of {height:.3g} units; check the lengths in {skeleton}.")
    unit, metres = f"1/{1 / actor.inches:.4g} inch", 0.0254 * actor.inches
    if not body.STATURE[0] <= height * metres <= body.STATURE[1]:
        unit, metres = body.unit_of(height)
    body.require_near(xyz * metres, path, "the root's position in it")
    rate = f"recorded at {recorded:g} frames a second" if recorded else f"no frame rate in it, {ASSUMED_FPS:g} assumed"
    notes = (
        f"skeleton: {skeleton.name}", f"unit: {unit}, stature {height * metres:.2f} m", rate,
        body.kept_words(motion.step, motion.fps),
    )  # fmt: skip
    xyz = body.on_ground(body.y_to_z_up(xyz * metres))
    return Clip(path.stem, body.subject_of(path), motion.fps, xyz, notes)


def skeleton_of(path: Path) -> Path:
    """The .asf in the folder of an .amc: of the same name, of the name before its last '_', else the only one."""
    if not path.is_file():
        raise UserError(f"{path} does not exist; check the name and the folder.")
    found = sorted(file for file in path.parent.iterdir() if file.suffix.lower() == ".asf" and file.is_file())
    named = {file.stem.lower(): file for file in found}
    for stem in (path.stem.lower(), *re.findall(r"^(.+?)_[^_]*$", path.stem.lower())):
        if stem in named:
            return named[stem]
    if len(found) == 1:
        return found[0]
    wanted = re.sub(r"_[^_]*$", "", path.stem)
    there = f"there are {len(found)}: {', '.join(file.name for file in found[:4])}" if found else "there is none"
    raise UserError(f"{path} needs its skeleton beside it, {wanted}.asf, but {there}; put the file there.")


@lru_cache(maxsize=64)
def _skeleton(path: Path, changed: int) -> Body:
    """The skeleton, parsed once for all of its trials; changed: of the file, in nanoseconds."""
    return read_asf(path)


def _recorded(path: Path) -> float | None:
    """Frames a second that ``trials.toml`` beside an .amc gives for it, None where it does not say."""
    try:
        rate = tomllib.loads((path.parent / TRIALS).read_text("utf-8"))[path.stem]["fps"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return float(rate) if isinstance(rate, int | float) and 1 <= rate <= 1000 else None
