"""Watching: the shown run as its folder tells it, its history and the snapshot looked at."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, QTimer, Signal

from poseaug_core.errors import UserError
from poseaug_core.health import ACTIONS
from poseaug_core.plain_text import of_library
from poseaug_core.snapshot import Snapshot
from poseaug_studio.history import History

if TYPE_CHECKING:
    from poseaug_core.controls import Controls
    from poseaug_core.live import Live, Status


class Watching(QObject):
    """A run folder that is read again and again; ``live`` is set while, and after, this process trains it."""

    snapshot_changed = Signal(object)  # Snapshot
    status_changed = Signal(object)  # Status
    metrics_changed = Signal(object)  # MetricSeries, which has grown or is another
    history_changed = Signal()
    shown_changed = Signal()  # live <-> history, or another step
    cleared = Signal()  # another run from here on
    failed = Signal(str)
    noted = Signal(str)  # what is to be known of the run that was opened

    def __init__(self, status: Status, open_run: Callable | None, parent: QObject | None):
        super().__init__(parent)
        self.live: Live | None = None
        self.run: Any = None
        self.folder: Path | None = None
        self.status = status
        self.history = History()
        self.snapshot: Snapshot | None = None
        self.shown: int | None = None  # a recorded step, None while following
        self._open_run = open_run
        self._wanted: int | None = None
        self._next_row = 0
        self._told_of_run: set[str] = set()
        self._reader = QTimer(self, singleShot=True, interval=0)
        self._reader.timeout.connect(self._read_wanted)

    @property
    def running(self) -> bool:
        """Whether this process trains the run at this moment."""
        return False

    # looking at history

    @property
    def following(self) -> bool:
        return self.shown is None

    def scrub(self, step: int) -> None:
        """Show a recorded snapshot; of many requests only the latest is read."""
        if self.shown != step:
            self.shown = step
            self.shown_changed.emit()
        self._wanted = step
        self._reader.start()

    def follow(self) -> None:
        """Back to the newest: live while training, else the last recorded snapshot."""
        self.shown = None
        self.shown_changed.emit()
        if not self.running and self.history.steps:
            self._wanted = self.history.steps[-1]
            self._reader.start()

    def _read_wanted(self) -> None:
        step, self._wanted = self._wanted, None
        if step is None or self.run is None:
            return
        try:
            if not self.running and self.history.cut(self.run):
                self._reload()
            k = self.history.nearest(step)
            if k is None:
                return
            near = self.history.steps[k]
            if near != step and self.shown is not None:
                self.shown = near
                self.shown_changed.emit()
            self._present(self.run.read(k))
        except (UserError, OSError, ValueError, KeyError, IndexError) as error:
            self.failed.emit(f"The snapshot at step {step} cannot be read: {of_library(error)}.")

    def _present(self, snapshot: Snapshot) -> None:
        self.snapshot = snapshot
        self.snapshot_changed.emit(snapshot)

    # the run folder

    def _tell(self, *sentences: str) -> None:
        """What is to be known of the run shown, each sentence once; what is new together, since one is shown."""
        new = [sentence for sentence in dict.fromkeys(sentences) if sentence not in self._told_of_run]
        if new:
            self._told_of_run.update(new)
            self.noted.emit(" ".join(new))

    def _adopt(self, controls: Controls) -> None:
        """Take up controls that somebody else turned."""

    def _report(self, status: Status) -> None:
        before, self.status = self.status, status
        self.status_changed.emit(status)
        if new := [alarm for alarm in status.alarms if alarm not in before.alarms]:
            self._tell(*(alarm.text for alarm in new))
            if self.run is not None and any(alarm.action == ACTIONS["rollback"] for alarm in new):
                self._reload()  # what came after the checkpoint is dropped
        if status.state == "failed" and before.state != "failed":
            self.failed.emit(status.message)

    def _look(self) -> None:
        """Take in what the run folder has gained."""
        try:
            if self.run is None:
                if self._open_run is None or self.status.state == "preparing":
                    return
                self.run = self._open_run(self.folder)
            if not self.running:
                if self.history.cut(self.run):
                    self._reload()
                self._judge()
            if self.history.update(self.run):
                self.history_changed.emit()
                if self.live is None:
                    self._adopt(self.run.controls())
                    if self.following:
                        self.follow()
            rows, self._next_row = self.run.metrics(self._next_row)
            if rows:
                self.history.add_rows(rows)
                self.metrics_changed.emit(self.history.series)
                self.history_changed.emit()
                self._tell(*self.run.damage)
        except (UserError, OSError, KeyError) as error:
            if not self.folder.exists() and self.run is not None:
                self._lose(error)
            elif isinstance(error, UserError):
                self._tell(str(error))

    def _judge(self) -> None:
        """Say anew how a run stands that another process may be writing."""
        status = self.history.status(self.run)
        if self.live is not None and status.state != "elsewhere":
            return  # what the training here said of its end stays
        self.live = None
        if status != self.status:
            self._report(status)

    def _reload(self) -> None:
        """Read everything again, after a resume elsewhere has dropped the end of the run."""
        self.history = History.read(self.run)
        self._next_row = self.history.next_row
        self.cleared.emit()
        self.metrics_changed.emit(self.history.series)
        self.history_changed.emit()
        if self.following:
            self.follow()

    def _lose(self, error: Exception) -> None:
        self.failed.emit(f"The run folder {self.folder} is gone; what was read of it stays on screen.")
        self.run, self.folder = None, None
