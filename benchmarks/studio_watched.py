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
from PySide6.QtCore import QCoreApplication, QEvent, QObject, QPointF, QSettings, Qt, QTimer
from PySide6.QtGui import QMouseEvent
from PySide6.QtWidgets import QAbstractButton, QApplication

from benchmarks.studio_headless import BEGIN, END
from poseaug_core.demo import demo_config
from poseaug_core.live import ENDED
from poseaug_studio.application import make_application
from poseaug_studio.session import Session
from poseaug_studio.window import StudioWindow

VIEWS = ("Front", "Side", "Top", "3/4")


class Clicks(QObject):
    """Clicks the view buttons from another thread and notes when each was handled and when it could be seen.

    Posting from outside the GUI thread is what an X server does: the click waits in the queue like a user's.
    """

    def __init__(self, window: StudioWindow):
        super().__init__()
        self.buttons = [b for b in window.findChildren(QAbstractButton) if b.text() in VIEWS]
        if len(self.buttons) != len(VIEWS):
            raise SystemExit(f"found {len(self.buttons)} view buttons, expected {len(VIEWS)}")
        self.posted = self.pending = None
        self.handled: list[float] = []
        self.shown: list[float] = []
        for button in self.buttons:
            button.clicked.connect(self._clicked)
        QApplication.instance().installEventFilter(self)
        self.ended = threading.Event()
        self.thread = threading.Thread(target=self._click_on)

    def _click_on(self) -> None:
        rng, k = random.Random(0), 0
        while not self.ended.wait(rng.uniform(0.2, 0.5)):
            button, k = self.buttons[k % len(VIEWS)], k + 1
            at, where = QPointF(button.rect().center()), QPointF(button.mapToGlobal(button.rect().center()))
            left, none = Qt.MouseButton.LeftButton, Qt.MouseButton.NoButton
            self.posted = time.perf_counter()
            for kind, held in ((QEvent.Type.MouseButtonPress, left), (QEvent.Type.MouseButtonRelease, none)):
                event = QMouseEvent(kind, at, where, left, held, Qt.KeyboardModifier.NoModifier)
                QCoreApplication.postEvent(button, event)

    def _clicked(self) -> None:
        self.pending = self.posted
        self.handled.append(time.perf_counter() - self.posted)
        QTimer.singleShot(0, self._after_paint)

    def _after_paint(self) -> None:
        """Runs once the events that the click caused, paints among them, are through."""
        QTimer.singleShot(0, lambda: self.shown.append(time.perf_counter() - self.pending))


def main() -> None:
    application = make_application()
    with tempfile.TemporaryDirectory() as folder:
        session = Session()
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
            if BEGIN in times and not clicks:
                clicks.append(Clicks(window))
                clicks[0].thread.start()
            if END in times:
                application.quit()

        timer = QTimer(interval=20)
        timer.timeout.connect(look)
        timer.start()
        application.exec()
        timer.stop()
        clicks[0].ended.set()
        clicks[0].thread.join()
        session.finish()
        window.close()
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
