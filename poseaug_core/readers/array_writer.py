"""Arrays written as they come: the columns of Poses grow in an HDF5 file, from which an NPZ file is made in the end."""

from __future__ import annotations

import tempfile
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import h5py
import numpy as np
import torch
from torch import Tensor

from poseaug_core.checks import bands, check_poses, check_projection
from poseaug_core.motion.filming import COLUMNS, Seen
from poseaug_core.poses import TAGS
from poseaug_core.readers.arrays import NEEDED, require_target
from poseaug_core.storage import explained, replacing

#: Poses that lie together in the file, and those that are copied at a time.
CHUNK, BAND = 256, 1 << 14


class ArrayFile:
    """The file while it grows. subjects: the numbers of the people so far."""

    def __init__(self, file: h5py.File):
        self.file = file
        self.subjects: set[int] = set()
        make = lambda key, shape, kind: file.create_dataset(  # noqa: E731
            key, (0, *shape), kind, maxshape=(None, *shape), chunks=(CHUNK, *shape)
        )
        columns = zip(NEEDED, [COLUMNS[name] for name in ("xyz", "uv", "camera")], strict=True)
        self.columns = [make(key, *column) for key, column in columns]
        self.tags = [make(key, (), "i4") for key in TAGS]

    def __len__(self) -> int:
        return len(self.columns[0])

    def add(self, seen: Seen) -> None:
        start, stop = len(self), len(self) + len(seen.xyz)
        parts = (seen.xyz, seen.uv, seen.camera, *seen.tag.T)
        for dataset, part in zip((*self.columns, *self.tags), parts, strict=True):
            dataset.resize(stop, axis=0)
            dataset[start:] = part
        self.subjects |= set(np.unique(seen.tag[:, 0]).tolist())

    def end(self, clips: Sequence[str], notes: Sequence[str], name: str) -> None:
        """The texts; raises UserError, as make_poses does, for poses that cannot be meant. name: what to call them."""
        xyz, uv, camera = map(_Column, self.columns)
        check_poses(xyz, uv, camera, name)
        check_projection(xyz, uv, camera, name)
        for key, lines in (("clips", clips), ("notes", notes)):
            self.file.create_dataset(key, data=list(map(str, lines)), dtype=h5py.string_dtype())


class _Column:
    """A dataset that is read as a tensor, a slice of it at a time."""

    def __init__(self, dataset: h5py.Dataset):
        self.dataset, self.shape, self.ndim = dataset, dataset.shape, dataset.ndim

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, rows: slice) -> Tensor:
        return torch.from_numpy(self.dataset[rows])


@contextmanager
def writing(path: str | Path) -> Iterator[ArrayFile]:
    """A file of arrays (.npz, .h5) that takes path's place if the block succeeds, and leaves nothing where it does not.

    Raises UserError as ``write_arrays``.
    """
    path = require_target(path)
    with replacing(path) as part:
        if path.suffix.lower() != ".npz":
            with h5py.File(part, "w") as file:
                yield ArrayFile(file)
            return
        with tempfile.TemporaryDirectory(dir=path.parent, prefix=f".{path.name}.") as folder:
            with h5py.File(Path(folder, "columns.h5"), "w") as file:
                yield ArrayFile(file)
                _as_npz(file, part)


def _as_npz(file: h5py.File, path: Path) -> None:
    """What the file holds, as numpy.savez writes it."""
    try:
        with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
            for key, dataset in file.items():
                with archive.open(f"{key}.npy", "w", force_zip64=True) as member:
                    if h5py.check_string_dtype(dataset.dtype):
                        np.lib.format.write_array(member, dataset.asstr()[()].astype(np.str_))
                        continue
                    head = {"descr": dataset.dtype.str, "fortran_order": False, "shape": dataset.shape}
                    np.lib.format.write_array_header_1_0(member, head)
                    for rows in bands(len(dataset), BAND):
                        member.write(dataset[rows].tobytes())
    except OSError as error:
        raise explained(path, error) from error
