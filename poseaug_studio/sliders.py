"""Slider, RangeSlider, Switch and NumberField: the controls that knobs are made of, painted in the theme."""

from __future__ import annotations

import math

from PySide6.QtCore import QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QPen, QWheelEvent
from PySide6.QtWidgets import QAbstractButton, QLineEdit, QSizePolicy, QWidget

from poseaug_studio.style import font, mix
from poseaug_studio.theme import Theme

HANDLE, GROOVE, PAD = 12.0, 4.0, 7.0
#: Shares of the range by which a key or a wheel notch moves a handle.
FINE, COARSE = 0.01, 0.1


class Scale:
    """Values on a line from 0 to 1, evenly or by their logarithm."""

    def __init__(self, low: float, high: float, log: bool = False, whole: bool = False):
        self.low, self.high, self.log, self.whole = low, high, log, whole

    def share(self, value: float) -> float:
        if self.log:
            value = max(value, self.low)
            return (math.log(value) - math.log(self.low)) / (math.log(self.high) - math.log(self.low))
        return (value - self.low) / (self.high - self.low)

    def value(self, share: float) -> float:
        share = min(max(share, 0.0), 1.0)
        if self.log:
            value = float(f"{math.exp(math.log(self.low) + share * math.log(self.high / self.low)):.3g}")
        else:
            value = self.low + share * (self.high - self.low)
            value = round(value) if self.whole else round(value, 3 if self.high - self.low <= 2 else 2)
        return min(max(value, self.low), self.high)

    def moved(self, value: float, shares: float) -> float:
        """The value some shares away; whole numbers move by one at least."""
        if self.whole and abs(shares) * (self.high - self.low) < 1:
            return min(max(value + math.copysign(1, shares), self.low), self.high)
        return self.value(self.share(value) + shares)


class _Track(QWidget):
    """What Slider and RangeSlider share: the groove, keys, wheel and the pixels of a share."""

    held = Signal(bool)  # pressed by the mouse, before it moves anything; and let go

    def __init__(self, scale: Scale, theme: Theme, color: str, parent: QWidget | None = None):
        super().__init__(parent)
        self.scale, self.theme, self.color = scale, theme, color
        self.hovered = self.dragging = False
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setCursor(Qt.CursorShape.PointingHandCursor)

    def sizeHint(self) -> QSize:
        return QSize(120, 18)

    def x_of(self, value: float) -> float:
        return PAD + min(max(self.scale.share(value), 0.0), 1.0) * (self.width() - 2 * PAD)

    def value_at(self, x: float) -> float:
        return self.scale.value((x - PAD) / max(self.width() - 2 * PAD, 1))

    def enterEvent(self, event) -> None:
        self.hovered = True
        self.update()

    def leaveEvent(self, event) -> None:
        self.hovered = False
        self.update()

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        if self.dragging:
            self.dragging = False
            self.held.emit(False)
        self.update()

    def wheelEvent(self, event: QWheelEvent) -> None:
        """Turns the knob only where it has the focus: else the wheel scrolls the panel."""
        if not self.hasFocus():
            event.ignore()
            return
        self.nudge(math.copysign(FINE, event.angleDelta().y() or event.angleDelta().x()))

    def keyPressEvent(self, event: QKeyEvent) -> None:
        steps = {
            Qt.Key.Key_Left: -FINE, Qt.Key.Key_Down: -FINE, Qt.Key.Key_Right: FINE, Qt.Key.Key_Up: FINE,
            Qt.Key.Key_PageDown: -COARSE, Qt.Key.Key_PageUp: COARSE, Qt.Key.Key_Home: -1.0, Qt.Key.Key_End: 1.0,
        }  # fmt: skip
        if event.key() in steps:
            self.nudge(steps[event.key()])
        else:
            event.ignore()

    def nudge(self, shares: float) -> None:
        raise NotImplementedError

    def _groove(self, painter: QPainter, start: float, stop: float, dim: bool) -> None:
        middle = self.height() / 2
        t = self.theme
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(mix(t.surface, t.text, 0.13)))
        painter.drawRoundedRect(QRectF(PAD, middle - GROOVE / 2, self.width() - 2 * PAD, GROOVE), 2, 2)
        painter.setBrush(QColor(mix(t.surface, self.color, 0.4 if dim or not self.isEnabled() else 0.95)))
        painter.drawRoundedRect(QRectF(start, middle - GROOVE / 2, max(stop - start, 0), GROOVE), 2, 2)

    def _handle(self, painter: QPainter, x: float, hollow: bool, active: bool) -> None:
        t, radius = self.theme, HANDLE / 2 + (0.5 if self.hovered or self.dragging else 0)
        centre = QPointF(x, self.height() / 2)
        if active and self.hasFocus():
            painter.setPen(Qt.PenStyle.NoPen)
            halo = QColor(self.color)
            halo.setAlphaF(0.28)
            painter.setBrush(halo)
            painter.drawEllipse(centre, radius + 2.5, radius + 2.5)
        edge = self.color if self.isEnabled() else mix(t.surface, t.muted, 0.5)
        painter.setPen(QPen(QColor(edge), 1.6))
        painter.setBrush(QColor(t.surface if hollow else "#ffffff"))
        painter.drawEllipse(centre, radius - 1, radius - 1)


class Slider(_Track):
    """One value; hollow while it follows a schedule."""

    moved = Signal(float)

    def __init__(self, scale: Scale, theme: Theme, color: str, parent: QWidget | None = None):
        super().__init__(scale, theme, color, parent)
        self.value, self.default, self.hollow = scale.low, None, False

    def show_value(self, value: float, hollow: bool = False) -> None:
        if (value, hollow) != (self.value, self.hollow):
            self.value, self.hollow = value, hollow
            self.update()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if event.button() == Qt.MouseButton.LeftButton:
            self.dragging = True
            self.held.emit(True)
            self.moved.emit(self.value_at(event.position().x()))

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        if self.dragging:
            self.moved.emit(self.value_at(event.position().x()))

    def nudge(self, shares: float) -> None:
        self.moved.emit(self.scale.moved(self.value, shares))

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        x = self.x_of(self.value)
        self._groove(painter, PAD, x, self.hollow)
        if self.default is not None:
            painter.setPen(QPen(QColor(mix(self.theme.surface, self.theme.text, 0.45)), 1))
            at, middle = self.x_of(self.default), self.height() / 2
            painter.drawLine(QPointF(at, middle + 5), QPointF(at, middle + 8))
        self._handle(painter, x, self.hollow, True)


class RangeSlider(_Track):
    """Two handles; between them lies what is free. Space changes the handle that keys move."""

    moved = Signal(float, float)

    def __init__(self, scale: Scale, theme: Theme, color: str, parent: QWidget | None = None):
        super().__init__(scale, theme, color, parent)
        self.low, self.high = scale.low, scale.high
        self.active = 1
        self._grip = (0.0, 0.0, 0.0)

    def show_range(self, low: float, high: float) -> None:
        if (low, high) != (self.low, self.high):
            self.low, self.high = low, high
            self.update()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Near a handle takes that handle; between the two takes both."""
        if event.button() != Qt.MouseButton.LeftButton:
            return
        x, ends = event.position().x(), (self.x_of(self.low), self.x_of(self.high))
        nearest = min((0, 1), key=lambda i: abs(x - ends[i]))
        inside = ends[0] + HANDLE < x < ends[1] - HANDLE
        self.active = 2 if inside else nearest
        self._grip = (self.value_at(x), self.low, self.high)
        self.dragging = True
        self.held.emit(True)
        if not inside:
            self._drag(x)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        if self.dragging:
            self._drag(event.position().x())

    def _drag(self, x: float) -> None:
        value = self.value_at(x)
        if self.active == 2:
            start, low, high = self._grip
            by = min(max(value - start, self.scale.low - low), self.scale.high - high)
            self.moved.emit(low + by, high + by)
        elif self.active == 0:
            self.moved.emit(min(value, self.high), self.high)
        else:
            self.moved.emit(self.low, max(value, self.low))

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Space:
            self.active = (self.active + 1) % 2
            self.update()
        else:
            super().keyPressEvent(event)

    def nudge(self, shares: float) -> None:
        if self.active == 0:
            self.moved.emit(min(self.scale.moved(self.low, shares), self.high), self.high)
        else:
            self.moved.emit(self.low, max(self.scale.moved(self.high, shares), self.low))

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        ends = self.x_of(self.low), self.x_of(self.high)
        self._groove(painter, *ends, False)
        for i, x in enumerate(ends):
            self._handle(painter, x, False, self.active in (i, 2))


class Switch(QAbstractButton):
    """On or off."""

    def __init__(self, theme: Theme, color: str, parent: QWidget | None = None):
        super().__init__(parent)
        self.theme, self.color = theme, color
        self.setCheckable(True)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.setFixedSize(30, 18)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        t, on = self.theme, self.isChecked()
        body = QRectF(1, 1, 28, 16)
        ground = mix(t.surface, self.color, 0.9) if on else mix(t.surface, t.text, 0.16)
        painter.setBrush(QColor(ground if self.isEnabled() else mix(ground, t.surface, 0.6)))
        painter.setPen(QPen(QColor(t.text), 1.2) if self.hasFocus() else Qt.PenStyle.NoPen)
        painter.drawRoundedRect(body, 8, 8)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor("#ffffff" if on or t.name == "light" else mix(t.surface, t.text, 0.75)))
        painter.drawEllipse(QPointF(body.right() - 8 if on else body.left() + 8, 9), 5.5, 5.5)


class NumberField(QLineEdit):
    """A number to read and to type; arrow keys nudge it. ``entered`` carries the text typed."""

    entered = Signal(str)
    nudged = Signal(float)

    def __init__(self, width: int = 60, parent: QWidget | None = None):
        super().__init__(parent)
        self.setObjectName("number")
        self.setFont(font(12, tabular=True))
        self.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        self.setFixedWidth(width)
        self._shown = ""
        self.editingFinished.connect(self._finish)

    def show_number(self, value: float | None) -> None:
        """Leaves alone what the user is typing at this moment."""
        self._shown = "" if value is None else number(value)
        if not (self.hasFocus() and self.isModified()):
            self.setText(self._shown)

    def _finish(self) -> None:
        if self.isModified() and self.text() != self._shown:
            self.setModified(False)
            self.entered.emit(self.text())
        self.setModified(False)
        self.setText(self._shown)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() in (Qt.Key.Key_Up, Qt.Key.Key_Down):
            self.setModified(False)
            self.nudged.emit(FINE if event.key() == Qt.Key.Key_Up else -FINE)
        elif event.key() == Qt.Key.Key_Escape:
            self.setModified(False)
            self.setText(self._shown)
            self.clearFocus()
        else:
            super().keyPressEvent(event)


def number(value: float) -> str:
    """Short and exact enough to read: 0.205, 3.5, 1e-4."""
    if value and abs(value) < 1e-2:
        mantissa, exponent = f"{value:.2e}".split("e")
        return f"{mantissa.rstrip('0').rstrip('.')}e{int(exponent)}"
    return f"{value:.3f}".rstrip("0").rstrip(".")
