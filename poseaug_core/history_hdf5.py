"""A history as versions before 0.2 wrote it, history.h5 in HDF5's single-writer mode: read only.

HDF5 mixes up the records of a dataset that is open twice in a process and refreshed (chunks of one row: the place of
a row in the index is lost, and every row is read as row 0), and waits for ever for a writer where the file is damaged.
So a file is opened once an object, never refreshed, and shown to HDF5 as one that was closed in order.
"""

from __future__ import annotations

import io
import json
import math
import struct
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import h5py
import numpy as np

from poseaug_core.errors import UserError
from poseaug_core.snapshot import ARRAYS, Snapshot

#: Columns of floats whose names are beside them.
COLUMNS = ("scalars", "controls")
SETS = ("records", "heads", *COLUMNS, *(f"{column}_names" for column in COLUMNS), "count")
#: Bytes of a record at most; records of a file at most.
LARGEST, MOST = 1 << 28, 1 << 28
SUPERSEDED = (
    "{} was recorded by an earlier version of this program: its weights, curves and settings can be used (poseaug "
    "evaluate, lift, export estimator; --estimator-weights), its snapshots cannot be shown and it cannot go on."
)


class OldHistory:
    """The records of one file that nobody writes any more."""

    def __init__(self, path: Path):
        self.path = path
        self._file: h5py.File | None = None
        self._sets: dict[str, h5py.Dataset] = {}
        self._superseded = False
        self._count = 0

    @property
    def superseded(self) -> bool:
        """Whether the file is of a much earlier version still, a dataset a field: then it has no records here."""
        with self._opened():
            return self._superseded

    def __len__(self) -> int:
        with self._opened():
            return self._count

    def read(self, k: int) -> Snapshot:
        """Record k; IndexError where there is none, UserError where the file is damaged."""
        with self._opened() as sets:
            k = range(self._count)[k]
            record, head = sets["records"][k], sets["heads"][k]
            rows = {column: zip(self._names[column], sets[column][k].tolist(), strict=False) for column in COLUMNS}
            if not np.isfinite(record[: math.prod(self._fields["xyz"])]).all():
                raise ValueError("poses that are not finite")
            ends = np.cumsum([math.prod(shape) for shape in self._fields.values()])
            parts = np.split(record, ends[:-1])
            return Snapshot(
                step=int(head["step"]),
                phase=head["phase"].decode(),
                epoch=int(head["epoch"]),
                **{name: part.reshape(shape) for (name, shape), part in zip(self._fields.items(), parts, strict=True)},
                **{column: {name: value for name, value in row if value == value} for column, row in rows.items()},
            )

    def steps(self) -> np.ndarray:
        """(records,) int64"""
        with self._opened() as sets:
            return sets["heads"][: self._count]["step"] if sets else np.zeros(0, np.int64)

    def series(self, column: str) -> dict[str, np.ndarray]:
        """Each name of 'scalars' or 'controls' over all records: (records,) float64, NaN where it was absent."""
        with self._opened() as sets:
            if not sets:
                return {}
            table = sets[column][: self._count]
            return {name: table[:, i] for i, name in enumerate(self._names[column][: table.shape[1]])}

    def close(self) -> None:
        file, self._file, self._sets = self._file, None, {}
        if file is not None:
            self._closing()

    @contextmanager
    def _opened(self) -> Iterator[dict[str, h5py.Dataset]]:
        try:
            if self._file is None:
                file = h5py.File(_Closed(self.path), "r")
                self._closing = weakref.finalize(self, file.close)  # HDF5 would ask for the file after Python's end
                self._take(file)
            yield self._sets
        except IndexError:
            raise
        except UserError:
            raise
        except (OSError, RuntimeError, KeyError, ValueError, TypeError, OverflowError, AttributeError) as error:
            self.close()
            raise UserError(
                f"{self.path} cannot be read as a history of snapshots; it is damaged or of another version of the "
                "program: restore it from a copy or train anew."
            ) from error

    def _take(self, file: h5py.File) -> None:
        self._file = file
        if "records" not in file and isinstance(file.get("xyz"), h5py.Dataset):
            self._superseded = True
            return
        sets = {name: file[name] for name in SETS}
        for dataset in sets.values():
            if dataset.file.id != file.id or dataset.external or dataset.is_virtual:
                raise ValueError("it reads other files")
        fields = {name: tuple(map(int, shape)) for name, shape in json.loads(sets["records"].attrs["fields"]).items()}
        size = sets["records"].shape[1]
        if list(fields) != list(ARRAYS) or sum(map(math.prod, fields.values())) != size or size * 4 > LARGEST:
            raise ValueError("the records do not hold what a snapshot does")
        count = int(sets["count"][0])
        if (
            not 0
            <= count
            <= min(len(sets["records"]), len(sets["heads"]), *(len(sets[name]) for name in COLUMNS), MOST)
        ):
            raise ValueError("it counts more records than it has")
        names = {column: [name.decode() for name in sets[f"{column}_names"][:]] for column in COLUMNS}
        self._sets, self._fields, self._names, self._count = sets, fields, names, count


class _Closed(io.RawIOBase):
    """The file as its writer would have left it by closing: without the mark that a writer is at work, for which HDF5
    would wait."""

    def __init__(self, path: Path):
        super().__init__()
        self._stream = open(path, "rb")
        self.head = self._stream.read(48)
        length = self._stream.seek(0, 2)
        if len(self.head) < 48 or (self.head[8] in (2, 3) and int.from_bytes(self.head[28:36], "little") > length):
            self._stream.close()
            raise OSError("the file is cut short")
        if self.head[8] == 3 and self.head[9:11] == b"\x08\x08":
            body = self.head[:11] + b"\0" + self.head[12:28] + length.to_bytes(8, "little") + self.head[36:44]
            self.head = body + struct.pack("<I", _lookup3(body))

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = 0) -> int:
        return self._stream.seek(offset, whence)

    def tell(self) -> int:
        return self._stream.tell()

    def readinto(self, buffer) -> int:
        at = self._stream.tell()
        count = self._stream.readinto(buffer)
        if at < len(self.head):
            part = self.head[at : at + count]
            memoryview(buffer).cast("B")[: len(part)] = part
        return count

    def close(self) -> None:
        self._stream.close()
        super().close()


def _lookup3(data: bytes) -> int:
    """Bob Jenkins' hash, by which HDF5 checks what it reads."""
    mask = 0xFFFFFFFF
    rotated = lambda x, k: ((x << k) | (x >> (32 - k))) & mask  # noqa: E731
    a = b = c = (0xDEADBEEF + len(data)) & mask
    words = struct.unpack(f"<{len(data) // 4}I", data)
    while len(words) > 3:
        a, b, c = (a + words[0]) & mask, (b + words[1]) & mask, (c + words[2]) & mask
        a = (a - c & mask) ^ rotated(c, 4)
        c = (c + b) & mask
        b = (b - a & mask) ^ rotated(a, 6)
        a = (a + c) & mask
        c = (c - b & mask) ^ rotated(b, 8)
        b = (b + a) & mask
        a = (a - c & mask) ^ rotated(c, 16)
        c = (c + b) & mask
        b = (b - a & mask) ^ rotated(a, 19)
        a = (a + c) & mask
        c = (c - b & mask) ^ rotated(b, 4)
        b = (b + a) & mask
        words = words[3:]
    words = (*words, 0, 0)[:3]
    a, b, c = (a + words[0]) & mask, (b + words[1]) & mask, (c + words[2]) & mask
    for first, second, k in (
        ("c", "b", 14),
        ("a", "c", 11),
        ("b", "a", 25),
        ("c", "b", 16),
        ("a", "c", 4),
        ("b", "a", 14),
        ("c", "b", 24),
    ):
        held = {"a": a, "b": b, "c": c}
        held[first] = ((held[first] ^ held[second]) - rotated(held[second], k)) & mask
        a, b, c = held["a"], held["b"], held["c"]
    return c
