"""What a file may ask for before it is read: memory in proportion to its size on disk, and to what is free."""

from __future__ import annotations

import os
from pathlib import Path

from poseaug_core.errors import UserError

#: Below so many bytes nothing is asked; a file this small does no harm whatever it says.
HARMLESS = 1 << 26
#: Numbers of real data take at most so many times their compressed size; zeros take a thousand times.
EXPANSION = 200
#: Share of the free memory that the arrays of a file may take: they are converted, which needs as much again.
SHARE = 0.4
#: Bytes taken for free where the system does not say.
UNKNOWN = 4 << 30


def free_memory() -> int:
    """Bytes of memory that could be used now, by what the system says (and its control group, where there is one)."""
    found = []
    try:
        with open("/proc/meminfo") as lines:
            found += [int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:")]
        limit, used = (Path("/sys/fs/cgroup", f"memory.{name}").read_text().strip() for name in ("max", "current"))
        found += [max(int(limit) - int(used), 0)] if limit != "max" else []
    except (OSError, ValueError, IndexError):
        pass
    if not found and hasattr(os, "sysconf") and "SC_AVPHYS_PAGES" in os.sysconf_names:
        found = [os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")]
    return min(found, default=UNKNOWN)


def require_room(path: Path, promised: int, stored: int) -> None:
    """UserError where a file of ``stored`` bytes promises ``promised`` bytes of arrays that no real data would.

    Asked before anything is read or allocated.
    """
    if promised <= HARMLESS:
        return
    require_honest(path, promised, stored)
    free = free_memory()
    if promised > SHARE * free:
        raise UserError(
            f"{path} holds {size(promised)} of arrays, {size(int(SHARE * free))} can be taken of the memory that is "
            "free; close other programs or convert a part of it."
        )


def require_honest(path: Path, promised: int, stored: int) -> None:
    """The first half of require_room, for who reads a little at a time."""
    if promised > max(HARMLESS, EXPANSION * stored):
        raise UserError(
            f"{path} promises {size(promised)} in a file of {size(stored)}, more than {EXPANSION} times its size; "
            "it is damaged or made to fill the memory, get it again from its source."
        )


def size(count: int) -> str:
    """A number of bytes as people write it."""
    for unit in ("bytes", "kB", "MB", "GB", "TB"):
        if count < 1000 or unit == "TB":
            return f"{count:,.0f} {unit}" if count < 1e5 else f"{count:.1e} {unit}"
        count /= 1000
    raise AssertionError
