"""NPZ files, looked at before they are read: what each array promises must be in the file, and fit the memory."""

from __future__ import annotations

import math
import struct
import tokenize
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from poseaug_core.errors import UserError
from poseaug_core.readers.limits import require_room
from poseaug_core.readers.safe_pickle import read_pickle

#: Members of a file; data sets have some ten.
MAX_MEMBERS = 10_000


@dataclass(frozen=True)
class Header:
    """Of one array: its shape and type, bytes before the numbers, and bytes of the whole member."""

    shape: tuple[int, ...]
    dtype: np.dtype
    start: int
    size: int

    @property
    def objects(self) -> bool:
        return self.dtype.hasobject


class NpzFile:
    """An open NPZ file: ``headers`` by name, ``read`` for the content. Nothing in it is run."""

    def __init__(self, path: Path, archive: zipfile.ZipFile):
        self.path, self.archive = path, archive
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

    def read(self, *names: str) -> dict[str, Any]:
        """The arrays of these names that are there; object arrays as plain containers of arrays.

        Raises UserError for what would run code, promises more than there is, or does not fit the memory.
        """
        names = [name for name in names if name in self.headers]
        require_room(self.path, sum(self.headers[name].size for name in names), self.path.stat().st_size)
        return {name: self._read(name) for name in names}

    def _read(self, name: str) -> Any:
        header = self.headers[name]
        with self.archive.open(f"{name}.npy") as member:
            if not header.objects:
                return np.lib.format.read_array(member, allow_pickle=False)
            member.read(header.start)
            found = read_pickle(member, header.size - header.start, self.path)
        return found.item() if isinstance(found, np.ndarray) and found.ndim == 0 else found

    def _header(self, info: zipfile.ZipInfo) -> Header:
        with self.archive.open(info) as member:
            version = np.lib.format.read_magic(member)
            read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
            shape, _, dtype = read(member)
            start = member.tell()
        promised = math.prod(shape) * dtype.itemsize
        if any(n < 0 for n in shape) or (not dtype.hasobject and start + promised != info.file_size):
            what = "x".join(map(str, shape[:6])) or "1"
            raise UserError(
                f"{self.path} is damaged: {info.filename[:60]} says it has {what} numbers of {dtype.itemsize} bytes, "
                f"but {max(info.file_size - start, 0):,} bytes are there; copy or write it again."
            )
        return Header(shape, dtype, start, info.file_size)


@contextmanager
def open_npz(path: Path) -> Iterator[NpzFile]:
    """The NPZ file at path; raises UserError in one sentence for what is missing, damaged or not NPZ."""
    with explained(path), zipfile.ZipFile(path) as archive:
        yield NpzFile(path, archive)


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
