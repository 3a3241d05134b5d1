"""Human3.6M as the common preparation scripts leave it: data_3d_h36m.npz, and 2D detections in files beside it.

``positions_3d`` holds subject -> action -> (frames, 32, 17 or 16, 3) metres in the world; the four cameras of each
subject are the data set's own calibration (assets/human36m.json). ``positions_2d`` of a 2D file holds subject ->
action -> for each camera (frames, 17 or 16, 2) pixels.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from poseaug_core.assets import asset
from poseaug_core.errors import UserError
from poseaug_core.geometry import project
from poseaug_core.motion.clip import Progress, tell
from poseaug_core.poses import Poses, make_poses
from poseaug_core.readers.joints import BY_COUNT, sixteen
from poseaug_core.readers.limits import require_room
from poseaug_core.readers.npz_file import open_npz
from poseaug_core.readers.safe_pickle import numeric
from poseaug_core.readers.spec import Spec, closest

KEY = "positions_3d"
SPLITS = {
    "train": ("S1", "S5", "S6", "S7", "S8"),
    "test": ("S9", "S11"),
    "s1": ("S1",),
    "s1s5": ("S1", "S5"),
    "all": ("S1", "S5", "S6", "S7", "S8", "S9", "S11"),
}
#: Short names of 2D files; 'gt' is projected from the 3D.
KEYPOINTS = {
    "cpn": "data_2d_h36m_cpn_ft_h36m_dbb.npz",
    "det": "data_2d_h36m_detectron_ft_h36m.npz",
    "hr": "data_2d_h36m_hr.npz",
}
OPTIONS = ("split", "subjects", "actions", "keypoints", "stride")
#: Sequences of a table, one an action of a subject; Human3.6M has 210.
MOST_SEQUENCES = 5000
#: Joints on the left in COCO's order; files of that order have no pelvis, thorax or head.
COCO_LEFT = (1, 3, 5, 7, 9, 11, 13, 15)


def read_h36m(spec: Spec, split: str = "train", progress: Progress | None = None) -> Poses:
    """Poses of every frame through every camera of the chosen subjects.

    Options: split (train S1 S5 S6 S7 S8, test S9 S11, s1, s1s5, all; ``split`` where not given), or subjects;
    actions; keypoints (gt, cpn, det, hr or a file); stride. Tags: subject number, clip the action, frame, view the
    camera. Raises UserError for options that name nothing and files of another layout.
    """
    spec.only(*OPTIONS)
    world = _table(_read(spec.path, KEY)[KEY], spec.path, KEY)
    subjects, title, notes = _subjects(spec, split, world)
    wanted = _actions(spec, {action for subject in subjects for action in world[subject]})
    keypoints = spec.options.get("keypoints", "gt")
    detected = None if keypoints == "gt" else _detected(spec, keypoints)
    stride = spec.number("stride", 1, 1, 10_000)
    parts = _Parts(notes)
    takes = [(s, a) for s in subjects for a in world[s] if a in wanted]
    # One array may be named many times.
    require_room(spec.path, sum(getattr(world[s][a], "nbytes", 0) for s, a in takes), spec.path.stat().st_size)
    for number, (subject, action) in enumerate(takes):
        tell(progress, 0.9 * number / len(takes), f"reading {subject} {action}")
        _take(parts, subject, action, world[subject][action], detected, stride, spec.path)
    if not parts.xyz:
        raise UserError(f"{spec.text}: there are 0 poses left; check subjects, actions and the 2D file.")
    name = f"Human3.6M {title}" + ("" if detected is None else f" {Path(keypoints).stem}")
    return parts.poses(name)


def has_test_people(path: Path, progress: Progress | None = None) -> bool:
    """Whether the file has S9 or S11. Raises UserError for files of another layout, Cancelled."""
    tell(progress, 0.0, f"looking for test people in {path.name}")
    world = _table(_read(path, KEY)[KEY], path, KEY)
    return any(subject in world for subject in SPLITS["test"])


@contextmanager
def read_once() -> Iterator[None]:
    """Within it each file is read and unpickled once, however many sets are taken of it."""
    token = _kept.set({})
    try:
        yield
    finally:
        _kept.reset(token)


_kept: ContextVar[dict[Path, dict[str, Any]] | None] = ContextVar("kept", default=None)


def _read(path: Path, *names: str) -> dict[str, Any]:
    """These arrays of an NPZ file, from before where that is kept. What is returned must not be changed."""
    kept = _kept.get()
    if kept is not None and path in kept:
        return kept[path]
    with open_npz(path) as file:
        found = file.read(*names)
    if kept is not None:
        kept[path] = found
    return found


def templates() -> Tensor:
    """(5, 15) metres: the bone lengths of S1, S5, S6, S7 and S8 that the released code swaps in."""
    return torch.tensor(_constants()["templates"]["lengths"], dtype=torch.float32)


@dataclass(frozen=True)
class Camera:
    """rotation: (3, 3), world to camera axes. place: (3,) metres. nine: its numbers as geometry.project wants them.

    size: width and height in pixels. 2D is normalised by the width, as everywhere in the literature, although two of
    the cameras give two lines more than columns.
    """

    rotation: np.ndarray
    place: np.ndarray
    nine: np.ndarray
    size: np.ndarray

    def seen(self, world: np.ndarray) -> np.ndarray:
        """Points (..., 3) of the world in the camera's frame, metres."""
        return (world - self.place) @ self.rotation.T

    def normalised(self, pixels: np.ndarray) -> np.ndarray:
        return (2 * pixels - self.size) / self.size[0]


@cache
def cameras(subject: str) -> tuple[Camera, ...]:
    """The four cameras as they stood for a subject."""
    found = []
    for inside, outside in zip(_constants()["intrinsics"], _constants()["extrinsics"][subject], strict=True):
        size = np.array([inside["res_w"], inside["res_h"]], dtype=float)
        focal = 2 * np.array(inside["focal_length"]) / size[0]
        centre = (2 * np.array(inside["center"]) - size) / size[0]
        nine = np.concatenate((focal, centre, inside["radial_distortion"], inside["tangential_distortion"]))
        place = np.array(outside["translation"]) / 1000
        found.append(Camera(_turn(outside["orientation"]).T, place, nine.astype(np.float32), size))
    return tuple(found)


@cache
def _constants() -> dict[str, Any]:
    return json.loads(asset("human36m.json").read_text())


def _turn(quaternion: list[float]) -> np.ndarray:
    """(3, 3) rotation matrix of the unit quaternion (w, x, y, z)."""
    w, x, y, z = np.array(quaternion) / np.linalg.norm(quaternion)
    return np.array([
        [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
        [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
        [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
    ])  # fmt: skip


class _Parts:
    """Poses as they come together."""

    def __init__(self, notes: list[str]):
        self.notes, self.clips = notes, []
        self.xyz, self.uv, self.camera, self.tag = [], [], [], []
        self.uneven: list[tuple[int, str]] = []
        self.sequences = 0

    def add(self, subject: str, action: str, view: int, camera: Camera, xyz, uv, frames) -> None:
        if action not in self.clips:
            self.clips.append(action)
        count, number = len(xyz), int(subject[1:])
        nine = torch.from_numpy(camera.nine).expand(count, 9)
        xyz = torch.from_numpy(xyz.astype(np.float32))
        self.xyz.append(xyz)
        self.uv.append(project(xyz, nine) if uv is None else torch.from_numpy(uv.astype(np.float32)))
        self.camera.append(nine)
        fixed = (number, self.clips.index(action), view)
        self.tag.append(
            np.stack([np.full(count, fixed[0]), np.full(count, fixed[1]), frames, np.full(count, fixed[2])], 1)
        )

    def poses(self, name: str) -> Poses:
        if self.uneven:
            lost = sum(frames for frames, _ in self.uneven)
            self.notes.append(
                f"{len(self.uneven)} of {self.sequences} sequences have 3D and 2D of unequal length and were cut to "
                f"the shorter, {lost:,} frames in all (the first: {self.uneven[0][1]})"
            )
        columns = (torch.cat(column).numpy() for column in (self.xyz, self.uv, self.camera))
        return make_poses(*columns, np.concatenate(self.tag), self.clips, name, self.notes)


def _take(parts: _Parts, subject, action, world, detected, stride: int, path: Path) -> None:
    """One action of one subject through the four cameras."""
    if not numeric(world, 3) or world.shape[1] not in BY_COUNT or world.shape[2] != 3:
        found = f"{world.dtype} of shape {world.shape}" if isinstance(world, np.ndarray) else type(world).__name__
        raise UserError(f"{path}: {subject} {action} is {found}; expected numbers (frames, 32, 17 or 16, 3), metres.")
    world = sixteen(world.astype(float), BY_COUNT[world.shape[1]])
    views: list[np.ndarray | None] = [None] * 4
    if detected is not None:
        views = detected.get(subject, {}).get(action)
        if views is None:
            parts.notes.append(f"{subject} {action} has no 2D in the 2D file and is left out")
            return
    for view, (camera, pixels) in enumerate(zip(cameras(subject), views, strict=True)):
        parts.sequences += 1
        count = len(world) if pixels is None else min(len(world), len(pixels))
        if pixels is not None and len(pixels) != len(world):
            what = f"{subject} {action} camera {view + 1} with {len(world):,} and {len(pixels):,} frames"
            parts.uneven.append((abs(len(pixels) - len(world)), what))
        uv = None
        if pixels is not None:
            uv = camera.normalised(sixteen(pixels[:count:stride].astype(float), BY_COUNT[pixels.shape[1]]))
        frames = np.arange(0, count, stride)
        parts.add(subject, action, view, camera, camera.seen(world)[:count:stride], uv, frames)


def _subjects(spec: Spec, split: str, world: dict) -> tuple[tuple[str, ...], str, list[str]]:
    """The subjects wanted that are there, what to call them, and a note where some are not."""
    named = spec.names("subjects", [*SPLITS["all"], *(s[1:] for s in SPLITS["all"])])
    if named is not None:
        wanted = tuple(name if name.startswith("S") else f"S{name}" for name in named)
        title = ",".join(wanted)
    else:
        title = spec.choice("split", tuple(SPLITS), split)
        wanted = SPLITS[title]
    there = tuple(subject for subject in wanted if subject in world)
    if not there:
        has = ", ".join(map(str, list(world)[:12])) or "nobody"
        raise UserError(f"{spec.text}: {', '.join(wanted)} are wanted, but the file has {has}; choose among them.")
    missing = [subject for subject in wanted if subject not in there]
    return there, title, [f"{', '.join(missing)} are not in the file"] if missing else []


def _actions(spec: Spec, there: set[str]) -> set[str]:
    """The takes wanted: 'Walking' means 'Walking' and 'Walking 1'."""
    plain = sorted({action.split(" ")[0] for action in there})
    named = spec.names("actions", [*plain, *sorted(there)])
    return there if named is None else {action for action in there if action in named or action.split(" ")[0] in named}


def _detected(spec: Spec, keypoints: str) -> dict:
    """subject -> action -> four arrays (frames, 17 or 16, 2) of pixels, of the 2D file that is named."""
    path = spec.path.parent / KEYPOINTS.get(keypoints, keypoints)
    if not path.is_file():
        beside = sorted(file.name for file in spec.path.parent.glob("data_2d_*.npz"))
        if keypoints in KEYPOINTS:
            raise UserError(f"{spec.text}: {path} is not there; put the 2D file beside the 3D, or take keypoints=gt.")
        known = ("gt", *KEYPOINTS, *beside)
        has = f"choose gt, {', '.join(KEYPOINTS)} or the name of a file (there is {', '.join(beside) or 'none'})"
        raise UserError(
            f"{spec.text}: the 2D of keypoints={keypoints} is not at {path}; {closest(keypoints, known, has)}"
        )
    columns = _read(path, "positions_2d", "metadata")
    if "positions_2d" not in columns:
        raise UserError(
            f"{path} has no positions_2d; name a 2D file in the layout of data_2d_h36m_cpn_ft_h36m_dbb.npz."
        )
    _refuse_coco(columns.get("metadata"), path)
    table = _table(columns["positions_2d"], path, "positions_2d")
    detected: dict[str, dict[str, list[np.ndarray]]] = {}
    promised = 0
    for subject, actions in table.items():
        detected[subject] = {}
        for action, views in actions.items():
            good = isinstance(views, list | tuple) or (isinstance(views, np.ndarray) and views.ndim > 0)
            good = good and len(views) == 4 and all(numeric(v, 3) and v.shape[1] in (16, 17) for v in views)
            if not good or any(v.shape[2] < 2 for v in views):
                raise UserError(
                    f"{path}: {subject} {action} is not four arrays of shape (frames, 17 or 16, 2); prepare the file "
                    "as data_2d_h36m_cpn_ft_h36m_dbb.npz is."
                )
            detected[subject][action] = [v[..., :2] for v in views]
            promised += sum(v.nbytes for v in views)
    require_room(path, promised, path.stat().st_size)
    return detected


def _refuse_coco(metadata, path: Path) -> None:
    symmetry = metadata.get("keypoints_symmetry") if isinstance(metadata, dict) else None
    left = symmetry[0] if isinstance(symmetry, list | tuple) and symmetry else ()
    left = left.tolist() if numeric(left, 1) else left
    if isinstance(left, list | tuple) and all(isinstance(n, int) for n in left) and tuple(left) == COCO_LEFT:
        raise UserError(
            f"{path} has its joints in COCO's order, without pelvis, thorax and head; take detections in Human3.6M's "
            "order, such as data_2d_h36m_cpn_ft_h36m_dbb.npz."
        )


def _table(found: Any, path: Path, key: str) -> dict[str, dict[str, Any]]:
    """subject -> action -> content; UserError where it is anything else."""
    good = isinstance(found, dict) and found and all(isinstance(actions, dict) for actions in found.values())
    if not good or not all(isinstance(name, str) for actions in (found, *found.values()) for name in actions):
        raise UserError(f"{path}: {key} is not a table of subjects and their actions; prepare it as VideoPose3D does.")
    count = sum(map(len, found.values()))
    if count > MOST_SEQUENCES:
        raise UserError(
            f"{path}: {key} has {count:,} sequences, at most {MOST_SEQUENCES:,} are read and Human3.6M has 210; get it "
            "again from its source."
        )
    return found
