"""Mouse input for the studio benchmark: clicks and drags posted from outside the GUI thread, and when they are seen.

Posting from another thread is what an X server does: the event waits in the queue like a user's.
"""

from __future__ import annotations

import math
import random
import threading
import time

from PySide6.QtCore import QCoreApplication, QEvent, QObject, QPointF, Qt, QTimer
from PySide6.QtGui import QMouseEvent
from PySide6.QtWidgets import QWidget

from poseaug_studio.segments import Segments
from poseaug_studio.window import StudioWindow

VIEWS = ("3/4", "Front", "Side", "Top")
#: Moves of a dragged mouse a second.
MOVES = 60


def post(widget: QWidget, kind: QEvent.Type, at: QPointF, held: bool) -> None:
    left, none = Qt.MouseButton.LeftButton, Qt.MouseButton.NoButton
    button = none if kind == QEvent.Type.MouseMove else left
    event = QMouseEvent(kind, at, widget.mapToGlobal(at), button, left if held else none, Qt.KeyboardModifier(0))
    QCoreApplication.postEvent(widget, event)


class Clicks(QObject):
    """Clicks the 3D views' presets and notes when each was handled and when it could be seen."""

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
        self.thread.start()

    def stop(self) -> None:
        self.ended.set()
        self.thread.join()

    def _click_on(self) -> None:
        rng, k = random.Random(0), 0
        while not self.ended.wait(rng.uniform(0.1, 0.4)):
            k += 1
            self.posted = time.perf_counter()
            post(self.presets, QEvent.Type.MouseButtonPress, self.places[k % len(VIEWS)], True)
            post(self.presets, QEvent.Type.MouseButtonRelease, self.places[k % len(VIEWS)], False)

    def _clicked(self) -> None:
        posted = self.posted
        self.handled.append(time.perf_counter() - posted)
        # Two turns of the event loop later, the paints that the click asked for are through.
        QTimer.singleShot(0, lambda: QTimer.singleShot(0, lambda: self.shown.append(time.perf_counter() - posted)))


class Drag:
    """Holds the mouse down on a widget and turns it round and round, MOVES times a second."""

    def __init__(self, widget: QWidget):
        self.widget, self.middle = widget, QPointF(widget.width() / 2, widget.height() / 2)
        self.ended = threading.Event()
        self.thread = threading.Thread(target=self._drag)
        self.thread.start()

    def stop(self) -> None:
        self.ended.set()
        self.thread.join()

    def _at(self, k: int) -> QPointF:
        return self.middle + QPointF(80 * math.cos(k / 15), 30 * math.sin(k / 15))

    def _drag(self) -> None:
        post(self.widget, QEvent.Type.MouseButtonPress, self._at(0), True)
        began, k = time.perf_counter(), 0
        while not self.ended.wait(max(0.0, began + k / MOVES - time.perf_counter())):
            k += 1
            post(self.widget, QEvent.Type.MouseMove, self._at(k), True)
        post(self.widget, QEvent.Type.MouseButtonRelease, self._at(k), False)
