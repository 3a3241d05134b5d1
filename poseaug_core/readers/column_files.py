"""Columns of numbers, and lists of texts, as NPZ or HDF5 files: the one place that says how they lie in them."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import BinaryIO

import numpy as np

from poseaug_core.readers.hdf5_writer import Hdf5Writer
from poseaug_core.readers.keypoint_columns import Column, chunks

#: Rows that are copied at a time.
BAND = 1 << 14


def write_columns(
    part: Path, suffix: str, columns: Mapping[str, Column | np.ndarray], texts: Mapping[str, Sequence[str]]
) -> None:
    """Write all of them to part, as .npz or, by any other suffix, as HDF5; columns on disk are closed as they are done.

    Raises OSError for what cannot be written.
    """
    write = _write_npz if suffix.lower() == ".npz" else _write_hdf5
    with open(part, "wb") as stream:
        write(stream, columns, texts)


def begin_npy(member: BinaryIO, kind: np.dtype | str, shape: tuple[int, ...]) -> None:
    """What stands before the numbers of an array."""
    head = {"descr": np.dtype(kind).str, "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(member, head)


def _write_npz(stream: BinaryIO, columns, texts) -> None:
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_STORED) as archive:
        for key, column in columns.items():
            with archive.open(f"{key}.npy", "w", force_zip64=True) as member:
                begin_npy(member, column.dtype, _shape(column))
                for rows in _parts(column):
                    member.write(rows.tobytes())
        for key, lines in texts.items():
            with archive.open(f"{key}.npy", "w", force_zip64=True) as member:
                np.lib.format.write_array(member, np.array(lines, dtype=np.str_))


def _write_hdf5(stream: BinaryIO, columns, texts) -> None:
    file = Hdf5Writer(stream, {key: (_shape(column), column.dtype) for key, column in columns.items()})
    for key, column in columns.items():
        for rows in _parts(column):
            file.append(key, rows)
    file.end(texts)


def _shape(column: Column | np.ndarray) -> tuple[int, ...]:
    return (len(column), *column.shape) if isinstance(column, Column) else column.shape


def _parts(column: Column | np.ndarray) -> Iterator[np.ndarray]:
    for rows in chunks(len(column), BAND):
        yield column.read(rows) if isinstance(column, Column) else column[rows]
    if isinstance(column, Column):
        column.close()
