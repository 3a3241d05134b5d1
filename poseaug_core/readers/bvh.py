"""BVH files as clips of the 16 joints in metres, the ground below: naming, units and up axis found out."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from poseaug_core.errors import UserError
from poseaug_core.motion.clip import Clip, Progress, tell
from poseaug_core.readers.bvh_file import parse, positions
from poseaug_core.readers.bvh_names import Mapping, map_names
from poseaug_core.skeleton import HUMAN16

#: Metres in one unit. CMU's own unit is 1 / 0.45 inch.
UNITS = {"metres": 1.0, "centimetres": 0.01, "millimetres": 0.001, "inches": 0.0254, "CMU units": 0.0254 / 0.45}
STATURE = (1.2, 2.2)
DEFAULT_FPS = 30.0
ANKLE_HEIGHT = 0.08
MAX_DISTANCE = 10_000.0


def read_bvh(path: str | Path, fps: float | None = DEFAULT_FPS) -> Clip:
    """One BVH file as a Clip, thinned to about ``fps`` frames a second (None keeps every frame).

    World frame: z up, metres, the ground at z = 0. Notes tell the naming, unit, stature and frame rate.
    Raises UserError for damaged files, names that cannot be mapped and bodies of no size.
    """
    path = Path(path)
    if fps is not None and not fps > 0:
        raise UserError(f"The frame rate to keep is {fps}, it must be more than 0; try 30.")
    hierarchy, motion = parse(path, fps)
    mapping = map_names(hierarchy, path)
    # One joint is numbered once even where it serves twice.
    wanted = sorted({*mapping.joints.values(), *mapping.torso, *([mapping.head_tip] if mapping.head_tip else [])})
    with np.errstate(over="ignore", invalid="ignore"):
        placed = positions(hierarchy, motion.values, wanted)
        xyz = _sixteen(mapping, {number: placed[:, column] for column, number in enumerate(wanted)})
        stature = _stature(xyz)
    if not np.isfinite(stature) or stature <= 0:
        raise UserError(f"{path}: the body in it has a stature of {stature:.3g} units; check its OFFSET lines.")
    unit, metres = _unit(stature)
    far = float(np.abs(xyz).max()) * metres
    if not far < MAX_DISTANCE:
        raise UserError(
            f"{path}: joints lie up to {far:.3g} m from the origin, at most {MAX_DISTANCE:,.0f} m are believed; "
            "check its position channels."
        )
    xyz, up = _z_up(xyz * metres)
    apart = _first_frame_apart(xyz)
    xyz = xyz[apart:]
    xyz[..., 2] -= np.percentile(xyz[..., 2].min(1), 2) - ANKLE_HEIGHT
    rate = motion.fps
    kept = (
        f"every frame kept, {rate:.4g} a second"
        if motion.step == 1
        else (f"every {_ordinal(motion.step)} frame kept, {rate:.4g} a second")
    )
    notes = (f"naming: {mapping.title}", f"unit: {unit}, stature {stature * metres:.2f} m", f"up: {up}", kept)
    if apart:
        notes += ("the first frame, a set pose apart from the motion, is left out",)
    return Clip(path.stem, subject_of(path), rate, xyz.astype(np.float32), notes)


def read_folder(
    folder: str | Path, fps: float | None = DEFAULT_FPS, progress: Progress | None = None
) -> tuple[list[Clip], list[str]]:
    """Clips of every BVH file below folder in name order, and a sentence for each file left out.

    Raises UserError where none can be used, Cancelled where progress says stop.
    """
    folder = Path(folder)
    files = bvh_files(folder)
    clips, left_out = [], []
    for number, file in enumerate(files):
        tell(progress, number / len(files), f"reading {file.name}")
        try:
            clips.append(read_bvh(file, fps))
        except UserError as error:
            left_out.append(str(error))
    if not clips:
        raise UserError(f"None of the {len(files)} BVH files in {folder} can be used. The first: {left_out[0]}")
    return clips, left_out


def bvh_files(path: Path) -> list[Path]:
    """The file itself, or every .bvh below the folder in name order."""
    if path.is_file():
        return [path]
    if not path.exists():
        raise UserError(f"{path} does not exist; check the name and the folder.")
    try:
        list(path.iterdir())
    except PermissionError:
        raise UserError(f"{path} may not be read by this user; change its permissions (chmod u+rx).") from None
    files = sorted(file for file in path.rglob("*") if file.suffix.lower() == ".bvh" and file.is_file())
    if not files:
        raise UserError(f"{path} holds 0 .bvh files; name a folder that has some, at any depth.")
    return files


def subject_of(path: Path) -> int:
    """The person's number: 'subject3' or 'S3' in the name, else a folder 07, else a name 07_01, else 0."""
    named = re.search(r"(?:subject[ _-]?|(?:^|[_-])s)(\d{1,6})(?=$|[_-])", path.stem, re.IGNORECASE)
    folder = re.fullmatch(r"(?:subject[ _-]?|s)?(\d{1,6})", path.resolve().parent.name, re.IGNORECASE)
    prefix = re.match(r"(\d{1,6})_", path.stem)
    found = named or folder or prefix
    return int(found[1]) if found else 0


def _sixteen(mapping: Mapping, at: dict[int, np.ndarray]) -> np.ndarray:
    """(frames, 16, 3) our joints in the file's unit.

    As Human3.6M has them: the pelvis midway between the hips, the spine in the middle of the torso, the
    thorax at the base of the neck, the head near the middle of the skull.
    """
    ours = {joint: at[number] for joint, number in mapping.joints.items()}
    ours["pelvis"] = (ours["left hip"] + ours["right hip"]) / 2
    legs = sum(
        _length(ours[f"{side} {a}"] - ours[f"{side} {b}"])
        for side in ("left", "right")
        for a, b in (("hip", "knee"), ("knee", "ankle"))
    )
    ours["spine"] = _mid_torso(ours["pelvis"], [at[n] for n in mapping.torso], ours["thorax"])
    skull = ours["skull"]
    axis = skull - ours["thorax"] if mapping.head_tip is None else at[mapping.head_tip] - skull
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


def _stature(xyz: np.ndarray) -> float:
    """Standing height that the limbs add up to, in the unit of xyz, whatever the pose.

    Leg, trunk and neck make up nine tenths of it; the rest is the foot's height and the crown.
    """
    lengths = np.median(HUMAN16.lengths(xyz), axis=0)
    bone = {name: lengths[i] for i, name in enumerate(HUMAN16.names[1:])}
    return float((bone["right knee"] + bone["right ankle"] + bone["spine"] + bone["thorax"] + bone["head"]) / 0.9)


def _unit(stature: float) -> tuple[str, float]:
    """Name and metres of the unit in which a person would be that tall."""
    fits = [(abs(stature * metres - 1.7), name, metres) for name, metres in UNITS.items()]
    fits = [fit for fit in fits if STATURE[0] <= stature * fit[2] <= STATURE[1]]
    if fits:
        return min(fits)[1:]
    return f"the file's own (no usual unit fits a body of {stature:.3g}, scaled to 1.70 m)", 1.7 / stature


def _z_up(xyz: np.ndarray) -> tuple[np.ndarray, str]:
    """xyz with z up. Files have y up, except where heads are above ankles along z and the ground is steady there."""
    names = HUMAN16.names
    rise = xyz[:, names.index("head")] - xyz[:, [names.index("left ankle"), names.index("right ankle")]].mean(1)
    up = np.median(rise, axis=0)
    floor = xyz.min(1).std(0)
    if up[2] > 2 * abs(up[1]) and floor[2] <= floor[1] + 0.05:
        return xyz.copy(), "z"
    return np.stack((xyz[..., 0], -xyz[..., 2], xyz[..., 1]), axis=-1), "y"


def _first_frame_apart(xyz: np.ndarray) -> int:
    """1 where frame 0 is a set pose (often a T) put before the motion: a joint leaps 0.3 m, later ones do not."""
    if len(xyz) < 3:
        return 0
    body = xyz - xyz[:, :1]
    leaps = np.linalg.norm(np.diff(body[:8], axis=0), axis=-1).max(1)
    return int(leaps[0] > 0.3 and leaps[0] > 2 * leaps[1:].max())


def _ordinal(number: int) -> str:
    return {2: "second", 3: "third", 4: "fourth"}.get(number, f"{number}th")
