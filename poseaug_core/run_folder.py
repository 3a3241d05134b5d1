"""The folder of a run: who may make it, who writes it at this moment, and what killed processes left."""

from __future__ import annotations

import glob
import os
import shutil
import time
from pathlib import Path

from poseaug_core.bounded import open_file
from poseaug_core.errors import UserError
from poseaug_core.journal_rows import ODD
from poseaug_core.locks import Lock, held
from poseaug_core.paths import as_text, usable
from poseaug_core.storage import explained, require_space

#: Held by whoever writes the run; an earlier version's writer holds the other one.
LOCK, OLD_LOCK = ".lock", "config.toml"
#: Seconds after which a folder of a creation that has no lock is taken for one of a killed process.
ABANDONED = 3600
#: Bytes that are shown of a text: its end.
SHOWN = 64 << 10


def require_new_folder(path: str | Path) -> None:
    """UserError unless a run can be made in path: a new or empty folder, on a disk that has a megabyte free."""
    path = usable(path).absolute()
    as_text(str(path))  # libraries that read checkpoints want names of UTF-8
    try:
        if path.is_dir() and any(path.iterdir()):
            what = "a run already" if (path / "config.toml").exists() else "other files"
            raise UserError(f"{path} has {what} in it; name a new folder, or resume the run in it with --resume.")
    except PermissionError as error:
        raise explained(path, error) from error
    if path.exists() and not path.is_dir():
        raise UserError(f"{path} is a file; name a new folder for the run.")
    require_space(path, 1 << 20)


def take_lock(path: Path) -> Lock:
    """Be the only writer of the run in path. UserError while another one is, also one of an earlier version."""
    lock = Lock(path / LOCK)
    try:
        taken = lock.take()
    except OSError as error:
        raise explained(path, error) from error
    if not taken or held(path / OLD_LOCK):
        lock.free()
        raise UserError(f"{path} is being trained by another process; stop that one first.")
    return lock


def is_locked(path: Path) -> bool:
    """Whether the run in path is written at this moment; changes nothing."""
    return held(path / LOCK) or held(path / OLD_LOCK)


def remove_abandoned(path: Path) -> None:
    """Take away the folders in which killed processes began to make a run of this name."""
    for part in path.parent.glob(f".{glob.escape(path.name)}.????????.part"):
        lock = Lock(part / LOCK)
        try:
            if not part.is_dir() or part.is_symlink():
                continue
            if lock.path.exists():
                ours = lock.take()
            else:  # not made yet, or never
                ours = time.time() - part.stat().st_mtime > ABANDONED
            if ours:
                shutil.rmtree(part)
        except OSError:
            continue  # of another user
        finally:
            lock.free()


def end_of(path: Path) -> str | None:
    """The end of a file of text, without what would do something to a terminal; None where there is no such file."""
    try:
        with open_file(path) as stream:
            stream.seek(max(os.fstat(stream.fileno()).st_size - SHOWN, 0))
            text = stream.read(SHOWN).decode(errors="replace")
    except FileNotFoundError:
        return None
    except OSError as error:
        return f"{path} cannot be read ({error.strerror or error})."
    return "\n".join(ODD.sub(" ", line) for line in text.split("\n"))
