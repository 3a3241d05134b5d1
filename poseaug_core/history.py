"""History: every recorded Snapshot of a run in one HDF5 file, read while it is being written.

A record's arrays are one row of 'records', which is one chunk: written and read in one piece, whatever the number of
records. The row's attribute 'fields' says which numbers are which. The file is written in HDF5's single-writer,
multiple-reader mode: each record is flushed, then counted, so that readers in this or another process, and whoever
opens the file after the writer was killed, see complete records only.
"""

from __future__ import annotations

import itertools
import json
import math
import os
import threading
from collections.abc import Iterator, Sequence
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
HEAD = np.dtype([("step", np.int64), ("epoch", np.int32), ("phase", "S16")])
SETS = ("records", "heads", *COLUMNS, *(f"{column}_names" for column in COLUMNS), "count")
#: Datasets grow by so many records at a time; only 'count' says how many there are.
GROWTH = 64
SUPERSEDED = (
    "{} was recorded by an earlier version of this program: its weights, curves and settings can be used (poseaug "
    "evaluate, lift, export estimator; --estimator-weights), its snapshots cannot be shown and it cannot go on."
)


class History:
    """The records of one file. One thread may append while others read through the same object."""

    def __init__(self, path: Path):
        self.path = path
        self._lock = threading.Lock()  # held for one record's reading or writing
        self._file: h5py.File | None = None
        self._sets: dict[str, h5py.Dataset] = {}
        self._writing = self._superseded = False
        self._count = 0
        self._names: dict[str, list[str]] = {}
        self._fields: dict[str, list[int]] = {}

    # writing

    def append(self, snapshot: Snapshot) -> None:
        """Add a record; the first one makes the file. UserError where the disk is full, before anything is written."""
        arrays = [getattr(snapshot, name) for name in ARRAYS]
        with self._lock:
            require_space(self.path, sum(a.nbytes for a in arrays) + (1 << 20))
            try:
                if not self._writing:
                    assert not self.path.exists(), "an existing history is continued with keep()"
                    with replacing(self.path) as part:
                        _make(part, {name: a.shape for name, a in zip(ARRAYS, arrays, strict=True)})
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
        self._take(h5py.File(h5py.h5f.open(os.fsencode(part), flags, access)))
        self._writing, self._count = True, int(self._sets["count"][0])

    def _write(self, snapshot: Snapshot, arrays: list[np.ndarray]) -> None:
        sets, k = self._sets, self._count
        if k >= sets["records"].shape[0]:
            for name in ("records", "heads"):
                sets[name].resize(k + GROWTH, axis=0)
        rows = {
            "records": np.concatenate([array.ravel() for array in arrays]),
            "heads": np.array((snapshot.step, snapshot.epoch, snapshot.phase.encode()), HEAD),
        }
        for column in COLUMNS:
            values, names = getattr(snapshot, column), self._names[column]
            if fresh := [name for name in values if name not in names]:
                names += fresh
                dataset = sets[f"{column}_names"]
                dataset.resize(len(names), axis=0)
                dataset[-len(fresh) :] = [name.encode() for name in fresh]
                dataset.flush()
            if fresh or k >= sets[column].shape[0]:
                sets[column].resize((sets["records"].shape[0], len(names)))
            rows[column] = np.array([values.get(name, np.nan) for name in names])
        for name, row in rows.items():
            _put(sets[name], k, row)
        _put(sets["count"], 0, np.array(k + 1, np.int64))
        self._count = k + 1

    def keep(self, last_step: int) -> None:
        """Make ready to continue from a step: a fresh file with the complete records up to that step.

        Also mends the file of a writer that was killed. Readers with the old file open keep it until they look again.
        """
        with self._lock:
            self._close()
            if not self.path.exists():
                return
            with _explained(self.path), _follow(self.path) as old:
                if _superseded(old):
                    raise UserError(SUPERSEDED.format(self.path.parent))
                steps = old["heads"][: int(old["count"][0])]["step"]
                count = int(np.searchsorted(steps, last_step, side="right"))
                with replacing(self.path, self.path.stat().st_size) as part:
                    _make(part, json.loads(old["records"].attrs["fields"]))
                    with h5py.File(part, "r+", libver=VERSION) as new:
                        _copy(old, new, count)
                    self._open_to_write(part)

    # reading

    @property
    def superseded(self) -> bool:
        """Whether an earlier version of the program made the file, a dataset a field; it is read as one of no records.

        UserError for a file that is no history at all.
        """
        with self._lock, self._opened():
            return self._superseded

    def __len__(self) -> int:
        """Complete records at this moment."""
        with self._lock, self._opened() as sets:
            return self._count if sets else 0

    def read(self, k: int) -> Snapshot:
        """Record k, negative from the end; IndexError where there is none."""
        with self._lock, self._opened() as sets:
            k = range(self._count if sets else 0)[k]
            record, head = sets["records"][k], sets["heads"][k]
            rows = {column: zip(self._names[column], sets[column][k].tolist(), strict=False) for column in COLUMNS}
            fields = self._fields
        record.flags.writeable = False  # so that the snapshot's arrays are views of it, not copies
        ends = np.cumsum([math.prod(shape) for shape in fields.values()])
        parts = np.split(record, ends[:-1])
        return Snapshot(
            step=int(head["step"]),
            phase=head["phase"].decode(),
            epoch=int(head["epoch"]),
            **{name: part.reshape(shape) for (name, shape), part in zip(fields.items(), parts, strict=True)},
            **{column: {name: value for name, value in row if value == value} for column, row in rows.items()},
        )

    def steps(self, since: int = 0) -> np.ndarray:
        """(records,) int64: the step of every complete record, from record ``since`` on."""
        with self._lock, self._opened() as sets:
            return sets["heads"][since : self._count]["step"] if sets else np.zeros(0, np.int64)

    def series(self, column: str) -> dict[str, np.ndarray]:
        """Each name of 'scalars' or 'controls' over all records: (records,) float64, NaN where it was absent."""
        with self._lock, self._opened() as sets:
            if not sets:
                return {}
            table = np.empty((self._count, sets[column].shape[1]))
            for place in _chunks(sets[column], self._count):
                table[place] = sets[column][place]
            return {name: table[:, i] for i, name in enumerate(self._names[column][: table.shape[1]])}

    @contextmanager
    def _opened(self) -> Iterator[dict[str, h5py.Dataset]]:
        """The datasets, up to date; empty while no record was ever written, or none of this layout."""
        if self._writing:
            yield self._sets
            return
        self._superseded = False
        with _explained(self.path):
            if self._file is not None and not self._current():
                self._close()
            if self._file is None:
                if not self.path.exists():
                    yield {}
                    return
                # Opened as a follower also where the writer is in this process: HDF5 then shares its cache.
                file = _follow(self.path)
                if _superseded(file):
                    self._superseded = True
                    file.close()
                    yield {}
                    return
                self._identity = _identity(self.path)
                self._take(file)
            self._sets["count"].refresh()
            count = int(self._sets["count"][0])
            if count != self._count:
                for dataset in self._sets.values():
                    dataset.refresh()
                self._names = _names(self._sets)
                self._count = count
            yield self._sets

    def _take(self, file: h5py.File) -> None:
        """Work with an open file, which is closed if it is no history."""
        try:
            sets, fields = {name: file[name] for name in SETS}, json.loads(file["records"].attrs["fields"])
            size = sets["records"].shape[1]
            if list(fields) != list(ARRAYS) or sum(map(math.prod, fields.values())) != size:
                raise ValueError("the records do not hold what a snapshot does")
            names = _names(sets)
        except BaseException:
            file.close()
            raise
        self._file, self._sets, self._fields, self._names = file, sets, fields, names

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


def _make(path: Path, fields: dict[str, Sequence[int]]) -> None:
    """An empty history for arrays of these shapes."""
    with h5py.File(path, "w", libver=VERSION) as file:
        size = sum(math.prod(shape) for shape in fields.values())
        records = file.create_dataset("records", (0, size), "f4", maxshape=(None, size), chunks=(1, size))
        records.attrs["fields"] = json.dumps(fields)
        file.create_dataset("heads", (0,), HEAD, maxshape=(None,), chunks=(256,))
        for name in COLUMNS:
            file.create_dataset(name, (0, 0), "f8", maxshape=(None, None), chunks=(64, 32), fillvalue=np.nan)
            file.create_dataset(f"{name}_names", (0,), "S64", maxshape=(None,), chunks=(64,))
        file.create_dataset("count", data=np.zeros(1, np.int64))


def _put(dataset: h5py.Dataset, k: int, row: np.ndarray) -> None:
    """Write row k and flush it; by HDF5's own calls, a tenth of what h5py's indexing takes."""
    space = dataset.id.get_space()
    space.select_hyperslab((k, *(0,) * row.ndim), (1, *row.shape))
    dataset.id.write(h5py.h5s.create_simple((1, *row.shape)), space, row)
    dataset.id.flush()


def _copy(old: h5py.File, new: h5py.File, count: int) -> None:
    for name in ("records", "heads", *COLUMNS):
        new[name].resize((count, *old[name].shape[1:]))
        for place in _chunks(old[name], count):
            new[name][place] = old[name][place]
    for name in (f"{column}_names" for column in COLUMNS):
        new[name].resize(old[name].shape)
        new[name][:] = old[name][:]
    new["count"][0] = count


def _chunks(dataset: h5py.Dataset, count: int) -> Iterator[tuple[slice, ...]]:
    """The places of the first ``count`` rows, chunk by chunk.

    HDF5 2.0 fails to read several chunks at once ("can't insert duplicate key") of a table that was refreshed while
    the process has the file open a second time.
    """
    ends = (count, *dataset.shape[1:])
    starts = itertools.product(*(range(0, end, size) for end, size in zip(ends, dataset.chunks, strict=True)))
    for start in starts:
        yield tuple(slice(a, min(a + n, end)) for a, n, end in zip(start, dataset.chunks, ends, strict=True))


def _names(sets: dict[str, h5py.Dataset]) -> dict[str, list[str]]:
    return {column: [name.decode() for name in sets[f"{column}_names"][:]] for column in COLUMNS}


def _superseded(file: h5py.File) -> bool:
    return "records" not in file and isinstance(file.get("xyz"), h5py.Dataset)


#: Where an HDF5 file of version 3 says how long it was when it was made, or closed for good.
LENGTH_AT = 28


def _follow(path: Path) -> h5py.File:
    """The file open to a reader who follows its writer. OSError for one that was cut, which HDF5 would wait for."""
    with open(path, "rb") as file:
        head = file.read(LENGTH_AT + 8)
    if len(head) < LENGTH_AT + 8 or (head[8] == 3 and int.from_bytes(head[LENGTH_AT:], "little") > path.stat().st_size):
        raise OSError("the file is cut short")
    return h5py.File(path, "r", swmr=True)


def _identity(path: Path) -> tuple[int, int]:
    status = path.stat()
    return status.st_dev, status.st_ino


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    try:
        yield
    except UserError:
        raise
    except (OSError, RuntimeError, KeyError, ValueError, TypeError) as error:
        raise UserError(
            f"{path} cannot be read as a history of snapshots; it is damaged or of another version of the program: "
            "restore it from a copy or train anew."
        ) from error
