"""Locks: one process at a time, by a file that serves for nothing else; a killed process frees what it held.

The file is opened for writing, which locks on NFS need, and is never replaced: a lock is on the file and not on its
name. Whoever only asks needs no right to write.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from filelock import FileLock, Timeout

try:
    import fcntl
except ImportError:  # Windows, where the library locks in another way
    fcntl = None

#: Seconds for which the lock may be tried: whoever asks whether it is held has it for a moment.
PATIENCE, PAUSE = 0.3, 0.02


class Lock:
    """Held from ``take`` to ``free``, or to the end of the process."""

    def __init__(self, path: Path):
        self.path = path
        # Threads may hand it on: a run is closed by another one than began it.
        self._file = FileLock(path, timeout=PATIENCE, thread_local=False)

    @property
    def held(self) -> bool:
        """Whether this object has it."""
        return self._file.is_locked

    def take(self) -> bool:
        """Whether it is held now; False while another process, or another object, has it.

        OSError where the file cannot be made or the system knows no locks there.
        """
        os.close(os.open(self.path, os.O_CREAT | os.O_RDWR, 0o666))  # as open to others as every file here
        try:
            self._file.acquire(poll_interval=PAUSE)
        except Timeout:
            return False
        return True

    def free(self, remove: bool = False) -> None:
        """Let others have it. remove: with the file, which then must guard nothing that others still come for."""
        if remove and self.held and fcntl is not None:
            # While it is held: whoever opened it before sees that it has no name any more, and makes a new one.
            self.path.unlink(missing_ok=True)
        self._file.release(force=True)
        if remove and fcntl is None:
            with suppress(OSError):
                self.path.unlink(missing_ok=True)


def held(path: Path) -> bool:
    """Whether another process, or another object of this one, holds the lock of this file; changes nothing.

    False where there is no such file, or none that this user may read.
    """
    if not path.is_file():
        return False
    if fcntl is None:
        lock = Lock(path)
        try:
            return not lock.take()
        except OSError:
            return False
        finally:
            lock.free()
    try:
        with open(path, "rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False
