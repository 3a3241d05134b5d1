"""The test set of MPI-INF-3DHP: the official annot_data.mat files, and the two extractions of it in use.

Official: a folder TS1 to TS6 each with annot_data.mat (MATLAB 7.3): annot2 (frames, 1, 17, 2) pixels, annot3 and
univ_annot3 (frames, 1, 17, 3) millimetres in the camera's frame, valid_frame, activity_annotation. The extractions,
mpi_inf_3dhp_valid.npz of SPIN and test_3dhp.npz of PoseAug, keep the 3D relative to the pelvis only.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from poseaug_core.errors import UserError
from poseaug_core.keypoints import normalised
from poseaug_core.motion.clip import Progress, tell
from poseaug_core.poses import Poses, make_poses
from poseaug_core.readers.hdf5_file import open_hdf5
from poseaug_core.readers.joints import DHP_17, DHP_28, sixteen
from poseaug_core.readers.placing import apart, fitted_camera, pinhole, placed, require_sane
from poseaug_core.readers.spec import Spec

NAME = "MPI-INF-3DHP test"
ANNOTATIONS = "annot_data.mat"
#: The official evaluation takes the 3D scaled to one size of skeleton.
SKELETONS = ("univ_annot3", "annot3")
TABLES = {17: DHP_17, 28: DHP_28}
#: Valid frames of TS1 to TS6, 2,929 in all, in which order the extractions have them.
COUNTS = (603, 540, 505, 553, 276, 452)
#: Activities 1 to 7.
ACTIVITIES = (
    "Standing and walking", "Exercise", "Sitting", "Reaching and crouching", "On the floor", "Sports", "Miscellaneous",
)  # fmt: skip
#: Image sizes and focal lengths in pixels: of TS1 to TS4, and of TS5 and TS6.
STUDIO, OUTDOORS = ((2048, 2048), 1499.0), ((1920, 1080), 1684.0)


def view_of(sequence: int) -> tuple[np.ndarray, np.ndarray]:
    """(size (2,), camera (9,)) of a test sequence; the centre is taken to be the image's."""
    size, focal = OUTDOORS if sequence in (5, 6) else STUDIO
    size = np.array(size, dtype=float)
    return size, pinhole((focal, focal), size / 2, size)


def annotation_files(path: Path) -> list[Path]:
    """The annot_data.mat itself, or those at any depth below the folder, in name order."""
    return [path] if path.is_file() else sorted(file for file in path.rglob(ANNOTATIONS) if file.is_file())


def read_dhp(spec: Spec, progress: Progress | None = None) -> Poses:
    """The valid frames of the official files. Options: sequences (TS1 ... TS6), annotation (univ_annot3 or annot3)
    and stride. Tags: subject the sequence's number, clip the activity, frame from 0.

    The camera is fitted to 3D and 2D, sequence by sequence. Raises UserError for files of another layout.
    """
    spec.only("sequences", "annotation", "stride")
    key = spec.choice("annotation", SKELETONS, SKELETONS[0])
    stride = spec.number("stride", 1, 1, 10_000)
    files = {_sequence(file) or file.parent.name: file for file in annotation_files(spec.path)}
    named = spec.names("sequences", [f"TS{n}" if isinstance(n, int) else n for n in files])
    files = {n: file for n, file in files.items() if named is None or (f"TS{n}" if isinstance(n, int) else n) in named}
    columns: list[tuple[np.ndarray, ...]] = []
    clips: list[str] = []
    notes = [f"3D is {key}, the head is the top of the head"]
    for number, (sequence, file) in enumerate(files.items()):
        tell(progress, 0.9 * number / len(files), f"reading {file}")
        columns.append(_official(file, sequence, key, stride, clips, notes))
    return make_poses(*map(np.concatenate, zip(*columns, strict=True)), clips, NAME, notes)


def _official(file: Path, sequence: int | str, key: str, stride: int, clips: list[str], notes: list[str]):
    """(xyz, uv, camera, tag) of one file; its activities join clips."""
    with open_hdf5(file) as opened:
        found = opened.read("annot2", key, "valid_frame", "activity_annotation")
    missing = [name for name in ("annot2", key) if name not in found]
    if missing:
        raise UserError(f"{file}: {', '.join(missing)} missing; give an {ANNOTATIONS} of the official test set.")
    flat, solid = (_joints(found[name], width, name, file) for name, width in (("annot2", 2), (key, 3)))
    count = min(len(flat), len(solid))
    frames = np.arange(count)
    if "valid_frame" in found:
        frames = np.flatnonzero(_of_frames(found["valid_frame"], count, "valid_frame", file))
    frames = frames[::stride]
    if not len(frames):
        raise UserError(f"{file}: 0 of its {count:,} frames are valid, at least 1 is needed; get the file again.")
    number = sequence if isinstance(sequence, int) else 0
    size, _ = view_of(number)
    if not number:
        notes.append(f"{file.parent.name} is none of TS1 to TS6, its images are taken to be 2048 x 2048")
    xyz, uv = solid[frames] / 1000, normalised(flat[frames], size)
    require_sane(file, xyz, uv)
    camera = np.tile(fitted_camera(xyz, uv), (len(xyz), 1))
    error = np.median(apart(xyz, uv, camera)) * size.max() / 2
    notes.append(
        f"TS{number}: {len(frames):,} of {count:,} frames, a camera fitted with a median error of {error:.1f} px"
    )
    activity = _of_frames(found.get("activity_annotation", np.zeros(count)), count, "activity_annotation", file)
    known = {number: name for number, name in enumerate(ACTIVITIES, 1)}
    named = [known.get(a, f"TS{number}") for a in activity[frames].tolist()]
    clips += [name for name in dict.fromkeys(named) if name not in clips]
    clip = np.array([clips.index(name) for name in named])
    return xyz, uv, camera, np.stack((np.full(len(xyz), number), clip, frames, np.zeros(len(xyz), int)), axis=1)


def _of_frames(column: np.ndarray, count: int, name: str, file: Path) -> np.ndarray:
    """(count,) of a column that has a number for each frame."""
    if column.dtype.kind not in "fiub" or column.size < count:
        raise UserError(
            f"{file}: {name} is {column.dtype} of shape {column.shape}, but {count:,} frames need a number each; get "
            "the file again."
        )
    return np.ravel(column)[:count]


def _joints(column: np.ndarray, width: int, name: str, file: Path) -> np.ndarray:
    """(frames, 16, width) of (frames, 1, 17 or 28, width)."""
    good = column.dtype.kind in "fiu" and column.ndim >= 3 and column.shape[-2] in TABLES and column.shape[-1] == width
    if not good or column.size != len(column) * column.shape[-2] * width:
        raise UserError(
            f"{file}: {name} is {column.dtype} of shape {column.shape}, expected numbers of shape "
            f"(frames, 1, 17, {width}); get the file again."
        )
    column = column.reshape(len(column), *column.shape[-2:]).astype(float)
    return sixteen(column, TABLES[column.shape[-2]])


def _sequence(file: Path) -> int | None:
    """6 of .../TS6/annot_data.mat."""
    found = re.fullmatch(r"TS(\d{1,2})", file.resolve().parent.name, re.IGNORECASE)
    return int(found[1]) if found else None


def sequence_in(name: str) -> int:
    """6 of mpi_inf_3dhp_test_set/TS6/imageSequence/img_000001.jpg, 0 where there is none."""
    found = re.search(r"(?:^|[/\\_])TS(\d)(?=[/\\_])", name)
    return int(found[1]) if found else 0


def from_test_3dhp(body: np.ndarray, uv: np.ndarray, path: Path) -> Poses:
    """Poses of PoseAug's test_3dhp.npz: pose3d (n, 16, 3) metres from the pelvis, pose2d (n, 16, 2) normalised.

    With 2,929 rows they are TS1 to TS6 in order, else each row takes the camera that fits it better.
    """
    views = [view_of(sequence)[1] for sequence in (1, 5)]
    if len(body) == sum(COUNTS):
        sequence = np.repeat(np.arange(1, 7), COUNTS)
        camera = np.where(sequence[:, None] < 5, *views)
        frame = np.concatenate([np.arange(count) for count in COUNTS])
    else:
        errors = [apart(placed(body, uv, np.tile(v, (len(uv), 1))), uv, v[None]) for v in views]
        camera = np.where((errors[0] <= errors[1])[:, None], *views)
        sequence, frame = np.zeros(len(body), int), np.arange(len(body))
    clips = ["TS1 to TS6", *(f"TS{n}" for n in range(1, 7))]
    tag = np.stack((sequence, sequence, frame, np.zeros_like(frame)), axis=1)
    return poses_without_place(body, uv, camera, tag, clips, NAME, path, [])


def poses_without_place(body, uv, camera, tag, clips, name: str, path: Path, notes: list[str]) -> Poses:
    """Poses of 3D that is relative to the pelvis: people are put where they fall on their 2D.

    Those that would be behind the camera are left out and said. Raises UserError where all are.
    """
    if not len(body):
        raise UserError(f"{path}: there are 0 poses in it, at least 1 is needed; check the file or its filters.")
    require_sane(path, body, uv)
    xyz = placed(body.astype(float), uv.astype(float), camera.astype(float))
    good = (xyz[..., 2] > 0.1).all(1)
    if not good.any():
        raise UserError(f"{path}: no pose can be placed before the camera; pose3d must be metres, pose2d normalised.")
    error = np.median(apart(xyz[good], uv[good], camera[good]))
    notes = [
        *notes,
        "the file has 3D relative to the pelvis and no camera: where people stand is fitted to their 2D with the usual "
        f"focal length (median error {error:.3f} half image widths), which changes nothing relative to the pelvis",
    ]
    if not good.all():
        notes.append(f"{(~good).sum():,} poses cannot be placed before the camera and are left out")
    return make_poses(xyz[good], uv[good], camera[good], tag[good], clips, name, notes)
