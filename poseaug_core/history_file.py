"""The SQLite file of a history: its tables, how it is opened, and what is said where it cannot be read.

SQLite and not HDF5's single-writer mode: a kill at any time leaves all records that were told as written, any number of
openings in any number of processes see the same records, a damaged file is an error and not an endless wait, and
records can go without copying the others.
"""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from poseaug_core.errors import UserError
from poseaug_core.storage import explained

#: Number of the layout below; a file of a higher one is of a later version of the program.
FORMAT = 3
TABLES = {
    "about": "CREATE TABLE about (key TEXT PRIMARY KEY, value TEXT) WITHOUT ROWID",
    "names": "CREATE TABLE names (col TEXT, place INTEGER, name TEXT, PRIMARY KEY (col, place)) WITHOUT ROWID",
    "records": "CREATE TABLE records (k INTEGER PRIMARY KEY, step INTEGER, epoch INTEGER, phase TEXT, scalars BLOB, "
    "controls BLOB, checksum INTEGER)",
    "arrays": "CREATE TABLE arrays (k INTEGER PRIMARY KEY, data BLOB)",
}
#: Bytes: of a page; of the largest value that is read.
PAGE, LARGEST = 16384, 1 << 28
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


def open_to_read(path: Path) -> sqlite3.Connection:
    """Also of a folder that may not be written, where what a killed writer left in its log cannot be taken in."""
    writable = os.access(path, os.W_OK) and os.access(path.parent, os.W_OK)
    # A reader shares the log's index with the writer, so it opens the file to write although it never does.
    for mode in ("rw", "ro", "ro&immutable=1") if writable else ("ro", "ro&immutable=1"):
        try:
            connection = _connected(path, mode)
        except sqlite3.OperationalError:
            continue
        try:
            _require_tables(connection, path)
            connection.execute("PRAGMA query_only = ON")
            return connection
        except sqlite3.OperationalError:
            connection.close()
            if mode.endswith("1"):
                raise
        except BaseException:
            connection.close()
            raise
    raise sqlite3.OperationalError("unable to open the file")


def _connected(path: Path, mode: str) -> sqlite3.Connection:
    name = os.fsencode(path).replace(b"%", b"%25").replace(b"?", b"%3f").replace(b"#", b"%23")
    uri = f"file:{os.fsdecode(name)}?mode={mode}"
    connection = sqlite3.connect(uri, timeout=PATIENCE, isolation_level=None, check_same_thread=False, uri=True)
    connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, LARGEST)
    connection.setlimit(sqlite3.SQLITE_LIMIT_ATTACHED, 0)
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
                raise UserError(
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
DAMAGE = (sqlite3.DatabaseError, OSError, RuntimeError, KeyError, ValueError, TypeError, OverflowError, AttributeError)


@contextmanager
def readable(path: Path) -> Iterator[None]:
    """What is wrong with the file as a UserError."""
    try:
        yield
    except UserError:
        raise
    except DAMAGE as error:
        if isinstance(error, sqlite3.OperationalError) and "locked" in str(error):
            raise UserError(f"{path} is held by another process; try again in a moment.") from error
        raise damaged(path) from error


def damaged(path: Path) -> UserError:
    return UserError(
        f"{path} cannot be read as a history of snapshots; it is damaged or of another version of the program: "
        "restore it from a copy or train anew."
    )


def unwritten(path: Path, error: Exception) -> UserError:
    """A failed write in one sentence."""
    if isinstance(error, sqlite3.OperationalError) and "full" in str(error):
        error = OSError(28, "No space left on device")
    return explained(path, error)


def remove(path: Path, unlink: Callable[[Path], None] = lambda file: file.unlink(missing_ok=True)) -> None:
    """The file with its logs."""
    for ending in ("", "-wal", "-shm", "-journal"):
        unlink(path.with_name(path.name + ending))


def settle(connection: sqlite3.Connection) -> None:
    """At the end of writing: one plain file without a log beside it, where nobody reads it at this moment."""
    with suppress(sqlite3.OperationalError):
        connection.execute("PRAGMA busy_timeout = 0")
        connection.execute("PRAGMA journal_mode = DELETE").fetchone()


def move(path: Path, to: Path) -> None:
    """A closed file to another name, with the logs that a killed writer left."""
    for ending in ("-wal", "-journal", ""):
        with suppress(FileNotFoundError):
            os.replace(path.with_name(path.name + ending), to.with_name(to.name + ending))


def busy(error: Exception) -> bool:
    """Whether another process holds the file, which is no damage."""
    return isinstance(error, sqlite3.OperationalError) and ("locked" in str(error) or "busy" in str(error))


def index(connection: sqlite3.Connection) -> list[tuple[int, int]]:
    """(key, step) of every record that can be found in a damaged file, from its beginning and from its end."""
    found: dict[int, int] = {}
    for order in ("ASC", "DESC"):
        with suppress(sqlite3.DatabaseError), bounded(connection):
            for key, step in connection.execute(f"SELECT k, step FROM records ORDER BY k {order}"):
                if isinstance(key, int) and isinstance(step, int):
                    found[key] = step
    return sorted(found.items())
