"""Lifted poses as files: arrays, CSV, JSON and BVH, written a chunk at a time, whole or not at all."""

from __future__ import annotations

import csv
import json
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np

from poseaug_core.errors import UserError
from poseaug_core.motion.bvh_writer import write_bvh
from poseaug_core.skeleton import HUMAN16
from poseaug_core.storage import replacing

CHUNK = 4096
UNITS = "metres relative to the pelvis; camera frame: x right, y down, z forward"


@dataclass(frozen=True)
class LiftedPoses:
    """n lifted poses. xyz: (n, 16, 3) root-relative metres, may be mapped from disk. uv: (n, 16, 2) that was lifted.

    confidence: (n, 16) of the 2D. names: of the rows. baseline: (n, 16, 3) of a second estimator, or None.
    estimator: what lifted them. fps: frames a second, for motion. one_person: whether each image has one row.
    """

    xyz: np.ndarray
    uv: np.ndarray
    confidence: np.ndarray
    names: Sequence[str]
    estimator: str
    baseline: np.ndarray | None = None
    fps: float = 30.0
    one_person: bool = True

    def __len__(self) -> int:
        return len(self.xyz)

    def columns(self) -> dict[str, np.ndarray]:
        """Arrays by the names they have in .npz and .h5 files."""
        found = {"pose3d": self.xyz, "pose2d": self.uv, "confidence": self.confidence}
        return found | ({} if self.baseline is None else {"pose3d_baseline": self.baseline})


def write_lifted(poses: LiftedPoses, path: str | Path) -> tuple[Path, list[str]]:
    """Write to .npz, .h5, .csv, .json or .bvh, by the suffix; the path and what to say of it. Raises UserError.

    Arrays: pose3d, pose2d, confidence, images (and pose3d_baseline). CSV and JSON: a row or entry a pose, joints by
    name. BVH: the poses as one motion.
    """
    path = require_lifted_target(path)
    return path, WRITERS[path.suffix.lower()](poses, path) or []


def require_lifted_target(path: str | Path) -> Path:
    """The path, if lifted poses can be written there; UserError for another suffix or a missing folder."""
    path = Path(path)
    if path.suffix.lower() not in WRITERS:
        raise UserError(f"{path}: cannot write '{path.suffix}' files; end the name in {', '.join(WRITERS)}.")
    if not path.absolute().parent.is_dir():
        raise UserError(f"{path} cannot be written: the folder {path.parent} does not exist; make it first.")
    if path.is_dir():
        raise UserError(f"{path} is a folder; name a file in it.")
    return path


def _slices(poses: LiftedPoses):
    return (slice(start, start + CHUNK) for start in range(0, len(poses), CHUNK))


def _npz(poses: LiftedPoses, path: Path) -> None:
    columns = poses.columns()
    with replacing(path, sum(column.nbytes for column in columns.values()) + 200 * len(poses)) as part:
        with zipfile.ZipFile(part, "w", zipfile.ZIP_STORED, allowZip64=True) as archive:
            for key, column in columns.items():
                with archive.open(f"{key}.npy", "w", force_zip64=True) as member:
                    header = {"descr": "<f4", "fortran_order": False, "shape": column.shape}
                    np.lib.format.write_array_header_1_0(member, header)
                    for rows in _slices(poses):
                        member.write(np.ascontiguousarray(column[rows], "<f4").tobytes())
            with archive.open("images.npy", "w") as member:
                np.lib.format.write_array(member, np.array(poses.names, dtype=np.str_), allow_pickle=False)


def _h5(poses: LiftedPoses, path: Path) -> None:
    columns = poses.columns()
    with replacing(path, sum(column.nbytes for column in columns.values()) + 200 * len(poses)) as part:
        with h5py.File(part, "w") as file:
            for key, column in columns.items():
                made = file.create_dataset(key, shape=column.shape, dtype=np.float32)
                for rows in _slices(poses):
                    made[rows] = column[rows]
            file.create_dataset("images", data=list(poses.names), dtype=h5py.string_dtype())
            file.attrs.update(units=UNITS, estimator=poses.estimator, joints=list(HUMAN16.names))


def _csv(poses: LiftedPoses, path: Path) -> None:
    """A header, then a row a pose: image, x y z of each joint in metres, then the confidence of each."""
    joints = [name.replace(" ", "_") for name in HUMAN16.names]
    kinds = [("", poses.xyz)] + ([] if poses.baseline is None else [("baseline_", poses.baseline)])
    header = ["image", *(f"{kind}{joint}_{axis}" for kind, _ in kinds for joint in joints for axis in "xyz")]
    header += [f"{joint}_confidence" for joint in joints]
    with replacing(path, 700 * len(poses)) as part, open(part, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(header)
        for rows in _slices(poses):
            parts = [np.asarray(column[rows]).reshape(-1, 48) for _, column in kinds] + [poses.confidence[rows]]
            for name, numbers in zip(poses.names[rows], np.concatenate(parts, axis=1).tolist(), strict=True):
                writer.writerow([name, *(f"{number:.5f}" for number in numbers)])


def _json(poses: LiftedPoses, path: Path) -> None:
    head = {"units": UNITS, "estimator": poses.estimator, "fps": poses.fps, "joints": list(HUMAN16.names)}
    with replacing(path, 1500 * len(poses)) as part, open(part, "w", encoding="utf-8") as file:
        file.write(json.dumps(head)[:-1] + ', "poses": [')
        for rows in _slices(poses):
            columns = [poses.xyz, poses.confidence, poses.uv, *([] if poses.baseline is None else [poses.baseline])]
            lists = [np.round(np.asarray(column[rows], np.float64), 5).tolist() for column in columns]
            for number, (name, *values) in enumerate(zip(poses.names[rows], *lists, strict=True), rows.start):
                keys = ("image", "xyz", "confidence", "uv", "baseline_xyz")
                entry = dict(zip(keys, (name, *values), strict=False))
                file.write(("," if number else "") + "\n" + json.dumps(entry))
        file.write("\n]}\n")


def _bvh(poses: LiftedPoses, path: Path) -> list[str]:
    if not poses.one_person:
        raise UserError(f"{path}: a BVH file moves one person, but some images have several; choose one by ?person=0.")
    moved = write_bvh(poses.xyz, path, poses.fps)["moved_mm"]
    return [
        f"BVH has one length a bone: the medians are used, which moves joints by {moved:.0f} mm on average; "
        f"{poses.fps:g} frames a second."
    ]


#: suffix -> writer, which may give sentences about what was written.
WRITERS: dict[str, Callable[[LiftedPoses, Path], list[str] | None]] = {
    ".npz": _npz,
    ".h5": _h5,
    ".csv": _csv,
    ".json": _json,
    ".bvh": _bvh,
}
