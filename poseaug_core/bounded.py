"""Files read within bounds: never waiting, and never more than is expected of them."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import BinaryIO


def open_file(path: Path) -> BinaryIO:
    """A file open to read. OSError where it is none: a pipe would be waited for, and a device has no end."""
    stream = open(path, "rb", opener=_at_once)
    if not stat.S_ISREG(os.fstat(stream.fileno()).st_mode):
        stream.close()
        raise OSError("it is no file")
    return stream


def read_bounded(path: Path, most: int) -> bytes:
    """The bytes of a file. ValueError for one that is larger than ``most``; OSError where it cannot be read."""
    with open_file(path) as stream:
        found = stream.read(most + 1)
    if len(found) > most:
        raise ValueError(f"it is larger than {most:,} bytes")
    return found


def _at_once(path: str, flags: int) -> int:
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))
