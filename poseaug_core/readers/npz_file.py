"""NPZ files, looked at before they are read: what each array promises must be in the file, and fit the memory."""

from __future__ import annotations

import math
import struct
import tokenize
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from poseaug_core.errors import UserError
from poseaug_core.readers.limits import require_room
from poseaug_core.readers.safe_pickle import Stored, read_pickle

#: Members of a file; data sets have some ten.
MAX_MEMBERS = 10_000
#: Bytes that are read together where an array is read in parts.
BAND = 1 << 20


@dataclass(frozen=True)
class Header:
    """Of one array: shape, type, whether columns come first; bytes before the numbers, and of the whole member."""

    shape: tuple[int, ...]
    dtype: np.dtype
    fortran: bool
    start: int
    size: int

    @property
    def objects(self) -> bool:
        return self.dtype.hasobject


class NpzFile:
    """An open NPZ file: ``headers`` by name, ``read`` and ``bands`` for the content. Nothing in it is run.

    leave: arrays within object arrays that take so many bytes or more are not read, but left as Stored; 0 reads all.
    """

    def __init__(self, path: Path, archive: zipfile.ZipFile, leave: int = 0):
        self.path, self.archive, self.leave = path, archive, leave
        members = archive.infolist()
        if len(members) > MAX_MEMBERS:
            raise UserError(
                f"{path} has {len(members):,} members, at most {MAX_MEMBERS:,} are read; it is no data set."
            )
        for member in members:
            # Other methods are unpacked as far as they go, however little is asked for; NumPy never uses them.
            if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                raise UserError(
                    f"{path} has {member.filename[:60]!r} packed by method {member.compress_type}, and only plain and "
                    "deflated arrays are read; save it again with numpy.savez."
                )
        self.headers = {
            m.filename.removesuffix(".npy"): self._header(m) for m in members if m.filename.endswith(".npy")
        }

    @property
    def names(self) -> list[str]:
        return list(self.headers)

    def read(self, *names: str) -> dict[str, Any]:
        """The arrays of these names that are there; object arrays as plain containers of arrays.

        Raises UserError for what would run code, promises more than there is, or does not fit the memory.
        """
        return {name: self._read(name) for name in self.promised(*names)}

    def promised(self, *names: str) -> dict[str, Header]:
        """The headers of these names that are there; UserError where all together do not fit the memory."""
        found = {name: self.headers[name] for name in names if name in self.headers}
        require_room(self.path, sum(header.size for header in found.values()), self.path.stat().st_size)
        return found

    def bands(self, name: str) -> Iterator[np.ndarray]:
        """The rows of an array of numbers, a band at a time; look with ``promised`` first."""
        header = self.headers[name]
        if header.fortran or not math.prod(header.shape) or not header.shape:
            yield self._read(name)
            return
        with self.archive.open(f"{name}.npy") as member:
            member.read(header.start)
            yield from _rows(member, header.shape, header.dtype)

    def stored(self, name: str, arrays: Iterable[Stored]) -> Iterator[tuple[Stored, int, np.ndarray]]:
        """Bands of arrays left in an object array, in the order in which they lie: (the array, first row, rows)."""
        with self.archive.open(f"{name}.npy") as member:
            for left in sorted(set(arrays), key=lambda left: left.start):
                member.seek(self.headers[name].start + left.start)
                first = 0
                for rows in _rows(member, left.shape, left.dtype) if left.order == "C" else [left.array(member)]:
                    yield left, first, rows
                    first += len(rows)

    def _read(self, name: str) -> Any:
        header = self.headers[name]
        with self.archive.open(f"{name}.npy") as member:
            if not header.objects:
                return np.lib.format.read_array(member, allow_pickle=False)
            member.read(header.start)
            found = read_pickle(member, header.size - header.start, self.path, self.leave)
            while member.read(BAND):  # the checksum is looked at in the end
                pass
        return found.item() if isinstance(found, np.ndarray) and found.ndim == 0 else found

    def _header(self, info: zipfile.ZipInfo) -> Header:
        with self.archive.open(info) as member:
            version = np.lib.format.read_magic(member)
            read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
            shape, fortran, dtype = read(member)
            start = member.tell()
        promised = math.prod(shape) * dtype.itemsize
        if any(n < 0 for n in shape) or (not dtype.hasobject and start + promised != info.file_size):
            what = "x".join(map(str, shape[:6])) or "1"
            raise UserError(
                f"{self.path} is damaged: {info.filename[:60]} says it has {what} numbers of {dtype.itemsize} bytes, "
                f"but {max(info.file_size - start, 0):,} bytes are there; copy or write it again."
            )
        return Header(shape, dtype, fortran, start, info.file_size)


def _rows(member: BinaryIO, shape: tuple[int, ...], dtype: np.dtype) -> Iterator[np.ndarray]:
    """The rows of an array whose numbers come next, a band at a time."""
    row = math.prod(shape[1:]) * dtype.itemsize
    step = max(BAND // max(row, 1), 1)
    for first in range(0, shape[0], step):
        count = min(step, shape[0] - first)
        yield np.frombuffer(member.read(count * row), dtype, count * row // dtype.itemsize).reshape(count, *shape[1:])


@contextmanager
def open_npz(path: Path, leave: int = 0) -> Iterator[NpzFile]:
    """The NPZ file at path; raises UserError in one sentence for what is missing, damaged or not NPZ."""
    with explained(path), zipfile.ZipFile(path) as archive:
        yield NpzFile(path, archive, leave)


@contextmanager
def explained(path: Path) -> Iterator[None]:
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
    except MemoryError:
        raise UserError(f"{path} asks for more memory than there is; get it again from its source.") from None
    except (
        OSError,
        ValueError,
        TypeError,
        EOFError,
        KeyError,
        RuntimeError,
        SyntaxError,
        OverflowError,
        struct.error,
        tokenize.TokenError,
        zipfile.BadZipFile,
        zlib.error,
    ) as error:
        raise UserError(f"{path} cannot be read: it is damaged or cut short; copy or write it again.") from error
