"""One side of benchmarks.history: a recorded run opened in the window and scrubbed by the mouse; prints JSON.

python -m benchmarks.history_window FOLDER [--train] [--theme light] [--size 1280x720] [--picture FILE]: with --train
the run goes on training in the window meanwhile.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
from PySide6.QtCore import QEvent, QPointF, QSettings, Qt, QTimer

from benchmarks.studio_costs import PaintCosts
from benchmarks.studio_input import MOVES, post
from poseaug_studio import style
from poseaug_studio.application import make_application
from poseaug_studio.session import Session
from poseaug_studio.theme import DARK, LIGHT
from poseaug_studio.views_painter import PainterViews
from poseaug_studio.window import StudioWindow

#: Seconds of dragging, and clicks at random places before it.
DRAGGED, CLICKS = 8.0, 30
#: Seconds until the window has the run on screen, and in all, after which the measurement is given up.
SETTLED, PATIENCE = 2.0, 240


class Scrubs:
    """Clicks all over the timeline, then drags along it and back; posted from outside the GUI thread."""

    def __init__(self, track):
        self.track, self.width = track, track.width()
        self.sent: list[tuple[float, float]] = []  # when, pixel
        self.split = 0  # of them the first are clicks
        self.done = threading.Event()
        self.thread = threading.Thread(target=self._go)
        self.thread.start()

    def _send(self, kind: QEvent.Type, x: float, held: bool = True) -> None:
        if held:
            self.sent.append((time.perf_counter(), x))
        post(self.track, kind, QPointF(x, 23), held)

    def _go(self) -> None:
        rng = random.Random(0)
        place = lambda: rng.uniform(0.02, 0.98) * self.width  # noqa: E731
        for _ in range(CLICKS):
            x = place()
            self._send(QEvent.Type.MouseButtonPress, x)
            post(self.track, QEvent.Type.MouseButtonRelease, QPointF(x, 23), False)
            time.sleep(rng.uniform(0.25, 0.4))
        self.split = len(self.sent)
        x, to = place(), place()
        self._send(QEvent.Type.MouseButtonPress, x)
        began, k = time.perf_counter(), 0
        while (elapsed := time.perf_counter() - began) < DRAGGED:
            k += 1
            time.sleep(max(0.0, k / MOVES - elapsed))
            if abs(to - x) < 12:
                to = place()
            x += max(-9.0, min(9.0, to - x))
            self._send(QEvent.Type.MouseMove, x)
        post(self.track, QEvent.Type.MouseButtonRelease, QPointF(x, 23), False)
        time.sleep(1.0)
        self.done.set()


class PaintedPoses:
    """Which step the views showed whenever they had painted; to be made before the window."""

    def __init__(self):
        self.scene = None
        self.painted: list[tuple[float, int]] = []
        paint = PainterViews.paintEvent

        def painted(views, event) -> None:
            paint(views, event)
            if self.scene is not None:
                self.painted.append((time.perf_counter(), self.scene._snapshot.step))

        PainterViews.paintEvent = painted


class Measured:
    """Opens the run, waits until it is on screen, scrubs, and says how long each pose took to appear."""

    def __init__(self, application, window: StudioWindow, costs: PaintCosts, poses: PaintedPoses, options):
        self.application, self.window, self.session, self.costs = application, window, window.session, costs
        self.poses, self.options = poses, options
        self.asked: list[tuple[float, int]] = []  # when the window was told of which step
        self.found: dict[str, float] = {}
        self.scrubs: Scrubs | None = None
        self.settled, self.lag, self.beat = 0.0, [], 0.0
        self.began = time.perf_counter()
        window.workspace.timeline.track.chosen.connect(lambda step: self.asked.append((time.perf_counter(), step)))
        window.open_path(self.options.folder)
        self.timer = QTimer(interval=10, timerType=Qt.TimerType.PreciseTimer)
        self.timer.timeout.connect(self._look)
        self.timer.start()

    def _look(self) -> None:
        now, session = time.perf_counter(), self.session
        if self.beat:
            self.lag.append(now - self.beat)
        self.beat = now
        if not self.settled:
            if session.snapshot is not None and self.costs.ends["views"] and "curves" in self.window.workspace.panels:
                if not self.found:
                    self.found["first_paint_s"] = now - self.began
                    self.found["open_lag_ms"] = 1000 * max(self.lag)
                    if self.options.train:
                        session.resume(self.options.folder)
                if not self.options.train or session.status.state == "running":
                    self.settled = now
        elif self.scrubs is None and now > self.settled + SETTLED:
            self.poses.scene = self.window.workspace.panels["scene"]
            self.rss = resident()
            self.step = session.status.step
            self.scrubs = Scrubs(self.window.workspace.timeline.track)
        elif self.scrubs is not None and self.scrubs.done.is_set():
            self._end()

    def _end(self) -> None:
        self.timer.stop()
        sent, split = [when for when, _ in self.scrubs.sent], self.scrubs.split
        waits = self._waits(sent)
        for name, values in (("click", waits[:split]), ("drag", waits[split:])):
            for p in (50, 95, 99):
                self.found[f"{name}_p{p}_ms"] = 1000 * float(np.percentile(values, p))
        between = [when for when, _ in self.poses.painted if when > sent[split]]
        self.found["drag_fps"] = (len(between) - 1) / (between[-1] - between[0])
        self.found["scrubbed_mb"] = (resident() - self.rss) / 1e6
        self.found["rss_mb"] = resident() / 1e6
        self.found["steps"] = self.session.status.step - self.step
        self.found["paint_track_ms"] = 1000 * self.costs.seconds["timeline"] / max(len(self.costs.ends["timeline"]), 1)
        if self.options.picture:
            self.window.grab().save(self.options.picture)
        self.application.exit(0)

    def _waits(self, sent: list[float]) -> list[float]:
        """Seconds from each event to the first painting of the pose it asked for, or of one asked for later."""
        order = [step for _, step in self.asked][-len(sent) :]
        waits, at, end = [], 0, time.perf_counter()
        for k, when in enumerate(sent):
            later = set(order[k:])
            at = next(
                (i for i in range(at, len(self.poses.painted)) if self.poses.painted[i][0] >= when),
                len(self.poses.painted),
            )
            shown = next((t for t, step in self.poses.painted[at:] if step in later), None)
            waits.append((end if shown is None else shown) - when)
        return waits


def resident() -> int:
    """Bytes of this process in memory."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--train", action="store_true")
    parser.add_argument("--theme", default="dark")
    parser.add_argument("--size", default="1600x1000")
    parser.add_argument("--picture", help="file for a picture of the window at the end")
    options = parser.parse_args()
    application, costs, poses = make_application(), PaintCosts(), PaintedPoses()
    with tempfile.TemporaryDirectory() as scratch:
        style.apply(application, {"dark": DARK, "light": LIGHT}[options.theme])
        session = Session()
        settings = QSettings(str(Path(scratch) / "studio.ini"), QSettings.Format.IniFormat)
        window = StudioWindow(session, settings, options.theme, scripted=True)
        window.resize(*map(int, options.size.split("x")))
        window.show()
        measured: list[Measured] = []
        window.workspace.built.connect(
            lambda: measured or measured.append(Measured(application, window, costs, poses, options))
        )
        QTimer.singleShot(1000 * PATIENCE, lambda: application.exit(1))
        late = application.exec()
        session.close()
        window.close()
    if late:
        raise SystemExit(f"gave up after {PATIENCE} s")
    print(json.dumps({key: float(value) for key, value in measured[0].found.items()}))
    sys.stdout.flush()


if __name__ == "__main__":
    main()
