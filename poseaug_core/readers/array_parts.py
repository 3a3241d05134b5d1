"""The plain array layout in parts: poses of a file of any length, a few thousand in memory at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import numpy as np
import torch

from poseaug_core.checks import check_poses, check_projection
from poseaug_core.errors import UserError
from poseaug_core.poses import TAGS, Poses
from poseaug_core.readers.hdf5_file import SIGNATURE, open_hdf5
from poseaug_core.readers.keypoint_arrays import Streamed, open_streams
from poseaug_core.readers.keypoint_columns import CHUNK, chunks
from poseaug_core.readers.limits import require_honest
from poseaug_core.readers.npz_file import explained
from poseaug_core.readers.safe_pickle import plain_texts

POINTS = {"pose3d": (16, 3), "pose2d": (16, 2), "cam": (9,)}
#: Poses, spread over the file, whose 2D is compared with the projection of their 3D.
PROJECTED = 2000


class PoseFile:
    """Poses of an NPZ or HDF5 file in the plain layout, as arrays.read_arrays would give them, in parts."""

    def __init__(self, path: Path):
        self.path, self.name, self.notes, self.one_each = path, path.stem, (), True
        with self._columns() as columns:
            if not _is_plain(columns):
                raise ValueError
            self.count = columns["pose3d"].shape[0]
            names = columns.get("clips")
            self.clips = (path.stem,) if names is None else tuple(plain_texts(names.whole) or ())

    def __len__(self) -> int:
        return self.count

    def check(self, progress: Callable[[float], None]) -> None:
        """UserError where a part by itself would be refused: the file is then to be judged as a whole."""
        seen, every = [], max(len(self) // PROJECTED, 1)
        for done, poses in enumerate(self.parts(CHUNK)):
            progress(done * CHUNK / len(self))
            check_poses(poses.xyz, poses.uv, poses.camera, self.name)
            if self.clips and int(poses.tag[:, 1].max()) >= len(self.clips) or int(poses.tag.min()) < 0:
                raise UserError(f"{self.path}: numbers of clips or frames do not count into their names.")
            some = poses.take(slice(-(done * CHUNK) % every, None, every))
            seen.append([column.clone() for column in (some.xyz, some.uv, some.camera)])  # a view would hold the part
        check_projection(*map(torch.cat, zip(*seen, strict=True)), self.name)

    def parts(self, size: int) -> Iterator[Poses]:
        """All poses in order, so many at a time."""
        with explained(self.path), self._columns() as columns:
            for rows in chunks(len(self), size):
                points = [torch.from_numpy(columns[key].next(rows).astype(np.float32)) for key in POINTS]
                tag = np.zeros((rows.stop - rows.start, len(TAGS)), np.int32)
                tag[:, TAGS.index("frame")] = np.arange(rows.start, rows.stop)
                for number, key in enumerate(TAGS):
                    if key in columns:
                        tag[:, number] = columns[key].next(rows)
                yield Poses(*points, torch.from_numpy(tag), self.clips, self.name)

    @contextmanager
    def _columns(self) -> Iterator[dict[str, Streamed]]:
        known = (*POINTS, *TAGS, "clips")
        with open(self.path, "rb") as stream:
            magic = stream.read(8)
        with ExitStack() as stack:
            if magic.startswith(b"PK\x03\x04"):
                yield stack.enter_context(open_streams(self.path, known, whole=("clips",)))
            elif magic == SIGNATURE:
                file = stack.enter_context(open_hdf5(self.path))
                found = file.promised(*known, require=require_honest)
                found = {key: Streamed(one.shape, one.dtype, whole=one) for key, one in found.items()}
                yield found | {key: Streamed((), np.dtype(object), whole=v) for key, v in file.read("clips").items()}
            else:
                raise ValueError


def _is_plain(columns: dict[str, Streamed]) -> bool:
    """Whether the arrays are what can be read in parts: ours, numbers, and with names for every clip that has one."""
    if not set(POINTS) <= set(columns) or ("clip" in columns and "clips" not in columns):
        return False
    count = columns["pose3d"].shape[:1]
    shapes = all(columns[key].shape == (*count, *shape) for key, shape in POINTS.items())
    tags = [columns[key] for key in TAGS if key in columns]
    whole = all(tag.shape == count and tag.dtype.kind in "iu" for tag in tags)
    return shapes and whole and count > (0,) and all(columns[key].dtype.kind in "fiu" for key in POINTS)


def open_pose_file(path: Path, progress: Callable[[float], None]) -> PoseFile | None:
    """The file, checked as far as it can be in parts, or None: what is wrong or unlike read_arrays is to judge."""
    try:
        file = PoseFile(path)
        file.check(progress)
    except (UserError, ValueError, OSError):
        return None
    return file
