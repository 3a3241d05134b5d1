"""History: every recorded Snapshot of a run in one SQLite file, read while it is being written.

A record's arrays are one value, behind them the checksum over all that the record says: it is looked at whenever one is
read. Readers in this or another process, and whoever opens the file after the writer was killed, see whole records
only. Runs of before, with a history.h5, are read as they are, and taken over when they go on (history_hdf5.py).
"""

from __future__ import annotations

import math
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np

from poseaug_core import history_file as files
from poseaug_core import history_records as records
from poseaug_core.errors import UserError
from poseaug_core.history_hdf5 import OldHistory
from poseaug_core.history_mending import mend, take_over
from poseaug_core.history_records import COLUMNS, DamagedRecord, same
from poseaug_core.snapshot import ARRAYS, Snapshot
from poseaug_core.spacing import crowded
from poseaug_core.storage import require_space

__all__ = ["History", "same"]
NAME, OLD = "history.db", "history.h5"
#: Bytes of a history whose every page is looked at before a run goes on.
CHECKED = 2 << 30
#: Records between two looks at how large the file is, and at most so many go at one: a step waits for them.
LOOK_EVERY, AT_ONCE = 64, 256


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
        self._thinned, self._all_there = 0, True

    # writing

    def append(self, snapshot: Snapshot) -> None:
        """Add a record; the first one makes the file. UserError where it cannot be written; the file is as before."""
        with self._lock:
            require_space(self.path, sum(getattr(snapshot, name).nbytes for name in ARRAYS) + (1 << 20))
            try:
                if not self._writing:
                    assert not self.path.exists(), "an existing history is continued with keep()"
                    self._begin()
                shapes = self._shapes
                with files.transaction(self._base):
                    shapes = shapes or records.write_shapes(self._base, snapshot)
                    key = records.insert(self._base, self._names, snapshot)
                self._shapes = shapes
                self._keys, self._steps = np.append(self._keys, key), np.append(self._steps, snapshot.step)
                if len(self._keys) % LOOK_EVERY == 0:
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
            part.replace(self.path)
        finally:
            files.remove(part)
        self._open_to_write()

    def _open_to_write(self) -> None:
        self._close()
        self._base = files.open_to_write(self.path, self.shared)
        self._writing = True
        self._refresh(self._base)

    def _thin(self) -> None:
        """Drop records where the limit is passed, some at a time; what stays lies evenly over the steps."""
        size = 4 * records.size_of(self._shapes) + 1024
        if len(self._keys) * size <= self.limit:
            return
        gone = crowded(self._steps, max(int(self.limit / size), len(self._keys) - AT_ONCE))
        self._drop([int(self._keys[place]) for place in gone], thinned=True)

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

        A damaged file, and one of an earlier version, is written anew (history_mending.py). UserError, and everything
        is as it was, where the disk, another process or a later version is in the way.
        """
        with self._lock:
            if (old := self._older()) is not None:
                told = take_over(self.path, old, last_step)
                self._old = None
            elif not self.path.exists():
                return []
            elif self._keep(last_step):
                return []
            else:
                told = mend(self.path, last_step)
            if self.path.exists():
                self._open_to_write()
            return told

    def _keep(self, last_step: int) -> bool:
        """Whether the file is whole, and then ready to be continued."""
        try:
            self._open_to_write()
            self._require_whole(last_step)
            self._drop([int(key) for key in self._keys[self._steps > last_step]])
            return True
        except DamagedRecord:
            pass
        except UserError:
            self._close()
            raise
        except files.DAMAGE as error:
            if not files.is_damage(error):
                self._close()
                raise files.unwritten(self.path, error) from error
        self._close()
        return False

    def _require_whole(self, last_step: int) -> None:
        """The file's own order, and the record from which the run goes on; others are looked at when they are read."""
        if self.path.stat().st_size < CHECKED:
            if (found := self._base.execute("PRAGMA quick_check(1)").fetchone()) != ("ok",):
                raise sqlite3.DatabaseError(str(found))
        at = int(np.searchsorted(self._steps, last_step, side="right")) - 1
        if at >= 0:
            self._read(self._base, at)

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
                limit = f" of {self.limit / 1e6:,.0f} MB (history_limit)" if self.limit < math.inf else ""
                told.append(f"{self._thinned:,} older snapshots were dropped to keep the history in its limit{limit}.")
            if strange := [name for name in self._shapes if name not in ARRAYS]:
                told.append(f"The snapshots hold {', '.join(strange)}, of a later version; that is not shown.")
            if not self._all_there:
                told.append(
                    f"{self.path.parent} may not be written, so that the last snapshots of a training that was killed "
                    "are not shown; copy the folder to a place that may."
                )
            if self.shared:
                told.append(
                    f"{self.path.parent} is on a network file system: the history's writer and readers take turns "
                    "there, which is slower."
                )
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
        return records.read(base, int(self._keys[k]), int(self._steps[k]), self._names, self._shapes, self.path)

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
            self._base, self._all_there = files.open_to_read(self.path)
            self._identity = (status.st_dev, status.st_ino)
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
                self._shapes = records.read_shapes(about["fields"])
            dropped = int(about.get("dropped", 0))
            known = int(self._keys[-1]) if dropped == self._dropped and len(self._keys) else 0
            rows = base.execute("SELECT k, step FROM records WHERE k > ? ORDER BY k", (known,)).fetchall()
            fresh = np.array(rows, np.int64).reshape(-1, 2)
            before = (self._keys, self._steps) if known else (fresh[:0, 0], fresh[:0, 1])
            self._keys, self._steps = (np.concatenate((a, fresh[:, i])) for i, a in enumerate(before))
            self._dropped, self._thinned = dropped, int(about.get("thinned", 0))
            self._names = records.read_names(base)
        finally:
            base.execute("COMMIT")

    def _refresh_names(self) -> None:
        if self._base is not None:
            with suppress(sqlite3.Error):
                self._names = records.read_names(self._base)

    def _older(self) -> OldHistory | None:
        """The history of an earlier version in this one's place, if there is one."""
        path = self.path.with_name(OLD)
        if self._old is None and self.path.name == NAME and not self.path.exists() and path.exists():
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
