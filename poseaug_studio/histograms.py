"""Histograms of what the augmentor did to the poses of a snapshot, with the limits beyond which it pays."""

from __future__ import annotations

import numpy as np
from PySide6.QtCore import QPointF, QRectF
from PySide6.QtGui import QFontMetrics, QPainter, QPen
from PySide6.QtWidgets import QWidget

from poseaug_core.config import Config
from poseaug_core.controls import KNOBS
from poseaug_core.snapshot import Snapshot
from poseaug_studio.plotting import CENTRE, RIGHT, colour, draw_text, nice_ticks, plot_font
from poseaug_studio.theme import Theme

BINS = 40
RATIO_SIZES = ("Mean size of a pose's length ratios", "Mean length ratio", "Ratios")


def fitting(titles: tuple[str, ...], metrics: QFontMetrics, room: float) -> str:
    """The longest of titles, which get shorter, that is not wider than ``room`` pixels; the last where none fits."""
    return next((title for title in titles if metrics.horizontalAdvance(title) <= room), titles[-1])


class Histograms(QWidget):
    """Mean angle change of each pose with its free range, and every length ratio with its limit."""

    def __init__(self, theme: Theme, parent: QWidget | None = None):
        super().__init__(parent)
        self.theme = theme
        self.snapshot: Snapshot | None = None
        self.row = 0
        self.config = Config()

    def set_config(self, config: Config) -> None:
        self.config = config
        self.update()

    def _limit(self, name: str) -> float | None:
        """A control in force, None where the run does not read it."""
        return self.snapshot.controls.get(name) if KNOBS[name].in_use(self.config) else None

    def set_theme(self, theme: Theme) -> None:
        self.theme = theme
        self.update()

    def present(self, snapshot: Snapshot | None, row: int) -> None:
        if snapshot is not self.snapshot or row != self.row:
            self.snapshot, self.row = snapshot, row
            self.update()

    def paintEvent(self, event) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.fillRect(self.rect(), colour(self.theme.surface))
        snapshot = self.snapshot
        if snapshot is None:
            return
        row = min(self.row, len(snapshot.angle_change) - 1)
        half = (self.width() - 36) / 2
        left = QRectF(12, 4, half, self.height() - 8)
        angles = snapshot.angle_change.mean(-1)
        centre, width = self._limit("range_mean"), self._limit("range_width")
        limits = None if centre is None or width is None else (centre - width, centre + width)
        titles = ("Mean angle change of a pose, 1 − cos", "Angle change, 1 − cos", "Angle change", "Angles")
        self._paint(painter, left, titles, angles, angles[row : row + 1], limits, self.theme.stage("ba"), 0.0)
        ratios = snapshot.length_ratio
        ratios = ratios[:, np.abs(ratios).max(0) > 0] if np.abs(ratios).max() > 0 else ratios  # free groups only
        right, ink = left.translated(half + 12, 0), self.theme.stage("bl")
        mean = self._limit("threshold_bl")  # Eq. 10 as printed is about the mean size of a pose's ratios
        if mean is not None:
            sizes = np.abs(snapshot.length_ratio).mean(-1)
            marks = sizes[row : row + 1]
            self._paint(painter, right, RATIO_SIZES, sizes, marks, (0.0, mean), ink, 0.0, 0.2)
            return
        limit = self._limit("length_limit")
        limits = None if limit is None else (-limit, limit)
        self._paint(painter, right, ("Length ratios", "Ratios"), ratios.ravel(), ratios[row], limits, ink, -0.2, 0.2)

    def _paint(self, painter, rect, titles, values, marks, limits, ink, low, high=None) -> None:
        """A histogram in rect: values (k,), marks of the shown pose, the free range between limits shaded.

        titles: see ``fitting``.
        """
        theme, line = self.theme, self.fontMetrics().height()
        edge = limits or (low, low)
        high = max(edge[1] * 1.25, float(np.quantile(values, 0.995)) * 1.1, low + 1e-3) if high is None else high
        plot = rect.adjusted(0, line + 4, 0, -line - 2)
        at = lambda v: plot.left() + (min(max(v, low), high) - low) / (high - low) * plot.width()  # noqa: E731
        heading = QRectF(rect.left(), rect.top(), rect.width(), line)
        painter.setFont(plot_font(self.font(), 0.88))
        outside = ""
        if limits:
            outside = f"{np.mean((values < limits[0]) | (values > limits[1])):.0%} outside".replace("%", " %")
            free = QRectF(QPointF(at(limits[0]), plot.top()), QPointF(at(limits[1]), plot.bottom()))
            painter.fillRect(free, colour(ink, 0.10))
        draw_text(painter, heading, outside, ink, RIGHT)
        used = painter.fontMetrics().horizontalAdvance(outside) + 8
        room = heading.adjusted(0, 0, -used, 0)
        draw_text(painter, room, fitting(titles, painter.fontMetrics(), room.width()), theme.text)
        counts, _ = np.histogram(values.clip(low, high), BINS, (low, high))
        step, tall = plot.width() / BINS, plot.height() * 0.94 / max(counts.max(), 1)
        centres = low + (np.arange(BINS) + 0.5) * (high - low) / BINS
        for i, (count, centre) in enumerate(zip(counts, centres, strict=True)):
            if count:
                beyond = limits and not limits[0] <= centre <= limits[1]
                bar = QRectF(plot.left() + i * step + 0.5, plot.bottom() - count * tall, step - 1, count * tall)
                painter.fillRect(bar, colour(ink, 0.95 if beyond else 0.5))
        painter.setPen(QPen(colour(theme.line), 1))
        painter.drawLine(plot.bottomLeft(), plot.bottomRight())
        for limit in limits or ():
            painter.setPen(QPen(colour(ink), 1.2))
            painter.drawLine(QPointF(at(limit), plot.top()), QPointF(at(limit), plot.bottom()))
        painter.setPen(QPen(colour(theme.text), 1.5))
        for mark in marks:
            painter.drawLine(QPointF(at(mark), plot.bottom() - 8), QPointF(at(mark), plot.bottom() + 2))
        painter.setFont(plot_font(self.font(), 0.8))
        for tick in nice_ticks(low, high, 4):
            where = QRectF(at(tick) - 30, plot.bottom() + 2, 60, line)
            where.moveLeft(min(max(where.left(), rect.left() - 18), rect.right() - 42))
            draw_text(painter, where, f"{tick:g}".replace("-", "−"), theme.muted, CENTRE)
