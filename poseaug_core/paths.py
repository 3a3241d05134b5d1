"""What can be no place of a file or folder, in one sentence: asked before it is opened, which might wait for ever."""

from __future__ import annotations

import errno
import os
import stat
from contextlib import suppress
from pathlib import Path

from poseaug_core.errors import UserError
from poseaug_core.plain_text import NAME, plain

#: What is neither a file nor a folder.
KINDS = {
    stat.S_IFIFO: "a named pipe",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFSOCK: "a socket",
}


def usable(path: str | Path) -> Path:
    """The path, whether something is there or not. UserError for pipes, devices and sockets, links that lead to
    themselves, names that are too long, and texts that cannot be names."""
    text = os.fspath(path)
    if "\0" in text:
        raise UserError(f"{shown(text)} has a zero byte in it, which no name of a file has; check the name.")
    try:
        kind = stat.S_IFMT(os.stat(text).st_mode)
    except UnicodeEncodeError:
        raise UserError(f"{shown(text)} has letters that no name of a file has; check the name.") from None
    except OSError as error:
        if refusal := unreachable(text, error):
            raise refusal from None
        return Path(path)
    if kind in KINDS:
        raise UserError(f"{shown(text)} is {KINDS[kind]}; name a file or a folder.")
    return Path(path)


def unreachable(path: str | Path, error: OSError) -> UserError | None:
    """Why nothing can be at path at all, as a sentence; None for other errors."""
    if error.errno == errno.ENAMETOOLONG:
        return UserError(
            f"{shown(path)} is too long: a name may have 255 bytes and a path 4,095; choose a shorter one."
        )
    if error.errno == errno.ELOOP:
        return UserError(f"{shown(path)} is a link that leads to itself; name what it was to lead to.")
    return None


def require_no_pipe(word: str) -> None:
    """UserError where a word of a command, a spec or an option's value names a pipe, a device or a socket."""
    for text in {word, word.partition("?")[0], word.partition("=")[2]} - {""}:
        kind = None
        with suppress(OSError, ValueError):
            kind = stat.S_IFMT(os.stat(text).st_mode)
        if kind in KINDS or "\0" in text:
            usable(text)


def refused(error: OSError) -> UserError:
    """An error of the system that nobody has explained, with the file that it names, if any."""
    place = "A file" if error.filename is None else shown(os.fsdecode(error.filename))
    reason = os.strerror(error.errno) if error.errno else str(error)
    return unreachable(place, error) or UserError(
        f"{place} could not be used ({reason}); check its name, its folder and who may use them."
    )


def as_text(path: str) -> str:
    """The path, if it can be kept as text; UserError for bytes in it that are no UTF-8."""
    try:
        path.encode()
    except UnicodeEncodeError:
        raise UserError(
            f"{shown(path)} has bytes in its name that are no UTF-8, which a run cannot keep; rename it, or its folder."
        ) from None
    return path


def shown(path: str | Path) -> str:
    """The path in a sentence: cut where it is too long to be read, and with every letter one that can be printed."""
    return plain(os.fspath(path), NAME)
