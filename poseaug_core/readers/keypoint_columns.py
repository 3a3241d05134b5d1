"""Columns of rows that grow on disk: what a file of any length holds, in memory that does not grow with it."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np

from poseaug_core.storage import explained

#: Bytes of a column that stay in memory; more goes to a file without a name, which is gone with the process.
IN_MEMORY = 4 << 20
#: Rows that are worked on at once.
CHUNK = 4096


def chunks(count: int, size: int = CHUNK) -> Iterator[slice]:
    """Slices that cover count rows."""
    return (slice(start, min(start + size, count)) for start in range(0, count, size))


class Column:
    """Rows of one shape and type: appended at the end, read anywhere.

    folder: of the file, the system's for temporary ones by default. of: the file that is made of it, if any. Raises
    UserError, which names that, where the folder's disk is full.
    """

    def __init__(
        self,
        shape: tuple[int, ...] = (),
        dtype: type = np.float64,
        folder: Path | None = None,
        of: Path | None = None,
    ):
        self.shape, self.dtype, self.folder = shape, np.dtype(dtype), folder
        self.named = of or folder or Path(tempfile.gettempdir())
        self.row_bytes = self.dtype.itemsize * int(np.prod(shape, dtype=np.int64))
        self.count = 0
        self.file = tempfile.SpooledTemporaryFile(IN_MEMORY, dir=folder)

    def __len__(self) -> int:
        return self.count

    def append(self, rows: np.ndarray | Sequence) -> None:
        rows = np.ascontiguousarray(rows, self.dtype)
        try:
            self.file.seek(0, 2)
            self.file.write(rows.data.cast("B") if rows.size else b"")
            self.file.flush()  # what cannot be written is to be told here, not by who reads
        except OSError as error:
            raise explained(self.named, error) from error
        self.count += len(rows)

    def read(self, rows: slice) -> np.ndarray:
        """A copy of the rows from start to stop."""
        start, stop, _ = rows.indices(self.count)
        self.file.seek(start * self.row_bytes)
        found = np.frombuffer(bytearray(self.file.read((stop - start) * self.row_bytes)), self.dtype)
        return found.reshape(stop - start, *self.shape)

    def __getitem__(self, rows: slice) -> np.ndarray:
        """A copy of the rows of a slice of any step, as of an array."""
        if rows.step in (None, 1):
            return self.read(rows)
        return np.concatenate([self.read(slice(row, row + 1)) for row in range(*rows.indices(len(self)))])

    def pick(self, rows: np.ndarray) -> np.ndarray:
        """The rows of these numbers; those near each other are read together."""
        if not len(rows):
            return np.zeros((0, *self.shape), self.dtype)
        low, high = int(rows.min()), int(rows.max()) + 1
        if high - low <= 4 * len(rows) + CHUNK:
            return self.read(slice(low, high))[rows - low]
        return np.concatenate([self.read(slice(row, row + 1)) for row in rows.tolist()])

    def whole(self) -> np.ndarray:
        return self.read(slice(None))

    def close(self) -> None:
        with suppress(OSError):  # of what could not be written, and is now given up
            self.file.close()


class Texts:
    """Texts, in order, as Column."""

    def __init__(self, folder: Path | None = None, of: Path | None = None):
        self.letters, self.ends = Column((), np.uint8, folder, of), Column((), np.int64, folder, of)

    def __len__(self) -> int:
        return len(self.ends)

    def append(self, texts: Sequence[str]) -> None:
        # A file may hold halves of letters, which have no bytes of their own.
        coded = [text.encode("utf-8", "surrogatepass") for text in texts]
        self.ends.append(len(self.letters) + np.cumsum([len(one) for one in coded], dtype=np.int64))
        self.letters.append(np.frombuffer(b"".join(coded), np.uint8))

    def read(self, rows: slice) -> list[str]:
        start, stop, _ = rows.indices(len(self))
        if start >= stop:
            return []
        ends = self.ends.read(slice(max(start - 1, 0), stop)).tolist()
        ends = ends if start else [0, *ends]
        letters = self.letters.read(slice(ends[0], ends[-1])).tobytes()
        places = [end - ends[0] for end in ends]
        return [letters[a:b].decode("utf-8", "surrogatepass") for a, b in zip(places, places[1:], strict=False)]

    def pick(self, rows: np.ndarray) -> list[str]:
        """The texts of these numbers; those near each other are read together."""
        if not len(rows):
            return []
        low, high = int(rows.min()), int(rows.max()) + 1
        if high - low <= 4 * len(rows) + CHUNK:
            found = self.read(slice(low, high))
            return [found[row - low] for row in rows.tolist()]
        return [self.read(slice(row, row + 1))[0] for row in rows.tolist()]

    def close(self) -> None:
        self.letters.close()
        self.ends.close()
