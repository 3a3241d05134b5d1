"""Snapshots as an earlier version wrote them: a dataset a field."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np

from poseaug_core.snapshot import ARRAYS
from tests.studio.fakes import make_snapshot


def supersede(path: Path, steps: tuple[int, ...] = (0, 20)) -> Path:
    """Put snapshots of the old layout in a history file's place."""
    snapshots = [make_snapshot(step, probe=2, crowd=4) for step in steps]
    for name in ("history.db", "history.db-wal", "history.db-shm"):
        path.with_name(name).unlink(missing_ok=True)
    with h5py.File(path, "w") as file:
        for name in ARRAYS:
            file[name] = np.stack([getattr(snapshot, name) for snapshot in snapshots])
        file["step"], file["epoch"] = np.array(steps, np.int64), np.zeros(len(steps), np.int32)
        file["phase"] = np.array([snapshot.phase.encode() for snapshot in snapshots], "S16")
        for column in ("scalars", "controls"):
            file[column] = np.ones((len(steps), 1))
            file[f"{column}_names"] = np.array([b"loss/a"], "S64")
        file["count"] = np.array([len(steps)], np.int64)
    return path
