"""Writing files whole or not at all, and what went wrong in one sentence."""

from __future__ import annotations

import errno
import hashlib
import os
import platform
import re
import shutil
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path

from poseaug_core.errors import UserError
from poseaug_core.paths import unreachable, usable
from poseaug_core.plain_text import of_library

#: Bytes kept free beside what is written, for the folder's own bookkeeping.
MARGIN = 64 * 1024
#: Seconds after which what a killed process has begun is taken away, where nothing tells that it is gone.
ABANDONED = 24 * 3600


def free_bytes(path: Path) -> int:
    """Bytes free on the disk that holds the nearest existing folder of path."""
    folder = usable(path).absolute()
    while not folder.is_dir():
        folder = folder.parent
    return shutil.disk_usage(folder).free


def require_space(path: Path, needed: int) -> None:
    """UserError unless ``needed`` bytes fit beside path; asked first, so that nothing is half-written."""
    if free_bytes(path) < needed + MARGIN:
        raise _full(path, needed + MARGIN)


def explained(path: Path, error: Exception) -> UserError:
    """A failure to write path as a UserError; also for libraries that hide the error number in their text."""
    if getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT) or any(
        word in str(error) for word in ("No space left", "errno = 28,", "os error 28", "errno = 122,", "os error 122")
    ):
        return _full(path)
    if getattr(error, "errno", None) == errno.EFBIG or any(
        word in str(error) for word in ("File too large", "errno = 27,", "os error 27")
    ):
        return UserError(
            f"{path} cannot be written: it would be larger than a file may be here{_limit()}; raise that limit (ulimit "
            "-f) or choose a folder on another disk."
        )
    if isinstance(error, OSError) and (refusal := unreachable(path, error)):
        return refusal
    if getattr(error, "errno", None) in (errno.EACCES, errno.EPERM, errno.EROFS):
        return UserError(f"{path} may not be written by this user; choose another folder.")
    reason = os.strerror(error.errno) if getattr(error, "errno", None) else of_library(error)
    return UserError(f"{path} could not be written ({reason}); choose another folder.")


def _full(path: Path, needed: int = 0) -> UserError:
    need = f" of the {needed:,} needed" if needed else ""
    return UserError(
        f"{path} cannot be written: its disk has {free_bytes(path):,} bytes free{need}; "
        "free some space or choose a folder on another disk."
    )


def make_folder(path: str | Path) -> Path:
    """The folder, made if it was not there; UserError where it cannot be."""
    path = usable(path)
    try:
        path.mkdir(parents=True, exist_ok=True)
    except FileExistsError:
        raise UserError(f"{path} is a file; name a folder.") from None
    except OSError as error:
        raise explained(path, error) from error
    return path


def _limit() -> str:
    """What a file of this process may have at most, where that is limited."""
    try:
        import resource
    except ImportError:  # not on Windows
        return ""
    most = resource.getrlimit(resource.RLIMIT_FSIZE)[0]
    return "" if most == resource.RLIM_INFINITY else f", {most:,} bytes"


_asking_umask = threading.Lock()


def _umask() -> int:
    try:
        with open("/proc/self/status") as file:
            return next(int(line.split()[1], 8) for line in file if line.startswith("Umask:"))
    except (OSError, StopIteration, ValueError):
        return _umask_asked()


@cache
def _umask_asked() -> int:
    """Where no file tells it, by setting it for a moment, in all threads: once."""
    with _asking_umask:
        mask = os.umask(0o077)  # a file that another thread makes meanwhile is closed to others rather than open
        os.umask(mask)
    return mask


@cache
def _here() -> str:
    """Eight letters for where this process's number means this process: the machine, since it was started."""
    known = [platform.node()]
    for place in ("/proc/sys/kernel/random/boot_id", "/proc/self/ns/pid"):
        with suppress(OSError):
            known.append(os.readlink(place) if "/ns/" in place else Path(place).read_text())
    return hashlib.sha256(" ".join(known).encode("utf-8", "replace")).hexdigest()[:8]


def _begun(path: Path) -> str:
    """What the names of all new files for path begin with."""
    name = os.fsencode(path.name)
    if len(name) > 200:  # a name has 255 bytes
        name = name[:150] + hashlib.sha256(name).hexdigest()[:16].encode()
    return f".{os.fsdecode(name)}."


def _clear_abandoned(path: Path) -> None:
    """Take away what processes have begun for path that were killed: those of this machine that are gone, which their
    number in the name tells, and all that nobody has written to for a day."""
    named = re.compile(re.escape(_begun(path)) + r"([0-9a-f]{8})-([0-9]+)-[^.]*\.part")
    with suppress(OSError), os.scandir(path.parent) as entries:
        for entry in entries:
            if not (found := named.fullmatch(entry.name)):
                continue
            with suppress(OSError):  # gone meanwhile, or another user's
                late = time.time() - entry.stat(follow_symlinks=False).st_mtime > ABANDONED
                if late or (found[1] == _here() and not _lives(int(found[2]))):
                    os.unlink(entry.path)


def _lives(process: int) -> bool:
    """Whether there is a process of this number on this machine; True where that cannot be known."""
    if os.name != "posix":
        return True
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):
        return True
    return True


def sync_folder(path: Path) -> None:
    """Have the names in a folder on disk for good, where the system can."""
    with suppress(OSError):  # Windows opens no folders, some network disks do not sync them
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


@contextmanager
def replacing(path: str | Path, needed: int = 0) -> Iterator[Path]:
    """A new file beside path to write to; it takes path's place, on disk for good, if the block succeeds.

    Raises UserError where the folder is missing or cannot be written and where ``needed`` bytes are not free.
    A process killed inside leaves path as it was, and beside it a file that goes when path is next written: see
    ``_clear_abandoned``.
    """
    path = usable(path)
    if path.is_dir():
        raise UserError(f"{path} is a folder; name a file in it.")
    if not path.parent.is_dir():
        raise UserError(f"{path} cannot be written: the folder {path.parent} does not exist; make it first.")
    require_space(path, needed)
    part = None
    try:
        _clear_abandoned(path)
        made = f"{_begun(path)}{_here()}-{os.getpid()}-"
        handle, part = tempfile.mkstemp(dir=path.parent, prefix=made, suffix=".part")
        os.close(handle)
        yield Path(part)
        with open(part, "rb") as stream:
            os.fsync(stream.fileno())
        os.chmod(part, 0o666 & ~_umask())
        os.replace(part, path)
        sync_folder(path.parent)
    except OSError as error:
        raise explained(path, error) from error
    finally:
        if part is not None:
            with suppress(OSError):  # it has taken its place, or its folder is gone
                os.unlink(part)


def double(path: Path, other: Path) -> None:
    """The same file under another name as well, which it takes over whole; a copy where links are not known."""
    part = other.with_name(f".{other.name}.{os.getpid()}.part")
    part.unlink(missing_ok=True)
    try:
        try:
            os.link(path, part)
        except OSError:
            shutil.copyfile(path, part)
        os.replace(part, other)
    except OSError as error:
        raise explained(other, error) from error
    finally:
        part.unlink(missing_ok=True)  # also where both names were of one file already
