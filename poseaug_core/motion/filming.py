"""Filming: clips seen by a rig become pairs of 3D and 2D poses."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

import numpy as np
import torch

from poseaug_core.errors import UserError
from poseaug_core.geometry import project
from poseaug_core.motion.clip import Clip
from poseaug_core.motion.rigs import RIGS, Rig
from poseaug_core.poses import Poses, make_poses
from poseaug_core.skeleton import HUMAN16

#: Frames after which a rig that is not fixed is placed anew.
SHOT_FRAMES = 15
#: The room: a person who walks further is brought back to its middle, metres across.
ROOM = 3.0
PROPORTIONS = ("own", "seeded")
#: Of each column of Poses: the shape of a row, and the type.
COLUMNS = {"xyz": ((16, 3), "f4"), "uv": ((16, 2), "f4"), "camera": ((9,), "f4"), "tag": ((4,), "i4")}


class Footage(NamedTuple):
    """poses: what the cameras saw. notes: what was left out or changed, one sentence each."""

    poses: Poses
    notes: tuple[str, ...]


class Seen(NamedTuple):
    """What the cameras saw of one clip: columns as in Poses, and how many poses were not wholly inside the image."""

    xyz: np.ndarray
    uv: np.ndarray
    camera: np.ndarray
    tag: np.ndarray
    lost: int


def film(
    clips: Iterable[Clip],
    rig: Rig | str,
    rng: np.random.Generator,
    stride: int = 1,
    proportions: str = "own",
    name: str = "filmed",
) -> Footage:
    """Every stride-th frame of the clips through each camera of the rig.

    rig: a Rig, or a name in RIGS drawn anew for every shot of SHOT_FRAMES. proportions: 'own' keeps the
    clips' limb lengths, 'seeded' gives each subject new ones. Poses not wholly inside the image are dropped, and
    ``project(xyz, camera) == uv`` holds exactly. Raises UserError for a rig or proportions of another
    name, and where no pose is seen.
    """
    film_clip = filming(rig, rng, stride, proportions)
    names, table, lost = [], Table(), 0
    for number, clip in enumerate(clips):
        seen = film_clip(clip, number)
        names.append(clip.name)
        table.add(seen)
        lost += seen.lost
    notes = what_was_lost(lost, len(table))
    return Footage(make_poses(*table.columns, names, name), notes)


def what_was_lost(lost: int, kept: int) -> tuple[str, ...]:
    """What to say of the poses that left the image; UserError where none was kept."""
    if not kept:
        raise UserError(f"None of {lost} poses lies inside the image; the person never comes near the rig.")
    return (f"{lost:,} of {lost + kept:,} poses left the image and were dropped.",) if lost else ()


class Table:
    """Rows that come in parts, without a second copy of them."""

    def __init__(self) -> None:
        self.columns = [np.empty((0, *shape), kind) for shape, kind in COLUMNS.values()]

    def __len__(self) -> int:
        return len(self.columns[0])

    def add(self, seen: Seen) -> None:
        count = len(self)
        for column, part in zip(self.columns, seen[:4], strict=True):
            # Large arrays are moved by the system, not copied.
            column.resize((count + len(part), *column.shape[1:]), refcheck=False)
            column[count:] = part


def filming(
    rig: Rig | str, rng: np.random.Generator, stride: int = 1, proportions: str = "own"
) -> Callable[[Clip, int], Seen]:
    """Gives (clip, its number) -> Seen, to be asked for one clip after another. Arguments and errors as ``film``."""
    require_choices(rig, proportions)
    draw = RIGS[rig] if isinstance(rig, str) else lambda rng: rig
    if stride < 1:
        raise UserError(f"The stride is {stride} frames, it must be 1 or more.")
    people = int(rng.integers(2**31))

    def film_clip(clip: Clip, number: int) -> Seen:
        xyz = clip.xyz.astype(np.float64)
        if proportions == "seeded":
            xyz = resized(xyz, np.random.default_rng((people, clip.subject)))
        return _seen(centred(xyz)[::stride], clip.subject, number, stride, draw, rng)

    return film_clip


def require_choices(rig: Rig | str, proportions: str = "own") -> None:
    """UserError for a rig or proportions of a name that is not known."""
    if isinstance(rig, str) and rig not in RIGS:
        raise UserError(f"There is no rig '{rig}', choose one of: {', '.join(RIGS)}.")
    if proportions not in PROPORTIONS:
        raise UserError(f"Proportions are '{proportions}', choose one of: {', '.join(PROPORTIONS)}.")


def _seen(xyz: np.ndarray, subject: int, number: int, stride: int, draw, rng: np.random.Generator) -> Seen:
    """World poses (frames, 16, 3) of clip ``number`` by every camera of every shot, frames in order in each."""
    count = len(xyz)
    shots = -(-count // SHOT_FRAMES)
    rigs = [draw(rng).cameras for _ in range(shots)]
    views = len(rigs[0]) if rigs else 0
    gather = lambda what: np.array([[getattr(c, what) for c in rig] for rig in rigs])  # noqa: E731
    # The last shot is filled up with frames that are not taken, so that all can be filmed at once.
    frame = np.arange(shots * SHOT_FRAMES).reshape(shots, 1, SHOT_FRAMES).repeat(views, axis=1)
    taken = frame < count
    points = xyz[np.minimum(frame, count - 1)]
    points = points - gather("position")[:, :, None, None]
    points = (points @ gather("rotation").swapaxes(-1, -2)[:, :, None])[taken].astype(np.float32)
    lens = np.broadcast_to(gather("lens")[:, :, None], (*frame.shape, 9))[taken].astype(np.float32)
    aspect = np.broadcast_to(gather("aspect")[:, :, None], frame.shape)[taken].astype(np.float32)
    view = np.broadcast_to(np.arange(views)[:, None], frame.shape)[taken]
    tag = np.stack(np.broadcast_arrays(subject, number, frame[taken] * stride, view), axis=1).astype(np.int32)
    xyz, camera, limit = map(torch.from_numpy, (points, lens, np.stack((np.ones_like(aspect), aspect), axis=1)))
    uv = project(xyz, camera)
    ray = (xyz[..., :2] / xyz[..., 2:]).abs()
    inside = ((uv.abs() <= limit[:, None]) & (ray < 1)).all(-1) & (xyz[..., 2] > 0.3)
    kept = inside.all(-1)
    columns = (column[kept].numpy() for column in (xyz, uv, camera))
    return Seen(*columns, tag[kept.numpy()], int((~kept).sum()))


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
