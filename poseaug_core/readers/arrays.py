"""The plain array layout, as NPZ or HDF5: pose3d, pose2d, cam, and where each row is from.

Keys: ``pose3d`` (n, 16, 3) metres, camera frame, root kept; ``pose2d`` (n, 16, 2) normalised by image
width; ``cam`` (n, 9), see geometry.project. Optional: ``subject``, ``clip``, ``frame``, ``view`` (n,)
integers, ``clips``, the names that ``clip`` counts into, and ``notes``, what was decided while the poses were
made. PoseAug's test_3dhp.npz, which has no cameras and 3D
from the pelvis, is known. Object arrays are read as safe_pickle does, which runs nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from poseaug_core.errors import UserError
from poseaug_core.plain_text import plain
from poseaug_core.poses import TAGS, Poses, make_poses
from poseaug_core.readers.column_files import write_columns
from poseaug_core.readers.dhp import from_test_3dhp
from poseaug_core.readers.hdf5_file import SIGNATURE, Hdf5File, open_hdf5
from poseaug_core.readers.joints import BY_COUNT, sixteen
from poseaug_core.readers.npz_file import NpzFile, explained, open_npz
from poseaug_core.readers.safe_pickle import plain_texts
from poseaug_core.storage import replacing

NEEDED = ("pose3d", "pose2d", "cam")
SUFFIXES = (".npz", ".h5", ".hdf5")
#: Notes kept of a file.
NOTES = 40


def read_arrays(path: str | Path, name: str | None = None, joints: str = "") -> Poses:
    """Poses of an NPZ or HDF5 file, told apart by content, not by suffix.

    joints: 'h36m17' or 'h36m32' for poses that have Human3.6M's 17 or 32 joints, of which ours are taken.
    Raises UserError for a missing, unreadable, truncated or foreign file, missing keys, and all that
    make_poses refuses. Missing tags become zeros, missing frame numbers the row numbers.
    """
    path = Path(path)
    with _opened(path) as file:
        there = file.promised(*NEEDED, *TAGS, "clips", "notes")
        missing = [key for key in NEEDED if key not in there]
        numbers = [key for key in NEEDED if key in there and not missing and _is_numeric(there[key])]
        columns = file.read(*(key for key in there if key not in numbers))
        for key, column in columns.items():
            if not isinstance(column, np.ndarray):
                raise UserError(
                    f"{path}: {key} is a {type(column).__name__}, it needs an array; save plain numeric arrays."
                )
        if missing == ["cam"] and _is_test_3dhp(columns):
            return from_test_3dhp(columns["pose3d"], columns["pose2d"], path)
        if missing:
            raise UserError(
                f"{path}: {', '.join(missing)} missing, the file has {_listed(there or file.names)}; "
                "save pose3d (n,16,3), pose2d (n,16,2) and cam (n,9)."
            )
        for key in NEEDED:
            if key in columns and columns[key].dtype.kind not in "fiu":
                raise UserError(
                    f"{path}: {key} holds {columns[key].dtype} values, it needs numbers; save it as float32."
                )
        rows = there["pose3d"].shape[0] if there["pose3d"].shape else 0
        tag, clips = _tags(columns, rows, path)
        tables = {key: _ours(there[key].shape, joints, path) for key in NEEDED[:2]}
        for key in numbers:
            columns[key] = _filled(file.bands(key), there[key].shape, tables.get(key))
    notes = _notes(columns.get("notes"))
    return make_poses(*(columns[key] for key in NEEDED), tag, clips, name or path.stem, notes)


def _is_numeric(promised) -> bool:
    """Whether what a header promises are rows of numbers, which are taken band by band."""
    return promised.dtype.kind in "fiu" and len(promised.shape) > 0


def _filled(parts: Iterator[np.ndarray], shape: tuple[int, ...], table: tuple[int, ...] | None) -> np.ndarray:
    """float32 rows of the shape as their parts come, of joints those of the table alone."""
    out = np.empty(shape if table is None else (shape[0], len(table), *shape[2:]), dtype=np.float32)
    start = 0
    for part in parts:
        with np.errstate(over="ignore"):  # what becomes infinite is refused with the rest
            out[start : start + len(part)] = part if table is None else sixteen(part, table)
        start += len(part)
    return out


def _notes(column: np.ndarray | None) -> tuple[str, ...]:
    """What the file says of how it was made, cut short where a stranger says too much."""
    texts = plain_texts(column) or []
    return tuple("".join(filter(str.isprintable, text[:400])) for text in texts[:NOTES])


def _ours(shape: tuple[int, ...], joints: str, path: Path) -> tuple[int, ...] | None:
    """Which joints of points (n, 17 or 32, d) are ours, where the user says that they are Human3.6M's; None for all."""
    count = shape[1] if len(shape) == 3 else 0
    if not joints or count == 16:
        return None
    if joints != f"h36m{count}" or count not in BY_COUNT:
        raise UserError(f"{path}: joints={joints} does not fit arrays of shape {shape}; leave it out.")
    return BY_COUNT[count]


def _is_test_3dhp(columns: dict[str, np.ndarray]) -> bool:
    """Whether the arrays are PoseAug's test_3dhp.npz: no cameras, and every pelvis at 0."""
    body, uv = columns["pose3d"], columns["pose2d"]
    good = body.dtype.kind == uv.dtype.kind == "f" and body.shape[1:] == (16, 3) and uv.shape[1:] == (16, 2)
    return good and len(body) == len(uv) > 0 and not body[:, 0].any()


def write_arrays(poses: Poses, path: str | Path) -> Path:
    """Poses as .npz or .h5, complete or not at all; read_arrays gives back the same numbers.

    Raises UserError where the suffix is another, the folder cannot be written or the disk is full.
    """
    path = require_target(path)
    columns = {
        key: column.detach().cpu().numpy()
        for key, column in zip(NEEDED, (poses.xyz, poses.uv, poses.camera), strict=True)
    }
    tag = poses.tag.cpu().numpy()
    columns |= {key: np.ascontiguousarray(tag[:, i]) for i, key in enumerate(TAGS)}
    texts = {"clips": list(map(plain, poses.clips)), "notes": list(map(plain, poses.notes))}
    needed = sum(column.nbytes for column in columns.values()) + 64 * len(poses.clips) + 65_536
    with replacing(path, needed) as part:
        write_columns(part, path.suffix, columns, texts)
    return path


def require_target(path: str | Path) -> Path:
    """The path, if arrays can be written there: UserError for another suffix, a folder, or no folder around it."""
    path = Path(path)
    if path.suffix.lower() not in SUFFIXES:
        raise UserError(f"{path}: cannot write '{path.suffix}' files; end the name in {', '.join(SUFFIXES)}.")
    if not path.parent.is_dir():
        raise UserError(f"{path} cannot be written: the folder {path.parent} does not exist; make it first.")
    if path.is_dir():
        raise UserError(f"{path} is a folder; name a file in it.")
    return path


@contextmanager
def _opened(path: Path) -> Iterator[NpzFile | Hdf5File]:
    """The file by what it is; UserError for what is neither."""
    with explained(path), open(path, "rb") as stream:
        magic = stream.read(8)
    if magic.startswith(b"PK\x03\x04"):
        with open_npz(path) as file:
            yield file
    elif magic == SIGNATURE:
        with open_hdf5(path) as file:
            yield file
    else:
        what = f"it begins with {magic!r}" if magic else "it has 0 bytes"
        raise UserError(f"{path} is neither NPZ nor HDF5 ({what}); give arrays written as .npz or .h5.")


def _tags(columns: dict[str, np.ndarray], rows: int, path: Path) -> tuple[np.ndarray, tuple[str, ...]]:
    """((rows, 4) int32, clip names) with every clip number counting into the names."""
    tag = np.zeros((rows, len(TAGS)), dtype=np.int32)
    tag[:, TAGS.index("frame")] = np.arange(rows)
    for i, key in enumerate(TAGS):
        column = columns.get(key)
        if column is None:
            continue
        if column.shape != (rows,) or column.dtype.kind not in "iu":
            raise UserError(
                f"{path}: {key} is {column.dtype} of shape {column.shape}, expected {rows} integers, one a pose."
            )
        if rows and (column.min() < 0 or column.max() > np.iinfo(np.int32).max):
            raise UserError(f"{path}: {key} runs from {column.min()} to {column.max()}; number them from 0.")
        tag[:, i] = column
    clips = columns.get("clips")
    if clips is None:
        numbers, tag[:, 1] = np.unique(tag[:, 1], return_inverse=True)
        return tag, tuple(f"{path.stem} {n}" for n in numbers) if len(numbers) > 1 else (path.stem,)
    names = plain_texts(clips)
    if names is None:
        raise UserError(f"{path}: clips is not a list of names; save an array of texts.")
    if rows and tag[:, 1].max() >= max(len(names), 1):
        raise UserError(
            f"{path}: clip goes up to {tag[:, 1].max()}, but clips names only {len(names)}; name every clip."
        )
    return tag, tuple(names)


def _listed(names: Iterable[str]) -> str:
    names = sorted(map(str, names))
    return ", ".join(names[:8]) + (f" and {len(names) - 8} more" if len(names) > 8 else "") if names else "no arrays"
