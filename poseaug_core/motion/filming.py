"""Filming: clips seen by a rig become pairs of 3D and 2D poses."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch

from poseaug_core.errors import UserError
from poseaug_core.geometry import project
from poseaug_core.motion.clip import Clip, Progress, tell
from poseaug_core.motion.rigs import RIGS, Rig
from poseaug_core.poses import Poses, make_poses
from poseaug_core.skeleton import HUMAN16

#: Frames after which a rig that is not fixed is placed anew.
SHOT_FRAMES = 15
#: The room: a person who walks further is brought back to its middle, metres across.
ROOM = 3.0
PROPORTIONS = ("own", "seeded")


class Footage(NamedTuple):
    """poses: what the cameras saw. notes: what was left out or changed, one sentence each."""

    poses: Poses
    notes: tuple[str, ...]


def film(
    clips: Sequence[Clip],
    rig: Rig | str,
    rng: np.random.Generator,
    stride: int = 1,
    proportions: str = "own",
    noise: float = 0.0,
    name: str = "filmed",
    progress: Progress | None = None,
) -> Footage:
    """Every stride-th frame of the clips through each camera of the rig.

    rig: a Rig, or a name in RIGS drawn anew for every shot of SHOT_FRAMES. proportions: 'own' keeps the
    clips' limb lengths, 'seeded' gives each subject new ones. noise: standard deviation added to 2D,
    normalised units. Poses not wholly inside the image are dropped. With noise 0,
    ``project(xyz, camera) == uv`` holds exactly. Raises UserError for a rig or proportions of another
    name, and where no pose is seen.
    """
    require_choices(rig, proportions)
    draw = RIGS[rig] if isinstance(rig, str) else lambda rng: rig
    if stride < 1:
        raise UserError(f"The stride is {stride} frames, it must be 1 or more.")
    people = int(rng.integers(2**31))
    seen: list[tuple[np.ndarray, ...]] = []
    for number, clip in enumerate(clips):
        tell(progress, number / len(clips), f"filming {clip.name}")
        xyz = clip.xyz.astype(np.float64)
        if proportions == "seeded":
            xyz = resized(xyz, np.random.default_rng((people, clip.subject)))
        seen += _shots(centred(xyz)[::stride], clip, number, stride, draw, rng)
    columns = [np.concatenate(parts) for parts in zip(*seen, strict=True)]
    xyz, camera, tag, aspect = columns
    xyz, camera = torch.from_numpy(xyz.astype(np.float32)), torch.from_numpy(camera.astype(np.float32))
    uv = project(xyz, camera)
    ray = (xyz[..., :2] / xyz[..., 2:]).abs()
    frame = torch.from_numpy(np.stack((np.ones_like(aspect), aspect), axis=1).astype(np.float32))
    inside = ((uv.abs() <= frame[:, None]) & (ray < 1)).all(-1) & (xyz[..., 2] > 0.3)
    kept = inside.all(-1)
    if not kept.any():
        raise UserError(f"None of {len(kept)} poses lies inside the image; the person never comes near the rig.")
    if noise > 0:
        uv = uv + torch.from_numpy(rng.normal(0, noise, uv.shape).astype(np.float32))
    poses = make_poses(xyz[kept], uv[kept], camera[kept], tag[kept.numpy()], [clip.name for clip in clips], name)
    lost = int((~kept).sum())
    notes = (f"{lost:,} of {len(kept):,} poses left the image and were dropped.",) if lost else ()
    return Footage(poses, notes)


def require_choices(rig: Rig | str, proportions: str = "own") -> None:
    """UserError for a rig or proportions of a name that is not known."""
    if isinstance(rig, str) and rig not in RIGS:
        raise UserError(f"There is no rig '{rig}', choose one of: {', '.join(RIGS)}.")
    if proportions not in PROPORTIONS:
        raise UserError(f"Proportions are '{proportions}', choose one of: {', '.join(PROPORTIONS)}.")


def _shots(xyz, clip, number, stride, draw, rng) -> list[tuple[np.ndarray, ...]]:
    """(xyz, camera, tag, aspect) of every camera of every shot of one clip, frames in order in each."""
    shots = []
    for start in range(0, len(xyz), SHOT_FRAMES):
        part = xyz[start : start + SHOT_FRAMES]
        frames = (start + np.arange(len(part))) * stride
        for view, camera in enumerate(draw(rng).cameras):
            tag = np.stack(np.broadcast_arrays(clip.subject, number, frames, view), axis=1)
            shots.append(
                (camera.view(part), np.tile(camera.lens, (len(part), 1)), tag, np.full(len(part), camera.aspect))
            )
    return shots


def centred(xyz: np.ndarray, room: float = ROOM) -> np.ndarray:
    """World poses (frames, 16, 3) moved so that each stretch that fits the room is centred in it.

    A long walk becomes several crossings: whenever the pelvis has covered ``room`` metres along x or y,
    a new stretch begins.
    """
    out = np.array(xyz)
    bounds, seen = [0], []
    for frame, (x, y) in enumerate(xyz[:, 0, :2].tolist()):
        low_x, high_x, low_y, high_y = seen or (x, x, y, y)
        seen = [min(low_x, x), max(high_x, x), min(low_y, y), max(high_y, y)]
        if max(seen[1] - seen[0], seen[3] - seen[2]) > room:
            bounds.append(frame)
            seen = [x, x, y, y]
    for start, stop in zip(bounds, [*bounds[1:], len(xyz)], strict=True):
        pelvis = out[start:stop, 0, :2]
        out[start:stop, :, :2] -= (pelvis.min(0) + pelvis.max(0)) / 2
    return out


def resized(xyz: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """World poses with other limb lengths: stature 0.92-1.1 and each limb 0.93-1.08 of their own.

    Left and right stay alike; the lengths are those of the clip's medians, held constant over frames.
    The pelvis moves and rises with the length of the legs, so that feet stay on the ground.
    """
    groups = HUMAN16.length_groups
    ratio = rng.uniform(0.92, 1.1) * rng.uniform(0.93, 1.08, groups.max() + 1)
    bones = HUMAN16.bones(xyz)
    lengths = np.median(np.linalg.norm(bones, axis=-1), axis=0)
    lengths = (lengths + lengths[list(HUMAN16.mirror_bones)]) / 2
    target = lengths * ratio[groups]
    directions = bones / np.maximum(np.linalg.norm(bones, axis=-1, keepdims=True), 1e-9)
    legs = [HUMAN16.names.index(name) - 1 for name in ("right knee", "right ankle")]
    root = xyz[:, :1] * (target[legs].sum() / lengths[legs].sum())
    return root + HUMAN16.joints(directions * target[:, None])
