"""The plain array layout, as NPZ or HDF5: pose3d, pose2d, cam, and where each row is from.

Keys: ``pose3d`` (n, 16, 3) metres, camera frame, root kept; ``pose2d`` (n, 16, 2) normalised by image
width; ``cam`` (n, 9), see geometry.project. Optional: ``subject``, ``clip``, ``frame``, ``view`` (n,)
integers and ``clips``, the names that ``clip`` counts into. Nothing is ever unpickled.
"""

from __future__ import annotations

import zipfile
import zlib
from contextlib import contextmanager
from pathlib import Path

import h5py
import numpy as np

from poseaug_core.errors import UserError
from poseaug_core.poses import TAGS, Poses, make_poses
from poseaug_core.storage import replacing

NEEDED = ("pose3d", "pose2d", "cam")
SUFFIXES = (".npz", ".h5", ".hdf5")


def read_arrays(path: str | Path, name: str | None = None) -> Poses:
    """Poses of an NPZ or HDF5 file, told apart by content, not by suffix.

    Raises UserError for a missing, unreadable, truncated or foreign file, missing keys, and all that
    make_poses refuses. Missing tags become zeros, missing frame numbers the row numbers.
    """
    path = Path(path)
    columns = _columns(path)
    missing = [key for key in NEEDED if key not in columns]
    if missing:
        raise UserError(
            f"{path}: {', '.join(missing)} missing, the file has {_listed(columns)}; "
            "save pose3d (n,16,3), pose2d (n,16,2) and cam (n,9)."
        )
    for key in NEEDED:
        if columns[key].dtype.kind not in "fiu":
            raise UserError(f"{path}: {key} holds {columns[key].dtype} values, it needs numbers; save it as float32.")
    rows = len(columns["pose3d"]) if columns["pose3d"].ndim else 0
    tag, clips = _tags(columns, rows, path)
    return make_poses(
        columns["pose3d"],
        columns["pose2d"],
        columns["cam"],
        tag,
        clips,
        name or path.stem,
    )


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
    clips = [str(clip) for clip in poses.clips]
    needed = sum(column.nbytes for column in columns.values()) + 64 * len(clips) + 65_536
    with replacing(path, needed) as part:
        if path.suffix.lower() == ".npz":
            with open(part, "wb") as stream:
                np.savez(stream, **columns, clips=np.array(clips, dtype=np.str_))
        else:
            with h5py.File(part, "w") as file:
                for key, column in columns.items():
                    file.create_dataset(key, data=column)
                file.create_dataset("clips", data=clips, dtype=h5py.string_dtype())
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


def _columns(path: Path) -> dict[str, np.ndarray]:
    """Every array of the layout that the file has."""
    with _explained(path):
        with open(path, "rb") as stream:
            magic = stream.read(8)
        if magic.startswith(b"PK\x03\x04"):
            with np.load(path, allow_pickle=False) as file:
                return {key: file[key] for key in file.files if key in (*NEEDED, *TAGS, "clips")} or dict.fromkeys(
                    file.files
                )
        if magic == b"\x89HDF\r\n\x1a\n":
            with h5py.File(path, "r") as file:
                known = [k for k in file if k in (*NEEDED, *TAGS, "clips") and isinstance(file[k], h5py.Dataset)]
                return {k: file[k].asstr()[()] if _text(file[k]) else file[k][()] for k in known} or dict.fromkeys(file)
    what = f"it begins with {magic!r}" if magic else "it has 0 bytes"
    raise UserError(f"{path} is neither NPZ nor HDF5 ({what}); give arrays written as .npz or .h5.")


def _text(dataset: h5py.Dataset) -> bool:
    return h5py.check_string_dtype(dataset.dtype) is not None


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
    names = tuple(map(str, np.atleast_1d(clips).tolist()))
    if rows and tag[:, 1].max() >= max(len(names), 1):
        raise UserError(
            f"{path}: clip goes up to {tag[:, 1].max()}, but clips names only {len(names)}; name every clip."
        )
    return tag, names


def _listed(columns: dict) -> str:
    names = sorted(map(str, columns))
    return ", ".join(names[:8]) + (f" and {len(names) - 8} more" if len(names) > 8 else "") if names else "no arrays"


@contextmanager
def _explained(path: Path):
    """Failures to open or decode a file, as one sentence."""
    try:
        yield
    except UserError:
        raise
    except FileNotFoundError:
        raise UserError(f"{path} does not exist; check the name and the folder.") from None
    except IsADirectoryError:
        raise UserError(f"{path} is a folder; name a file in it.") from None
    except PermissionError:
        raise UserError(f"{path} may not be read by this user; change its permissions (chmod u+r).") from None
    except (
        OSError,
        ValueError,
        EOFError,
        KeyError,
        RuntimeError,
        zipfile.BadZipFile,
        zlib.error,
    ) as error:
        reason = "it holds pickled objects" if "allow_pickle" in str(error) else "it is damaged or cut short"
        remedy = "save plain numeric arrays" if "pickled" in reason else "copy or write it again"
        raise UserError(f"{path} cannot be read: {reason}; {remedy}.") from error
