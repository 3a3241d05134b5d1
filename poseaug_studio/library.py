"""Library: where runs go, and which were seen lately."""

from __future__ import annotations

import os
import re
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from PySide6.QtCore import QSettings

from poseaug_core.bounded import open_file
from poseaug_core.config import SETTINGS, Config
from poseaug_core.errors import UserError
from poseaug_core.estimators import ESTIMATORS
from poseaug_core.journal_rows import Damaged, metrics_row, parsed
from poseaug_core.run_config import read_run_config
from poseaug_core.run_data import training_poses
from poseaug_studio.history import phases

KEY, KEPT = "recent", 12
#: Bytes at the end of the metrics among which the last evaluation is looked for.
LOOKED_AT = 200_000


def runs_folder() -> Path:
    """POSEAUG_RUNS, else 'poseaug-runs' in the home folder."""
    return Path(os.environ.get("POSEAUG_RUNS") or Path.home() / "poseaug-runs")


def new_folder(name: str, inside: Path | None = None) -> Path:
    """A run folder that does not exist yet, in the folder of runs or another: NAME-month-day-hour-minute, with a number
    where that is taken."""
    base = (inside or runs_folder()) / f"{name}-{time.strftime('%m%d-%H%M')}"
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
    """A run as the start page lists it. error: the last MPJPE on the source test set, mm. state: see state_of."""

    folder: Path
    changed: float
    error: float | None
    state: str = ""

    @property
    def words(self) -> str:
        parts = [] if self.error is None else [f"{self.error:.1f} mm"]
        state = [self.state] if self.state else []
        return " \u00b7 ".join([*state, *parts, ago(time.time() - self.changed)])


def remember(folder: Path, settings: QSettings) -> None:
    """Put a run first among the recent ones."""
    known = [
        str(Path(folder).absolute()),
        *(path for path in recent_paths(settings) if path != str(Path(folder).absolute())),
    ]
    settings.setValue(KEY, known[:KEPT])


def recent_paths(settings: QSettings) -> list[str]:
    return texts(settings, KEY)


def recent(settings: QSettings) -> list[Entry]:
    """The recent runs that still exist, newest first."""
    return [entry(Path(path)) for path in recent_paths(settings) if (Path(path) / "config.toml").is_file()]


def entry(folder: Path) -> Entry:
    metrics = folder / "metrics.jsonl"
    changed = (metrics if metrics.exists() else folder).stat().st_mtime
    return Entry(folder, changed, last_error(metrics), state_of(folder))


def state_of(folder: Path) -> str:
    """'training', 'finished', 'stopped at 13 %' or 'failed at 13 %' of its steps, '' for a run that cannot be read."""
    from poseaug_core.checkpoints import read_meta
    from poseaug_core.runs import Run

    try:
        run = Run.open(folder)
        if run.being_written():
            return "training"
        if run.finished:
            return "finished"
        word = "failed" if run.failure() is not None else "stopped"
        if "latest" not in run.checkpoints():
            return f"{word} at the start"
        step = read_meta(run.path / "checkpoints" / "latest.safetensors")["step"]
        end = phases(run.config, training_poses(run.data))[-1].stop
        return f"{word} at {100 * step / end:.0f} %"
    except (UserError, OSError, KeyError, IndexError, TypeError, ValueError):
        return ""


def last_error(metrics: Path) -> float | None:
    """MPJPE on the source's test set at the last evaluation."""
    return last_errors(metrics).get("source_test")


def last_errors(metrics: Path) -> dict[str, float]:
    """MPJPE by set (protocol poseaug16) at the last evaluation; looks at the end of the file only."""
    end = "/poseaug16/mpjpe"
    try:
        with open_file(metrics) as file:
            file.seek(max(0, metrics.stat().st_size - LOOKED_AT))
            lines = file.read(LOOKED_AT).splitlines()
    except OSError:
        return {}
    for line in reversed(lines):
        with suppress(Damaged):
            row = metrics_row(parsed(line))
            if row["kind"] == "evaluation":
                found = {name.removesuffix(end): value for name, value in row["values"].items() if name.endswith(end)}
                return {name: value for name, value in found.items() if value is not None}
    return {}


@dataclass(frozen=True)
class Known:
    """A run as the library lists it. errors: the last MPJPE by set, mm; the source's test set comes first. state: see
    state_of."""

    folder: Path
    config: Config
    errors: dict[str, float]
    changed: float
    state: str

    @property
    def estimator(self) -> str:
        entry = ESTIMATORS.get(self.config.estimator)
        return entry.title if entry else self.config.estimator.rsplit(":", 1)[-1]

    @property
    def augmentation(self) -> str:
        """What augments, with the operations that are held off: 'PoseAug without BL'."""
        kind, held = self.config.augmentation, self.config.controls
        off = [name for name in ("ba", "bl", "rt") if not getattr(held, f"apply_{name}")]
        words = [name.upper() for name in off] + ([] if held.feedback else ["feedback"])
        title = {"poseaug": "PoseAug", "evolution": "Evolution", "random": "Random", "none": "None"}[kind]
        return f"{title} without {', '.join(words)}" if kind == "poseaug" and words else title

    @property
    def discriminators(self) -> str:
        """'parts, 2D', 'whole body', 'none'."""
        if not SETTINGS["discriminator3d"].in_use(self.config):
            return "none"
        kinds = {"parts": "parts", "paper_parts": "disjoint parts", "whole_body": "whole body", "none": ""}
        there = [kinds[self.config.discriminator3d], "2D" if self.config.discriminator2d else ""]
        return ", ".join(word for word in there if word) or "none"

    @property
    def source(self) -> str:
        return Path(self.config.source.partition("?")[0]).name

    @property
    def source_error(self) -> float | None:
        return self.errors.get("source_test")

    @property
    def cross_error(self) -> float | None:
        """On the first of the other sets."""
        return next((value for name, value in self.errors.items() if name != "source_test"), None)


def known_runs(folders: list[Path]) -> list[Known]:
    """The runs directly below folders, and those named themselves, newest first; what cannot be read is left out."""
    found: dict[Path, Known] = {}
    for folder in folders:
        inside = sorted(folder.iterdir()) if folder.is_dir() else []
        for run in [folder, *inside]:
            if (run / "config.toml").is_file() and (known := known_run(run)) is not None:
                found[run.absolute()] = known
    return sorted(found.values(), key=lambda known: -known.changed)


def known_run(folder: Path) -> Known | None:
    """None for a run whose settings this version cannot read."""
    metrics = folder / "metrics.jsonl"
    try:
        config = read_run_config(folder / "config.toml").config
        changed = (metrics if metrics.exists() else folder).stat().st_mtime
    except (UserError, OSError):
        return None
    return Known(folder, config, last_errors(metrics), changed, state_of(folder))


def sets_of(folder: Path) -> dict[str, str]:
    """The data sets of a run as a table takes them: source, source_test, cross, wild; {} where it cannot be read."""
    known = known_run(folder)
    if known is None:
        return {}
    others = [*known.config.cross, "", ""]
    sets = {"source": known.config.source, "source_test": known.config.source_test}
    return sets | {"cross": others[0], "wild": others[1]}


def ago(seconds: float) -> str:
    for size, unit in ((86_400, "day"), (3600, "hour"), (60, "minute")):
        if seconds >= size:
            n = int(seconds // size)
            return f"{n} {unit}{'s' if n > 1 else ''} ago"
    return "just now"


def texts(settings: QSettings, key: str) -> list[str]:
    """A list of texts among the settings; Qt keeps a single one as itself."""
    value = settings.value(key) or []
    return [value] if isinstance(value, str) else list(value)
