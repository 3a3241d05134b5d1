"""MATLAB 5 files (.mat): numbers, text, cells and structs, every array held against the bytes that are there.

Version 7.3 files are HDF5 and are read as such. scipy's reader is not used: it ends the process on damaged files.
"""

from __future__ import annotations

import math
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np

from poseaug_core.errors import UserError
from poseaug_core.motion.clip import Progress, tell
from poseaug_core.readers.limits import EXPANSION, HARMLESS, require_room
from poseaug_core.readers.npz_file import explained

#: Data types of the format: numbers by their codes, one array, and one compressed array.
NUMBERS = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8", 13: "u8"}
TEXTS = {1: "latin-1", 2: "latin-1", 4: "utf-16", 16: "utf-8", 17: "utf-16", 18: "utf-32"}
MATRIX, COMPRESSED = 14, 15
#: Classes of arrays that are read: cell, struct, char, and numbers from double to uint64.
CELL, STRUCT, CHAR, NUMERIC = 1, 2, 4, range(6, 16)
CLASSES = (CELL, STRUCT, CHAR, *NUMERIC)
MAX_DEPTH = 24
#: Arrays within arrays; MPII's annotations have some two million.
MAX_ARRAYS = 20_000_000
#: Arrays that any file may have, and then one for so many of its bytes; MPII's have six each, compressed.
FEW_ARRAYS, BYTES_EACH = 100_000, 2
#: What every empty array is.
EMPTY = np.zeros((0, 0))
#: So many arrays between two words to progress.
OFTEN = 50_000


def is_mat5(path: Path) -> bool:
    """Whether the file begins as a MATLAB 5 file does (7.3 begins alike but is HDF5)."""
    with explained(path), open(path, "rb") as stream:
        head = stream.read(128)
    return len(head) == 128 and head[124:128] in (b"\x00\x01IM", b"\x01\x00MI")


def read_mat5(path: Path, *names: str, progress: Progress | None = None) -> dict[str, Any]:
    """The variables of these names that are there.

    Numbers as arrays of MATLAB's shape, text as str, a cell array as a list of its entries and a struct array as a
    list of dicts, both column by column. Raises UserError for what is damaged, cut short, nested beyond reason or
    larger unpacked than real data is.
    """
    with explained(path):
        data = path.read_bytes()
        return _Reader(path, "<" if data[126:128] == b"IM" else ">", len(data), progress).variables(data[128:], names)


class _Reader:
    """Goes through the elements of a file; raises ValueError where one is not what it says."""

    def __init__(self, path: Path, order: str, stored: int, progress: Progress | None):
        self.path, self.order, self.stored, self.progress = path, order, stored, progress
        self.two = struct.Struct(f"{order}2I")
        self.unpacked = self.arrays = 0
        self.most = min(FEW_ARRAYS + stored // BYTES_EACH, MAX_ARRAYS)

    def variables(self, content: bytes, names: tuple[str, ...]) -> dict[str, Any]:
        """The variables of these names at the top level, where most are compressed."""
        data, found = memoryview(content), {}
        while len(data) >= 8:
            kind, size = self.two.unpack_from(data)
            if size > len(data) - 8:
                raise ValueError("an element is cut short")
            body, data = data[8 : 8 + size], data[8 + size :]
            if kind == COMPRESSED:
                inner = memoryview(self._unpacked(body))
                kind, size = self.two.unpack_from(inner)
                body = inner[8 : 8 + size]
            if kind != MATRIX or len(body) != size:
                raise ValueError(f"element of type {kind}")
            name, value = self._array(body, 0, names)
            if name in names:
                found[name] = value
        return found

    def _unpacked(self, body: memoryview) -> bytes:
        """The content of a compressed element, unpacked no further than real data would go."""
        most = max(HARMLESS, EXPANSION * self.stored)
        content = zlib.decompressobj().decompress(body, most - self.unpacked + 1)
        self.unpacked += len(content)
        require_room(self.path, self.unpacked, self.stored)
        return content

    def _array(self, body: memoryview, depth: int, names: tuple[str, ...] = ()) -> tuple[str, Any]:
        """Name and content of an array: flags, dimensions, name, and then numbers or arrays within.

        Of those with a name only the ones of ``names`` are gone into, where there are names.
        """
        self._count(depth)
        if not body:
            return "", EMPTY
        _, flags, body = self._part(body)
        kind = self.two.unpack(flags)[0] & 0xFF
        _, sizes, body = self._part(body)
        dims = struct.unpack(f"{self.order}{len(sizes) // 4}i", sizes)
        _, name, body = self._part(body)
        name = bytes(name).decode("latin-1")
        if names and name not in names:
            return name, None
        if kind not in CLASSES:
            raise UserError(
                f"{self.path} holds a MATLAB array of class {kind} (sparse, object or function), and only numbers, "
                "text, cells and structs are read; save those alone."
            )
        count = math.prod(dims)
        if len(dims) < 2 or min(dims) < 0 or count > len(body):
            raise ValueError(f"an array of {dims} in {len(body)} bytes")
        if kind in NUMERIC:
            return name, self._numbers(body, dims) if count else np.zeros(dims)
        if kind == CHAR:
            return name, self._text(body) if count else ""
        if kind == CELL:
            return name, self._entries(body, count, depth)[0]
        return name, self._structs(body, count, depth)

    def _count(self, depth: int) -> None:
        self.arrays += 1
        if depth > MAX_DEPTH or self.arrays > self.most:
            raise UserError(
                f"{self.path} nests arrays more than {MAX_DEPTH} deep or has more than {self.most:,}, as no data set "
                "does; get it again from its source."
            )
        if self.arrays % OFTEN == 0:
            tell(self.progress, self.arrays / self.most / 2, f"{self.arrays:,} arrays read")

    def _numbers(self, body: memoryview, dims: tuple[int, ...]) -> np.ndarray:
        kind, raw, _ = self._part(body)
        if kind not in NUMBERS:
            raise ValueError(f"numbers of type {kind}")
        return np.frombuffer(raw, self.order + NUMBERS[kind]).reshape(dims, order="F")

    def _text(self, body: memoryview) -> str:
        kind, raw, _ = self._part(body)
        if kind not in TEXTS:
            raise ValueError(f"text of type {kind}")
        ending = ("-le" if self.order == "<" else "-be") if TEXTS[kind] in ("utf-16", "utf-32") else ""
        return bytes(raw).decode(TEXTS[kind] + ending, "replace")

    def _structs(self, body: memoryview, count: int, depth: int) -> list[dict[str, Any]]:
        _, length, body = self._part(body)
        (length,) = struct.unpack(f"{self.order}i", length)
        _, raw, body = self._part(body)
        if not 0 < length <= 64 or len(raw) % length:
            raise ValueError(f"field names of {length} letters")
        fields = [bytes(raw[i : i + length]).split(b"\0")[0].decode("latin-1") for i in range(0, len(raw), length)]
        made = []
        for _ in range(count if fields else 0):
            values, body = self._entries(body, len(fields), depth)
            made.append(dict(zip(fields, values, strict=True)))
        return made

    def _entries(self, body: memoryview, count: int, depth: int) -> tuple[list[Any], memoryview]:
        """The next ``count`` arrays and what follows them."""
        if count * 8 > len(body):
            raise ValueError(f"{count} arrays in {len(body)} bytes")
        found = []
        for _ in range(count):
            kind, size = self.two.unpack_from(body)
            if kind != MATRIX or size > len(body) - 8:
                raise ValueError(f"element of type {kind} and {size} bytes")
            found.append(self._array(body[8 : 8 + size], depth + 1)[1])
            body = body[8 + size :]
        return found, body

    def _part(self, body: memoryview) -> tuple[int, memoryview, memoryview]:
        """Type and content of the first element, in its long or its short form, and what follows it."""
        kind, size = self.two.unpack_from(body)
        if kind >> 16:
            kind, size = kind & 0xFFFF, kind >> 16
            if size > 4:
                raise ValueError(f"a short element of {size} bytes")
            return kind, body[4 : 4 + size], body[8:]
        if size > len(body) - 8:
            raise ValueError("an element is cut short")
        return kind, body[8 : 8 + size], body[8 + size + (-size % 8) :]
