"""Track: the timeline's line itself, from the first recorded snapshot to the last; drag, click, zoom."""

from __future__ import annotations

from bisect import bisect_left, bisect_right

import numpy as np
from PySide6.QtCore import QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QKeyEvent, QMouseEvent, QPainter, QPen, QPixmap, QPolygonF, QWheelEvent
from PySide6.QtWidgets import QSizePolicy, QToolTip, QWidget

from poseaug_core.config import Config
from poseaug_studio.history import ALARM, BEST, CONTROL, EVALUATION, History, Mark, phase_names
from poseaug_studio.style import font, mix
from poseaug_studio.theme import Theme

PAD = 10
#: Pixels between two ticks below which they flow together, between two marks below which one stands for both.
MERGED, APART = 3, 8
#: Pixels around the pointer in which a mark is told of, and marks told of at most.
NEAR, TOLD = 6, 6
#: Pixels between two snapshots to which the wheel zooms in at most, and the zoom of a notch.
CLOSEST, NOTCH = 16, 0.75
#: Share of a part zoomed into that may lie beyond the last snapshot, if it is not the start of the run.
ROOM = 0.1
HINT = "Wheel: zoom; Shift+wheel: move; double click: all"


class Track(QWidget):
    """``chosen`` carries a recorded step. The wheel zooms about the pointer, a double click shows all again.

    The line is as long as what was recorded, and while a training goes on as the whole run.

    What does not move while the user scrubs, a hundred thousand ticks and a thousand marks, is painted once.
    """

    chosen = Signal(int)

    def __init__(self, theme: Theme):
        super().__init__()
        self.theme = theme
        self.history = History()
        self.steps: list[int] = []
        self.marks: list[Mark] = []
        self.names = phase_names(Config())
        self.shown: int | None = None
        self.total = 0
        self.training = False
        self.last = 1  # step at the right end of the whole line
        self.dragging = False
        self._zoom: tuple[float, float] | None = None  # first and last step in sight
        self._still: QPixmap | None = None
        self.setMouseTracking(True)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setFixedHeight(44)

    def sizeHint(self) -> QSize:
        return QSize(400, 44)

    # what is shown

    def show_history(self, history: History, total: int) -> None:
        """total: steps of the whole run, which counts while it trains."""
        if history is not self.history:
            self._zoom = None
        self.history, self.total = history, total
        self.steps, self.marks = history.steps, history.marks()
        self._fit()
        self.repaint_still()

    def show_position(self, shown: int | None, training: bool) -> None:
        """Move the head to a step; the part zoomed into follows it. training: whether more snapshots will come."""
        self.shown = shown
        if training != self.training:
            self.training = training
            self._fit()
        if self._zoom is not None and shown is not None and not self._zoom[0] <= shown <= self._zoom[1]:
            wide = self._zoom[1] - self._zoom[0]
            ahead = shown > self._zoom[1]  # more of what comes next in this direction is in sight
            self._look_at(shown - (0.1 if ahead else 0.9) * wide, wide)
        self.update()

    def repaint_still(self) -> None:
        self._still = None
        self.update()

    # steps and pixels

    @property
    def sight(self) -> tuple[float, float]:
        """The first and last step in sight."""
        return self._zoom or (0.0, float(self.last))

    def x_of(self, step):
        """Pixel of a step, or of an array of steps."""
        first, last = self.sight
        return PAD + (step - first) / (last - first) * (self.width() - 2 * PAD)

    def step_at(self, x: float) -> float:
        first, last = self.sight
        return first + (x - PAD) / max(self.width() - 2 * PAD, 1) * (last - first)

    def nearest(self, x: float) -> int | None:
        """The recorded step closest to a pixel."""
        k = self.history.nearest(self.step_at(x))
        return None if k is None else self.steps[k]

    def moved(self, by: int) -> int:
        """The place in ``steps`` that lies ``by`` snapshots from the shown one."""
        end = len(self.steps) - 1
        at = end if self.shown is None else min(bisect_left(self.steps, self.shown), end)
        return min(max(at + by, 0), end)

    def _fit(self) -> None:
        """Let the line be as long as what there is to show, and the part zoomed into lie in it."""
        marked = self.marks[-1].step if self.marks else 0
        before, self.last = self.last, max(self.history.last, marked, self.total if self.training else 0, 1)
        if self._zoom is not None:
            self._look_at(self._zoom[0], self._zoom[1] - self._zoom[0])
        if self.last != before:
            self.repaint_still()

    def _look_at(self, first: float, wide: float) -> None:
        """Have so many steps in sight, from about ``first`` on, and never a stretch without a snapshot."""
        if wide >= self.last or not self.steps:
            self._zoom = None
        else:
            newest = min(self.last - wide, self.steps[-1] - (1 - ROOM) * wide)
            first = max(min(first, newest), 0.0)
            near = self.steps[self.history.nearest(first + wide / 2)]
            if not first <= near <= first + wide:  # between two snapshots far apart
                first = max(near - (ROOM if near < first else 1 - ROOM) * wide, 0.0)
            self._zoom = first, first + wide
        self.repaint_still()

    # mouse and keys

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if event.button() == Qt.MouseButton.LeftButton and self.steps:
            self.dragging = True
            self.chosen.emit(self.nearest(event.position().x()))

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        x = event.position().x()
        if self.dragging:
            self.chosen.emit(self.nearest(x))
        elif self.steps:
            QToolTip.showText(event.globalPosition().toPoint(), f"{self.words_at(x)}\n{HINT}", self)

    def words_at(self, x: float) -> str:
        """The marks at a pixel, else the snapshot."""
        steps = [mark.step for mark in self.marks]
        near = self.marks[bisect_left(steps, self.step_at(x - NEAR)) : bisect_right(steps, self.step_at(x + NEAR))]
        if not near:
            return f"step {self.nearest(x):,}"
        told = [f"step {mark.step:,}: {mark.text}" for mark in near[-TOLD:]]
        left = len(near) - len(told)
        return "\n".join([f"{left:,} more before; the wheel zooms in", *told] if left else told)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        self.dragging = False

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        self._look_at(0, self.last)

    def wheelEvent(self, event: QWheelEvent) -> None:
        """Zoom about the pointer; with Shift, or sideways, move along."""
        first, last = self.sight
        wide, turned = last - first, event.angleDelta()
        moves = bool(event.modifiers() & Qt.KeyboardModifier.ShiftModifier)
        along, zooms = (turned.x() + turned.y(), 0) if moves else (turned.x(), turned.y())
        recorded = self.steps[-1] - self.steps[0] if self.steps else 0
        closest = recorded / max(len(self.steps) - 1, 1) * (self.width() - 2 * PAD) / CLOSEST
        zoomed = min(max(wide * NOTCH ** (zooms / 120), min(max(closest, 1.0), self.last)), self.last)
        at = self.step_at(event.position().x())
        self._look_at(at - (at - first) * zoomed / wide - 0.1 * zoomed * along / 120, zoomed)
        event.accept()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        moves = {Qt.Key.Key_Left: -1, Qt.Key.Key_Right: 1, Qt.Key.Key_PageUp: -10, Qt.Key.Key_PageDown: 10}
        ends = {Qt.Key.Key_Home: 0, Qt.Key.Key_End: -1}
        if self.steps and event.key() in moves:
            self.chosen.emit(self.steps[self.moved(moves[event.key()])])
        elif self.steps and event.key() in ends:
            self.chosen.emit(self.steps[ends[event.key()]])
        else:
            event.ignore()

    # painting

    def resizeEvent(self, event) -> None:
        self.repaint_still()

    def paintEvent(self, event) -> None:
        ratio = self.devicePixelRatioF()
        if self._still is None or self._still.devicePixelRatio() != ratio:
            self._still = self._paint_still(ratio)
        painter = QPainter(self)
        painter.drawPixmap(0, 0, self._still)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        if self.steps:
            self._paint_head(painter)

    def _paint_still(self, ratio: float) -> QPixmap:
        """All but the head."""
        pixmap = QPixmap(self.size() * ratio)
        pixmap.setDevicePixelRatio(ratio)
        pixmap.fill(Qt.GlobalColor.transparent)
        painter = QPainter(pixmap)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setClipRect(QRectF(PAD - 8, 0, self.width() - 2 * PAD + 16, self.height()))
        self._paint_spans(painter)
        self._paint_ticks(painter)
        self._paint_marks(painter)
        if self._zoom is not None:
            self._paint_zoom(painter)
        painter.end()
        return pixmap

    def _paint_spans(self, painter: QPainter) -> None:
        t = self.theme
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(mix(t.surface, t.text, 0.06)))
        painter.drawRoundedRect(QRectF(PAD, 16, self.width() - 2 * PAD, 14), 4, 4)
        painter.setFont(font(10, 500))
        tints = {"pretrain": t.real, "warm-up": t.stage("ba"), "poseaug": t.accent}
        for span in self.history.spans:
            left = max(self.x_of(span.start), PAD)
            right = min(self.x_of(min(span.stop, self.last)), self.width() - PAD)
            if right <= left:
                continue
            tint = tints.get(span.name, t.muted)
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(QColor(mix(t.surface, tint, 0.26)))
            painter.drawRoundedRect(QRectF(left, 16, max(right - left - 1, 1), 14), 3, 3)
            name = self.names.get(span.name, span.name)
            if painter.fontMetrics().horizontalAdvance(name) < right - left - 8:
                painter.setPen(QColor(mix(tint, t.text, 0.35)))
                painter.drawText(QRectF(left + 2, -2, right - left, 14), Qt.AlignmentFlag.AlignLeft, name)

    def _paint_ticks(self, painter: QPainter) -> None:
        """A hair line a snapshot; where they are too many for that, a bar over the stretch that was recorded."""
        if not self.steps:
            return
        first, last = self.sight
        there = self.steps[bisect_left(self.steps, first) : bisect_right(self.steps, last)]
        xs = np.unique(np.round(self.x_of(np.array(there, float))))
        ink = QColor(mix(self.theme.surface, self.theme.text, 0.38))
        for stretch in np.split(xs, np.flatnonzero(np.diff(xs) >= MERGED) + 1):
            if len(stretch) > 2:
                painter.fillRect(QRectF(stretch[0], 21.5, stretch[-1] - stretch[0] + 1, 3), ink)
            else:
                for x in stretch:
                    painter.fillRect(QRectF(x, 20, 1, 6), ink)

    def _paint_marks(self, painter: QPainter) -> None:
        """Changes of controls and alarms above, evaluations and the best of them below; of two that would overlap one
        is drawn, and hair lines where they crowd."""
        t = self.theme
        first, last = self.sight
        painter.setPen(Qt.PenStyle.NoPen)
        best = [self.x_of(mark.step) for mark in self.marks if mark.kind == BEST and first <= mark.step <= last]
        for kind, ink, top in ((CONTROL, t.warning, 11.0), (EVALUATION, t.real, 32.0)):
            xs = [self.x_of(mark.step) for mark in self.marks if mark.kind == kind and first <= mark.step <= last]
            crowded = len(xs) * 2 * APART > self.width()
            drawn = -APART
            for x in xs:
                beside = kind == CONTROL or all(abs(x - other) >= APART for other in best)
                if beside and x - drawn >= (MERGED if crowded else APART):
                    drawn = x
                    if crowded:
                        painter.fillRect(QRectF(round(x), top + 0.5, 1, 4), QColor(ink))
                    else:
                        painter.setBrush(QColor(ink))
                        painter.drawPolygon(_diamond(x, top) if kind == CONTROL else _triangle(x, top))
        painter.setBrush(QColor(t.bad))
        for mark in self.marks:
            if mark.kind == ALARM and first <= mark.step <= last:
                painter.drawPolygon(_warning(self.x_of(mark.step)))
        painter.setBrush(QColor(t.good))
        for x in best:
            painter.drawEllipse(QPointF(x, 35.5), 4, 4)

    def _paint_zoom(self, painter: QPainter) -> None:
        """Which part of the whole is in sight."""
        t, wide = self.theme, self.width() - 2 * PAD
        first, last = (step / self.last * wide for step in self._zoom)
        painter.fillRect(QRectF(PAD, 41, wide, 2), QColor(mix(t.surface, t.text, 0.12)))
        painter.fillRect(QRectF(PAD + first, 41, max(last - first, 3), 2), QColor(t.accent))

    def _paint_head(self, painter: QPainter) -> None:
        t, live = self.theme, self.shown is None
        x = self.x_of(self.steps[-1] if live else self.shown)
        if not PAD - 1 <= x <= self.width() - PAD + 1:
            return
        color = QColor(t.good if live else t.accent)
        painter.setPen(QPen(color, 2))
        painter.drawLine(QPointF(x, 13), QPointF(x, 40))
        painter.setPen(QPen(QColor(t.surface), 1.5))
        painter.setBrush(color)
        painter.drawEllipse(QPointF(x, 23), 6, 6)
        if self.hasFocus():
            painter.setPen(QPen(color, 1))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawEllipse(QPointF(x, 23), 8.5, 8.5)


def _triangle(x: float, top: float) -> QPolygonF:
    return QPolygonF([QPointF(x, top), QPointF(x - 3.5, top + 6), QPointF(x + 3.5, top + 6)])


def _diamond(x: float, top: float) -> QPolygonF:
    return QPolygonF([QPointF(x, top), QPointF(x - 3, top + 3), QPointF(x, top + 6), QPointF(x + 3, top + 3)])


def _warning(x: float) -> QPolygonF:
    """Larger than all other marks, and over them."""
    return QPolygonF([QPointF(x, 7), QPointF(x - 5, 16), QPointF(x + 5, 16)])
