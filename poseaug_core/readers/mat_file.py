"""MATLAB 5 files (.mat), looked at before scipy reads them: every array must be as large as it says.

Version 7.3 files are HDF5 and are read as such.
"""

from __future__ import annotations

import math
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np

from poseaug_core.errors import UserError
from poseaug_core.readers.limits import EXPANSION, HARMLESS, require_room
from poseaug_core.readers.npz_file import explained

#: Data types of the format: one array, and one compressed array.
MATRIX, COMPRESSED = 14, 15
#: Classes of arrays that are read: cell, struct, char, and numbers from double to uint64.
CELL, STRUCT = 1, 2
CLASSES = {CELL, STRUCT, 4, *range(6, 16)}
MAX_DEPTH = 24
#: Arrays within arrays; MPII's annotations have some two million.
MAX_ARRAYS = 20_000_000


def is_mat5(path: Path) -> bool:
    """Whether the file begins as a MATLAB 5 file does (7.3 begins alike but is HDF5)."""
    with explained(path), open(path, "rb") as stream:
        head = stream.read(128)
    return len(head) == 128 and head[124:128] in (b"\x00\x01IM", b"\x01\x00MI")


def read_mat5(path: Path, *names: str) -> dict[str, Any]:
    """The variables of these names that are there, structs as records of arrays of objects (scipy's form).

    Raises UserError for what is damaged, cut short, nested beyond reason or larger unpacked than real data is.
    """
    from scipy.io import loadmat

    with explained(path):
        data = path.read_bytes()
        order = "<" if data[126:128] == b"IM" else ">"
        _Walk(path, order, len(data)).elements(memoryview(data)[128:])
        found = loadmat(path, variable_names=list(names), struct_as_record=True, chars_as_strings=True)
    return {name: found[name] for name in names if name in found}


class _Walk:
    """Goes through all elements of a file and raises ValueError where one is not what it says."""

    def __init__(self, path: Path, order: str, stored: int):
        self.path, self.order, self.stored = path, order, stored
        self.unpacked = self.arrays = 0

    def elements(self, data: memoryview) -> None:
        """The elements of the top level: arrays, most of them compressed."""
        while len(data) >= 8:
            kind, size = struct.unpack_from(f"{self.order}2I", data)
            if size > len(data) - 8:
                raise ValueError("an element is cut short")
            body = data[8 : 8 + size]
            if kind == COMPRESSED:
                body = self._unpacked(body)
                kind, size = struct.unpack_from(f"{self.order}2I", body)
                body = memoryview(body)[8 : 8 + size]
            if kind != MATRIX or len(body) != size:
                raise ValueError(f"element of type {kind}")
            self._array(body, 0)
            data = data[8 + struct.unpack_from(f"{self.order}I", data, 4)[0] :]

    def _unpacked(self, body: memoryview) -> bytes:
        """The content of a compressed element, unpacked no further than real data would go."""
        most = max(HARMLESS, EXPANSION * self.stored)
        content = zlib.decompressobj().decompress(body, most - self.unpacked + 1)
        self.unpacked += len(content)
        require_room(self.path, self.unpacked, self.stored)
        return content

    def _array(self, body: memoryview, depth: int) -> None:
        """One array: flags, dimensions, name, and then numbers or arrays within."""
        self.arrays += 1
        if depth > MAX_DEPTH or self.arrays > MAX_ARRAYS:
            raise UserError(
                f"{self.path} nests arrays more than {MAX_DEPTH} deep or has more than {MAX_ARRAYS:,}, as no data set "
                "does; get it again from its source."
            )
        if not body:
            return
        flags, body = self._part(body)
        kind = struct.unpack_from(f"{self.order}I", flags)[0] & 0xFF
        sizes, body = self._part(body)
        dims = struct.unpack_from(f"{self.order}{len(sizes) // 4}i", sizes)
        _, body = self._part(body)
        if kind not in CLASSES:
            raise UserError(
                f"{self.path} holds a MATLAB array of class {kind} (sparse, object or function), and only numbers, "
                "text, cells and structs are read; save those alone."
            )
        count = math.prod(dims)
        if any(n < 0 for n in dims) or count > len(body) + 8:
            raise ValueError(f"an array of {dims} in {len(body)} bytes")
        if kind == STRUCT:
            length, body = self._part(body)
            names, body = self._part(body)
            count *= len(names) // max(struct.unpack_from(f"{self.order}i", length)[0], 1)
        if kind in (CELL, STRUCT):
            if count * 8 > len(body):
                raise ValueError(f"{count} arrays in {len(body)} bytes")
            for _ in range(count):
                inner, size = struct.unpack_from(f"{self.order}2I", body)
                if inner != MATRIX or size > len(body) - 8:
                    raise ValueError(f"element of type {inner} and {size} bytes")
                self._array(body[8 : 8 + size], depth + 1)
                body = body[8 + size :]

    def _part(self, body: memoryview) -> tuple[memoryview, memoryview]:
        """The content of the first element, in its long or its short form, and what follows it."""
        kind, size = struct.unpack_from(f"{self.order}2I", body)
        if kind >> 16:
            size = kind >> 16
            if size > 4:
                raise ValueError(f"a short element of {size} bytes")
            return body[4 : 4 + size], body[8:]
        if size > len(body) - 8:
            raise ValueError("an element is cut short")
        return body[8 : 8 + size], body[8 + size + (-size % 8) :]


def field(record: Any, name: str) -> Any:
    """A field of a struct as scipy gives it, or None where it is absent or empty."""
    if not isinstance(record, np.ndarray | np.void) or record.dtype.names is None or name not in record.dtype.names:
        return None
    value = record[name]
    while isinstance(value, np.ndarray) and value.dtype == object and value.size == 1:
        value = value.reshape(-1)[0]
    return None if isinstance(value, np.ndarray) and value.size == 0 else value
