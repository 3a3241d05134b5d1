"""Histories written anew before a run goes on: what of a damaged one can be read, and those of an earlier version.

The new file is read back, every record by its checksum, before it takes the old one's place; the old one stays beside
it where anything of it was lost.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from itertools import islice
from pathlib import Path

from poseaug_core import history_file as files
from poseaug_core import history_records as records
from poseaug_core.errors import UserError
from poseaug_core.history_hdf5 import SUPERSEDED, OldHistory
from poseaug_core.snapshot import Snapshot
from poseaug_core.storage import require_space, sync_folder

#: Records that are written with one transaction.
TOGETHER = 32


def mend(path: Path, last_step: int) -> list[str]:
    """Put what can be read of a damaged history, up to a step, in its place; what is to be told, in sentences."""
    part, aside = path.with_name(f".{path.name}.mended.part"), _free_name(path, ".db")
    count, lost = _write(part, _reachable(path, last_step))
    files.put_in_place(part if count else None, path, aside)
    files.remove(part)
    return [f"{path} was damaged: {_counted(count, lost)}; the file as it was is now {aside.name}."]


def take_over(path: Path, old: OldHistory, last_step: int) -> list[str]:
    """Write what a history.h5 holds up to a step as a history of this version; what is to be told, in sentences."""
    part = path.with_name(f".{path.name}.taken.part")
    try:
        if old.superseded:
            raise UserError(SUPERSEDED.format(path.parent))
        steps = old.steps().tolist()
        whole = True
    except UserError as error:
        if error.__cause__ is None:
            raise
        steps, whole = [], False
    wanted = [k for k, step in enumerate(steps) if step <= last_step]
    count, lost = _write(part, (_read(old, k) for k in wanted))
    old.close()
    if count:
        part.replace(path)
    files.remove(part)
    if whole and not lost:
        old.path.unlink()
        sync_folder(path.parent)
        return [f"{count:,} snapshots of an earlier version were taken over from {old.path.name}."]
    aside = _free_name(path, ".h5")
    old.path.replace(aside)
    sync_folder(path.parent)
    return [f"{old.path} was damaged: {_counted(count, lost)}; the file as it was is now {aside.name}."]


def _counted(count: int, lost: int) -> str:
    kept = f"{count:,} of its snapshots could be read and were kept"
    return f"{kept}, {lost:,} could not" if lost else kept


def _free_name(path: Path, ending: str) -> Path:
    """A name that no file kept earlier has."""
    number, aside = 1, path.with_name(f"history.damaged{ending}")
    while aside.exists():
        number += 1
        aside = path.with_name(f"history.damaged-{number}{ending}")
    return aside


def _write(part: Path, snapshots: Iterator[Snapshot | None]) -> tuple[int, int]:
    """(records written, those that could not be read: None); nothing stays at part where it raises."""
    files.remove(part)
    count = lost = 0
    try:
        with closing(files.create(part)) as base:
            names: records.Names = {column: [] for column in records.COLUMNS}
            while group := list(islice(snapshots, TOGETHER)):
                good = [snapshot for snapshot in group if snapshot is not None]
                lost += len(group) - len(good)
                if not good:
                    continue
                require_space(part, (1 << 20) + len(good) * good[0].xyz.nbytes * 8)
                with files.transaction(base):
                    if not count:
                        shapes = records.write_shapes(base, good[0])
                    for snapshot in good:
                        records.insert(base, names, snapshot)
                count += len(good)
        if count:
            with closing(files.open_to_read(part)[0]) as base:
                found = files.index(base)
                if len(found) != count:
                    raise UserError(f"{part.parent} does not keep what is written to it; check its disk.")
                for key, step in found:
                    records.read(base, key, step, names, shapes, part)
    except (sqlite3.Error, OSError) as error:
        files.remove(part)
        raise files.unwritten(part.parent, error) from error
    except BaseException:
        files.remove(part)
        raise
    return count, lost


def _reachable(path: Path, last_step: int) -> Iterator[Snapshot | None]:
    """What can be read of a damaged file, None for each record that cannot."""
    try:
        base, _ = files.open_to_read(path, damaged=True)
    except UserError:
        raise
    except files.DAMAGE as error:
        if not files.is_damage(error):
            raise
        return
    with closing(base):
        try:
            text = base.execute("SELECT value FROM about WHERE key = 'fields'").fetchone()[0]
            shapes, names, found = records.read_shapes(text), records.read_names(base), files.index(base)
        except files.DAMAGE:
            return
        for key, step in found:
            if step <= last_step:
                try:
                    snapshot = records.read(base, key, step, names, shapes, path)
                except files.DAMAGE:
                    snapshot = None
                yield snapshot


def _read(old: OldHistory, k: int) -> Snapshot | None:
    try:
        return old.read(k)
    except UserError:
        return None
