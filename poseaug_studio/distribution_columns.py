"""Columns of densities on shared scales: view points as a map or a sphere, positions from above or in front."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from pyqtgraph.functions import arrayToQPolygonF
from PySide6.QtCore import QEvent, QPointF, QRectF, Qt, Signal
from PySide6.QtGui import QFontMetricsF, QPainter, QPen
from PySide6.QtWidgets import QWidget

from poseaug_core.diversity import Diversity, position_diversity, view_diversity
from poseaug_studio.plotting import (
    CENTRE,
    RIGHT,
    colour,
    colour_image,
    density_map,
    draw_empty,
    draw_text,
    nice_ticks,
    plot_font,
    ramp,
)
from poseaug_studio.theme import Theme
from poseaug_studio.viewsphere import paint_sphere, sphere_density

#: Of positions: the axes shown, and their names.
POSITION_AXES = {"Top": (0, 2), "Front": (0, 1)}
AXIS_NAMES = ("x", "y", "z")
VIEW_RANGE = ((-180.0, 180.0), (-90.0, 90.0))
NARROWEST = 132
#: Pixels between a title and its note, and titles where there is no room for both.
GAP, SHORT = 8, {"Augmented": "Augm."}


@dataclass(frozen=True)
class Distribution:
    """One column: view_point (m, 2) in degrees, position (m, 3) in metres. title, note: its heading; ink: its stage."""

    title: str
    note: str
    stage: str
    view_point: np.ndarray
    position: np.ndarray

    @cached_property
    def content(self) -> int:
        """Equal for equal points: the original's densities are computed once, not with every snapshot."""
        return hash((self.view_point.tobytes(), self.position.tobytes()))


class Columns(QWidget):
    """The densities themselves. removed: number of the pin whose cross was clicked."""

    removed = Signal(int)

    def __init__(self, theme: Theme, parent: QWidget | None = None):
        super().__init__(parent)
        self.theme = theme
        self.now: tuple[Distribution, ...] = ()
        self.pins: tuple[Distribution, ...] = ()
        self.view = "Map"
        self.row = 0
        self.eye = (25.0, 15.0)
        self._drag: tuple[QPointF, tuple[float, float]] | None = None
        self._kept: dict = {}  # what was computed for a distribution and a view, by (content, view, ranges)
        self.setMouseTracking(True)

    def set_theme(self, theme: Theme) -> None:
        self.theme = theme
        self.update()

    def show_columns(self, now: tuple[Distribution, ...], pins: tuple[Distribution, ...], view: str, row: int) -> None:
        self.now, self.pins, self.view, self.row = now, pins, view, row
        alive = {d.content for d in (*now, *pins)}
        self._kept = {key: value for key, value in self._kept.items() if key[0] in alive}
        self.setMinimumWidth(max(2, len(now) + len(pins)) * NARROWEST)
        self.update()

    def _keep(self, distribution: Distribution, what: tuple, compute):
        key = (distribution.content, *what)
        if key not in self._kept:
            self._kept[key] = compute()
        return self._kept[key]

    # what is shown

    def points(self, distribution: Distribution) -> np.ndarray:
        """(m, 2) of the shown view: degrees or metres."""
        if self.view in POSITION_AXES:
            return distribution.position[:, list(POSITION_AXES[self.view])]
        return distribution.view_point

    def diversity(self, distribution: Distribution) -> Diversity:
        if self.view in POSITION_AXES:
            axes = POSITION_AXES[self.view]
            return self._keep(
                distribution, ("diversity", axes), lambda: position_diversity(distribution.position, axes)
            )
        return self._keep(distribution, ("diversity",), lambda: view_diversity(distribution.view_point))

    def ranges(self, aspect: float) -> tuple[tuple[float, float], tuple[float, float]]:
        """The axes of every column; of positions, as many metres a pixel across as up (aspect: width by height)."""
        if self.view not in POSITION_AXES:
            return VIEW_RANGE
        spans = []
        for axis in (0, 1):
            ends = [np.quantile(self.points(d)[:, axis], (0.01, 0.99)) for d in (*self.now, *self.pins)]
            low, high = min(float(e[0]) for e in ends), max(float(e[1]) for e in ends)
            # Half metres, so that the scale holds still while the augmentor drifts.
            spans.append([np.floor(2 * low - 0.5) / 2, np.ceil(2 * high + 0.5) / 2])
        lack = (spans[1][1] - spans[1][0]) * aspect - (spans[0][1] - spans[0][0])
        wider = spans[0] if lack > 0 else spans[1]
        extra = abs(lack) if lack > 0 else -lack / aspect
        wider[0], wider[1] = wider[0] - extra / 2, wider[1] + extra / 2
        return (float(spans[0][0]), float(spans[0][1])), (float(spans[1][0]), float(spans[1][1]))

    def densities(self, ranges) -> list[np.ndarray]:
        """A density for each column on one scale: 0..1, the square root of the share of the densest cell of all."""
        if self.view == "Sphere":
            compute = [(d, ("Sphere",), lambda d=d: sphere_density(d.view_point)) for d in (*self.now, *self.pins)]
        else:
            compute = [(d, (self.view, ranges), lambda d=d: self._map(d, ranges)) for d in (*self.now, *self.pins)]
        maps = [self._keep(*item) for item in compute]
        top = max(float(m.max()) for m in maps) or 1.0
        return [np.sqrt(m / top) for m in maps]

    def _map(self, distribution: Distribution, ranges) -> np.ndarray:
        x, y = self.points(distribution).T
        if self.view == "Map":
            return density_map(x, y, *ranges, (36, 72), (1.8, 1.8), wrap_x=True)
        return density_map(x, y, *ranges, (48, 48), (1.8, 1.8))

    # painting

    def _cells(self) -> list[QRectF]:
        """The whole of each column."""
        count = max(2, len(self.now) + len(self.pins))
        left, gap = self._axis_width(), 12.0
        width = (self.width() - left - 8 - gap * (count - 1)) / count
        return [QRectF(left + i * (width + gap), 0, width, self.height()) for i in range(count)]

    def _axis_width(self) -> float:
        return 10.0 if self.view == "Sphere" else self.fontMetrics().horizontalAdvance("−90°") + 12.0

    def _plot(self, cell: QRectF) -> QRectF:
        line = self.fontMetrics().height()
        axis = 0 if self.view == "Sphere" else line
        return cell.adjusted(0, line + 6, 0, -(line + 6 + axis))

    def _cross(self, cell: QRectF) -> QRectF:
        return QRectF(cell.right() - 18, 2, 18, self.fontMetrics().height() + 4)

    def paintEvent(self, event) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.fillRect(self.rect(), colour(self.theme.surface))
        if not self.now:
            sentence = "View points and positions appear with the first snapshot."
            draw_empty(painter, QRectF(self.rect()), self.theme, sentence)
            return
        cells, shown = self._cells(), (*self.now, *self.pins)
        plot = self._plot(cells[0])
        ranges = self.ranges(plot.width() / max(plot.height(), 1))
        for i, (cell, distribution, values) in enumerate(zip(cells, shown, self.densities(ranges), strict=False)):
            self._paint_heading(painter, cell, distribution, i >= len(self.now))
            self._paint_plot(painter, self._plot(cell), distribution, values, ranges, i)
            self._paint_diversity(painter, cell, distribution)
        if len(shown) < 2:
            sentence = "Augmented ones appear when the augmentor starts."
            painter.setFont(self.font())
            draw_empty(painter, self._plot(cells[1]), self.theme, sentence)

    def _paint_heading(self, painter: QPainter, cell: QRectF, distribution: Distribution, pinned: bool) -> None:
        theme = self.theme
        ink = theme.real if distribution.stage == "original" else theme.stage(distribution.stage)
        line = QRectF(cell.left(), 2, cell.width() - (20 if pinned else 0), self.fontMetrics().height() + 4)
        bold, plain = plot_font(self.font(), 0.95, bold=True), plot_font(self.font(), 0.88)
        title, note = heading(distribution, QFontMetricsF(bold), QFontMetricsF(plain), line.width())
        painter.setFont(bold)
        draw_text(painter, line, title, ink)
        used = QFontMetricsF(bold).horizontalAdvance(title) + GAP
        painter.setFont(plain)
        draw_text(painter, line.adjusted(used, 0, 0, 0), note, theme.muted)
        if pinned:
            centre = self._cross(cell).center()
            painter.setPen(QPen(colour(theme.muted), 1.4))
            for sign in (1, -1):
                painter.drawLine(centre + QPointF(-3.5, -3.5 * sign), centre + QPointF(3.5, 3.5 * sign))

    def _paint_plot(self, painter, plot: QRectF, distribution: Distribution, values, ranges, index: int) -> None:
        theme = self.theme
        ink = theme.stage(distribution.stage)
        points = self.points(distribution)
        mark = points[min(self.row, len(points) - 1)] if index < len(self.now) else None
        painter.setFont(plot_font(self.font(), 0.8))
        if self.view == "Sphere":
            paint_sphere(painter, plot, theme, values, ink, self.eye, mark)
            return
        upwards = self.view != "Front"  # y of the camera frame points down
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        painter.drawImage(plot, colour_image(values[::-1] if upwards else values, ramp(theme.surface, ink)))
        painter.restore()
        self._paint_axes(painter, plot, ranges, upwards, index == 0)
        (x0, x1), (y0, y1) = ranges
        x = plot.left() + (points[:, 0] - x0) / (x1 - x0) * plot.width()
        share = (points[:, 1] - y0) / (y1 - y0)
        y = plot.bottom() - share * plot.height() if upwards else plot.top() + share * plot.height()
        painter.save()
        painter.setClipRect(plot)
        painter.setPen(QPen(colour(theme.text, 0.35), 1.6, Qt.PenStyle.SolidLine, Qt.PenCapStyle.RoundCap))
        painter.drawPoints(arrayToQPolygonF(x[:600], y[:600]))
        painter.restore()
        if mark is not None:
            row = min(self.row, len(points) - 1)
            spot = QPointF(min(max(x[row], plot.left()), plot.right()), min(max(y[row], plot.top()), plot.bottom()))
            painter.setPen(QPen(colour(theme.surface), 1.5))
            painter.setBrush(colour(theme.text))
            painter.drawEllipse(spot, 4, 4)

    def _paint_axes(self, painter: QPainter, plot: QRectF, ranges, upwards: bool, first: bool) -> None:
        theme, (x_range, y_range) = self.theme, ranges
        line, unit = self.fontMetrics().height(), "°" if self.view == "Map" else ""
        turned = ((-180, -90, 0, 90, 180), (-90, -45, 0, 45, 90)) if self.view == "Map" else None
        x_ticks = turned[0] if turned else nice_ticks(*x_range, max(2, int(plot.width() / 45)))
        y_ticks = turned[1] if turned else nice_ticks(*y_range, max(2, int(plot.height() / 30)))
        if turned and plot.width() < 190:
            x_ticks = (-180, 0, 180)
        for value in x_ticks:
            x = plot.left() + (value - x_range[0]) / (x_range[1] - x_range[0]) * plot.width()
            painter.setPen(QPen(colour(theme.text, 0.08), 1))
            painter.drawLine(QPointF(x, plot.top()), QPointF(x, plot.bottom()))
            text = _number(value) + unit
            width = self.fontMetrics().horizontalAdvance(text) * 0.8 + 4
            left = min(max(x - width / 2, plot.left() - 2), plot.right() - width + 2)  # neighbours stay apart
            draw_text(painter, QRectF(left, plot.bottom() + 1, width, line), text, theme.muted, CENTRE)
        for value in y_ticks:
            share = (value - y_range[0]) / (y_range[1] - y_range[0]) * plot.height()
            y = plot.bottom() - share if upwards else plot.top() + share
            painter.setPen(QPen(colour(theme.text, 0.08), 1))
            painter.drawLine(QPointF(plot.left(), y), QPointF(plot.right(), y))
            if first:
                where = QRectF(0, y - line / 2, plot.left() - 5, line)
                draw_text(painter, where, _number(value) + unit, theme.muted, RIGHT)
        painter.setPen(QPen(colour(theme.line), 1))
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.drawRect(plot)
        names = ("azimuth", "elevation") if turned else tuple(f"{AXIS_NAMES[a]}, m" for a in POSITION_AXES[self.view])
        ink = colour(theme.text, 0.75)  # over the densities
        draw_text(painter, plot.adjusted(4, 0, -4, 3 - plot.height() + line), names[1], ink)
        draw_text(painter, plot.adjusted(4, plot.height() - line - 2, -4, 0), names[0], ink, RIGHT)

    def _paint_diversity(self, painter: QPainter, cell: QRectF, distribution: Distribution) -> None:
        value, unit = self.diversity(distribution), "m" if self.view in POSITION_AXES else "°"
        digits = 2 if unit == "m" else 0
        line = self.fontMetrics().height()
        where = QRectF(cell.left(), cell.bottom() - line - 4, cell.width(), line)
        spread = " × ".join(f"{s:.{digits}f}" for s in value.spread)
        painter.setFont(plot_font(self.font(), 0.88))
        entropy = f"{value.entropy:.2f} bits"
        draw_text(painter, where, entropy, self.theme.text)
        used = painter.fontMetrics().horizontalAdvance(entropy) + 10
        left = where.adjusted(used, 0, 0, 0)
        words = spread + ("°" if unit == "°" else " m")
        if painter.fontMetrics().horizontalAdvance(f"spread {words}") <= left.width():
            words = f"spread {words}"
        draw_text(painter, left, words, self.theme.muted)

    # the mouse

    def _pin_at(self, point: QPointF) -> int:
        cells = self._cells()[len(self.now) : len(self.now) + len(self.pins)] if self.now else []
        return next((i for i, cell in enumerate(cells) if self._cross(cell).contains(point)), -1)

    def mousePressEvent(self, event) -> None:
        pin = self._pin_at(event.position())
        if pin >= 0:
            self.removed.emit(pin)
        elif self.view == "Sphere":
            self._drag = (event.position(), self.eye)

    def mouseMoveEvent(self, event) -> None:
        over = self._pin_at(event.position()) >= 0
        turnable = Qt.CursorShape.OpenHandCursor if self.view == "Sphere" else Qt.CursorShape.ArrowCursor
        self.setCursor(Qt.CursorShape.PointingHandCursor if over else turnable)
        if self._drag is not None:
            start, (azimuth, elevation) = self._drag
            moved = event.position() - start
            turned = (azimuth - moved.x() + 180) % 360 - 180
            self.eye = (round(turned), round(min(max(elevation + moved.y(), -85.0), 85.0)))
            self.update()

    def mouseReleaseEvent(self, event) -> None:
        self._drag = None

    def leaveEvent(self, event: QEvent) -> None:
        self._drag = None


def heading(distribution: Distribution, bold: QFontMetricsF, plain: QFontMetricsF, room: float) -> tuple[str, str]:
    """Title and note as they fit ``room`` pixels: other words go before the step's number is cut."""
    title, note = distribution.title, distribution.note
    number = note.removeprefix("step ")
    ways = (title, note), (title, number), (SHORT.get(title, title), number)
    fits = (way for way in ways if bold.horizontalAdvance(way[0]) + GAP + plain.horizontalAdvance(way[1]) <= room)
    return next(fits, ways[-1])


def _number(value: float) -> str:
    return f"{value:g}".replace("-", "−")
