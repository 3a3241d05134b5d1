"""Arrays written as they come: the columns of Poses grow on disk, an NPZ or HDF5 file is made of them in the end."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from poseaug_core.checks import check_poses, check_projection
from poseaug_core.motion.filming import COLUMNS, Seen
from poseaug_core.plain_text import plain
from poseaug_core.poses import TAGS
from poseaug_core.readers.arrays import NEEDED, require_target
from poseaug_core.readers.column_files import write_columns
from poseaug_core.readers.keypoint_columns import Column
from poseaug_core.storage import replacing


class ArrayFile:
    """The file while it grows. subjects: the numbers of the people so far. path: where it will be."""

    def __init__(self, path: Path):
        self.subjects: set[int] = set()
        self.texts: dict[str, list[str]] = {"clips": [], "notes": []}
        shapes = dict(zip(NEEDED, (COLUMNS[name] for name in ("xyz", "uv", "camera")), strict=True))
        shapes |= {key: ((), "i4") for key in TAGS}
        # In files without names, which are gone with the process.
        self.columns = {key: Column(*shape, path.absolute().parent, path) for key, shape in shapes.items()}

    def __len__(self) -> int:
        return len(self.columns["pose3d"])

    def add(self, seen: Seen) -> None:
        parts = (seen.xyz, seen.uv, seen.camera, *seen.tag.T)
        for column, part in zip(self.columns.values(), parts, strict=True):
            column.append(part)
        self.subjects |= set(np.unique(seen.tag[:, 0]).tolist())

    def name(self, clips: Sequence[str], notes: Sequence[str]) -> None:
        """The texts that go with the poses."""
        self.texts = {"clips": list(map(plain, clips)), "notes": list(map(plain, notes))}

    def check(self, name: str) -> None:
        """Raises UserError, as make_poses does, for poses that cannot be meant. name: what to call them."""
        xyz, uv, camera = (_Tensor(self.columns[key]) for key in NEEDED)
        check_poses(xyz, uv, camera, name)
        check_projection(xyz, uv, camera, name)

    def close(self) -> None:
        for column in self.columns.values():
            column.close()


class _Tensor:
    """A column that is read as a tensor, a slice of it at a time."""

    def __init__(self, column: Column):
        self.column, self.shape, self.ndim = column, (len(column), *column.shape), 1 + len(column.shape)

    def __len__(self) -> int:
        return len(self.column)

    def __getitem__(self, rows: slice) -> Tensor:
        return torch.from_numpy(self.column[rows])


@contextmanager
def writing(path: str | Path) -> Iterator[ArrayFile]:
    """A file of arrays (.npz, .h5) that takes path's place if the block succeeds, and leaves nothing where it does not.

    For a while it takes twice its place on the disk. Raises UserError as ``write_arrays``.
    """
    path = require_target(path)
    with replacing(path) as part, ExitStack() as stack:
        file = ArrayFile(path)
        stack.callback(file.close)
        yield file
        write_columns(part, path.suffix, file.columns, file.texts)
