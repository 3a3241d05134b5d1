"""Session: the run that the window shows, whether it trains here, ended long ago or is written elsewhere.

The one module of the studio that knows training threads, Live and run folders. It polls: nothing is
queued from the training thread, so a slow window never falls behind and never holds the training up.
"""

from __future__ import annotations

import tempfile
import threading
import time
import traceback
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from PySide6.QtCore import QObject, QTimer, Signal

from poseaug_core.config import Config
from poseaug_core.controls import Controls, changes
from poseaug_core.errors import UserError
from poseaug_core.live import ENDED, Live, Status
from poseaug_core.plain_text import named_error
from poseaug_studio.history import History
from poseaug_studio.jobs import Job, Progress
from poseaug_studio.watching import Watching

POLL_MS, WATCH_MS = 33, 500
#: Seconds between two live snapshots, and between two looks at the run folder.
SNAPSHOT_EVERY, HISTORY_EVERY = 0.25, 0.5
#: Share of a core that the window's own thread may take, by waiting longer between live snapshots, and how long then.
SHARE, PATIENCE = 0.03, 1.0
#: Seconds between two reports of progress; a change of state is told at once.
STATUS_EVERY = 0.25
#: Turning the same knob again by keys or wheel within so many seconds is one entry to undo; a drag always is one.
MERGE_WITHIN = 0.8
IDLE = Status(state="idle")


class Session(Watching):
    """See the module. ``train`` and ``open_run`` stand in for poseaug_core.launch.train and Run.open in tests."""

    config_changed = Signal(object)  # Config of the run shown from here on
    controls_changed = Signal(object)  # Controls
    left = Signal(str)  # name of the run shown so far: another one is from here on
    stopping = Signal()  # asked to; the next training, or the end, waits for it
    ended = Signal()  # the training thread is gone
    jobs_changed = Signal()

    def __init__(self, train: Callable | None = None, open_run: Callable | None = None, parent: QObject | None = None):
        super().__init__(IDLE, open_run, parent)
        self._train = train
        self.config = Config()
        self.jobs: list[Job] = []
        self._thread: threading.Thread | None = None
        self._next: Callable[[], None] | None = None  # what waits for the end of the training
        self._undo: list[Controls] = [Controls()]
        self._undo_at = 0
        self._sent = Controls()  # what the training, or the log of one elsewhere, was last known to go by
        self._merge: tuple[tuple[str, ...], float] = ((), 0.0)
        self._held: int | None = None  # where to undo to while a knob is dragged
        self._taken = self._looked = self._told = self._spent = 0.0
        self._scratch: tempfile.TemporaryDirectory | None = None
        self._scratches = 0
        self._before: Path | None = None  # the run folder shown last, also one that is gone
        self._timer = QTimer(self, interval=POLL_MS)
        self._timer.timeout.connect(self._poll)

    # a run begins

    def start(self, config: Config, folder: Path) -> None:
        """Train config in a new run folder, on a thread of its own."""
        self._begin(config, Path(folder), resume=False)

    def resume(self, folder: Path) -> None:
        """Go on with the stopped run in folder, from its last checkpoint."""
        self._begin(replace(self.config, controls=self.controls), Path(folder), resume=True)

    def open(self, folder: Path, resume: bool = False) -> Job:
        """Show the run in folder: one that ended, or one that another process writes at this moment.

        resume: and go on with it, if it was stopped.
        """
        folder = Path(folder)

        def work(progress: Progress):
            run = self.opener()(folder)
            return run, History.read(run)

        job = self.background(f"Opening {folder.name}", work)
        job.done.connect(lambda found: self._opened(folder, *found, resume))
        return job

    def _opened(self, folder: Path, run, history: History, resume: bool) -> None:
        if self.running and folder == self.folder:  # it is the one that trains here
            self.follow()
            return

        def act() -> None:
            self._show(folder, run, history)
            if resume and self.status.state == "stopped" and not history.superseded:
                self.resume(folder)

        self.finish(act)

    def _begin(self, config: Config, folder: Path, resume: bool) -> None:
        self.finish(lambda: self._launch(config, folder, resume))

    def _launch(self, config: Config, folder: Path, resume: bool) -> None:
        self._clear(folder, config)
        self.live = Live(config.controls, attended=True)
        self.status = self.live.status
        self._thread = threading.Thread(
            target=self._work, args=(config, folder, self.live, resume), name="training", daemon=True
        )
        self._thread.start()
        self._tick()
        self.status_changed.emit(self.status)

    def _work(self, config: Config, folder: Path, live: Live, resume: bool) -> None:
        """The training thread: imports torch, trains, and says how it ended."""
        try:
            self.opener()
            if self._train is None:
                from poseaug_core.launch import train

                self._train = train
            self._train(config, folder, live, resume=resume)
            if live.status.state not in ENDED:
                live.report(replace(live.status, state="stopped" if live.stopping else "finished"))
        except Exception as error:
            if live.status.state == "failed":  # launch has said already what failed
                return
            if isinstance(error, UserError):
                live.report(replace(live.status, state="failed", message=str(error)))
                return
            traceback.print_exc()
            message = f"The training broke off: {named_error(error)}. Details are in the terminal."
            live.report(replace(live.status, state="failed", message=message))

    def opener(self) -> Callable:
        """What opens a run folder to read; loads torch, so never called in the window's own thread."""
        if self._open_run is None:
            from poseaug_core.runs import Run

            self._open_run = Run.open
        return self._open_run

    def _clear(self, folder: Path | None, config: Config) -> None:
        """Forget the run shown; one that goes on is read again, since what its checkpoint does not know was dropped."""
        self.run, self.history, self._next_row, self.snapshot = None, History(), 0, None
        before, self._before = self._before, folder
        if before is not None and before != folder:
            self.left.emit(before.name)
        self.cleared.emit()
        self.folder, self.config, self.shown, self._wanted = folder, config, None, None
        self._taken = self._looked = self._told = 0.0
        self._told_of_run.clear()
        self._undo, self._undo_at, self._held, self._sent = [config.controls], 0, None, config.controls
        self.config_changed.emit(config)
        self.controls_changed.emit(self.controls)
        self.shown_changed.emit()

    def _show(self, folder: Path, run, history: History) -> None:
        self._clear(folder, replace(run.config, controls=run.controls()))
        self.live, self.run, self.history = None, run, history
        self._next_row = history.next_row
        self.status = history.status(run)
        self.status_changed.emit(self.status)
        self.metrics_changed.emit(history.series)
        self.history_changed.emit()
        self.follow()
        self._tick()
        self._tell(*([history.superseded] if history.superseded else []), *history.damage)

    # steering

    @property
    def running(self) -> bool:
        """Whether a training thread of this window is alive, paused or not."""
        return self._thread is not None and self._thread.is_alive()

    @property
    def begun_with(self) -> Config:
        """The shown run's config, with the controls at its start."""
        return self.config if self.run is None else self.run.config

    @property
    def followed(self) -> bool:
        """Whether more will come: from a training here or in another process."""
        return self.status.state in ("running", "paused", "preparing", "elsewhere")

    @property
    def resumable(self) -> bool:
        """Whether the run shown has ended before its end and can go on."""
        ended = self.status.state in ("stopped", "failed")
        known = self.run is not None and not self.history.superseded
        return ended and known and "latest" in self.run.checkpoints()

    @property
    def controls(self) -> Controls:
        return self._undo[self._undo_at]

    def steer(self, controls: Controls) -> None:
        """Use these controls from the next step on; can be undone."""
        changed = tuple(name for name, *_ in changes(self.controls, controls))
        if not changed:
            return
        now = time.monotonic()
        again = self._merge[0] == changed and now - self._merge[1] < MERGE_WITHIN
        merge = self._undo_at > 0 and again if self._held is None else self._undo_at > self._held
        self._merge = (changed, now)
        del self._undo[self._undo_at + (0 if merge else 1) :]
        self._undo.append(controls)
        self._undo_at = len(self._undo) - 1
        self._apply()

    def hold(self, held: bool) -> None:
        """From the press of the mouse on a knob to its release all turning is one entry to undo."""
        self._held, self._merge = (self._undo_at if held else None), ((), 0.0)

    def undo(self) -> None:
        self._travel(-1)

    def redo(self) -> None:
        self._travel(1)

    def can_undo(self) -> bool:
        return self._undo_at > 0

    def can_redo(self) -> bool:
        return self._undo_at + 1 < len(self._undo)

    def _travel(self, by: int) -> None:
        at = self._undo_at + by
        if 0 <= at < len(self._undo):
            self._undo_at, self._held, self._merge = at, None, ((), 0.0)
            self._apply()

    def _apply(self) -> None:
        if self.live is not None:
            self._sent = self.controls
            self.live.steer(self.controls)
        self.controls_changed.emit(self.controls)

    def _adopt(self, controls: Controls) -> None:
        """Take up what somebody else turned: a replayed log, a resume that makes up for a kill, another process.

        It is turned in every state to undo as well, so that undo takes back what the user did and nothing else.
        """
        turned = {name: new for name, _, new in changes(self._sent, controls)}
        if turned:
            self._sent = controls
            self._undo = [replace(state, **turned) for state in self._undo]
            self._merge = ((), 0.0)
            self.controls_changed.emit(self.controls)

    def pause(self) -> None:
        if self.live is not None:
            self.live.pause()

    def go_on(self) -> None:
        """Run again after a pause."""
        if self.live is not None:
            self.live.resume()

    def step(self, n: int = 1, only: str = "") -> None:
        """Take n iterations and pause; ``only`` one of live.LEARNERS, the others keep their weights meanwhile."""
        if self.live is not None:
            self.live.allow(n, only or None)

    def stop(self) -> None:
        if self.live is not None:
            self.live.stop()

    # the clock

    def _tick(self) -> None:
        busy = self.running or self.jobs
        self._timer.setInterval(POLL_MS if busy else WATCH_MS)
        self._timer.start()

    def _poll(self) -> None:
        for job in [job for job in self.jobs if job.poll()]:  # its end may start a training
            self.jobs.remove(job)
            self.jobs_changed.emit()
        over = not self.running
        now = time.monotonic()
        if self.live is not None and self.live.controls is not self._sent:
            self._adopt(self.live.controls)
        if self.live is not None and self.live.notes:
            self._tell(*self.live.notes)
        if self.live is not None and self.live.status is not self.status:
            turned = self.live.status.state != self.status.state or self.live.status.stage != self.status.stage
            if turned or now - self._told >= STATUS_EVERY:
                self._told = now
                self._report(self.live.status)
        if self.live is not None and self.following and now - self._taken >= self._patience():
            self._taken, self._spent = now, time.thread_time()
            snapshot = self.live.take()
            if snapshot is not None:
                self._present(snapshot)
        if self.folder is not None and (over or now - self._looked >= HISTORY_EVERY):
            self._looked = now
            self._look()
        if over:
            self._end()

    def _end(self) -> None:
        """Nothing trains here, or not any more: begin what waited for it, or go on watching the folder."""
        had, self._thread = self._thread is not None, None
        self._tick() if self.jobs or self.run is not None else self._timer.stop()
        if had:
            # Said again: only now it is known whether the run can go on.
            self.status_changed.emit(self.status)
            if self.snapshot is None and self.following:
                self.follow()  # ended before its first step: what was recorded earlier is shown again
            self.ended.emit()
        act, self._next = self._next, None
        if act is not None:
            act()

    def _patience(self) -> float:
        """Seconds between live snapshots: what the training loses by their drawing stays within SHARE.

        The first one is shown as soon as it is there.
        """
        if self.snapshot is None:
            return 0.0
        return min(max((time.thread_time() - self._spent) / SHARE, SNAPSHOT_EVERY), PATIENCE)

    # background work and the end

    def scratch(self, ending: str) -> Path:
        """A new name in a folder of this session's own, that leaves with it."""
        if self._scratch is None:
            self._scratch = tempfile.TemporaryDirectory(prefix="poseaug-studio-")
        self._scratches += 1
        return Path(self._scratch.name) / f"{self._scratches}{ending}"

    def background(self, title: str, work: Callable[[Progress], Any], quiet: bool = False) -> Job:
        """Run work(progress) beside the window; its failure is told through ``failed`` unless it is quiet."""
        job = Job(title, work, self)
        job.quiet = quiet
        if not quiet:
            job.failed.connect(self.failed)
        self.jobs.append(job)
        self.jobs_changed.emit()
        self._tick()
        return job

    def finish(self, act: Callable[[], None] | None = None) -> None:
        """Stop the training here, if any; ``act`` once its checkpoint is written and its thread gone.

        Never waits. Of several things that are to begin next the latest does.
        """
        if self._thread is None:
            if act is not None:
                act()
            return
        self._next = act
        self.live.stop()
        self.stopping.emit()

    def close(self) -> None:
        """End everything this session started and wait for it; no thread of it is left.

        A window that is to answer meanwhile calls finish first, and this at ``ended``.
        """
        self._timer.stop()
        for job in self.jobs:
            job.cancel()
        self._next = None
        if self._thread is not None:
            self.live.stop()
            self._thread.join()
            self._thread = None
            self._report(self.live.status)
        for job in self.jobs:
            job.join(10.0)
        self.jobs.clear()
        if self._scratch is not None:
            self._scratch.cleanup()
            self._scratch = None
