"""Writing files whole or not at all, and what went wrong in one sentence."""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from poseaug_core.errors import UserError

#: Bytes kept free beside what is written, for the folder's own bookkeeping.
MARGIN = 64 * 1024


def free_bytes(path: Path) -> int:
    """Bytes free on the disk that holds the nearest existing folder of path."""
    folder = Path(path).absolute()
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
    if getattr(error, "errno", None) in (errno.EACCES, errno.EPERM, errno.EROFS):
        return UserError(f"{path} may not be written by this user; choose another folder.")
    reason = os.strerror(error.errno) if getattr(error, "errno", None) else str(error).split("\n")[0]
    return UserError(f"{path} could not be written ({reason}); choose another folder.")


def _full(path: Path, needed: int = 0) -> UserError:
    need = f" of the {needed:,} needed" if needed else ""
    return UserError(
        f"{path} cannot be written: its disk has {free_bytes(path):,} bytes free{need}; "
        "free some space or choose a folder on another disk."
    )


def make_folder(path: str | Path) -> Path:
    """The folder, made if it was not there; UserError where it cannot be."""
    path = Path(path)
    try:
        path.mkdir(parents=True, exist_ok=True)
    except FileExistsError:
        raise UserError(f"{path} is a file; name a folder.") from None
    except OSError as error:
        raise explained(path, error) from error
    return path


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


@contextmanager
def replacing(path: str | Path, needed: int = 0) -> Iterator[Path]:
    """A new file beside path to write to; it takes path's place, on disk for good, if the block succeeds.

    Raises UserError where the folder is missing or cannot be written and where ``needed`` bytes are not free.
    A process killed inside leaves path as it was.
    """
    path = Path(path)
    if path.is_dir():
        raise UserError(f"{path} is a folder; name a file in it.")
    if not path.parent.is_dir():
        raise UserError(f"{path} cannot be written: the folder {path.parent} does not exist; make it first.")
    require_space(path, needed)
    part = None
    try:
        handle, part = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part")
        os.close(handle)
        yield Path(part)
        with open(part, "rb") as stream:
            os.fsync(stream.fileno())
        os.chmod(part, 0o666 & ~_umask())
        os.replace(part, path)
    except OSError as error:
        raise explained(path, error) from error
    finally:
        if part is not None and os.path.exists(part):
            os.unlink(part)
