"""Run: one training run as a folder, written by one trainer, followed and scrubbed by any watcher.

config.toml         the fixed settings, and the controls at the start
data.json           what it is trained and evaluated on, with a fingerprint
controls.jsonl      every change of a control: {step, field, old, new}
replay.jsonl        changes still to come, in the same form: of a run replayed, or dropped by a resume
metrics.jsonl       {step, kind, values}: kind 'scalars' or 'evaluation'
alarms.jsonl        what went wrong: {kind, step, value, limit, text, action}
history.db          every recorded snapshot
checkpoints/        NAME.safetensors, each whole: latest, previous, the one before it, step-..., spread over the run,
                    best_source, and pretrained, the end of pre-training
failure.txt         the traceback of a run that failed
.lock               held by whoever writes the run; says nothing

Any of it may be damaged, of another version, or made up: what is not as it should be is told (Run.damage) and left out,
and the rest is read.
"""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from poseaug_core import checkpoints
from poseaug_core.checkpoints import LATEST, STRANGE, read_checkpoint, read_meta, write_checkpoint
from poseaug_core.config import FORMAT, Config, save_toml
from poseaug_core.controls import Controls
from poseaug_core.errors import UserError
from poseaug_core.history import History
from poseaug_core.history_hdf5 import SUPERSEDED
from poseaug_core.locks import Lock
from poseaug_core.mounts import network_file_system
from poseaug_core.plain_text import named_error
from poseaug_core.run_config import read_run_config
from poseaug_core.run_data import read_data
from poseaug_core.run_folder import end_of, is_locked, remove_abandoned, require_new_folder, take_lock
from poseaug_core.run_journals import Journals
from poseaug_core.snapshot import Snapshot
from poseaug_core.storage import explained, replacing

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor



class Run(Journals):
    """See the module. create and resume give a run to write, open one to watch; both can be read at any time.

    path: the folder. config, data: as written at the start. Reading is safe in any thread while another one
    writes through the same or another Run of the folder, also from another process.
    """

    def __init__(self, path: Path, config: Config, data: dict[str, Any], notes: tuple[str, ...] = ()):
        super().__init__(path)
        self.config, self.data = config, data
        self.history = History(path / "history.db", config.history_limit * 1e6, bool(network_file_system(path)))
        self._lock: Lock | None = None
        self._unread: tuple[str, ...] = ()  # settings of a later version
        self.notes: list[str] = list(notes)  # what is to be told of the run's files, in sentences; see damage

    @classmethod
    def create(
        cls,
        path: str | Path,
        config: Config,
        data_summary: dict[str, Any],
        begin: Callable[[Run], None] | None = None,
    ) -> Run:
        """A new run in a new or empty folder, whole or not there at all. Raises UserError.

        begin(run): writes what the run needs to go on from, its first checkpoint above all. The folder gets its name
        after that, so that no kill leaves one that cannot be resumed.
        """
        path = Path(path).absolute()
        require_new_folder(path)
        path = path.resolve() if path.is_symlink() else path  # the run takes the place that a link leads to
        part = run = None
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            remove_abandoned(path)
            part = Path(tempfile.mkdtemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part"))
            lock = take_lock(part)  # at once: it tells that whoever makes the run is alive
            run = cls(part, config, data_summary)
            run._lock = lock
            part.chmod(0o755)
            save_toml(config, part / "config.toml")
            (part / "data.json").write_text(json.dumps({"format": FORMAT, **data_summary}, indent=2) + "\n")
            (part / "controls.jsonl").touch()
            (part / "metrics.jsonl").touch()
            (part / "checkpoints").mkdir()
            run._open_to_write()
            if begin is not None:
                begin(run)
            return run._named(path)
        except UserError as error:
            raise UserError(str(error).replace(str(part), str(path))) from error
        except OSError as error:
            raise explained(path, error) from error
        finally:
            if part is not None and part.exists():
                if run is not None:
                    run.close()
                shutil.rmtree(part)

    def _named(self, path: Path) -> Run:
        """The run under its own name, with the lock that was held under the other one."""
        self._close_journals()
        self.history.close()
        if os.name == "nt":  # where no folder moves that has an open file in it
            self.close()
        os.rename(self.path, path)
        named = Run(path, self.config, self.data)
        named._lock, self._lock = self._lock, None
        return named._open_to_write()

    @classmethod
    def open(cls, path: str | Path) -> Run:
        """A run to watch. UserError for a folder that is no run, or a damaged one."""
        path = Path(path).absolute()
        if not path.is_dir():
            raise UserError(f"{path} is no folder; name the folder of a run.")
        missing = [name for name in ("config.toml", "data.json") if not (path / name).is_file()]
        if missing:
            raise UserError(f"{path} is no run, {' and '.join(missing)} missing; name a folder that training has made.")
        found = read_run_config(path / "config.toml")
        data, told = read_data(path / "data.json")
        run = cls(path, found.config, data, (*found.notes, *told))
        run._unread = found.unread
        return run

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
        run._require_understood()
        tensors, meta = run.load_checkpoint(name)
        run._take_lock()
        with run._freed_on_failure():
            step = meta.get("step")
            if step is None:
                raise UserError(f"{checkpoints.place_of(run.saved, name)} tells no step to go on from.")
            if load is not None:
                try:
                    load(tensors, meta)
                except STRANGE as error:
                    if isinstance(error, UserError):
                        raise
                    raise UserError(
                        f"The checkpoint {name!r} of {run.path} does not fit this run ({named_error(error)}); it is "
                        "damaged or of another version: choose another one with --from."
                    ) from error
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
                lost = [sentence for journal in run._journals for sentence in journal.damage]
                run.notes += [f"{sentence} What was damaged is dropped." for sentence in lost]
                run.notes += run.history.keep(step)
                run.plan(pending, step)
            run.notes += checkpoints.make_latest(run.saved, name, step)
            (run.path / "failure.txt").unlink(missing_ok=True)
            return run._open_to_write(), tensors, meta

    @classmethod
    def restart(cls, path: str | Path, begin: Callable[[Run], None]) -> Run:
        """A run that was killed before its first checkpoint (see unbegun), to begin from the start; begin: see create.

        Raises UserError, also while another process writes the run.
        """
        run = cls.open(path)
        run._require_understood()
        run._take_lock()
        with run._freed_on_failure():
            if not run.unbegun:
                raise UserError(f"{run.path} has been begun by another process meanwhile; resume it.")
            (run.path / "checkpoints").mkdir(exist_ok=True)
            run._open_to_write()
            begin(run)
            run.notes.append(f"{run.path} was ended before its first checkpoint, so it begins from the start.")
            return run

    @contextmanager
    def _freed_on_failure(self) -> Iterator[None]:
        """Within it a failure ends writing; what the system says is a sentence."""
        try:
            yield
        except OSError as error:
            self.close()
            raise explained(self.path, error) from error
        except BaseException:
            self.close()
            raise

    @property
    def unbegun(self) -> bool:
        """Whether nothing was trained yet: there is no checkpoint, and nothing that was recorded."""
        written = self.checkpoints() or self.control_log() or self.metrics()[0]
        return not written and self.snapshot_count == 0 and self.failure() is None

    def _require_understood(self) -> None:
        if self._unread:
            raise UserError(
                f"{self.path} is of a later version of this program and has settings that this one does not know "
                f"({', '.join(self._unread[:5])}); resume it with that version."
            )

    def _take_lock(self) -> None:
        """Be the only writer; the system frees the lock also when a process is killed."""
        if self._lock is not None:
            return
        self._lock = take_lock(self.path)

    def being_written(self) -> bool:
        """Whether a trainer, of any process, writes the run at this moment; changes nothing."""
        return is_locked(self.path)

    def _open_to_write(self) -> Run:
        self._take_lock()
        self._open_journals()
        return self

    # writing

    def append(self, snapshot: Snapshot) -> None:
        """Record a snapshot in the history."""
        self.history.append(snapshot)

    def save_checkpoint(self, name: str, tensors: dict[str, Tensor], meta: dict[str, Any]) -> Path:
        """checkpoints/NAME.safetensors, replacing the one before only when the new one is whole.

        meta: JSON-able, with 'step', the iterations done.
        """
        assert "step" in meta, "a checkpoint without its step cannot be resumed"
        if name == LATEST:
            checkpoints.put_by(self.saved, self.config.checkpoints_kept)
        return write_checkpoint(checkpoints.place_of(self.saved, name), tensors, meta)

    def save_failure(self, traceback: str) -> Path:
        """Keep the traceback of a failed run in failure.txt."""
        path = self.path / "failure.txt"
        with replacing(path) as part:
            part.write_text(traceback)
        return path

    def close(self) -> None:
        """End writing and free the run for another writer; it can still be read."""
        self._close_journals()
        self.history.close()
        if self._lock is not None:
            self._lock.free()
            self._lock = None

    # reading

    @property
    def damage(self) -> list[str]:
        """What is to be known of the run's files, each once: what is damaged, dropped, or of another version."""
        told = [*self.notes, *self._damaged_lines()]
        try:
            told += self.history.notes
        except UserError as error:
            told.append(str(error))
        return list(dict.fromkeys(told))

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

    def controls(self) -> Controls:
        """The controls after every change so far: those at the start with the log's changes applied."""
        return applied(self.config.controls, self.control_log())

    def load_checkpoint(self, name: str = LATEST) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """(tensors on the CPU, meta). UserError naming the checkpoints there are."""
        path = checkpoints.place_of(self.saved, name)
        others = ", ".join(other for other in self.checkpoints() if other != name)
        if not path.is_file():
            raise UserError(
                f"{self.path} has no checkpoint {name!r} (there are: {others or 'none yet'}); choose one of them."
            )
        try:
            return read_checkpoint(path)
        except UserError as error:
            raise UserError(f"{error} Others of the run (--from): {others}." if others else str(error)) from error

    def checkpoints(self) -> list[str]:
        """Names of the checkpoints, oldest first."""
        return checkpoints.names(self.saved)

    @property
    def saved(self) -> Path:
        """The folder of the checkpoints."""
        return self.path / "checkpoints"

    @property
    def finished(self) -> bool:
        """Whether training went to its end, by the last checkpoint."""
        path = checkpoints.place_of(self.saved, LATEST)
        meta = read_meta(path) if path.is_file() else {}
        return meta.get("position", {}).get("phase") == "done" and not meta.get("owed")

    def failure(self) -> str | None:
        """The traceback of a failed run, None for others; the end of a long one."""
        return end_of(self.path / "failure.txt")


def applied(controls: Controls, log: list[dict[str, Any]]) -> Controls:
    """Controls after the changes of a control log, in its order."""
    return dataclasses.replace(controls, **{row["field"]: row["new"] for row in log})
