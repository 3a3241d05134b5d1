"""HDF5 files, looked at before they are read: no links out of the file, and no more than is stored in it."""

from __future__ import annotations

import math
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import h5py
import numpy as np

from poseaug_core.errors import UserError
from poseaug_core.readers.hdf5_texts import texts_of
from poseaug_core.readers.limits import require_room
from poseaug_core.readers.npz_file import BAND, explained

#: Filters of chunks that are read: those that keep the size, and two that unpack, of which a dataset has one.
KEEPING = (h5py.h5z.FILTER_SHUFFLE, h5py.h5z.FILTER_FLETCHER32)
UNPACKING = (h5py.h5z.FILTER_DEFLATE, h5py.h5z.FILTER_LZF)
#: Bytes by which a chunk may be longer than its numbers: a checksum.
CHECKSUM = 4
SIGNATURE = b"\x89HDF\r\n\x1a\n"


class Hdf5File:
    """An open HDF5 file whose top-level datasets are read by name."""

    def __init__(self, path: Path, file: h5py.File):
        self.path, self.file = path, file
        self.names = list(file)

    def read(self, *names: str) -> dict[str, np.ndarray]:
        """The datasets of these names that are there; texts as text. UserError for links and for too much."""
        return {
            name: self._texts(d) if h5py.check_string_dtype(d.dtype) else np.asarray(d[()])
            for name, d in self.promised(*names).items()
        }

    def promised(
        self, *names: str, require: Callable[[Path, int, int], None] = require_room
    ) -> dict[str, h5py.Dataset]:
        """The datasets of these names that are there; UserError for links and where all together are too much.

        require: what is asked; require_honest is enough for who reads a little at a time.
        """
        found = {name: self._dataset(name) for name in names if name in self.names}
        found = {name: dataset for name, dataset in found.items() if dataset is not None}
        # A chunk is unpacked whole, whatever part of it the dataset has.
        promised = sum(max(math.prod(d.shape), math.prod(d.chunks or ())) * d.dtype.itemsize for d in found.values())
        require(self.path, promised, self.path.stat().st_size)
        for dataset in found.values():
            self._require_honest_chunks(dataset)
        return found

    def bands(self, name: str) -> Iterator[np.ndarray]:
        """The rows of a dataset of numbers, a band at a time; look with ``promised`` first."""
        dataset = self.file[name]
        row, chunk = math.prod(dataset.shape[1:]) * dataset.dtype.itemsize, (dataset.chunks or (1,))[0]
        step = max(BAND // max(row, 1) // chunk, 1) * chunk
        for first in range(0, len(dataset), step):
            yield dataset[first : first + step]

    def _dataset(self, name: str) -> h5py.Dataset | None:
        link = self.file.get(name, getlink=True)
        if not isinstance(link, h5py.HardLink):
            # A soft link may lead through an external one.
            raise UserError(
                f"{self.path}: {name} is a link to another file or place; save the numbers under this name."
            )
        dataset = self.file[name]
        if not isinstance(dataset, h5py.Dataset) or dataset.shape is None:
            return None
        if dataset.is_virtual or dataset.external:
            raise UserError(f"{self.path}: {name} lies in other files; save the numbers in this one.")
        if dataset.dtype.kind not in "fiubSU" and not h5py.check_string_dtype(dataset.dtype):
            # Lists of any length may all be the same one, many times over.
            raise UserError(f"{self.path}: {name} holds neither numbers nor texts; save it as a plain array.")
        return dataset

    def _require_honest_chunks(self, dataset: h5py.Dataset) -> None:
        """UserError where a chunk would be unpacked to more than its numbers, as HDF5 does without end.

        Those of texts are not unpacked by HDF5.
        """
        if dataset.dtype.kind == "O":
            return
        plan = dataset.id.get_create_plist()
        filters = [plan.get_filter(i)[0] for i in range(plan.get_nfilters())]
        unpacking = [number for number, code in enumerate(filters) if code not in KEEPING]
        if len(unpacking) > 1 or any(filters[number] not in UNPACKING for number in unpacking):
            raise UserError(
                f"{self.path}: {dataset.name} is packed in a way that is not read; save it with gzip or plain."
            )
        if dataset.chunks is None or h5py.h5z.FILTER_DEFLATE not in filters:
            return  # LZF unpacks to at most 90 times what is stored
        chunks: list[h5py.h5d.StoreInfo] = []
        dataset.id.chunk_iter(chunks.append)
        stored, most = self.path.stat().st_size, math.prod(dataset.chunks) * dataset.dtype.itemsize + CHECKSUM
        for chunk in chunks:
            if chunk.size > stored:
                raise ValueError(f"a chunk of {chunk.size} bytes")
            if chunk.filter_mask >> unpacking[0] & 1:
                continue
            _, packed = dataset.id.read_direct_chunk(chunk.chunk_offset)
            if len(zlib.decompressobj().decompress(packed, most + 1)) > most:
                raise UserError(
                    f"{self.path}: a part of {dataset.name} unpacks to more than the numbers in it; it is damaged or "
                    "made to fill the memory, get it again from its source."
                )

    def _texts(self, dataset: h5py.Dataset) -> np.ndarray:
        if dataset.ndim != 1:
            raise UserError(
                f"{self.path}: {dataset.name} has texts of shape {dataset.shape}, it needs numbers or a list of texts."
            )
        if h5py.check_string_dtype(dataset.dtype).length is None:
            return np.array(texts_of(dataset, self.path), dtype=object)
        return np.array([text.decode().rstrip("\0") for text in dataset[()].tolist()], dtype=object)


@contextmanager
def open_hdf5(path: Path) -> Iterator[Hdf5File]:
    """The HDF5 file at path; raises UserError in one sentence for what is missing, damaged or not HDF5."""
    with explained(path), h5py.File(path, "r") as file:
        yield Hdf5File(path, file)
