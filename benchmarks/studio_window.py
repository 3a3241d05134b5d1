"""The other sides of benchmarks.studio: the open window while the demo trains, then clicked and dragged; prints JSON.

python -m benchmarks.studio_window thread|follower [--threads N]: the demo trains in the window, or in a process of its
own whose run folder the window has open.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PySide6.QtCore import QSettings, Qt, QTimer
from PySide6.QtWidgets import QApplication

from benchmarks.studio_costs import PaintCosts
from benchmarks.studio_headless import Pace, measured_config
from benchmarks.studio_input import Clicks, Drag
from poseaug_studio.application import make_application
from poseaug_studio.session import Session
from poseaug_studio.window import StudioWindow

#: Stretches of watching and of not watching, in turn, and the seconds of one; its first part does not count, in which
#: what was asked for before is still painted.
STRETCHES, STRETCH, SETTLED = 16, 1.5, 0.2
#: Clicks, after the rate is taken: a click redraws the views, which watching alone does not.
CLICKS = 30
#: Seconds that the views are turned by the mouse, while the demo trains and again while it is paused.
TURNED = 5.0
#: Seconds after which the measurement is given up.
PATIENCE = 240


class Watch:
    """Goes through the measurement's parts, one at a time, looking 25 times a second whether the next is due."""

    def __init__(self, application: QApplication, window: StudioWindow, costs: PaintCosts, status: Callable):
        self.application, self.window, self.session, self.costs = application, window, window.session, costs
        self.status, self.pace, self.found = status, Pace(), {}
        self.part, self.inputs, self.until = self.watch, None, 0.0
        self.cpu = self.began = 0.0
        # A fine timer, as another would wake the GUI thread for every tick of its own.
        self.timer = QTimer(interval=40, timerType=Qt.TimerType.PreciseTimer)
        self.timer.timeout.connect(lambda: self.part())
        self.timer.start()

    def watch(self) -> None:
        """Nobody touches the window while the rate is taken."""
        before = self.pace.began
        self.pace.look(self.status())
        if self.pace.began and not before:
            self.costs.clear()
            self.cpu, self.began = time.thread_time(), time.perf_counter()
        if self.pace.done:
            wall = time.perf_counter() - self.began
            self.found |= {"rate": self.pace.rate, "gui_share": (time.thread_time() - self.cpu) / wall}
            for name, seconds in self.costs.seconds.items():
                count = len(self.costs.ends[name])
                self.found |= {f"paint_ms.{name}": 1000 * seconds / count, f"paint_share.{name}": seconds / wall}
            if self.session.live is None:
                self.inputs, self.part = Clicks(self.window), self.click
            else:
                self.marks, self.until, self.part = [[]], time.perf_counter() + STRETCH, self.alternate

    def alternate(self) -> None:
        """The same training with the window asleep in every other stretch: what others do meanwhile hits both alike."""
        now, step, stretch = time.perf_counter(), self.status().step, self.marks[-1]
        if now - (self.until - STRETCH) >= SETTLED and (not stretch or step != stretch[-1][1]):
            stretch.append((now, step))
        if now < self.until:
            return
        self.until = now + STRETCH
        if len(self.marks) < STRETCHES:
            (self.session._timer.stop if len(self.marks) % 2 else self.session._timer.start)()
            self.marks.append([])
            return
        self.session._timer.start()
        rates = [(m[-1][1] - m[1][1]) / (m[-1][0] - m[1][0]) for m in self.marks if len(m) > 3]
        if len(rates) == STRETCHES:
            self.found["watched_over_asleep"] = float(np.median(np.divide(rates[::2], rates[1::2])))
        self.inputs, self.part = Clicks(self.window), self.click

    def click(self) -> None:
        if len(self.inputs.shown) < CLICKS:
            return
        self.inputs.stop()
        handled, shown = 1000 * np.array(self.inputs.handled), 1000 * np.array(self.inputs.shown)
        self.found |= {
            "click_p50_ms": np.percentile(handled, 50),
            "click_p95_ms": np.percentile(handled, 95),
            "redraw_p95_ms": np.percentile(shown, 95),
        }
        self._turn(self.drag)

    def _turn(self, part: Callable[[], None]) -> None:
        self.costs.clear()
        self.steps, self.until, self.part = self.status().step, time.perf_counter() + TURNED, part
        self.inputs = Drag(self.window.workspace.panels["scene"].views.native)

    def _turned(self) -> bool:
        """Whether the views were turned long enough; the mouse is let go then."""
        over = time.perf_counter() >= self.until and len(self.costs.ends["views"]) > 2
        if over:
            self.inputs.stop()
        return over

    def drag(self) -> None:
        if not self._turned():
            return
        self.found |= self._frames("training") | {"rate_turned": (self.status().step - self.steps) / TURNED}
        if self.session.live is None:
            self.end()
            return
        self.session.pause()
        self._turn(self.drag_paused)

    def drag_paused(self) -> None:
        if not self._turned():
            return
        self.found |= self._frames("paused")
        self.end()

    def end(self) -> None:
        self.timer.stop()
        self.application.exit(0)  # quit() would ask the window to close first

    def _frames(self, meanwhile: str) -> dict[str, float]:
        """Frames a second of the views, and milliseconds from one to the next."""
        between = 1000 * np.diff(self.costs.ends["views"])
        frames = {"fps": 1000 / between.mean()} | {f"p{p}_ms": np.percentile(between, p) for p in (50, 95, 99)}
        return {f"frame.{meanwhile}.{key}": value for key, value in frames.items()}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("kind", choices=("thread", "follower"))
    parser.add_argument("--threads", type=int, default=0)
    options = parser.parse_args()
    application, costs = make_application(), PaintCosts()
    with tempfile.TemporaryDirectory() as scratch:
        folder, session = Path(scratch) / "run", Session()
        settings = QSettings(str(Path(scratch) / "studio.ini"), QSettings.Format.IniFormat)
        window = StudioWindow(session, settings, scripted=True)
        window.resize(1600, 1000)
        window.show()
        other = None
        if options.kind == "thread":
            window.begin(measured_config(options.threads), "benchmark", folder)
            status = lambda: session.live.status if session.live else session.status  # noqa: E731
        else:
            command = ["-m", "benchmarks.studio_headless", "--folder", str(folder), "--threads", str(options.threads)]
            other = subprocess.Popen(
                [sys.executable, *command], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
            )
            while not (folder / "data.json").exists():
                if other.poll() is not None:
                    raise SystemExit("the other process ended before its run began")
                time.sleep(0.05)
            window.open_path(folder)
            status = lambda: session.status  # noqa: E731
        QTimer.singleShot(1000 * PATIENCE, lambda: application.exit(1))
        watch = Watch(application, window, costs, status)
        late = application.exec()
        session.close()
        window.close()
        if other is not None:
            watch.found["rate"] = json.loads(other.communicate("")[0].splitlines()[-1])["rate"]
    if late:
        raise SystemExit(f"gave up after {PATIENCE} s at {watch.part.__name__}, step {status().step}")
    print(json.dumps({key: float(value) for key, value in watch.found.items()}))


if __name__ == "__main__":
    main()
