"""HDF5 files, looked at before they are read: no links out of the file, and no more than is stored in it."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import h5py
import numpy as np

from poseaug_core.errors import UserError
from poseaug_core.readers.limits import HARMLESS, require_room
from poseaug_core.readers.npz_file import explained

SIGNATURE = b"\x89HDF\r\n\x1a\n"


class Hdf5File:
    """An open HDF5 file whose top-level datasets are read by name."""

    def __init__(self, path: Path, file: h5py.File):
        self.path, self.file = path, file
        self.names = list(file)

    def read(self, *names: str) -> dict[str, np.ndarray]:
        """The datasets of these names that are there; texts as text. UserError for links and for too much."""
        found = {name: self._dataset(name) for name in names if name in self.names}
        found = {name: dataset for name, dataset in found.items() if dataset is not None}
        # A chunk is unpacked whole, whatever part of it the dataset has.
        promised = sum(max(math.prod(d.shape), math.prod(d.chunks or ())) * d.dtype.itemsize for d in found.values())
        require_room(self.path, promised, self.path.stat().st_size)
        return {
            name: self._texts(d) if h5py.check_string_dtype(d.dtype) else np.asarray(d[()]) for name, d in found.items()
        }

    def _dataset(self, name: str) -> h5py.Dataset | None:
        link = self.file.get(name, getlink=True)
        if isinstance(link, h5py.ExternalLink):
            raise UserError(f"{self.path}: {name} is a link to another file; save the numbers in this one.")
        dataset = self.file[name]
        if not isinstance(dataset, h5py.Dataset) or dataset.shape is None:
            return None
        if dataset.is_virtual or dataset.external:
            raise UserError(f"{self.path}: {name} lies in other files; save the numbers in this one.")
        return dataset

    def _texts(self, dataset: h5py.Dataset) -> np.ndarray:
        """Texts a few at a time, because many entries may be the same long one."""
        entries = dataset.asstr()
        if dataset.ndim != 1:
            raise UserError(
                f"{self.path}: {dataset.name} has texts of shape {dataset.shape}, it needs numbers or a list of texts."
            )
        count = max(HARMLESS // self.path.stat().st_size, 1)
        texts, length = [], 0
        for start in range(0, len(dataset), count):
            some = list(entries[start : start + count])
            texts += some
            length += sum(map(len, some))
            if length > HARMLESS:
                raise UserError(
                    f"{self.path}: {dataset.name} has texts of more than {HARMLESS:,} letters; shorten them."
                )
        return np.array(texts, dtype=object)


@contextmanager
def open_hdf5(path: Path) -> Iterator[Hdf5File]:
    """The HDF5 file at path; raises UserError in one sentence for what is missing, damaged or not HDF5."""
    with explained(path), h5py.File(path, "r") as file:
        yield Hdf5File(path, file)
