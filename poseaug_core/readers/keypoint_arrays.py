"""Keypoints as plain arrays: ``keypoints`` (n, k, 2 or 3) in .npz, or the array itself in .npy; read in parts."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np

from poseaug_core.errors import UserError
from poseaug_core.readers.keypoint_columns import CHUNK, chunks
from poseaug_core.readers.keypoint_people import People
from poseaug_core.readers.limits import require_honest
from poseaug_core.readers.npz_file import explained, open_npz

KEYS = ("keypoints", "confidence", "scores", "images", "width", "height")
#: Bytes of one array that are in memory at a time.
PART = 64 << 20


@dataclass
class Streamed:
    """One array of a file, whose rows are read in order. stream: at its first number; whole: read already."""

    shape: tuple[int, ...]
    dtype: np.dtype
    stream: BinaryIO | None = None
    whole: np.ndarray | None = None

    def next(self, rows: slice) -> np.ndarray:
        """The rows that follow those read before."""
        if self.whole is not None:
            return self.whole[rows]
        count, shape = rows.stop - rows.start, self.shape[1:]
        size = count * int(np.prod(shape, dtype=np.int64)) * self.dtype.itemsize
        read = self.stream.read(size)
        if len(read) != size:
            raise EOFError
        return np.frombuffer(read, self.dtype).reshape(count, *shape)


def read_keypoint_arrays(
    path: Path, folder: Path | None = None, progress: Callable[[float], None] | None = None
) -> People:
    """The people of ``keypoints`` (n, k, 2 or 3): x, y and, where given, confidence in 0..1; columns in ``folder``.

    Optional beside it in .npz: ``confidence`` or ``scores`` (n, k), ``images`` (n,) names or frame numbers, ``width``
    and ``height`` of all images or (n,). Rows are images in order where ``images`` is not there. Nothing is ever
    unpickled. progress: told the share read. Raises UserError.
    """
    with explained(path), ExitStack() as stack:
        columns = stack.enter_context(_columns(path))
        points = _numeric(columns, "keypoints", path)
        if len(points.shape) != 3 or points.shape[2] not in (2, 3) or 0 in points.shape:
            raise UserError(f"{path}: keypoints have shape {points.shape}, expected (people, joints, 2 or 3).")
        count = points.shape[0]
        sure = next((_numeric(columns, key, path) for key in ("confidence", "scores") if key in columns), None)
        if sure is not None and sure.shape != points.shape[:2]:
            raise UserError(f"{path}: confidence has shape {sure.shape}, expected {points.shape[:2]}, one a joint.")
        images = columns.get("images")
        if images is not None and (images.shape != (count,) or images.dtype.kind not in "iuU"):
            raise UserError(
                f"{path}: images has shape {images.shape}, expected {count} names or numbers, one a person."
            )
        sides = []
        if {"width", "height"} <= set(columns):
            sides = [_numeric(columns, key, path) for key in ("width", "height")]
            if any(side.shape not in ((), (1,), (count,)) for side in sides):
                raise UserError(f"{path}: width and height must be one number, or one for each of {count} people.")
        sides = [side if side.shape == (count,) else _alike(side, count) for side in sides]
        people = People("Arrays", folder)
        row = int(np.prod(points.shape[1:])) * points.dtype.itemsize
        for rows in chunks(count, max(1, min(CHUNK, PART // row))):
            if progress is not None:
                progress(rows.start / count)
            part = points.next(rows).astype(np.float64)
            certain = sure.next(rows).astype(np.float64) if sure is not None else None
            if certain is None:
                certain = part[..., 2] if part.shape[2] > 2 else np.ones(part.shape[:2])
            names = None if images is None else [str(name) for name in images.next(rows).tolist()]
            nowhere = np.full(rows.stop - rows.start, np.nan)
            size = np.stack([side.next(rows) for side in sides] or [nowhere, nowhere], axis=1)
            try:
                people.put(names, part[..., :2], certain, nowhere, size)
            except UserError as error:
                raise UserError(f"{path}: {error}") from None
    return people


def _alike(side: Streamed, count: int) -> Streamed:
    one = side.next(slice(0, 1)) if side.shape else side.next(slice(0, 1)).reshape(1)
    return Streamed((count,), one.dtype, whole=np.broadcast_to(one, (count,)))


def _numeric(columns: dict[str, Streamed], key: str, path: Path) -> Streamed:
    if columns[key].dtype.kind not in "fiu":
        raise UserError(f"{path}: {key} does not hold numbers; save it as float32.")
    return columns[key]


@contextmanager
def _columns(path: Path) -> Iterator[dict[str, Streamed]]:
    if path.suffix.lower() == ".npy":
        # Mapped, so that a header cannot ask for memory that the file does not fill.
        mapped = np.load(path, mmap_mode="r", allow_pickle=False)
        if not mapped.flags.c_contiguous:
            yield {"keypoints": Streamed(mapped.shape, mapped.dtype, whole=mapped)}
            return
        with open(path, "rb") as stream:
            stream.seek(mapped.offset)
            shape, dtype = mapped.shape, mapped.dtype
            del mapped
            yield {"keypoints": Streamed(shape, dtype, stream)}
        return
    with open_streams(path, KEYS) as found:
        if "keypoints" not in found:
            with open_npz(path) as file:
                listed = ", ".join(list(file.headers)[:8]) or "no arrays"
            raise UserError(f"{path}: keypoints (people, joints, 2 or 3) missing, the file has {listed}.")
        yield found


@contextmanager
def open_streams(path: Path, names: Sequence[str], whole: Sequence[str] = ()) -> Iterator[dict[str, Streamed]]:
    """The arrays of an NPZ file of these names that are there, to be read in parts; those in ``whole`` are read.

    Raises UserError for what promises more than there is, and for object arrays.
    """
    with open_npz(path) as file, ExitStack() as stack:
        known = [key for key in names if key in file.headers]
        require_honest(path, sum(file.headers[key].size for key in known), path.stat().st_size)
        found = {}
        for key in known:
            header = file.headers[key]
            if key in whole:
                found[key] = Streamed(header.shape, header.dtype, whole=file.read(key)[key])
                continue
            if header.objects:
                raise UserError(f"{path}: {key} does not hold numbers; save it as float32.")
            stream = stack.enter_context(file.archive.open(f"{key}.npy"))
            fortran = b"'fortran_order': True" in stream.read(header.start)
            read = file.read(key)[key] if fortran and len(header.shape) > 1 else None
            found[key] = Streamed(header.shape, header.dtype, stream, read)
        yield found
