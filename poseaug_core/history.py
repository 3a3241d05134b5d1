"""History: every recorded Snapshot of a run in one HDF5 file, read while it is being written.

One growing dataset a field, one chunk a record. The file is written in HDF5's single-writer,
multiple-reader mode: each record is flushed, then counted, so that readers in this or another process,
and whoever opens the file after the writer was killed, see complete records only.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import h5py
import numpy as np

from poseaug_core.errors import UserError
from poseaug_core.snapshot import ARRAYS, Snapshot
from poseaug_core.storage import explained, replacing, require_space

#: Not 'latest': files stay readable by programs with HDF5 1.10.
VERSION = ("v110", "v110")
#: Columns of floats whose names may still appear while the file grows.
COLUMNS = ("scalars", "controls")
ONE = {"step": np.int64, "epoch": np.int32, "phase": "S16"}
SETS = (*ARRAYS, *ONE, *COLUMNS, *(f"{column}_names" for column in COLUMNS), "count")
#: Datasets grow by so many records at a time; only 'count' says how many there are.
GROWTH = 64


class History:
    """The records of one file. One thread may append while others read through the same object."""

    def __init__(self, path: Path):
        self.path = path
        self._lock = threading.Lock()  # held for one record's reading or writing
        self._file: h5py.File | None = None
        self._sets: dict[str, h5py.Dataset] = {}
        self._writing = False
        self._count = 0
        self._names: dict[str, list[str]] = {column: [] for column in COLUMNS}

    # writing

    def append(self, snapshot: Snapshot) -> None:
        """Add a record; the first one makes the file. UserError where the disk is full, before anything is written."""
        arrays = {name: getattr(snapshot, name) for name in ARRAYS}
        with self._lock:
            require_space(self.path, sum(a.nbytes for a in arrays.values()) + (1 << 20))
            try:
                if not self._writing:
                    assert not self.path.exists(), "an existing history is continued with keep()"
                    with replacing(self.path) as part:
                        _make(part, {name: a.shape for name, a in arrays.items()})
                        self._open_to_write(part)
                self._write(snapshot, arrays)
            except (OSError, RuntimeError) as error:
                raise explained(self.path, error) from error

    def _open_to_write(self, part: Path) -> None:
        # Before the file gets its name, because a reader of this process that came first would lock the writer out;
        # in one call, because a kill between opening and switching modes would leave the file unreadable.
        access = h5py.h5p.create(h5py.h5p.FILE_ACCESS)
        access.set_libver_bounds(h5py.h5f.LIBVER_V110, h5py.h5f.LIBVER_V110)
        flags = h5py.h5f.ACC_RDWR | h5py.h5f.ACC_SWMR_WRITE
        self._close()
        self._file = h5py.File(h5py.h5f.open(os.fsencode(part), flags, access))
        self._sets = {name: self._file[name] for name in SETS}
        self._writing, self._count = True, int(self._sets["count"][0])
        self._names = {column: _texts(self._sets[f"{column}_names"]) for column in COLUMNS}

    def _write(self, snapshot: Snapshot, arrays: dict[str, np.ndarray]) -> None:
        sets, k = self._sets, self._count
        one = {"step": snapshot.step, "epoch": snapshot.epoch, "phase": snapshot.phase.encode()}
        for name, value in (arrays | one).items():
            if k >= sets[name].shape[0]:
                sets[name].resize(k + GROWTH, axis=0)
            sets[name][k] = value
            sets[name].flush()
        for column in COLUMNS:
            values = getattr(snapshot, column)
            names = self._names[column]
            if fresh := [name for name in values if name not in names]:
                names += fresh
                dataset = sets[f"{column}_names"]
                dataset.resize(len(names), axis=0)
                dataset[-len(fresh) :] = [name.encode() for name in fresh]
                dataset.flush()
            rows = sets[column].shape[0]
            if k >= rows or fresh:
                sets[column].resize((rows if k < rows else k + GROWTH, len(names)))
            sets[column][k] = [values.get(name, np.nan) for name in names]
            sets[column].flush()
        sets["count"][0] = k + 1
        sets["count"].flush()
        self._count = k + 1

    def keep(self, last_step: int) -> None:
        """Make ready to continue from a step: a fresh file with the complete records up to that step.

        Also mends the file of a writer that was killed. Readers with the old file open keep it until they look again.
        """
        with self._lock:
            self._close()
            if not self.path.exists():
                return
            with _explained(self.path), h5py.File(self.path, "r", swmr=True) as old:
                steps = old["step"][: int(old["count"][0])]
                count = int(np.searchsorted(steps, last_step, side="right"))
                with replacing(self.path, self.path.stat().st_size) as part:
                    _make(part, {name: old[name].shape[1:] for name in ARRAYS})
                    with h5py.File(part, "r+", libver=VERSION) as new:
                        _copy(old, new, count)
                    self._open_to_write(part)

    # reading

    def __len__(self) -> int:
        """Complete records at this moment."""
        with self._lock, self._opened() as sets:
            return self._count if sets else 0

    def read(self, k: int) -> Snapshot:
        """Record k, negative from the end; IndexError where there is none."""
        with self._lock, self._opened() as sets:
            k = range(self._count if sets else 0)[k]
            columns = {}
            for column in COLUMNS:
                row = sets[column][k]
                pairs = zip(_texts(sets[f"{column}_names"]), row.tolist(), strict=False)
                columns[column] = {name: value for name, value in pairs if value == value}
            return Snapshot(
                step=int(sets["step"][k]),
                phase=sets["phase"][k].decode(),
                epoch=int(sets["epoch"][k]),
                **{name: sets[name][k] for name in ARRAYS},
                **columns,
            )

    def steps(self) -> np.ndarray:
        """(records,) int64: the step of every complete record."""
        with self._lock, self._opened() as sets:
            return sets["step"][: self._count] if sets else np.zeros(0, np.int64)

    def series(self, column: str) -> dict[str, np.ndarray]:
        """Each name of 'scalars' or 'controls' over all records: (records,) float64, NaN where it was absent."""
        with self._lock, self._opened() as sets:
            if not sets:
                return {}
            table = sets[column][: self._count]
            return {name: table[:, i] for i, name in enumerate(_texts(sets[f"{column}_names"])[: table.shape[1]])}

    @contextmanager
    def _opened(self) -> Iterator[dict[str, h5py.Dataset]]:
        """The datasets, up to date; empty while no record was ever written."""
        if self._writing:
            yield self._sets
            return
        with _explained(self.path):
            if self._file is not None and not self._current():
                self._close()
            if self._file is None:
                if not self.path.exists():
                    yield {}
                    return
                # Opened as a follower also where the writer is in this process: HDF5 then shares its cache.
                self._file = h5py.File(self.path, "r", swmr=True)
                self._identity = _identity(self.path)
                self._sets = {name: self._file[name] for name in SETS}
            self._sets["count"].refresh()
            count = int(self._sets["count"][0])
            if count != self._count:
                for dataset in self._sets.values():
                    dataset.refresh()
                self._count = count
            yield self._sets

    def _current(self) -> bool:
        """Whether the open file is still the one of that name: a resume puts another in its place."""
        try:
            return _identity(self.path) == self._identity
        except FileNotFoundError:
            return False

    def close(self) -> None:
        """End writing; reading goes on working, from the file as it then is."""
        with self._lock:
            self._close()

    def _close(self) -> None:
        file, self._file, self._sets, self._writing, self._count = self._file, None, {}, False, 0
        if file is not None:
            try:
                file.close()
            except (OSError, RuntimeError) as error:
                raise explained(self.path, error) from error


def _make(path: Path, shapes: dict[str, tuple[int, ...]]) -> None:
    """An empty history for arrays of these shapes."""
    with h5py.File(path, "w", libver=VERSION) as file:
        for name, shape in shapes.items():
            # A chunk may not be empty, nor larger than what the dataset may become.
            chunk, most = (1, *(n or 1 for n in shape)), (None, *(n or None for n in shape))
            file.create_dataset(name, (0, *shape), "f4", maxshape=most, chunks=chunk)
        for name, kind in ONE.items():
            file.create_dataset(name, (0,), kind, maxshape=(None,), chunks=(256,))
        for name in COLUMNS:
            file.create_dataset(name, (0, 0), "f8", maxshape=(None, None), chunks=(64, 32), fillvalue=np.nan)
            file.create_dataset(f"{name}_names", (0,), "S64", maxshape=(None,), chunks=(64,))
        file.create_dataset("count", data=np.zeros(1, np.int64))


def _copy(old: h5py.File, new: h5py.File, count: int) -> None:
    for name in (*ARRAYS, *ONE, *COLUMNS):
        new[name].resize((count, *old[name].shape[1:]))
        for start in range(0, count, 256):
            new[name][start : min(start + 256, count)] = old[name][start : min(start + 256, count)]
    for column in COLUMNS:
        names = old[f"{column}_names"][:]
        new[f"{column}_names"].resize(len(names), axis=0)
        new[f"{column}_names"][:] = names
    new["count"][0] = count


def _texts(dataset: h5py.Dataset) -> list[str]:
    return [name.decode() for name in dataset[:]]


def _identity(path: Path) -> tuple[int, int]:
    status = path.stat()
    return status.st_dev, status.st_ino


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, RuntimeError, KeyError) as error:
        raise UserError(
            f"{path} cannot be read as a history of snapshots; it is damaged, restore it from a copy."
        ) from error
