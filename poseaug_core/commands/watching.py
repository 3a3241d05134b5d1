"""Following a training on a terminal: a bar where there is one, else a line now and then."""

from __future__ import annotations

import threading
import time
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

from poseaug_core.errors import UserError
from poseaug_core.live import ENDED, Live, Status
from poseaug_core.runs import Run

#: Seconds between two looks, between two lines at most where the epoch changed, and at least where not.
LOOK, SOON, LATE = 0.2, 5.0, 60.0


def watch(live: Live, worker: threading.Thread, folder: Path) -> None:
    """Tell on stderr how the training goes until its thread has ended."""
    console = Console(stderr=True)
    errors = _Errors(folder)
    if console.is_terminal:
        _bar(live, worker, errors, console)
    else:
        _lines(live, worker, errors, console)
    worker.join()
    errors.tell_notes(console, live)


def _bar(live: Live, worker: threading.Thread, errors: _Errors, console: Console) -> None:
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[facts]}"))
    with Progress(*columns, console=console, transient=True, refresh_per_second=5) as bars:
        task = bars.add_task("preparing", total=1.0, facts="")
        while worker.is_alive():
            live.wait(*ENDED, timeout=LOOK)
            status = live.status
            errors.tell_notes(bars.console, live)
            total, done = (status.steps, status.step) if status.steps else (1.0, status.done)
            bars.update(task, total=total, completed=done, description=headline(status), facts=facts(status, errors))
            worker.join(LOOK if status.state in ENDED else 0)


def _lines(live: Live, worker: threading.Thread, errors: _Errors, console: Console) -> None:
    told, before = float("-inf"), ""
    while worker.is_alive():
        live.wait(*ENDED, timeout=LOOK)
        status, now = live.status, time.monotonic()
        errors.tell_notes(console, live)
        if status.state in ENDED:
            worker.join()
        elif now - told > (SOON if headline(status) != before else LATE):
            console.print(f"{headline(status)}  {facts(status, errors)}".rstrip(), highlight=False, soft_wrap=True)
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

    def tell_notes(self, console: Console, live: Live) -> None:
        """Once, as soon as there is a run: what was found and decided while its data were read; what is worth knowing
        while it runs, as soon as it is said."""
        status, notes = live.status, live.notes
        for note in notes[self.notes :]:
            console.print(note, highlight=False, soft_wrap=True, markup=False)
        self.notes = len(notes)
        if status.state == "running" and status.message not in ("", self.message):
            self.message = status.message
            console.print(self.message, highlight=False, soft_wrap=True, markup=False)
        if self.told or not (self.folder / "data.json").is_file():
            return
        try:
            self.run = self.run or Run.open(self.folder)
        except UserError:
            return
        self.told = True
        for note in self.run.data.get("notes", ()):
            console.print(note, highlight=False, soft_wrap=True, markup=False)

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
