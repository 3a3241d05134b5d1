"""Library: where runs go, and which were seen lately."""

from __future__ import annotations

import json
import os
import re
import time
from dataclasses import dataclass
from pathlib import Path

from PySide6.QtCore import QSettings

KEY, KEPT = "recent", 12


def runs_folder() -> Path:
    """POSEAUG_RUNS, else 'poseaug-runs' in the home folder."""
    return Path(os.environ.get("POSEAUG_RUNS") or Path.home() / "poseaug-runs")


def new_folder(name: str) -> Path:
    """A run folder that does not exist yet: NAME-month-day-hour-minute, with a number where that is taken."""
    base = runs_folder() / f"{name}-{time.strftime('%m%d-%H%M')}"
    path, count = base, 1
    while path.exists():
        count += 1
        path = base.with_name(f"{base.name}-{count}")
    return path


def name_of(folder: Path) -> str:
    """The name that ``new_folder`` was given, or the folder's own."""
    return re.sub(r"-\d{4}-\d{4}(-\d+)?$", "", folder.name) or folder.name


@dataclass(frozen=True)
class Entry:
    """A run as the start page lists it. error: the last MPJPE on the source test set, mm."""

    folder: Path
    changed: float
    error: float | None

    @property
    def words(self) -> str:
        parts = [] if self.error is None else [f"{self.error:.1f} mm"]
        return " \u00b7 ".join([*parts, ago(time.time() - self.changed)])


def remember(folder: Path, settings: QSettings) -> None:
    """Put a run first among the recent ones."""
    known = [
        str(Path(folder).absolute()),
        *(path for path in recent_paths(settings) if path != str(Path(folder).absolute())),
    ]
    settings.setValue(KEY, known[:KEPT])


def recent_paths(settings: QSettings) -> list[str]:
    value = settings.value(KEY) or []
    return [value] if isinstance(value, str) else list(value)


def recent(settings: QSettings) -> list[Entry]:
    """The recent runs that still exist, newest first."""
    return [entry(Path(path)) for path in recent_paths(settings) if (Path(path) / "config.toml").is_file()]


def entry(folder: Path) -> Entry:
    metrics = folder / "metrics.jsonl"
    changed = (metrics if metrics.exists() else folder).stat().st_mtime
    return Entry(folder, changed, last_error(metrics))


def last_error(metrics: Path) -> float | None:
    """MPJPE of the last evaluation; looks at the end of the file only."""
    try:
        with open(metrics, "rb") as file:
            file.seek(max(0, metrics.stat().st_size - 200_000))
            lines = file.read().splitlines()
    except OSError:
        return None
    for line in reversed(lines):
        try:
            row = json.loads(line)
            if row.get("kind") == "evaluation":
                return row["values"]["source_test/poseaug16/mpjpe"]
        except (ValueError, KeyError, AttributeError):
            continue
    return None


def ago(seconds: float) -> str:
    for size, unit in ((86_400, "day"), (3600, "hour"), (60, "minute")):
        if seconds >= size:
            n = int(seconds // size)
            return f"{n} {unit}{'s' if n > 1 else ''} ago"
    return "just now"
