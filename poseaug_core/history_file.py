"""The SQLite file of a history: its tables, how it is opened, and what is said where it cannot be read.

SQLite and not HDF5's single-writer mode: a kill at any time leaves all records that were told as written, any number of
openings in any number of processes see the same records, a damaged file is an error and not an endless wait, and
records can go without copying the others.
"""

from __future__ import annotations

import errno
import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from poseaug_core.errors import UserError
from poseaug_core.plain_text import of_library
from poseaug_core.storage import double, explained, sync_folder

#: Number of the layout below; a file of a higher one is of a later version of the program.
FORMAT = 3
TABLES = {
    "about": "CREATE TABLE about (key TEXT PRIMARY KEY, value TEXT) WITHOUT ROWID",
    "names": "CREATE TABLE names (col TEXT, place INTEGER, name TEXT, PRIMARY KEY (col, place)) WITHOUT ROWID",
    "records": "CREATE TABLE records (k INTEGER PRIMARY KEY, step INTEGER, epoch INTEGER, phase TEXT, scalars BLOB, "
    "controls BLOB, checksum INTEGER)",
    "arrays": "CREATE TABLE arrays (k INTEGER PRIMARY KEY, data BLOB)",
}
#: What SQLite puts beside a file, by the ends of their names.
LOGS = ("-wal", "-shm", "-journal")
#: Bytes: of a page; of the largest value that is read.
PAGE, LARGEST = 16384, 1 << 28
#: How a file is opened whose folder may not be written: without its log.
UNLOGGED = "ro&immutable=1"
#: Seconds to wait for another process's write; seconds that one question may take before the file counts as damaged.
PATIENCE, QUESTION = 5.0, 30.0


def create(path: Path) -> sqlite3.Connection:
    """A new file with empty tables, open to write."""
    connection = _connected(path, "rwc")
    try:
        connection.execute(f"PRAGMA page_size = {PAGE}")
        with transaction(connection):
            for table in TABLES.values():
                connection.execute(table)
            connection.execute("INSERT INTO about VALUES ('format', ?)", (str(FORMAT),))
    except BaseException:
        connection.close()
        raise
    return connection


def open_to_write(path: Path, shared: bool) -> sqlite3.Connection:
    """shared: whether the folder is on a network file system, where readers and the writer take turns."""
    connection = _connected(path, "rw")
    try:
        _require_tables(connection, path)
        connection.execute(f"PRAGMA journal_mode = {'TRUNCATE' if shared else 'WAL'}").fetchone()
        connection.execute("PRAGMA synchronous = NORMAL")
    except BaseException:
        connection.close()
        raise
    return connection


def open_to_read(path: Path, damaged: bool = False) -> tuple[sqlite3.Connection, bool]:
    """The open file, and whether it is all there: in a folder that may not be written what a killed writer left in its
    log cannot be taken in. damaged: whether to read a file that was cut as far as it goes."""
    writable = os.access(path, os.W_OK) and os.access(path.parent, os.W_OK)
    # A reader shares the log's index with the writer, so it opens the file to write although it never does.
    modes = ("rw", "ro", UNLOGGED) if writable else ("ro", UNLOGGED)
    for mode in modes:
        connection = None
        try:
            connection = _connected(path, mode, damaged)
            _require_tables(connection, path)
            connection.execute("PRAGMA query_only = ON")
            log = path.with_name(path.name + "-wal")
            return connection, mode != UNLOGGED or not (log.exists() and log.stat().st_size)
        except BaseException as error:
            if connection is not None:
                connection.close()
            if mode == UNLOGGED or not isinstance(error, sqlite3.OperationalError) or is_damage(error):
                raise
    raise AssertionError("the last mode returns or raises")


def _connected(path: Path, mode: str, damaged: bool = False) -> sqlite3.Connection:
    name = os.fsencode(path).replace(b"%", b"%25").replace(b"?", b"%3f").replace(b"#", b"%23")
    uri = f"file:{os.fsdecode(name)}?mode={mode}"
    connection = sqlite3.connect(uri, timeout=PATIENCE, isolation_level=None, check_same_thread=False, uri=True)
    connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, LARGEST)
    connection.setlimit(sqlite3.SQLITE_LIMIT_ATTACHED, 0)
    if damaged:  # first of all: else SQLite reads nothing of a file that is shorter than its head says
        connection.execute("PRAGMA writable_schema = ON")
    for pragma in ("trusted_schema = OFF", "cell_size_check = ON", "mmap_size = 0", "cache_size = -8192"):
        connection.execute(f"PRAGMA {pragma}")
    return connection


def _require_tables(connection: sqlite3.Connection, path: Path) -> None:
    """Nothing but our own tables: a file may bring views and triggers that run when a table is used."""
    with bounded(connection):
        found = dict(connection.execute("SELECT name, sql FROM sqlite_master WHERE name NOT LIKE 'sqlite_auto%'"))
        known = found == TABLES
        if not known and "about" in found and found["about"] == TABLES["about"]:
            row = connection.execute("SELECT value FROM about WHERE key = 'format'").fetchone()
            if row and str(row[0]).isdecimal() and int(row[0]) > FORMAT:
                raise LaterVersion(
                    f"{path} was recorded by a later version of this program; open the run with that version, or use "
                    "its weights (poseaug evaluate, lift, export estimator)."
                )
    if not known:
        raise sqlite3.DatabaseError("its tables are not those of a history")


@contextmanager
def bounded(connection: sqlite3.Connection, seconds: float = QUESTION) -> Iterator[None]:
    """Within it, a question that a damaged file makes endless is broken off."""
    until = time.monotonic() + seconds
    connection.set_progress_handler(lambda: time.monotonic() > until, 100_000)
    try:
        yield
    finally:
        connection.set_progress_handler(None, 0)


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """All of it or nothing."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        with suppress(sqlite3.Error):
            connection.execute("ROLLBACK")
        raise


#: What reading a damaged file can raise.
DAMAGE = (sqlite3.Error, OSError, RuntimeError, KeyError, ValueError, TypeError, OverflowError, AttributeError)
#: SQLite's codes of what is wrong with the disk, the memory, the rights or another process, and not with the file.
OUTSIDE = {
    sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_NOMEM, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_FULL, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PROTOCOL, sqlite3.SQLITE_PERM, sqlite3.SQLITE_NOLFS,
}  # fmt: skip


class LaterVersion(UserError):
    """The file was made by a later version of the program."""


def is_damage(error: Exception) -> bool:
    """Whether an error says that the file is not what was written; else it may be whole."""
    if isinstance(error, sqlite3.Error):
        code = getattr(error, "sqlite_errorcode", None)
        return code is None or code == sqlite3.SQLITE_IOERR_SHORT_READ or code & 0xFF not in OUTSIDE
    return not isinstance(error, OSError)


@contextmanager
def readable(path: Path) -> Iterator[None]:
    """What is wrong with the file as a UserError."""
    try:
        yield
    except UserError:
        raise
    except DAMAGE as error:
        if not is_damage(error):
            said = of_library(error)
            raise UserError(f"{path} cannot be read at this moment ({said}); try again, or check its disk.") from error
        raise UserError(
            f"{path} cannot be read as a history of snapshots; it is damaged or of another version of the program: "
            "restore it from a copy or train anew."
        ) from error


def unwritten(path: Path, error: Exception) -> UserError:
    """A failed write in one sentence."""
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return UserError(f"{path} is held by another process; stop that one, or try again in a moment.")
    number = {sqlite3.SQLITE_FULL: errno.ENOSPC, sqlite3.SQLITE_READONLY: errno.EACCES}.get(code)
    return explained(path, OSError(number, os.strerror(number)) if number else error)


def remove(path: Path) -> None:
    """The file with its logs."""
    for ending in ("", *LOGS):
        path.with_name(path.name + ending).unlink(missing_ok=True)


def settle(connection: sqlite3.Connection) -> None:
    """At the end of writing: one plain file without a log beside it, where nobody reads it at this moment."""
    with suppress(sqlite3.OperationalError):
        connection.execute("PRAGMA busy_timeout = 0")
        connection.execute("PRAGMA journal_mode = DELETE").fetchone()


def put_in_place(part: Path | None, path: Path, aside: Path) -> None:
    """A new file, closed and without logs, takes path's place, which also stays as ``aside``, with its logs. None: only
    that. A kill at any time leaves path as it was, or the new one, and aside."""
    for ending in (*LOGS, ""):
        if (old := path.with_name(path.name + ending)).exists():
            double(old, aside.with_name(aside.name + ending))
    for ending in LOGS:  # of the file before: SQLite would take them in
        path.with_name(path.name + ending).unlink(missing_ok=True)
    path.unlink() if part is None else os.replace(part, path)
    sync_folder(path.parent)


def index(connection: sqlite3.Connection) -> list[tuple[int, int]]:
    """(key, step) of every record that can be found in a damaged file, from its beginning and from its end."""
    found: dict[int, int] = {}
    for order in ("ASC", "DESC"):
        with suppress(sqlite3.DatabaseError), bounded(connection):
            for key, step in connection.execute(f"SELECT k, step FROM records ORDER BY k {order}"):
                if isinstance(key, int) and isinstance(step, int):
                    found[key] = step
    return sorted(found.items())
