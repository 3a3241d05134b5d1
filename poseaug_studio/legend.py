"""The legend beside the curves: a line's dress, its name and its value at the shown step; click to hide it."""

from __future__ import annotations

from dataclasses import dataclass

from PySide6.QtCore import QEvent, QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QPainter, QPen
from PySide6.QtWidgets import QWidget

from poseaug_studio.plotting import RIGHT, colour, draw_text, plot_font
from poseaug_studio.theme import Theme


@dataclass(frozen=True)
class Entry:
    """value: at the shown step, None for none. shown: not hidden by the user. name: of the metric, '' for a remark."""

    name: str
    label: str
    ink: str
    dash: Qt.PenStyle
    value: float | None = None
    shown: bool = True


class Legend(QWidget):
    """toggled: name of the metric whose entry was clicked. removed: a remark was, which has a cross."""

    toggled = Signal(str)
    removed = Signal()

    def __init__(self, theme: Theme, parent: QWidget | None = None):
        super().__init__(parent)
        self.theme = theme
        self.heading = ""
        self.entries: tuple[Entry, ...] = ()
        self._hover = -1
        self.setMouseTracking(True)

    def show_entries(self, heading: str, entries: tuple[Entry, ...]) -> None:
        if (heading, entries) != (self.heading, self.entries):
            self.heading, self.entries = heading, entries
            self.updateGeometry()
            self.setMinimumHeight(self.sizeHint().height())
            self.update()

    def set_theme(self, theme: Theme) -> None:
        self.theme = theme
        self.update()

    def _line(self) -> float:
        return self.fontMetrics().height() * 0.88 + 1.5

    def sizeHint(self) -> QSize:
        return QSize(172, int(self._line() * (len(self.entries) + 1)) + 6)

    def _rect(self, i: int) -> QRectF:
        return QRectF(0, 2 + self._line() * (i + 1), self.width() - 10, self._line())

    def _at(self, point: QPointF) -> int:
        return next((i for i in range(len(self.entries)) if self._rect(i).contains(point)), -1)

    def paintEvent(self, event) -> None:
        theme, painter = self.theme, QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.fillRect(self.rect(), colour(theme.surface))
        painter.setFont(plot_font(self.font(), 0.88))
        draw_text(painter, self._rect(-1), self.heading, theme.muted, RIGHT)
        for i, entry in enumerate(self.entries):
            rect, strength = self._rect(i), 1.0 if entry.shown else 0.35
            if i == self._hover:
                painter.setPen(Qt.PenStyle.NoPen)
                painter.setBrush(colour(theme.raised))
                painter.drawRoundedRect(rect.adjusted(-2, 0, 4, 0), 3, 3)
            pen = QPen(colour(entry.ink, strength), 2, entry.dash)
            pen.setCapStyle(Qt.PenCapStyle.FlatCap)
            painter.setPen(pen)
            painter.drawLine(QPointF(rect.left() + 2, rect.center().y()), QPointF(rect.left() + 18, rect.center().y()))
            value = "\u2715" if not entry.name else "" if entry.value is None else number(entry.value)
            used = painter.fontMetrics().horizontalAdvance(value)
            draw_text(painter, rect.adjusted(23, 0, -used - 4, 0), entry.label, colour(theme.text, strength))
            draw_text(painter, rect, value, colour(theme.muted, strength), RIGHT)

    def mousePressEvent(self, event) -> None:
        at = self._at(event.position())
        if at >= 0 and self.entries[at].name:
            self.toggled.emit(self.entries[at].name)
        elif at >= 0:
            self.removed.emit()

    def mouseMoveEvent(self, event) -> None:
        at = self._at(event.position())
        if at != self._hover:
            self._hover = at
            remark = at >= 0 and not self.entries[at].name
            self.setToolTip("Remove this run from the curves" if remark else "")
            self.setCursor(Qt.CursorShape.PointingHandCursor if at >= 0 else Qt.CursorShape.ArrowCursor)
            self.update()

    def leaveEvent(self, event: QEvent) -> None:
        self._hover = -1
        self.update()


def number(value: float) -> str:
    """Three or four digits, as they matter: 0.0312, 4.21, 83.4, 1,204."""
    size = abs(value)
    if size != 0 and size < 0.001:
        return f"{value:.1e}".replace("e-0", "e−").replace("-", "−")
    digits = 4 if size < 0.1 else 3 if size < 1 else 2 if size < 10 else 1 if size < 1000 else 0
    return f"{value:,.{digits}f}".replace("-", "−")
