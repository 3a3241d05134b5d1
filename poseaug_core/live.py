"""Live: the one object between a trainer and whoever watches and steers it.

One lock, held for assignments only. The watcher replaces Controls whole, asks for pause, steps or
stop; the trainer takes its turn at each step boundary, and leaves snapshots in a slot that holds
the latest only. Nothing here touches tensors or Qt; a headless run uses the same object.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, replace

from poseaug_core.controls import Controls
from poseaug_core.health import Alarm
from poseaug_core.snapshot import Snapshot

#: Who can learn alone, by the name of its control: learn_augmentor and so on.
LEARNERS = ("augmentor", "discriminators", "estimator")
#: States in which no further step will come.
ENDED = ("finished", "stopped", "failed")
#: Share of the trainer's time that snapshots made for a watcher alone may take.
WATCHING = 0.01


@dataclass(frozen=True)
class Status:
    """What to tell the user. state: preparing, running, paused, finished, stopped or failed.

    step of steps iterations in all; epoch (0-based) of epochs in this phase; stage: what the iteration does
    ('pretrain', 'warm-up', 'augment', 'estimate augmented', 'estimate real', 'estimate mixed', 'evaluate').
    rate: iterations a second. eta: seconds left, None while unknown. done: share of 'preparing', 0..1.
    message: while preparing what is done, in a failure its reason, else what is worth knowing of the run, or ''.
    alarms: of this training so far, the oldest first.
    controls: those the last step used. run: the run folder. memory: bytes held on the device or by the process.
    """

    state: str = "preparing"
    message: str = ""
    phase: str = ""
    stage: str = ""
    step: int = 0
    steps: int = 0
    epoch: int = 0
    epochs: int = 0
    rate: float = 0.0
    eta: float | None = None
    done: float = 0.0
    device: str = ""
    memory: int = 0
    controls: Controls | None = None
    run: str = ""
    alarms: tuple[Alarm, ...] = ()


class Live:
    """See the module. Methods of the watcher: controls, steer, pause, resume, allow, stop, take, status,
    wait. Methods of the trainer: turn, more, report, wanted, publish."""

    def __init__(self, controls: Controls | None = None, attended: bool = False):
        """attended: whether somebody is there who can let a paused training go on."""
        self.attended = attended
        self._changed = threading.Condition()
        self._controls = controls or Controls()
        self._status = Status()
        self._snapshot: Snapshot | None = None
        self._wanted = False
        self._notes: tuple[str, ...] = ()
        self._allowed: float = float("inf")  # steps that may still be taken before pausing
        self._only: str | None = None  # the one network that learns in these steps
        self._stop = False
        self._asked: float | None = None  # when the trainer began the snapshot in hand, as a watcher wants one
        self._cost, self._due = 0.0, 0.0  # seconds that one takes; when the next may be made

    # the watcher's side

    @property
    def controls(self) -> Controls:
        """What the next step will use (schedules unresolved)."""
        return self._controls

    def steer(self, controls: Controls) -> None:
        """Replace the controls; the trainer uses them from its next step on."""
        with self._changed:
            self._controls = controls

    def pause(self) -> None:
        self.allow(0)

    def resume(self) -> None:
        self.allow(float("inf"))

    def allow(self, steps: float, only: str | None = None) -> None:
        """Let so many more steps happen, then pause. only: one of LEARNERS; in these steps nobody else learns,
        whatever the controls say, which stay as they are for the steps after."""
        with self._changed:
            self._allowed, self._only = steps, only
            self._changed.notify_all()

    def stop(self) -> None:
        """End the run after the step in hand, a paused run too."""
        with self._changed:
            self._stop = True
            self._changed.notify_all()

    @property
    def stopping(self) -> bool:
        return self._stop

    def take(self) -> Snapshot | None:
        """The latest snapshot not yet taken, or None; also asks the trainer for another."""
        with self._changed:
            snapshot, self._snapshot, self._wanted = self._snapshot, None, True
            return snapshot

    @property
    def status(self) -> Status:
        return self._status

    @property
    def notes(self) -> tuple[str, ...]:
        """What is to be told once, in sentences, the latest last."""
        return self._notes

    def wait(self, *states: str, timeout: float | None = None) -> bool:
        """Block until the status is one of states (for tests and the command line)."""
        with self._changed:
            return self._changed.wait_for(lambda: self._status.state in states, timeout)

    # the trainer's side

    def turn(self) -> Controls | None:
        """Called before each step: waits while paused; the controls to use, or None to stop."""
        with self._changed:
            if self._allowed <= 0 and not self._stop:
                running, self._status = self._status, replace(self._status, state="paused", rate=0.0, eta=None)
                self._changed.notify_all()
                self._changed.wait_for(lambda: self._allowed > 0 or self._stop)
                self._status = replace(self._status, state=running.state)
            if self._stop:
                return None
            self._allowed -= 1
            if self._only is None:
                return self._controls
            return replace(self._controls, **{f"learn_{name}": name == self._only for name in LEARNERS})

    def more(self, count: int) -> int:
        """Called after a turn: how many of so many further iterations may come before the next turn, with the same
        controls."""
        with self._changed:
            count = 0 if self._stop else int(min(count, self._allowed))
            self._allowed -= count
            return count

    def pausing(self) -> bool:
        """Whether the next turn will wait: the moment to publish what the watcher will look at."""
        return self._allowed <= 0 and not self._stop

    def report(self, status: Status) -> None:
        with self._changed:
            self._status = status
            self._changed.notify_all()

    def note(self, *sentences: str) -> None:
        """Have something told to whoever watches, once."""
        with self._changed:
            self._notes = tuple(dict.fromkeys((*self._notes, *sentences)))

    @property
    def wanted(self) -> bool:
        """Whether a watcher is waiting for a snapshot and one is due: the trainer makes and publishes it at once.

        Never so often that the time from here to ``publish`` takes more than WATCHING of the trainer's; those that it
        records anyway make waiting shorter, not watching dearer.
        """
        now = time.monotonic()
        if not self._wanted or now < self._due:
            return False
        self._asked = now
        return True

    def publish(self, snapshot: Snapshot) -> None:
        now = time.monotonic()
        if self._asked is not None:
            self._cost, self._asked = now - self._asked, None
        self._due = now + self._cost / WATCHING
        with self._changed:
            self._snapshot, self._wanted = snapshot, False
