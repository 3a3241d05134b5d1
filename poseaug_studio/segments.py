"""Segments: a row of choices of which one is on, and the small switch and button beside it."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QPainter, QPen
from PySide6.QtWidgets import QSizePolicy, QWidget

from poseaug_studio.plotting import CENTRE, colour, draw_text, plot_font
from poseaug_studio.theme import Theme


class Segments(QWidget):
    """Choose one of several names, by mouse or with the arrow keys; with one name, a switch.

    changed: the number of the chosen name; of a switch, 1 for on and 0 for off.
    """

    changed = Signal(int)

    def __init__(self, theme: Theme, names: tuple[str, ...], parent: QWidget | None = None):
        super().__init__(parent)
        self.theme = theme
        self.names = names
        self.value = 0
        self.lit = True  # whether what is on is shown so
        self._hover = -1
        self.setFont(plot_font(self.font(), 0.92))
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.setMouseTracking(True)

    def set_names(self, names: tuple[str, ...]) -> None:
        """Offer other names, keeping the number of the one that is on."""
        self.names = names
        self.updateGeometry()
        self.update()

    def set_theme(self, theme: Theme) -> None:
        self.theme = theme
        self.update()

    def choose(self, value: int) -> None:
        if value != self.value:
            self.value = value
            self.update()
            self.changed.emit(value)

    def sizeHint(self) -> QSize:
        return QSize(int(sum(self._widths())), self.fontMetrics().height() + 8)

    minimumSizeHint = sizeHint

    def _widths(self) -> list[int]:
        return [self.fontMetrics().horizontalAdvance(name) + 18 for name in self.names]

    def _rects(self) -> list[QRectF]:
        left, rects = 0.0, []
        for width in self._widths():
            rects.append(QRectF(left, 0, width, self.height()))
            left += width
        return rects

    def _at(self, event) -> int:
        return next((i for i, rect in enumerate(self._rects()) if rect.contains(event.position())), -1)

    def mousePressEvent(self, event) -> None:
        at = self._at(event)
        if at >= 0:
            self.choose(at if len(self.names) > 1 else 1 - self.value)

    def mouseMoveEvent(self, event) -> None:
        at = self._at(event)
        if at != self._hover:
            self._hover = at
            self.update()

    def leaveEvent(self, event: QEvent) -> None:
        self._hover = -1
        self.update()

    def keyPressEvent(self, event) -> None:
        move = {Qt.Key.Key_Left: -1, Qt.Key.Key_Right: 1}.get(event.key(), 0)
        if len(self.names) == 1 and event.key() == Qt.Key.Key_Space:
            self.choose(1 - self.value)
        elif move and 0 <= self.value + move < len(self.names):
            self.choose(self.value + move)
        else:
            super().keyPressEvent(event)

    def paintEvent(self, event) -> None:
        theme, painter = self.theme, QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        whole = QRectF(0.5, 0.5, sum(self._widths()) - 1, self.height() - 1)
        painter.setPen(QPen(colour(theme.accent if self.hasFocus() else theme.line), 1))
        painter.setBrush(colour(theme.background))
        painter.drawRoundedRect(whole, 5, 5)
        for i, (name, rect) in enumerate(zip(self.names, self._rects(), strict=True)):
            chosen = self.lit and self.value == (i if len(self.names) > 1 else 1)
            if chosen:
                painter.setPen(QPen(colour(theme.accent, 0.55), 1))
                painter.setBrush(colour(theme.accent, 0.22))
                painter.drawRoundedRect(rect.adjusted(2, 2, -2, -2), 4, 4)
            lit = self.isEnabled() and (chosen or i == self._hover)
            ink = colour(theme.text if lit else theme.muted, 1.0 if self.isEnabled() else 0.45)
            draw_text(painter, rect, name, ink, CENTRE)


class Push(Segments):
    """A button in the same dress: names[0] is its text; pressed is emitted when clicked."""

    pressed = Signal()

    def __init__(self, theme: Theme, name: str, parent: QWidget | None = None):
        super().__init__(theme, (name,), parent)

    def mousePressEvent(self, event) -> None:
        if self.isEnabled():
            self.pressed.emit()

    def keyPressEvent(self, event) -> None:
        if event.key() in (Qt.Key.Key_Space, Qt.Key.Key_Return):
            self.pressed.emit()
        else:
            super().keyPressEvent(event)
