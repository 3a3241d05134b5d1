"""3DPW: the official sequenceFiles, one pickle a sequence, read without running anything in them.

jointPositions: for each person (frames, 72) metres in the world, SMPL's 24 joints; cam_poses (frames, 4, 4), world to
camera; cam_intrinsics (3, 3) pixels; campose_valid: for each person (frames,).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from poseaug_core.errors import UserError
from poseaug_core.keypoints import normalising_side
from poseaug_core.motion.clip import Progress, tell
from poseaug_core.poses import Poses, make_poses
from poseaug_core.readers.joints import smpl16
from poseaug_core.readers.limits import require_room
from poseaug_core.readers.npz_file import explained
from poseaug_core.readers.placing import FARTHEST, pinhole, require_sane
from poseaug_core.readers.safe_pickle import numeric, read_pickle
from poseaug_core.readers.spec import Spec

SPLITS = ("train", "validation", "test", "all")
KEYS = ("jointPositions", "cam_poses", "cam_intrinsics")
#: People in a sequence; 3DPW has at most two.
MOST_PEOPLE = 1000
#: The usual focal length in pixels, where a file has none.
FOCAL = 1962.0


def sequence_files(path: Path) -> list[Path]:
    """The pickle itself, or those at any depth below the folder, in name order."""
    return [path] if path.is_file() else sorted(file for file in path.rglob("*.pkl") if file.is_file())


def read_pw3d(spec: Spec, progress: Progress | None = None) -> Poses:
    """Every person in every frame whose camera is valid; 2D is projected from the 3D.

    Options: split (test, train, validation, all) where the folder has folders of these names, sequences, stride.
    Tags: subject a number for each person of each sequence, clip the sequence, frame. Raises UserError for pickles
    of anything but arrays and plain containers, and for files of another layout.
    """
    spec.only("split", "sequences", "stride")
    stride = spec.number("stride", 1, 1, 10_000)
    files, title = _chosen(spec)
    columns, clips, notes = [], [], []
    person = upright = behind = 0
    for number, file in enumerate(files):
        tell(progress, 0.9 * number / len(files), f"reading {file.name}")
        data = _sequence(file)
        size = np.round(2 * data["cam_intrinsics"][:2, 2])
        upright += bool(normalising_side(size) > size[0])
        clips.append(file.stem)
        for column, lost in _people(data, size, stride, (person, len(clips) - 1), file):
            columns.append(column)
            behind += lost
            person += 1
    notes.append("joints are SMPL's: spine is its second, the head is twice as far from the neck as SMPL's")
    if upright:
        notes.append(f"images of {upright} of {len(files)} sequences are portrait and count as padded to squares")
    if behind:
        notes.append(f"{behind:,} people are not in front of the camera and are left out")
    xyz, camera, tag = map(np.concatenate, zip(*columns, strict=True))
    return make_poses(xyz, None, camera, tag, clips, f"3DPW {title}".strip(), notes)


def _chosen(spec: Spec) -> tuple[list[Path], str]:
    """The files of the split and the sequences wanted, and what to call them."""
    files = sequence_files(spec.path)
    parts = {file.parent.name for file in files} & set(SPLITS)
    title = spec.choice("split", SPLITS, "test" if "test" in parts else "all")
    if title != "all":
        files = [file for file in files if file.parent.name == title]
    if not files:
        has = ", ".join(sorted(parts)) or "no such folders"
        raise UserError(f"{spec.text}: there are 0 sequences of split={title}; it has {has}.")
    named = spec.names("sequences", [file.stem for file in files])
    return [file for file in files if named is None or file.stem in named], "" if title == "all" else title


def _sequence(file: Path) -> dict:
    """What is pickled in file, with arrays where they must be."""
    with explained(file), open(file, "rb") as stream:
        size = file.stat().st_size
        require_room(file, size, size)
        data = read_pickle(stream, size, file)
    missing = [key for key in KEYS if not isinstance(data, dict) or key not in data]
    if missing:
        raise UserError(f"{file}: {', '.join(missing)} missing; give a pickle of 3DPW's sequenceFiles.")
    poses, inside = data["cam_poses"], data["cam_intrinsics"]
    people = data["jointPositions"]
    good = numeric(poses, 3) and poses.shape[1:] == (4, 4) and numeric(inside, 2) and inside.shape == (3, 3)
    good = good and _listed(people) and 0 < len(people) <= MOST_PEOPLE
    if not good or not all(numeric(p, 2) and p.shape[1] == 72 for p in people) or not _plausible(inside):
        raise UserError(
            f"{file}: expected jointPositions as a list of (frames, 72), cam_poses (frames, 4, 4) and cam_intrinsics "
            "(3, 3); give a pickle of 3DPW's sequenceFiles."
        )
    require_room(file, sum(p.nbytes for p in people), size)  # one array may be named many times
    return data


def _plausible(inside: np.ndarray) -> bool:
    """Whether focal lengths and centre are pixels of an image."""
    numbers = inside[[0, 1, 0, 1], [0, 1, 2, 2]]
    return bool(((numbers > 1) & (numbers < FARTHEST)).all())


def _listed(value) -> bool:
    return isinstance(value, list | tuple) or (isinstance(value, np.ndarray) and value.ndim > 0)


def _valid(data: dict, number: int, count: int, file: Path) -> np.ndarray:
    """Which of the first ``count`` frames have a valid camera for a person; all where the file does not say."""
    valid = data.get("campose_valid")
    if not _listed(valid) or len(valid) <= number:
        return np.arange(count)
    flags = valid[number]
    # Lists are looked through before NumPy is given them: lists of lists that hold each other would double each time.
    if isinstance(flags, list | tuple) and all(isinstance(flag, int | float) for flag in flags):
        flags = np.array(flags, dtype=float)
    if not isinstance(flags, np.ndarray) or flags.ndim != 1 or flags.dtype.kind not in "fiub":
        raise UserError(
            f"{file}: campose_valid of person {number} is not a list of one number a frame; give a pickle of 3DPW's "
            "sequenceFiles."
        )
    return np.flatnonzero(flags[:count])


def _people(data: dict, size: np.ndarray, stride: int, tags: tuple[int, int], file: Path):
    """For each person ((xyz, camera, tag), number behind the camera), of the frames with a valid camera."""
    inside, poses = data["cam_intrinsics"], data["cam_poses"].astype(float)
    nine = pinhole(inside[[0, 1], [0, 1]], inside[:2, 2], size)
    for number, joints in enumerate(data["jointPositions"]):
        count = min(len(joints), len(poses))
        frames = _valid(data, number, count, file)[::stride]
        world = joints[frames].astype(float).reshape(-1, 24, 3)
        turn, place = poses[frames, :3, :3], poses[frames, :3, 3]
        with np.errstate(over="ignore", invalid="ignore"):
            xyz = smpl16(world @ turn.transpose(0, 2, 1) + place[:, None])
        require_sane(file, xyz, np.zeros_like(xyz))
        front = (xyz[..., 2] > 0.1).all(1)
        person, clip = tags[0] + number, tags[1]
        tag = np.stack([np.full(len(xyz), person), np.full(len(xyz), clip), frames, np.zeros(len(xyz), int)], axis=1)
        yield (xyz[front], np.tile(nine, (int(front.sum()), 1)), tag[front]), int((~front).sum())
