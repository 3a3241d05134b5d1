"""Run: one training run as a folder, written by one trainer, followed and scrubbed by any watcher.

config.toml         the fixed settings, and the controls at the start
data.json           what it is trained and evaluated on, with a fingerprint
controls.jsonl      every change of a control: {step, field, old, new}
replay.jsonl        changes still to come, in the same form: of a run replayed, or dropped by a resume
metrics.jsonl       {step, kind, values}: kind 'scalars' or 'evaluation'
history.db          every recorded snapshot
checkpoints/        NAME.safetensors, each whole: latest, best_source, and pretrained, the end of pre-training
failure.txt         the traceback of a run that failed
"""

from __future__ import annotations

import dataclasses
import fcntl
import json
import os
import shutil
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from poseaug_core.checkpoints import read_checkpoint, read_meta, write_checkpoint
from poseaug_core.config import Config, load_toml, save_toml
from poseaug_core.controls import Controls
from poseaug_core.errors import UserError
from poseaug_core.history import History
from poseaug_core.history_hdf5 import SUPERSEDED
from poseaug_core.journal import Journal, finite_or_none
from poseaug_core.snapshot import Snapshot
from poseaug_core.storage import explained, replacing, require_space

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

Changes = list[tuple[str, object, object]]


class Run:
    """See the module. create and resume give a run to write, open one to watch; both can be read at any time.

    path: the folder. config, data: as written at the start. Reading is safe in any thread while another one
    writes through the same or another Run of the folder, also from another process.
    """

    def __init__(self, path: Path, config: Config, data: dict[str, Any]):
        self.path, self.config, self.data = path, config, data
        self.history = History(path / "history.db", config.history_limit * 1e6)
        self._controls = Journal(path / "controls.jsonl")
        self._metrics = Journal(path / "metrics.jsonl")
        self._replay = Journal(path / "replay.jsonl")
        self._lock = None
        self.notes: list[str] = []  # what is to be told of the run's files, in sentences

    @classmethod
    def create(cls, path: str | Path, config: Config, data_summary: dict[str, Any]) -> Run:
        """A new run in a new or empty folder, whole or not there at all. Raises UserError."""
        path = Path(path).absolute()
        require_new_folder(path)
        part = None
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            part = Path(tempfile.mkdtemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part"))
            part.chmod(0o755)
            save_toml(config, part / "config.toml")
            (part / "data.json").write_text(json.dumps(data_summary, indent=2) + "\n")
            (part / "controls.jsonl").touch()
            (part / "metrics.jsonl").touch()
            (part / "checkpoints").mkdir()
            os.rename(part, path)
        except OSError as error:
            raise explained(path, error) from error
        finally:
            if part is not None and part.exists():
                shutil.rmtree(part)
        return cls(path, config, data_summary)._open_to_write()

    @classmethod
    def open(cls, path: str | Path) -> Run:
        """A run to watch. UserError for a folder that is no run, or a damaged one."""
        path = Path(path).absolute()
        if not path.is_dir():
            raise UserError(f"{path} is no folder; name the folder of a run.")
        missing = [name for name in ("config.toml", "data.json") if not (path / name).is_file()]
        if missing:
            raise UserError(f"{path} is no run, {' and '.join(missing)} missing; name a folder that training has made.")
        try:
            data = json.loads((path / "data.json").read_text())
        except (OSError, ValueError) as error:
            raise UserError(f"{path / 'data.json'} is damaged ({error}); restore it from a copy.") from error
        return cls(path, load_toml(path / "config.toml"), data)

    @classmethod
    def resume(
        cls,
        path: str | Path,
        name: str = "latest",
        load: Callable[[dict[str, Tensor], dict[str, Any]], None] | None = None,
    ) -> tuple[Run, dict[str, Tensor], dict[str, Any]]:
        """(run to continue, tensors, meta) of a checkpoint, all that was recorded after it dropped.

        Mends what a killed writer left. load(tensors, meta): takes up the checkpoint; what it raises refuses the
        resume. Raises UserError, also while another process still writes the run; the folder is then as it was.
        """
        run = cls.open(path)
        tensors, meta = run.load_checkpoint(name)
        run._take_lock()
        try:
            if load is not None:
                load(tensors, meta)
            step = int(meta["step"])
            # A change logged at step k was first used by the iteration after k: at the checkpoint's it comes again.
            dropped = [row for row in run.control_log() if row["step"] >= step]
            pending = [*run.pending(), *dropped]
            # An evaluation that the checkpoint still owes comes again.
            owed = step if meta.get("owed") else step + 1
            # All is read, and written anew beside the old, before the first file is replaced: the history is only when
            # nothing is left that could refuse. The plan comes before the log: killed in between, the changes are in
            # both and count once.
            with (
                run._controls.keeping(lambda row: row["step"] < step),
                run._metrics.keeping(lambda row: row["step"] < (owed if row["kind"] == "evaluation" else step + 1)),
            ):
                run.notes += run.history.keep(step)
                run.plan(pending, step)
            (run.path / "failure.txt").unlink(missing_ok=True)
            return run._open_to_write(), tensors, meta
        except BaseException:
            run.close()
            raise

    def _take_lock(self) -> None:
        """Be the only writer; the system frees the lock also when a process is killed."""
        if self._lock is not None:
            return
        try:
            self._lock = open(self.path / "config.toml", "rb")
            for wait in (0.02, 0.1, None):  # whoever asks being_written() holds the lock for a moment
                try:
                    fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    return
                except BlockingIOError:
                    if wait is not None:
                        time.sleep(wait)
            self._lock.close()
            self._lock = None
            raise UserError(f"{self.path} is being trained by another process; stop that one first.")
        except OSError as error:
            raise explained(self.path, error) from error

    def being_written(self) -> bool:
        """Whether a trainer, of any process, writes the run at this moment; changes nothing."""
        try:
            with open(self.path / "config.toml", "rb") as file:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        except OSError:
            return False
        return False

    def _open_to_write(self) -> Run:
        self._take_lock()
        self._controls.open()
        self._metrics.open()
        return self

    # writing

    def log_controls(self, step: int, changes: Changes) -> None:
        """Changes (field, old, new) that the iteration after ``step`` is the first to use."""
        for field, old, new in changes:
            self._controls.append({"step": step, "field": field, "old": old, "new": new})

    def plan(self, changes: list[dict[str, Any]], step: int = 0) -> None:
        """Changes of controls to make from ``step`` on; of two of a field at one step the later in the list counts."""
        last = {(row["step"], row["field"]): row for row in changes if row["step"] >= step}
        rows = [last[key] for key in sorted(last, key=lambda key: key[0])]
        if rows or self._replay.path.exists():
            self._replay.rewrite(rows)

    def drop_pending(self, fields: set[str]) -> None:
        """Forget the changes still to come of these controls, which the user has turned otherwise."""
        if fields:
            self.plan([row for row in self.pending() if row["field"] not in fields])

    def discard(self) -> None:
        """Remove a run that could not begin, with its folder."""
        self.close()
        shutil.rmtree(self.path)

    def log_metrics(self, step: int, values: dict[str, float], kind: str) -> None:
        """Numbers after ``step`` iterations; kind 'scalars' or 'evaluation'. Non-finite ones are kept as null."""
        values = {name: finite_or_none(value) for name, value in values.items()}
        self._metrics.append({"step": step, "kind": kind, "values": values})

    def append(self, snapshot: Snapshot) -> None:
        """Record a snapshot in the history."""
        self.history.append(snapshot)

    def save_checkpoint(self, name: str, tensors: dict[str, Tensor], meta: dict[str, Any]) -> Path:
        """checkpoints/NAME.safetensors, replacing the one before only when the new one is whole.

        meta: JSON-able, with 'step', the iterations done.
        """
        assert "step" in meta, "a checkpoint without its step cannot be resumed"
        return write_checkpoint(self._checkpoint(name), tensors, meta)

    def save_failure(self, traceback: str) -> Path:
        """Keep the traceback of a failed run in failure.txt."""
        path = self.path / "failure.txt"
        with replacing(path) as part:
            part.write_text(traceback)
        return path

    def close(self) -> None:
        """End writing and free the run for another writer; it can still be read."""
        self._controls.close()
        self._metrics.close()
        self.history.close()
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    # reading

    def read(self, k: int) -> Snapshot:
        """Recorded snapshot k, negative from the end; IndexError where there is none."""
        return self.history.read(k)

    def steps(self, since: int = 0) -> np.ndarray:
        """(snapshots,) int64: the step of each recorded snapshot, from snapshot ``since`` on."""
        return self.history.steps(since)

    @property
    def snapshot_count(self) -> int:
        return len(self.history)

    @property
    def superseded(self) -> str:
        """What can be done with a run that an earlier version of the program recorded, in a sentence; '' of others."""
        return SUPERSEDED.format(self.path) if self.history.superseded else ""

    def series(self, column: str) -> dict[str, np.ndarray]:
        """(snapshots,) float64 for each name in the snapshots' 'scalars' or 'controls', NaN where absent."""
        return self.history.series(column)

    def metrics(self, since: int = 0, kind: str = "") -> tuple[list[dict[str, Any]], int]:
        """(rows {step, kind, values}, where to go on): pass the second back as ``since`` to get only newer rows.

        kind: only rows of this one; a long run has a thousand 'scalars' for each 'evaluation'.
        """
        return self._metrics.read(since, json.dumps({"kind": kind})[1:-1].encode() if kind else b"")

    def control_log(self) -> list[dict[str, Any]]:
        """Every change of a control so far: {step, field, old, new}."""
        return self.control_changes()[0]

    def control_changes(self, since: int = 0) -> tuple[list[dict[str, Any]], int]:
        """(changes {step, field, old, new}, where to go on): as metrics()."""
        return self._controls.read(since)

    def pending(self) -> list[dict[str, Any]]:
        """Changes of controls to be made at their steps: {step, field, old, new}."""
        return self._replay.read()[0]

    def controls(self) -> Controls:
        """The controls after every change so far: those at the start with the log's changes applied."""
        return applied(self.config.controls, self.control_log())

    def load_checkpoint(self, name: str = "latest") -> tuple[dict[str, Tensor], dict[str, Any]]:
        """(tensors on the CPU, meta). UserError naming the checkpoints there are."""
        path = self._checkpoint(name)
        if not path.is_file():
            there = ", ".join(self.checkpoints()) or "none yet"
            raise UserError(f"{self.path} has no checkpoint {name!r} (there are: {there}); choose one of them.")
        return read_checkpoint(path)

    def checkpoints(self) -> list[str]:
        """Names of the checkpoints, oldest first."""
        files = sorted((self.path / "checkpoints").glob("[!.]*.safetensors"), key=lambda file: file.stat().st_mtime)
        return [file.stem for file in files]

    @property
    def finished(self) -> bool:
        """Whether training went to its end, by the last checkpoint."""
        path = self._checkpoint("latest")
        meta = read_meta(path) if path.is_file() else {}
        return meta.get("position", {}).get("phase") == "done" and not meta.get("owed")

    def failure(self) -> str | None:
        """The traceback of a failed run, None for others."""
        path = self.path / "failure.txt"
        return path.read_text() if path.is_file() else None

    def _checkpoint(self, name: str) -> Path:
        return self.path / "checkpoints" / f"{name}.safetensors"


def require_new_folder(path: str | Path) -> None:
    """UserError unless a run can be made in path: a new or empty folder, on a disk that has a megabyte free."""
    path = Path(path).absolute()
    try:
        if path.is_dir() and any(path.iterdir()):
            what = "a run already" if (path / "config.toml").exists() else "other files"
            raise UserError(f"{path} has {what} in it; name a new folder, or resume the run in it with --resume.")
    except PermissionError as error:
        raise explained(path, error) from error
    if path.exists() and not path.is_dir():
        raise UserError(f"{path} is a file; name a new folder for the run.")
    require_space(path, 1 << 20)


def applied(controls: Controls, log: list[dict[str, Any]]) -> Controls:
    """Controls after the changes of a control log, in its order."""
    return dataclasses.replace(controls, **{row["field"]: row["new"] for row in log})
