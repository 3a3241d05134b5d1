"""The other side of benchmarks.studio: the demo trained in the open window, with clicks; prints JSON."""

from __future__ import annotations

import os

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import json
import random
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
from PySide6.QtCore import QCoreApplication, QEvent, QObject, QSettings, Qt, QTimer
from PySide6.QtGui import QMouseEvent

from benchmarks.studio_headless import BEGIN, END
from poseaug_core.demo import demo_config
from poseaug_core.live import ENDED
from poseaug_studio.application import make_application
from poseaug_studio.segments import Segments
from poseaug_studio.session import Session
from poseaug_studio.window import StudioWindow

#: After the rate is taken: a click redraws the views, which watching alone does not.
CLICKS = 100
#: Seconds after which the measurement is given up.
PATIENCE = 180
VIEWS = ("3/4", "Front", "Side", "Top")


class Clicks(QObject):
    """Clicks the 3D views' presets from another thread and notes when each was handled and when it could be seen.

    Posting from outside the GUI thread is what an X server does: the click waits in the queue like a user's.
    """

    def __init__(self, window: StudioWindow):
        super().__init__()
        self.presets = next((s for s in window.findChildren(Segments) if tuple(s.names) == VIEWS), None)
        if self.presets is None:
            raise SystemExit(f"found no view presets {VIEWS} in the window")
        self.places = [rect.center() for rect in self.presets._rects()]
        self.posted = 0.0
        self.handled: list[float] = []
        self.shown: list[float] = []
        self.presets.changed.connect(self._clicked)
        self.ended = threading.Event()
        self.thread = threading.Thread(target=self._click_on)

    def _click_on(self) -> None:
        rng, k = random.Random(0), 0
        while not self.ended.wait(rng.uniform(0.2, 0.5)):
            k += 1
            at = self.places[k % len(VIEWS)]
            where = self.presets.mapToGlobal(at)
            left, none = Qt.MouseButton.LeftButton, Qt.MouseButton.NoButton
            self.posted = time.perf_counter()
            for kind, held in ((QEvent.Type.MouseButtonPress, left), (QEvent.Type.MouseButtonRelease, none)):
                event = QMouseEvent(kind, at, where, left, held, Qt.KeyboardModifier.NoModifier)
                QCoreApplication.postEvent(self.presets, event)

    def _clicked(self) -> None:
        posted = self.posted
        self.handled.append(time.perf_counter() - posted)
        # Two turns of the event loop later, the paints that the click asked for are through.
        QTimer.singleShot(0, lambda: QTimer.singleShot(0, lambda: self.shown.append(time.perf_counter() - posted)))


def main() -> None:
    application = make_application()
    with tempfile.TemporaryDirectory() as folder:
        session = Session()
        QTimer.singleShot(1000 * PATIENCE, lambda: application.exit(1))
        window = StudioWindow(
            session, QSettings(str(Path(folder) / "studio.ini"), QSettings.Format.IniFormat), scripted=True
        )
        window.resize(1600, 1000)
        window.show()
        window.begin(demo_config(), "benchmark", Path(folder) / "run")
        times, clicks = {}, []

        def look() -> None:
            step = session.live.status.step if session.live else 0
            if session.status.state in ENDED:
                raise SystemExit(f"the demo ended at step {step}: {session.status.message}")
            for mark in (BEGIN, END):
                if step >= mark:
                    times.setdefault(mark, (time.perf_counter(), step))
            if END in times and not clicks:
                clicks.append(Clicks(window))
                clicks[0].thread.start()
            if clicks and len(clicks[0].shown) >= CLICKS:
                application.exit(0)  # quit() would ask the window to close first

        timer = QTimer(interval=20)
        timer.timeout.connect(look)
        timer.start()
        late = application.exec()
        timer.stop()
        for started in clicks:
            started.ended.set()
            started.thread.join()
        session.close()
        window.close()
    if late:
        raise SystemExit(
            f"gave up after {PATIENCE} s at {times} with {len(clicks[0].shown) if clicks else 0} clicks seen"
        )
    (t0, s0), (t1, s1) = times[BEGIN], times[END]
    handled, shown = (1000 * np.array(values) for values in (clicks[0].handled, clicks[0].shown))
    result = {
        "rate": (s1 - s0) / (t1 - t0),
        "clicks": len(handled),
        "click_p50_ms": np.percentile(handled, 50),
        "click_p95_ms": np.percentile(handled, 95),
        "redraw_p95_ms": np.percentile(shown, 95),
    }
    print(json.dumps({key: float(value) for key, value in result.items()}))


if __name__ == "__main__":
    main()
