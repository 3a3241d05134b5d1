"""Tour: the studio used by an invisible hand, from the demo to an exported figure, with pictures of each step."""

from __future__ import annotations

import sys
import time
from pathlib import Path

from PySide6.QtCore import QEventLoop, QPoint, QSettings, Qt, QTimer
from PySide6.QtGui import QPixmap
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

from poseaug_studio import style
from poseaug_studio.saving import ExportDialog
from poseaug_studio.session import Session
from poseaug_studio.theme import DARK
from poseaug_studio.window import StudioWindow

SIZE, SMALL = (1600, 1000), (1280, 720)
#: Snapshots to wait for before the hand begins, and the longest wait for anything, in seconds.
SNAPSHOTS, PATIENCE = 12, 60.0


class Missed(Exception):
    """Something that the tour waited for did not happen."""


def rest(milliseconds: int) -> None:
    """Let the window live for a while. QTest.qWait would do it without letting other threads run Python."""
    loop = QEventLoop()
    QTimer.singleShot(milliseconds, loop.quit)
    loop.exec()


class Tour:
    """The steps, in order. Every one goes through the window's own widgets; ``said`` is what was done."""

    def __init__(self, folder: Path, session: Session | None = None):
        self.folder = folder.absolute()
        self.folder.mkdir(parents=True, exist_ok=True)
        settings = QSettings(str(self.folder / "settings.ini"), QSettings.Format.IniFormat)
        settings.clear()
        style.apply(QApplication.instance(), DARK)
        self.session = session or Session()
        self.window = StudioWindow(self.session, settings, "dark", scripted=True)
        self.failures: list[str] = []
        self.session.failed.connect(self.failures.append)
        self._started = time.monotonic()

    def run(self) -> int:
        """0 only if everything happened."""
        try:
            for step in (self.open, self.train, self.scrub, self.turn, self.themes, self.export, self.end):
                self.say(step())
        except Missed as error:
            self.say(f"The tour broke off: {error}")
            for failure in self.failures:
                self.say(failure)
            return 1
        finally:
            self.session.close()
            self.window.close()
        return 0

    # the steps

    def open(self) -> str:
        self.window.resize(*SIZE)
        self.window.show()
        self.wait(lambda: len(self.window.workspace.panels) == 5, "the panels")
        self.window.workspace.default_layout()
        rest(200)
        picture = self.shoot("start-dark")
        card = self.window.start.cards["demo"]
        self.window.demo_folder = self.new_run_folder()
        QTest.mouseClick(card, Qt.MouseButton.LeftButton, pos=card.rect().center())
        return f"Opened the window and clicked the demo: {picture.name}"

    def train(self) -> str:
        self.wait(lambda: len(self.session.history.steps) >= SNAPSHOTS, f"{SNAPSHOTS} recorded snapshots")
        self.wait(lambda: self.session.snapshot.phase == "poseaug", "the augmentor's turn")
        rest(1500)
        step = self.session.status.step
        return f"Trained to step {step} at {self.session.status.rate:.0f} it/s: {self.shoot('training-dark').name}"

    def scrub(self) -> str:
        track, steps = self.window.workspace.timeline.track, self.session.history.steps
        start, stop = (QPoint(round(track.x_of(step)), 23) for step in (steps[-1], steps[len(steps) // 3]))
        target = track.nearest(stop.x())
        QTest.mousePress(track, Qt.MouseButton.LeftButton, pos=start)
        for share in range(1, 9):
            QTest.mouseMove(track, start + (stop - start) * share / 8)
            rest(60)
        QTest.mouseRelease(track, Qt.MouseButton.LeftButton, pos=stop)
        self.wait(lambda: self.session.snapshot.step == target, f"the snapshot of step {target}")
        before = self.session.status.step
        self.wait(lambda: self.session.status.step > before, "training beside the scrubbing")
        rest(500)
        picture = self.shoot("scrubbing-dark")
        live = self.window.workspace.timeline.live
        QTest.mouseClick(live, Qt.MouseButton.LeftButton)
        self.wait(lambda: self.session.following, "the way back to live")
        return f"Scrubbed back to step {target} while the training went on: {picture.name}"

    def turn(self) -> str:
        knob = self.window.workspace.knobs.knobs["length_limit"]
        spot = QPoint(round(knob.slider.x_of(0.15)), knob.slider.height() // 2)
        QTest.mouseClick(knob.slider, Qt.MouseButton.LeftButton, pos=spot)
        value = self.session.controls.length_limit
        if abs(value - 0.15) > 0.01:
            raise Missed(f"the BL limit is {value:g} after a click at 0.15")
        self.wait(lambda: self.session.status.controls.length_limit == value, "the trainer to use the knob")
        self.wait(lambda: any(row["field"] == "length_limit" for row in self.session.history.log), "the control log")
        return f"Turned the BL limit to {value:g}; the training used it at the next step"

    def themes(self) -> str:
        self.window.set_theme("light")
        rest(1200)
        light = self.shoot("training-light")
        self.window.resize(*SMALL)
        self.window.workspace.default_layout()
        rest(1200)
        small = self.shoot("small-light")
        self.window.set_theme("dark")
        rest(1000)
        dark = self.shoot("small-dark")
        self.window.resize(*SIZE)
        self.window.workspace.default_layout()
        rest(300)
        return f"Light, and small: {light.name}, {small.name}, {dark.name}"

    def export(self) -> str:
        self.window.commands["export"].trigger()
        dialog = self.window.findChild(ExportDialog)
        self.wait(lambda: not dialog.picture.pixmap().isNull(), "the preview of the figure")
        picture = self.shoot("export-dark")
        out = self.folder / "augmentation.pdf"
        out.unlink(missing_ok=True)
        dialog.choose_path = lambda: out
        QTest.mouseClick(dialog.save, Qt.MouseButton.LeftButton)
        self.wait(lambda: out.is_file(), "the exported figure")
        dialog.close()
        return f"Exported the figure {out.name} ({out.stat().st_size // 1024} KB): {picture.name}"

    def end(self) -> str:
        QTest.mouseClick(self.window.workspace.runbar.stop, Qt.MouseButton.LeftButton)
        self.wait(lambda: not self.session.running and self.session.status.state != "running", "the training to stop")
        if self.session.status.state != "stopped":
            raise Missed(f"the training ended as {self.session.status.state!r}: {self.session.status.message}")
        took = time.monotonic() - self._started
        return f"Stopped at step {self.session.status.step}; the run is {self.session.folder}. {took:.0f} s in all."

    # helpers

    def new_run_folder(self) -> Path:
        number = 1
        while (self.folder / f"run-{number}").exists():
            number += 1
        return self.folder / f"run-{number}"

    def wait(self, happened, what: str) -> None:
        until = time.monotonic() + PATIENCE
        while not happened():
            if time.monotonic() > until:
                status = self.session.status
                state = f"{status.state} {status.message}".strip()
                raise Missed(f"waited {PATIENCE:.0f} s in vain for {what}; {state} at step {status.step}")
            if self.failures:
                raise Missed(f"while waiting for {what}")
            rest(30)

    def shoot(self, name: str) -> Path:
        """The window with everything over it, as on the screen."""
        rest(50)
        corner = self.window.mapToGlobal(QPoint(0, 0))
        picture: QPixmap = self.window.screen().grabWindow(
            0, corner.x(), corner.y(), self.window.width(), self.window.height()
        )
        path = self.folder / f"{name}.png"
        if not picture.save(str(path)):
            raise Missed(f"{path} cannot be written")
        return path

    def say(self, text: str) -> None:
        print(text, file=sys.stderr, flush=True)


def tour(folder: Path) -> int:
    """Run the tour into a folder; the exit code."""
    return Tour(folder).run()
