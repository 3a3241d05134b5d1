"""History: every recorded Snapshot of a run in one SQLite file, read while it is being written.

A record's arrays are one value, behind them the checksum over all that the record says: it is looked at whenever one is
read. Readers in this or another process, and whoever opens the file after the writer was killed, see whole records
only. Runs of before, with a history.h5, are read as they are, and taken over when they go on (history_hdf5.py).
"""

from __future__ import annotations

import json
import math
import sqlite3
import threading
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import MISSING, fields
from pathlib import Path

import numpy as np

from poseaug_core import history_file as files
from poseaug_core.errors import UserError
from poseaug_core.history_hdf5 import SUPERSEDED, OldHistory
from poseaug_core.snapshot import ARRAYS, Snapshot
from poseaug_core.storage import require_space

#: Names of a record's numbers, which may differ from record to record.
COLUMNS = ("scalars", "controls")
OLD = "history.h5"
#: Arrays that a Snapshot can be made without, as an earlier version did.
OPTIONAL = {f.name for f in fields(Snapshot) if f.default is not MISSING}
#: All of a record.
ONE = "SELECT step, epoch, phase, scalars, controls, checksum, data FROM records LEFT JOIN arrays USING (k) WHERE k = ?"
#: Bytes of a history whose every page is looked at before a run goes on.
CHECKED = 2 << 30
#: Records between two looks at how large the file is.
LOOK_EVERY = 64


class History:
    """The records of one file. One thread may append while others read through the same object.

    limit: bytes that the records may take; beyond it some are dropped, so that the rest lie evenly over the run.
    shared: whether the folder is on a network file system.
    """

    def __init__(self, path: Path, limit: float = math.inf, shared: bool = False):
        self.path, self.limit, self.shared = path, limit, shared
        self._lock = threading.RLock()  # held for one record's reading or writing
        self._base: sqlite3.Connection | None = None
        self._writing = False
        self._identity = (0, 0)
        self._old: OldHistory | None = None
        self._forget()

    def _forget(self) -> None:
        self._keys = self._steps = np.zeros(0, np.int64)
        self._names: dict[str, list[str]] = {column: [] for column in COLUMNS}
        self._shapes: dict[str, tuple[int, ...]] = {}
        self._version = self._dropped = -1
        self._thinned = 0

    # writing

    def append(self, snapshot: Snapshot) -> None:
        """Add a record; the first one makes the file. UserError where it cannot be written; the file is as before."""
        arrays = {name: getattr(snapshot, name) for name in ARRAYS}
        with self._lock:
            require_space(self.path, sum(a.nbytes for a in arrays.values()) + (1 << 20))
            try:
                if not self._writing:
                    assert not self.path.exists(), "an existing history is continued with keep()"
                    self._begin()
                with files.transaction(self._base):
                    if not self._shapes:
                        shapes = {name: array.shape for name, array in arrays.items()}
                        self._base.execute("INSERT INTO about VALUES ('fields', ?)", (json.dumps(shapes),))
                    key = self._insert(snapshot, arrays)
                self._shapes = self._shapes or {name: array.shape for name, array in arrays.items()}
                self._take(key, snapshot.step)
                if self.limit < math.inf and len(self._keys) % LOOK_EVERY == 0:
                    self._thin()
            except (sqlite3.Error, OSError) as error:
                self._refresh_names()  # those of a record that was not written are not there
                raise files.unwritten(self.path, error) from error

    def _begin(self) -> None:
        """A new file, which gets its name when it is whole."""
        part = self.path.with_name(f".{self.path.name}.new.part")
        files.remove(part)
        try:
            files.create(part).close()
            files.move(part, self.path)
        finally:
            files.remove(part)
        self._open_to_write()

    def _open_to_write(self) -> None:
        self._close()
        self._base = files.open_to_write(self.path, self.shared)
        self._writing = True
        self._refresh(self._base)

    def _insert(self, snapshot: Snapshot, arrays: dict[str, np.ndarray]) -> int:
        rows = {}
        for column in COLUMNS:
            values, names = getattr(snapshot, column), self._names[column]
            fresh = [name for name in values if name not in names]
            places = [(column, len(names) + i, name) for i, name in enumerate(fresh)]
            self._base.executemany("INSERT INTO names VALUES (?, ?, ?)", places)
            names += fresh
            rows[column] = np.array([values.get(name, math.nan) for name in names], "<f8").tobytes()
        data = b"".join(np.ascontiguousarray(array, "<f4").tobytes() for array in arrays.values())
        head = (snapshot.step, snapshot.epoch, snapshot.phase, rows["scalars"], rows["controls"])
        cursor = self._base.execute(
            "INSERT INTO records (step, epoch, phase, scalars, controls, checksum) VALUES (?, ?, ?, ?, ?, ?)",
            (*head, _checksum(head, data)),
        )
        self._base.execute("INSERT INTO arrays VALUES (?, ?)", (cursor.lastrowid, data))
        return cursor.lastrowid

    def _take(self, key: int, step: int) -> None:
        self._keys, self._steps = np.append(self._keys, key), np.append(self._steps, step)

    def _thin(self) -> None:
        """Drop records where the limit is passed: what stays lies evenly over the steps, first and last among it."""
        count = len(self._keys)
        size = sum(math.prod(shape) for shape in self._shapes.values()) * 4 + 1024
        if count * size <= self.limit or count < 4:
            return
        wanted = np.linspace(self._steps[0], self._steps[-1], max(int(self.limit / size) // 2, 2))
        kept = np.unique([np.abs(self._steps - step).argmin() for step in wanted])
        gone = np.setdiff1d(np.arange(count), kept)
        self._drop([int(key) for key in self._keys[gone]], thinned=True)

    def _drop(self, keys: list[int], thinned: bool = False) -> None:
        if not keys:
            return
        with files.transaction(self._base):
            for table in ("arrays", "records"):
                self._base.executemany(f"DELETE FROM {table} WHERE k = ?", ((key,) for key in keys))
            for key, count in (("dropped", len(keys)), ("thinned", len(keys) if thinned else 0)):
                self._base.execute(
                    "INSERT INTO about VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = value + excluded.value",
                    (key, count),
                )
        self._refresh(self._base)

    def keep(self, last_step: int) -> list[str]:
        """Make ready to continue from a step: records after it go. What is to be told, in sentences.

        A damaged file is mended: what of it can be read is written anew and read back before it takes the old one's
        place, which stays beside it under another name. So is a history.h5 of an earlier version taken over.
        """
        with self._lock:
            old = self._older()
            if old is not None:
                return self._take_over(old, last_step)
            if not self.path.exists():
                return []
            try:
                self._open_to_write()
                self._require_whole(last_step)
                self._drop([int(key) for key in self._keys[self._steps > last_step]])
                return []
            except UserError as error:
                if error.__cause__ is None and "later version" in str(error):
                    raise
            except files.DAMAGE as error:
                if files.busy(error):
                    raise files.unwritten(self.path, error) from error
            self._close()
            try:
                return self._mend(last_step)
            except (sqlite3.Error, OSError) as error:
                raise files.unwritten(self.path, error) from error

    def _require_whole(self, last_step: int) -> None:
        """The file's own order, and the record from which the run goes on; others are looked at when they are read."""
        if self.path.stat().st_size < CHECKED:
            if (found := self._base.execute("PRAGMA quick_check(1)").fetchone()) != ("ok",):
                raise sqlite3.DatabaseError(str(found))
        at = int(np.searchsorted(self._steps, last_step, side="right")) - 1
        if at >= 0:
            self._read(self._base, at)

    def _mend(self, last_step: int) -> list[str]:
        part, aside = self.path.with_name(f".{self.path.name}.mended.part"), self.path.with_name("history.damaged.db")
        files.remove(part)
        new, lost = History(part, shared=self.shared), 0
        try:
            for snapshot in self._reachable(last_step):
                if snapshot is None:
                    lost += 1
                else:
                    new.append(snapshot)
            count = len(new)
            new.close()
            for k in range(count):  # read back, each by its checksum
                new.read(k)
        finally:
            new.close()
        files.remove(aside)
        files.move(self.path, aside)
        if count:
            files.move(part, self.path)
            self._open_to_write()
        kept = f"{count:,} of its snapshots could be read and were kept" + (f", {lost:,} could not" if lost else "")
        return [f"{self.path} was damaged: {kept}; the file as it was is now {aside.name}."]

    def _reachable(self, last_step: int) -> Iterator[Snapshot | None]:
        """What can be read of a damaged file, None for each record that cannot."""
        try:
            base = files.open_to_read(self.path)
        except UserError:
            raise
        except files.DAMAGE:
            return
        try:
            shapes = _shapes(json.loads(base.execute("SELECT value FROM about WHERE key = 'fields'").fetchone()[0]))
            self._read_names(base)
            for key, step in files.index(base):
                if step <= last_step:
                    try:
                        row = base.execute(ONE, (key,)).fetchone()
                        yield None if row is None else self._snapshot_of(row, self._names, shapes, step)
                    except files.DAMAGE:
                        yield None
        except files.DAMAGE:
            return
        finally:
            base.close()
            self._forget()

    def _take_over(self, old: OldHistory, last_step: int) -> list[str]:
        if old.superseded:
            raise UserError(SUPERSEDED.format(self.path.parent))
        steps = old.steps()
        steps = steps[steps <= last_step]
        part = self.path.with_name(f".{self.path.name}.taken.part")
        files.remove(part)
        new = History(part, shared=self.shared)
        try:
            for k in range(len(steps)):
                new.append(old.read(k))
            for k in range(len(steps)):  # read back, before the old one goes
                if not same(new.read(k), old.read(k)):
                    raise UserError(f"{old.path} could not be copied; free some space or try again.")
        except BaseException:
            new.close()
            files.remove(part)
            raise
        new.close()
        old.close()
        self._old = None
        if len(steps):
            files.move(part, self.path)
            self._open_to_write()
        old.path.unlink()
        return [f"{len(steps):,} snapshots of an earlier version were taken over from {old.path.name}."]

    # reading

    @property
    def superseded(self) -> bool:
        """Whether a much earlier version made the file, a dataset a field; it is read as one of no records.

        UserError for a file that is no history at all.
        """
        with self._lock, self._opened():
            return self._old is not None and self._old.superseded

    @property
    def notes(self) -> list[str]:
        """What is to be known of the records, in sentences."""
        with self._lock, self._opened():
            told = []
            if self._thinned:
                told.append(f"{self._thinned:,} older snapshots were dropped to keep the history in its limit.")
            strange = [name for name in self._shapes if name not in ARRAYS]
            if strange:
                told.append(f"The snapshots hold {', '.join(strange)}, of a later version; that is not shown.")
            return told

    def __len__(self) -> int:
        """Whole records at this moment."""
        with self._lock, self._opened() as base:
            return len(self._keys) if base is not None else self._old_count()

    def read(self, k: int) -> Snapshot:
        """Record k, negative from the end; IndexError where there is none, UserError where it is damaged."""
        with self._lock, self._opened() as base:
            if base is None:
                k = range(self._old_count())[k]
                return self._old.read(k)
            return self._read(base, range(len(self._keys))[k])

    def _read(self, base: sqlite3.Connection, k: int) -> Snapshot:
        key = int(self._keys[k])
        row = base.execute(ONE, (key,)).fetchone()
        if row is None:
            raise UserError(f"{self.path} has lost the snapshot of step {self._steps[k]:,}; look at another one.")
        return self._snapshot_of(row, self._names, self._shapes, int(self._steps[k]))

    def _snapshot_of(self, row: tuple, names: dict, shapes: dict, at: int) -> Snapshot:
        step, epoch, phase, scalars, controls, checksum, data = row
        size = 4 * sum(math.prod(shape) for shape in shapes.values())
        head = (step, epoch, phase, scalars, controls)
        if step != at or not isinstance(data, bytes) or len(data) != size or _checksum(head, data) != checksum:
            raise UserError(
                f"The snapshot of step {at:,} in {self.path} is damaged: its checksum is another; look at another one, "
                "or restore the file from a copy."
            )
        record = np.frombuffer(data, "<f4")
        ends = np.cumsum([math.prod(shape) for shape in shapes.values()])
        parts = dict(zip(shapes, np.split(record, ends[:-1]), strict=True))
        rows = {column: zip(names[column], np.frombuffer(text, "<f8").tolist(), strict=False)
                for column, text in zip(COLUMNS, (scalars, controls), strict=True)}  # fmt: skip
        return Snapshot(
            step=step,
            phase=phase,
            epoch=epoch,
            **{name: part.reshape(shapes[name]) for name, part in parts.items() if name in ARRAYS},
            **{column: {name: value for name, value in row if value == value} for column, row in rows.items()},
        )

    def steps(self, since: int = 0) -> np.ndarray:
        """(records,) int64: the step of every whole record, from record ``since`` on."""
        with self._lock, self._opened() as base:
            return self._steps[since:].copy() if base is not None or self._old is None else self._old.steps()[since:]

    def series(self, column: str) -> dict[str, np.ndarray]:
        """Each name of 'scalars' or 'controls' over all records: (records,) float64, NaN where it was absent."""
        with self._lock, self._opened() as base:
            if base is None:
                return {} if self._old is None else self._old.series(column)
            names = self._names[column]
            table = np.full((len(self._keys), len(names)), math.nan)
            for i, (text,) in enumerate(base.execute(f"SELECT {column} FROM records ORDER BY k")):
                if i < len(table):
                    row = np.frombuffer(text, "<f8")[: len(names)]
                    table[i, : len(row)] = row
            return {name: table[:, i] for i, name in enumerate(names)}

    @contextmanager
    def _opened(self) -> Iterator[sqlite3.Connection | None]:
        """The file, with what is known of it up to date; None while there is none of this layout."""
        with files.readable(self.path):
            if not self._writing:
                self._look()
            elif self._base is None:
                raise OSError("the file is closed")
            if self._base is None:
                self._older()
                yield None
                return
            with files.bounded(self._base):
                yield self._base

    def _look(self) -> None:
        try:
            status = self.path.stat()
        except FileNotFoundError:
            self._close()
            return
        if self._base is None or (status.st_dev, status.st_ino) != self._identity:
            self._close()
            self._base, self._identity = files.open_to_read(self.path), (status.st_dev, status.st_ino)
        with files.bounded(self._base):
            version = self._base.execute("PRAGMA data_version").fetchone()[0]
            if version != self._version:
                self._refresh(self._base)
                self._version = version

    def _refresh(self, base: sqlite3.Connection) -> None:
        """Take in what was written: whole records only, in one look."""
        base.execute("BEGIN")
        try:
            about = dict(base.execute("SELECT key, value FROM about"))
            if not self._shapes and "fields" in about:
                self._shapes = _shapes(json.loads(about["fields"]))
            dropped = int(about.get("dropped", 0))
            known = int(self._keys[-1]) if dropped == self._dropped and len(self._keys) else 0
            rows = base.execute("SELECT k, step FROM records WHERE k > ? ORDER BY k", (known,)).fetchall()
            fresh = np.array(rows, np.int64).reshape(-1, 2)
            before = (self._keys, self._steps) if known else (fresh[:0, 0], fresh[:0, 1])
            self._keys, self._steps = (np.concatenate((a, fresh[:, i])) for i, a in enumerate(before))
            self._dropped, self._thinned = dropped, int(about.get("thinned", 0))
            self._read_names(base)
        finally:
            base.execute("COMMIT")

    def _read_names(self, base: sqlite3.Connection) -> None:
        for column in COLUMNS:
            rows = base.execute("SELECT name FROM names WHERE col = ? ORDER BY place", (column,))
            self._names[column] = [str(name) for (name,) in rows]

    def _refresh_names(self) -> None:
        if self._base is not None:
            try:
                self._read_names(self._base)
            except sqlite3.Error:
                pass

    def _older(self) -> OldHistory | None:
        """The history of an earlier version in this one's place, if there is one."""
        path = self.path.with_name(OLD)
        if self._old is None and self.path.name == "history.db" and not self.path.exists() and path.exists():
            self._old = OldHistory(path)
        elif self._old is not None and not path.exists():
            self._old = None
        return self._old

    def _old_count(self) -> int:
        return 0 if self._old is None else len(self._old)

    def close(self) -> None:
        """End writing; reading goes on working."""
        with self._lock:
            self._close()

    def _close(self) -> None:
        base, self._base, writing, self._writing = self._base, None, self._writing, False
        self._forget()
        if base is not None:
            try:
                if writing:
                    files.settle(base)
                base.close()
            except sqlite3.Error as error:
                raise files.unwritten(self.path, error) from error


def _checksum(head: tuple, data: bytes) -> int:
    """CRC-32 over all that a record says."""
    step, epoch, phase, scalars, controls = head
    return zlib.crc32(data, zlib.crc32(scalars + controls, zlib.crc32(f"{step} {epoch} {phase}".encode())))


def _shapes(found: dict) -> dict[str, tuple[int, ...]]:
    """The shapes of a record's arrays. Raises ValueError for what no Snapshot can be made of."""
    shapes = {str(name): tuple(map(int, shape)) for name, shape in found.items()}
    if missing := [name for name in ARRAYS if name not in shapes and name not in OPTIONAL]:
        raise ValueError(f"the records lack {missing[0]}")
    if (
        any(n < 0 for shape in shapes.values() for n in shape)
        or sum(map(math.prod, shapes.values())) * 4 > files.LARGEST
    ):
        raise ValueError("the records are of no possible size")
    return shapes


def same(one: Snapshot, other: Snapshot) -> bool:
    """Whether two snapshots say the same, bit for bit."""
    arrays = all(np.array_equal(getattr(one, name), getattr(other, name), equal_nan=True) for name in ARRAYS)
    rest = ("step", "epoch", "phase", *COLUMNS)
    return arrays and all(getattr(one, name) == getattr(other, name) for name in rest)
