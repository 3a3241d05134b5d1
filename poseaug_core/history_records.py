"""A record of a history: a Snapshot as rows of the tables in history_file.py, with a checksum over all that it says."""

from __future__ import annotations

import json
import math
import sqlite3
import zlib
from dataclasses import MISSING, fields
from pathlib import Path

import numpy as np

from poseaug_core import history_file as files
from poseaug_core.errors import UserError
from poseaug_core.snapshot import ARRAYS, Snapshot

#: Names of a record's numbers, which may differ from record to record.
COLUMNS = ("scalars", "controls")
#: Arrays that a Snapshot can be made without, as an earlier version did.
OPTIONAL = {f.name for f in fields(Snapshot) if f.default is not MISSING}
#: All of a record.
ONE = "SELECT step, epoch, phase, scalars, controls, checksum, data FROM records LEFT JOIN arrays USING (k) WHERE k = ?"
Names = dict[str, list[str]]
Shapes = dict[str, tuple[int, ...]]


class DamagedRecord(UserError):
    """One record cannot be what was written; the others may be."""


def insert(base: sqlite3.Connection, names: Names, snapshot: Snapshot) -> int:
    """Write a record, its key; within a transaction. New names are added to ``names`` and to the file."""
    rows = {}
    for column in COLUMNS:
        values, known = getattr(snapshot, column), names[column]
        fresh = [name for name in values if name not in known]
        places = [(column, len(known) + i, name) for i, name in enumerate(fresh)]
        base.executemany("INSERT INTO names VALUES (?, ?, ?)", places)
        known += fresh
        rows[column] = np.array([values.get(name, math.nan) for name in known], "<f8").tobytes()
    data = b"".join(np.ascontiguousarray(getattr(snapshot, name), "<f4").tobytes() for name in ARRAYS)
    head = (snapshot.step, snapshot.epoch, snapshot.phase, rows["scalars"], rows["controls"])
    cursor = base.execute(
        "INSERT INTO records (step, epoch, phase, scalars, controls, checksum) VALUES (?, ?, ?, ?, ?, ?)",
        (*head, _checksum(head, data)),
    )
    base.execute("INSERT INTO arrays VALUES (?, ?)", (cursor.lastrowid, data))
    return cursor.lastrowid


def read(base: sqlite3.Connection, key: int, step: int, names: Names, shapes: Shapes, path: Path) -> Snapshot:
    """The record of a key, which the index says is of ``step``. DamagedRecord where it is not what was written."""
    row = base.execute(ONE, (key,)).fetchone()
    if row is None:
        raise DamagedRecord(f"{path} has lost the snapshot of step {step:,}; look at another one.")
    said, epoch, phase, scalars, controls, checksum, data = row
    head, size = (said, epoch, phase, scalars, controls), 4 * size_of(shapes)
    texts = isinstance(scalars, bytes) and isinstance(controls, bytes) and isinstance(phase, str)
    good = texts and isinstance(data, bytes) and len(data) == size and said == step
    if not good or _checksum(head, data) != checksum:
        raise DamagedRecord(
            f"The snapshot of step {step:,} in {path} is damaged: its checksum is another; look at another one, or "
            "restore the file from a copy."
        )
    ends = np.cumsum([math.prod(shape) for shape in shapes.values()])
    parts = dict(zip(shapes, np.split(np.frombuffer(data, "<f4"), ends[:-1]), strict=True))
    numbers = {column: np.frombuffer(row, "<f8").tolist() for column, row in zip(COLUMNS, head[3:], strict=True)}
    named = {column: zip(names[column], row, strict=False) for column, row in numbers.items()}
    return Snapshot(
        step=step,
        phase=phase,
        epoch=epoch,
        **{name: part.reshape(shapes[name]) for name, part in parts.items() if name in ARRAYS},
        **{column: {name: value for name, value in row if value == value} for column, row in named.items()},
    )


def write_shapes(base: sqlite3.Connection, snapshot: Snapshot) -> Shapes:
    """Note the shapes that all records have; within a transaction."""
    shapes = {name: getattr(snapshot, name).shape for name in ARRAYS}
    base.execute("INSERT INTO about VALUES ('fields', ?)", (json.dumps(shapes),))
    return shapes


def read_shapes(text: str) -> Shapes:
    """The shapes that were noted. Raises ValueError for what no Snapshot can be made of."""
    shapes = {str(name): tuple(map(int, shape)) for name, shape in json.loads(text).items()}
    if missing := [name for name in ARRAYS if name not in shapes and name not in OPTIONAL]:
        raise ValueError(f"the records lack {missing[0]}")
    if any(n < 0 for shape in shapes.values() for n in shape) or size_of(shapes) * 4 > files.LARGEST:
        raise ValueError("the records are of no possible size")
    return shapes


def size_of(shapes: Shapes) -> int:
    """Numbers in all arrays of a record."""
    return sum(map(math.prod, shapes.values()))


def read_names(base: sqlite3.Connection) -> Names:
    ask = "SELECT name FROM names WHERE col = ? ORDER BY place"
    return {column: [str(name) for (name,) in base.execute(ask, (column,))] for column in COLUMNS}


def same(one: Snapshot, other: Snapshot) -> bool:
    """Whether two snapshots say the same, bit for bit."""
    arrays = all(np.array_equal(getattr(one, name), getattr(other, name), equal_nan=True) for name in ARRAYS)
    rest = ("step", "epoch", "phase", *COLUMNS)
    return arrays and all(getattr(one, name) == getattr(other, name) for name in rest)


def _checksum(head: tuple, data: bytes) -> int:
    """CRC-32 over all that a record says."""
    step, epoch, phase, scalars, controls = head
    return zlib.crc32(data, zlib.crc32(scalars + controls, zlib.crc32(f"{step} {epoch} {phase}".encode())))
