"""Following a training on a terminal: a bar where there is one, else a line now and then."""

from __future__ import annotations

import sys
import threading
import time
from pathlib import Path

from rich.progress import TextColumn

from poseaug_core.commands.terminal import BESIDE_BAR, bars, tell
from poseaug_core.errors import UserError
from poseaug_core.health import ACTIONS, Alarm
from poseaug_core.live import ENDED, Live, Status
from poseaug_core.plain_text import plain
from poseaug_core.runs import Run

#: Seconds between two looks, between two lines at most where the epoch changed, and at least where not.
LOOK, SOON, LATE = 0.2, 5.0, 60.0


def watch(live: Live, worker: threading.Thread, folder: Path) -> None:
    """Tell on stderr how the training goes until its thread has ended."""
    errors = _Errors(folder)
    if sys.stderr.isatty():
        _bar(live, worker, errors)
    else:
        _lines(live, worker, errors)
    worker.join()
    errors.tell_notes(live)


def _bar(live: Live, worker: threading.Thread, errors: _Errors) -> None:
    with bars(TextColumn("{task.fields[facts]}", markup=False)) as shown:
        task = shown.add_task("preparing", total=1.0, facts="")
        while worker.is_alive():
            live.wait(*ENDED, timeout=LOOK)
            status = live.status
            errors.tell_notes(live)
            total, done = (status.steps, status.step) if status.steps else (1.0, status.done)
            words, more = plain(headline(status), BESIDE_BAR), plain(facts(status, errors))
            shown.update(task, total=total, completed=done, description=words, facts=more)
            worker.join(LOOK if status.state in ENDED else 0)


def _lines(live: Live, worker: threading.Thread, errors: _Errors) -> None:
    told, before = float("-inf"), ""
    while worker.is_alive():
        live.wait(*ENDED, timeout=LOOK)
        status, now = live.status, time.monotonic()
        errors.tell_notes(live)
        if status.state in ENDED:
            worker.join()
        elif now - told > (SOON if headline(status) != before else LATE):
            tell(f"{headline(status)}  {facts(status, errors)}".rstrip(), err=True)
            told, before = now, headline(status)


def headline(status: Status) -> str:
    if status.state == "preparing":
        return status.message or "preparing"
    if not status.epochs:
        return status.stage or status.state
    stage = "" if status.stage in ("", status.phase) else f", {status.stage}"
    return f"{status.phase} epoch {min(status.epoch + 1, status.epochs)}/{status.epochs}{stage}"


def facts(status: Status, errors: _Errors) -> str:
    if status.state == "preparing":
        return f"{status.done:.0%}"
    if not status.steps:
        return errors.text()
    left = "" if status.eta is None else f"  ETA {_clock(status.eta)}"
    return f"{status.step:,}/{status.steps:,}  {status.rate:.1f} it/s{left}{errors.text()}"


def _clock(seconds: float) -> str:
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"


class _Errors:
    """The latest MPJPE of each set, followed in the run folder, and what was decided about the data."""

    def __init__(self, folder: Path):
        self.folder, self.run, self.since = folder, None, 0
        self.latest: dict[str, float] = {}
        self.told = False
        self.notes = 0  # of live's, told already
        self.message = ""
        self.alarms: list[Alarm] = []  # told already

    def tell_notes(self, live: Live) -> None:
        """Once, as soon as there is a run: what was found and decided while its data were read; what is worth knowing
        while it runs, as soon as it is said."""
        status, notes = live.status, live.notes
        for note in notes[self.notes :]:
            tell(note, err=True)
        self.notes = len(notes)
        for alarm in status.alarms:
            # One that ends the training is its error, which is told then.
            if alarm not in self.alarms and alarm.action != ACTIONS["stop"]:
                tell(alarm.text, err=True)
                self.alarms.append(alarm)
        if status.state == "running" and status.message not in ("", self.message):
            self.message = status.message
            tell(self.message, err=True)
        if self.told or not (self.folder / "data.json").is_file():
            return
        try:
            self.run = self.run or Run.open(self.folder)
        except UserError:
            return
        self.told = True
        for note in self.run.data.get("notes", ()):
            tell(note, err=True)

    def text(self) -> str:
        try:
            self.run = self.run or Run.open(self.folder)
            rows, self.since = self.run.metrics(self.since)
        except UserError:
            return ""
        for row in rows:
            for name, value in row["values"].items():
                if row["kind"] == "evaluation" and name.endswith("/poseaug16/mpjpe") and value is not None:
                    self.latest[name.split("/")[0]] = value
        return "".join(f"  {name} {value:.1f} mm" for name, value in self.latest.items())
