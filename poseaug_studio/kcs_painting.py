"""What the KCS panel is painted of: densities of scores, matrices of cosines and their legend."""

from __future__ import annotations

import numpy as np
from pyqtgraph.functions import arrayToQPolygonF
from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QPainter, QPen

from poseaug_core.skeleton import Skeleton
from poseaug_studio.plotting import RIGHT, colour, colour_image, draw_text
from poseaug_studio.theme import Theme


def paint_matrix(
    painter: QPainter,
    theme: Theme,
    skeleton: Skeleton,
    bones: tuple[int, ...],
    matrix: np.ndarray,
    rect: QRectF,
    table: np.ndarray,
    lit: tuple[int, int] | None,
) -> None:
    """Cosines (b, b) between bones in rect, in the colours of table; lit: the cell under the mouse."""
    painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform, False)
    painter.drawImage(rect, colour_image((matrix + 1) / 2, table))
    cell = rect.width() / len(bones)
    if cell >= 8:
        painter.setPen(QPen(colour(theme.surface, 0.7), 1))
        for i in range(1, len(bones)):
            x, y = rect.left() + i * cell, rect.top() + i * cell
            painter.drawLine(QPointF(x, rect.top()), QPointF(x, rect.bottom()))
            painter.drawLine(QPointF(rect.left(), y), QPointF(rect.right(), y))
    else:
        for i, bone in enumerate(bones):
            strip = QRectF(rect.left() - 4, rect.top() + i * cell, 3, cell)
            painter.fillRect(strip, colour(theme.parts[skeleton.paint[bone]]))
    painter.setPen(QPen(colour(theme.line), 1))
    painter.setBrush(Qt.BrushStyle.NoBrush)
    painter.drawRect(rect)
    if lit:
        i, j = lit
        painter.setPen(QPen(colour(theme.text), 1.5))
        painter.drawRect(QRectF(rect.left() + j * cell, rect.top() + i * cell, cell, cell))


def paint_legend(painter: QPainter, theme: Theme, rect: QRectF, table: np.ndarray) -> None:
    """What the colours of the matrices mean."""
    bar = QRectF(rect.center().x() - 50, rect.center().y() - 3, 100, 6)
    painter.drawImage(bar, colour_image(np.linspace(0, 1, 101)[None], table))
    painter.setPen(QPen(colour(theme.line), 1))
    painter.drawRect(bar)
    low, high = ("−1 opposed", "aligned 1") if rect.width() >= 240 else ("−1", "1")
    side = bar.left() - rect.left() - 6
    draw_text(painter, QRectF(rect.left(), rect.top(), side, rect.height()), low, theme.muted, RIGHT)
    draw_text(painter, QRectF(bar.right() + 6, rect.top(), side, rect.height()), high, theme.muted)


def paint_density(painter: QPainter, heights: np.ndarray, plot: tuple[float, float], base: float, ink: str) -> None:
    """A density of scores: heights in pixels above base, between the plot's left and right."""
    left, right = plot
    x = left + (np.arange(len(heights)) + 0.5) / len(heights) * (right - left)
    outline = np.concatenate((x[:1], x, x[-1:])), np.concatenate(([base], base - heights, [base]))
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(colour(ink, 0.28))
    painter.drawPolygon(arrayToQPolygonF(*outline))
    painter.setPen(QPen(colour(ink), 1.3))
    painter.drawPolyline(arrayToQPolygonF(x, base - heights))
