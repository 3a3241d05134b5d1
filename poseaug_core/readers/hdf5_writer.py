"""HDF5 files written by ordinary writes: HDF5 says, in memory, what belongs where; the disk it never touches.

Where a write of HDF5's own fails (a full disk, a limit of size), its objects fail again while they are closed, and that
ends the process. Here such a failure is an OSError like any other.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import BinaryIO

import h5py
import numpy as np

#: Of each column its shape and type.
Shapes = Mapping[str, tuple[tuple[int, ...], np.dtype]]


class Hdf5Writer:
    """A file whose columns are appended to in any order, and whose texts come at its end.

    stream: open for writing, empty. columns: all that ``append`` gets numbers for. What cannot be written raises
    OSError, here or where the stream is closed.
    """

    def __init__(self, stream: BinaryIO, columns: Shapes):
        self.stream, self.columns = stream, dict(columns)
        self.first = _layout(self.columns).places
        self.places = dict(self.first)

    def append(self, key: str, rows: np.ndarray) -> None:
        """The next rows of a column."""
        data = np.ascontiguousarray(rows, self.columns[key][1])
        if data.size:
            self.stream.seek(self.places[key])
            self.stream.write(data.reshape(-1).view(np.uint8).data)
            self.places[key] += data.nbytes

    def end(
        self,
        texts: Mapping[str, Sequence[str]],
        attributes: Mapping[str, object] | None = None,
        later: Shapes | None = None,
    ) -> None:
        """Texts as lists of any length, attributes of the file, and columns (of type S: UTF-8) known only now, which
        are appended to afterwards."""
        later = dict(later or {})
        layout = _layout(self.columns | later, texts, attributes or {})
        assert {key: layout.places[key] for key in self.columns} == self.first, "columns lie where they were written"
        self.columns |= later
        self.places |= {key: layout.places[key] for key in later}
        for place, block in layout.blocks:
            self.stream.seek(place)
            self.stream.write(block)
        self.stream.truncate(layout.size)


class _Memory:
    """A file in memory: of its bytes those that were written, however far apart they lie."""

    def __init__(self):
        self.blocks: list[tuple[int, bytes]] = []
        self.place = self.size = 0
        #: Of each column, where its numbers begin; 0 for none.
        self.places: dict[str, int] = {}

    def seek(self, place: int, whence: int = os.SEEK_SET) -> int:
        self.place = place + (self.size if whence == os.SEEK_END else self.place if whence == os.SEEK_CUR else 0)
        return self.place

    def tell(self) -> int:
        return self.place

    def read(self, size: int) -> bytes:
        found, start, stop = bytearray(size), self.place, self.place + size
        for place, block in self.blocks:
            low, high = max(place, start), min(place + len(block), stop)
            if low < high:
                found[low - start : high - start] = block[low - place : high - place]
        self.place = stop
        return bytes(found)

    def readinto(self, buffer) -> int:
        view = memoryview(buffer).cast("B")
        view[:] = self.read(len(view))
        return len(view)

    def write(self, data) -> int:
        block = bytes(data)
        self.blocks.append((self.place, block))
        self.place += len(block)
        self.size = max(self.size, self.place)
        return len(block)

    def truncate(self, size: int) -> int:
        self.size = size
        return size

    def flush(self) -> None:
        pass


def _layout(
    columns: Shapes, texts: Mapping[str, Sequence[str]] | None = None, attributes: Mapping[str, object] | None = None
) -> _Memory:
    """All of the file but the numbers of its columns. The columns come first: their places depend on them alone."""
    # By a thread of its own: Ctrl+C, which Python raises wherever the main thread is, must not fail a write of HDF5's.
    with ThreadPoolExecutor(1) as apart:
        return apart.submit(_laid_out, columns, texts or {}, attributes or {}).result()


def _laid_out(columns: Shapes, texts: Mapping[str, Sequence[str]], attributes: Mapping[str, object]) -> _Memory:
    memory = _Memory()
    with h5py.File(memory, "w") as file:
        whole = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        whole.set_layout(h5py.h5d.CONTIGUOUS)
        whole.set_alloc_time(h5py.h5d.ALLOC_TIME_EARLY)
        whole.set_fill_time(h5py.h5d.FILL_TIME_NEVER)
        for key, (shape, kind) in columns.items():
            kind = np.dtype(kind)
            kind = h5py.string_dtype("utf-8", kind.itemsize) if kind.kind == "S" else kind
            space, stored = h5py.h5s.create_simple(shape), h5py.h5t.py_create(kind, logical=True)
            made = h5py.h5d.create(file.id, key.encode(), stored, space, whole)
            memory.places[key] = made.get_offset() or 0
        for key, lines in texts.items():
            file.create_dataset(key, data=list(lines), dtype=h5py.string_dtype())
        file.attrs.update(attributes)
    return memory
