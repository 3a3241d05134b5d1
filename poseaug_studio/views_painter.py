"""The four 3D views drawn by QPainter, for screens without OpenGL: same figures, same camera, sorted by depth."""

from __future__ import annotations

import numpy as np
from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import (
    QBrush,
    QColor,
    QImage,
    QLinearGradient,
    QPainter,
    QPainterPath,
    QPen,
    QPolygonF,
    QRadialGradient,
    QTransform,
)
from PySide6.QtWidgets import QWidget

from poseaug_studio.camera_link import TurntableCamera, to_pixels
from poseaug_studio.figure import GROUND_HALF, SHADOW_CELLS, Solid, StageFigure, mix, rgb
from poseaug_studio.stage_columns import columns
from poseaug_studio.theme import Theme

GRID_STEP = 0.25


def paint(colour: np.ndarray, alpha: float = 1.0) -> QColor:
    """QColor of floats 0..1."""
    r, g, b = colour.tolist()
    return QColor.fromRgbF(min(r, 1.0), min(g, 1.0), min(b, 1.0), alpha)


class PainterViews(QWidget):
    """Draws StageFigures; paints on demand only and counts it in ``draws``."""

    def __init__(self, camera: TurntableCamera, theme: Theme, parent: QWidget | None = None, count: int = 4):
        super().__init__(parent)
        self.count = count
        self._camera = camera
        self._theme = theme
        self._figures: tuple[StageFigure, ...] = ()
        self._shade_cache: dict[tuple[float, ...], tuple[QColor, QColor, QColor]] = {}
        self.draws = 0

    @property
    def native(self) -> QWidget:
        return self

    def set_theme(self, theme: Theme) -> None:
        self._theme = theme
        self._shade_cache.clear()
        self.update()

    def set_figures(self, figures: tuple[StageFigure, ...]) -> None:
        self._figures = figures
        self.update()

    def paintEvent(self, event) -> None:
        self.draws += 1
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        painter.fillRect(self.rect(), QColor(self._theme.line))
        for index, (left, wide) in enumerate(columns(self.width(), self.count)):
            painter.save()
            painter.translate(left, 0)
            painter.setClipRect(QRectF(0, 0, wide, self.height()))
            backdrop = QLinearGradient(0, 0, 0, self.height())
            backdrop.setColorAt(0, QColor(self._theme.surface))
            backdrop.setColorAt(1, paint(mix(rgb(self._theme.surface), rgb(self._theme.background), 0.6)))
            painter.fillRect(QRectF(0, 0, wide, self.height()), backdrop)
            if index < len(self._figures):
                self._paint_stage(painter, self._figures[index], (wide, self.height()))
            painter.restore()
        painter.end()

    def _paint_stage(self, painter: QPainter, figure: StageFigure, size: tuple[int, int]) -> None:
        matrix = self._camera.matrix(size, figure.framing)
        # Pixels per metre at depth 1: a ball's radius on the screen is this times its radius over its depth.
        focal = size[1] / 2 / np.tan(np.radians(11.0))
        self._paint_ground(painter, figure, matrix, size)
        self._paint_solid(painter, figure.body, matrix, size, focal)
        for solid in figure.ghosts:
            self._paint_silhouette(painter, solid, matrix, size, focal)

    def _paint_ground(self, painter: QPainter, figure: StageFigure, matrix: np.ndarray, size: tuple[int, int]) -> None:
        place = np.array((*figure.joints[0, :2], figure.ground))
        theme = self._theme
        across = np.arange(-1.25, 1.26, GRID_STEP)
        reach = np.sqrt(np.maximum(GROUND_HALF**2 - across**2, 0))
        lines = np.stack((np.stack((across, -reach), 1), np.stack((across, reach), 1)), axis=1)
        lines = np.concatenate((lines, lines[..., ::-1]))
        world = np.concatenate((lines, np.zeros((*lines.shape[:-1], 1))), -1) + place
        pixels = to_pixels(matrix, world.reshape(-1, 3), size)[:, :2].reshape(-1, 2, 2)
        # A line fades with its distance from the person: along it, and from line to line.
        colour = mix(rgb(theme.line), rgb(theme.muted), 0.22 if theme.name == "dark" else 0.1)
        for (a, b), middle in zip(pixels.tolist(), np.tile(np.abs(across), 2), strict=True):
            fade = QLinearGradient(QPointF(*a), QPointF(*b))
            fade.setColorAt(0.0, paint(colour, 0.0))
            fade.setColorAt(0.5, paint(colour, 1 - max(0.0, middle / GROUND_HALF - 0.2)))
            fade.setColorAt(1.0, paint(colour, 0.0))
            painter.setPen(QPen(QBrush(fade), 1))
            painter.drawLine(QPointF(*a), QPointF(*b))
        corners = np.array([(-1, -1, 0), (1, -1, 0), (1, 1, 0), (-1, 1, 0)]) * GROUND_HALF + place
        quad = QPolygonF([QPointF(*p) for p in to_pixels(matrix, corners, size)[:, :2].tolist()])
        source = QPolygonF(QRectF(0, 0, SHADOW_CELLS, SHADOW_CELLS))
        source.removeLast()
        onto = QTransform.quadToQuad(source, quad)
        if onto is not None:
            painter.save()
            painter.setTransform(onto, True)
            painter.drawImage(0, 0, self._shadow_image(figure))
            painter.restore()

    def _shadow_image(self, figure: StageFigure) -> QImage:
        dark = self._theme.name == "dark"
        tint, strength = ((0, 0, 0), 0.85) if dark else ((28, 41, 61), 0.5)
        pixels = np.empty((SHADOW_CELLS, SHADOW_CELLS, 4), np.uint8)
        pixels[..., :3] = tint
        pixels[..., 3] = figure.shadow * strength * 255
        return QImage(pixels.data, SHADOW_CELLS, SHADOW_CELLS, QImage.Format.Format_RGBA8888).copy()

    def _paint_solid(
        self, painter: QPainter, solid: Solid, matrix: np.ndarray, size: tuple[int, int], focal: float
    ) -> None:
        start, end = to_pixels(matrix, solid.start, size), to_pixels(matrix, solid.end, size)
        balls = to_pixels(matrix, solid.centre, size)
        items = [(float(start[i, 2] + end[i, 2]) / 2, 0, i) for i in range(len(start))]
        items += [(float(balls[i, 2]) - 0.5 * float(solid.ball_radius[i]), 1, i) for i in range(len(balls))]
        painter.setPen(Qt.PenStyle.NoPen)
        for _, kind, i in sorted(items, reverse=True):
            if kind:
                self._paint_ball(painter, balls[i], focal * solid.ball_radius[i] / balls[i, 2], solid.ball_colour[i])
            else:
                radii = focal * solid.radii[i] / (start[i, 2], end[i, 2])
                self._paint_tube(painter, start[i, :2], end[i, :2], radii, solid.colour[i])

    def _paint_silhouette(
        self, painter: QPainter, solid: Solid, matrix: np.ndarray, size: tuple[int, int], focal: float
    ) -> None:
        """A ghost in one flat translucent colour: one path, so that it does not show through itself."""
        start, end = to_pixels(matrix, solid.start, size), to_pixels(matrix, solid.end, size)
        balls = to_pixels(matrix, solid.centre, size)
        radii = focal * solid.radii / np.stack((start[:, 2], end[:, 2]), axis=1)
        along = end[:, :2] - start[:, :2]
        across = np.stack((-along[:, 1], along[:, 0]), 1) / np.hypot(*along.T).clip(1e-6)[:, None]
        a, b = across * radii[:, :1], across * radii[:, 1:]
        corners = np.stack((start[:, :2] + a, end[:, :2] + b, end[:, :2] - b, start[:, :2] - a), axis=1)
        shape = QPainterPath()
        # Every outline runs the same way round (as ellipses do), so overlaps add up instead of cancelling.
        shape.setFillRule(Qt.FillRule.WindingFill)
        for corner in corners[:, ::-1].tolist():
            shape.addPolygon(QPolygonF([QPointF(*point) for point in corner]))
            shape.closeSubpath()
        for (x, y, depth), radius in zip(balls.tolist(), (focal * solid.ball_radius).tolist(), strict=True):
            shape.addEllipse(QPointF(x, y), radius / depth, radius / depth)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(paint(solid.colour[0], solid.alpha))
        painter.drawPath(shape)

    def _shades(self, colour: np.ndarray) -> tuple[QColor, QColor, QColor]:
        """Lit, plain and turned away, as the lights of the OpenGL views leave them."""
        key = tuple(colour.tolist())
        if key not in self._shade_cache:
            if len(self._shade_cache) > 512:
                self._shade_cache.clear()
            plain, away = (0.9, 0.42) if self._theme.name == "dark" else (0.97, 0.68)
            self._shade_cache[key] = (paint(colour * 1.08 + 0.05), paint(colour * plain), paint(colour * away))
        return self._shade_cache[key]

    def _paint_ball(self, painter: QPainter, centre: np.ndarray, radius: float, colour: np.ndarray) -> None:
        lit, plain, away = self._shades(colour)
        x, y = float(centre[0]), float(centre[1])
        shade = QRadialGradient(QPointF(x - 0.3 * radius, y - 0.35 * radius), 1.45 * radius)
        shade.setColorAt(0, lit)
        shade.setColorAt(0.5, plain)
        shade.setColorAt(1, away)
        painter.setBrush(QBrush(shade))
        painter.drawEllipse(QPointF(x, y), radius, radius)

    def _paint_tube(
        self, painter: QPainter, a: np.ndarray, b: np.ndarray, radii: np.ndarray, colour: np.ndarray
    ) -> None:
        along = b - a
        length = float(np.hypot(*along))
        if length < 1e-3:
            return
        across = np.array((-along[1], along[0])) / length
        # The light comes from the upper left: the side of the tube that faces it is lit.
        if across @ (-0.45, -0.9) < 0:
            across = -across
        lit, plain, away = self._shades(colour)
        widest = float(radii.max())
        middle = (a + b) / 2
        shade = QLinearGradient(QPointF(*(middle + across * widest)), QPointF(*(middle - across * widest)))
        shade.setColorAt(0.0, plain)
        shade.setColorAt(0.3, lit)
        shade.setColorAt(0.65, plain)
        shade.setColorAt(1.0, away)
        painter.setBrush(QBrush(shade))
        corners = (a + across * radii[0], b + across * radii[1], b - across * radii[1], a - across * radii[0])
        painter.drawConvexPolygon(QPolygonF([QPointF(*p.tolist()) for p in corners]))
