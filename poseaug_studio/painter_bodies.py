"""One stage's figure in QPainter strokes: ground, body and ghosts, for PainterViews.

Made for many frames of one figure: colours, gradients, outlines and the shadow are made once, and a frame is a handful
of array products and one call for each limb. Making an object of Qt lets go of Python's lock, the training thread takes
it, and the frame waits: few are made while painting.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from pyqtgraph.functions import create_qpolygonf, ndarray_from_qpolygonf
from PySide6.QtCore import QLineF, QPointF, QRect, Qt
from PySide6.QtGui import (
    QColor,
    QImage,
    QLinearGradient,
    QPainter,
    QPen,
    QRadialGradient,
    QTransform,
)

from poseaug_studio.camera_link import FIELD_OF_VIEW, to_pixels
from poseaug_studio.figure import GROUND_HALF, SHADOW_CELLS, Solid, StageFigure, mix, rgb
from poseaug_studio.theme import Theme

GRID_STEP = 0.25
#: Where the light comes from on the screen: the side of a tube that faces it is lit.
LIGHT = np.array((-0.45, -0.9))
#: Pixels between two widths of a ghost's lines: those of a width are drawn in one call.
WIDTH_STEP = 0.25
#: Darkness of the shadow, 0..1, under which it is not seen.
UNSEEN = 0.004
CELL = 2 * GROUND_HALF / SHADOW_CELLS
#: Opacities of the grid from its middle to its edge, and half the length in metres of its pieces.
FADES = (1.0, 0.88, 0.7, 0.52, 0.33, 0.13)
PIECE = 0.43
#: How far to look from the person, in metres, for how the ground lies on the screen about them.
STRETCH = 0.3
SHADOW_AXES = np.array(((0.0, 0.0, 0.0), (STRETCH, 0.0, 0.0), (0.0, STRETCH, 0.0)))


def paint(colour: np.ndarray, alpha: float = 1.0) -> QColor:
    """QColor of floats 0..1."""
    r, g, b = colour.tolist()
    return QColor.fromRgbF(min(r, 1.0), min(g, 1.0), min(b, 1.0), alpha)


class PaintedFigure:
    """A StageFigure, ready to be painted from any side."""

    def __init__(self, figure: StageFigure, theme: Theme):
        self.figure, self.theme = figure, theme
        body = figure.body
        colours = sorted({*map(tuple, body.colour.tolist()), *map(tuple, body.ball_colour.tolist())})
        shades = {colour: self._shades(np.array(colour)) for colour in colours}
        tubes = {colour: tube_shade(*shades[colour]) for colour in colours}
        balls = {colour: ball_shade(*shades[colour]) for colour in colours}
        self._tubes = [tubes[tuple(colour)] for colour in body.colour.tolist()]
        self._balls = [balls[tuple(colour)] for colour in body.ball_colour.tolist()]
        # The tubes' outlines, and their corners (4, 2) in memory, written anew for each frame.
        self._outlines = [create_qpolygonf(4) for _ in self._tubes]
        self._corners = [ndarray_from_qpolygonf(outline) for outline in self._outlines]
        self._points = np.concatenate((body.start, body.end, body.centre))
        self._ghosts = [paint(ghost.colour[0]) for ghost in figure.ghosts]
        self._shadow, self._corner = self._shadow_image()
        grey = mix(rgb(theme.line), rgb(theme.muted), 0.22 if theme.name == "dark" else 0.1)
        self._pens = [QPen(paint(grey, alpha), 1) for alpha in FADES]

    def _shades(self, colour: np.ndarray) -> tuple[QColor, QColor, QColor]:
        """Lit, plain and turned away, as the lights of the OpenGL views leave them."""
        plain, away = (0.9, 0.42) if self.theme.name == "dark" else (0.97, 0.68)
        return paint(colour * 1.08 + 0.05), paint(colour * plain), paint(colour * away)

    def _shadow_image(self) -> tuple[QImage, tuple[int, int]]:
        """The part of the shadow that is seen, and the cell of its corner."""
        seen = np.argwhere(self.figure.shadow > UNSEEN)
        (top, left), (bottom, right) = (seen.min(0), seen.max(0) + 1) if len(seen) else ((0, 0), (1, 1))
        tint, strength = ((0, 0, 0), 0.85) if self.theme.name == "dark" else ((28, 41, 61), 0.5)
        alpha = self.figure.shadow[top:bottom, left:right] * strength
        pixels = np.empty((*alpha.shape, 4), np.uint8)
        pixels[..., :3] = (alpha[..., None] * tint).round()
        pixels[..., 3] = (alpha * 255).round()
        kind = QImage.Format.Format_RGBA8888_Premultiplied
        image = QImage(pixels.data, alpha.shape[1], alpha.shape[0], 4 * alpha.shape[1], kind)
        return image.convertToFormat(QImage.Format.Format_ARGB32_Premultiplied), (int(left), int(top))

    # a frame

    def paint(self, painter: QPainter, matrix: np.ndarray, size: tuple[int, int], layer: QImage) -> None:
        """Paint within (0, 0, *size). matrix: display frame -> clip space. layer: to compose a ghost on, of size."""
        # Pixels per metre at depth 1: a ball's radius on the screen is this times its radius over its depth.
        focal = size[1] / 2 / np.tan(FIELD_OF_VIEW / 2)
        self._paint_ground(painter, matrix, size)
        self._paint_body(painter, matrix, size, focal)
        for ghost, colour in zip(self.figure.ghosts, self._ghosts, strict=True):
            paint_ghost(painter, ghost, colour, matrix, size, focal, layer)

    def _paint_ground(self, painter: QPainter, matrix: np.ndarray, size: tuple[int, int]) -> None:
        """A round grid that fades with its distance from the person, and the shadow on it."""
        ends, levels = grid()
        place = np.array((*self.figure.joints[0, :2], self.figure.ground))
        pixels = to_pixels(matrix, np.concatenate((SHADOW_AXES, ends)) + place, size)[:, :2]
        lines = pixels[len(SHADOW_AXES) :].reshape(-1, 4)
        for pen, level in zip(self._pens, levels, strict=True):
            painter.setPen(pen)
            painter.drawLines([QLineF(*line) for line in lines[level].tolist()])
        # About the person, where the shadow is, an affine map is a pixel off at the most, and four times as fast.
        middle, right, away = pixels[: len(SHADOW_AXES)]
        right, away = (right - middle) / STRETCH, (away - middle) / STRETCH
        corner = middle + CELL * (self._corner[0] * right + self._corner[1] * away) - GROUND_HALF * (right + away)
        painter.save()
        painter.setTransform(QTransform(*(CELL * right), *(CELL * away), *corner), True)
        # Its edge is clear: antialiasing would take three times as long.
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)
        painter.drawImage(0, 0, self._shadow)
        painter.restore()

    def _paint_body(self, painter: QPainter, matrix: np.ndarray, size: tuple[int, int], focal: float) -> None:
        """Tubes and balls, the farthest first."""
        solid = self.figure.body
        count = len(solid.start)
        points = to_pixels(matrix, self._points, size)
        start, end, balls = points[:count], points[count : 2 * count], points[2 * count :]
        corners, lights = tubes_on_screen(start, end, focal * solid.radii)
        radius = focal * solid.ball_radius / balls[:, 2]
        # Of each ball: where it is, where its light is, and how far it reaches.
        rounds = np.column_stack((balls[:, :2], balls[:, :2] - np.array((0.3, 0.35)) * radius[:, None], radius))
        depth = np.concatenate(((start[:, 2] + end[:, 2]) / 2, balls[:, 2] - 0.5 * solid.ball_radius))
        for outline, corner in zip(self._corners, corners, strict=True):
            outline[...] = corner
        lights, rounds = lights.tolist(), rounds.tolist()
        painter.setPen(Qt.PenStyle.NoPen)
        for k in np.argsort(-depth, kind="stable").tolist():
            if k < count:
                shade = self._tubes[k]
                a, b = lights[k]
                shade.setStart(*a)
                shade.setFinalStop(*b)
                painter.setBrush(shade)
                painter.drawConvexPolygon(self._outlines[k])
            else:
                shade = self._balls[k - count]
                x, y, lit_x, lit_y, reach = rounds[k - count]
                shade.setCenter(lit_x, lit_y)
                shade.setFocalPoint(lit_x, lit_y)
                shade.setRadius(1.45 * reach)
                painter.setBrush(shade)
                painter.drawEllipse(QPointF(x, y), reach, reach)


def tube_shade(lit: QColor, plain: QColor, away: QColor) -> QLinearGradient:
    """Across a tube, from the side of the light."""
    shade = QLinearGradient()
    for place, colour in ((0.0, plain), (0.3, lit), (0.65, plain), (1.0, away)):
        shade.setColorAt(place, colour)
    return shade


def ball_shade(lit: QColor, plain: QColor, away: QColor) -> QRadialGradient:
    """Round about the spot that the light meets."""
    shade = QRadialGradient()
    for place, colour in ((0.0, lit), (0.5, plain), (1.0, away)):
        shade.setColorAt(place, colour)
    return shade


@cache
def grid() -> tuple[np.ndarray, list[np.ndarray]]:
    """(2 g, 3) ends of the pieces of the ground's grid about its middle, metres, and the pieces of each of FADES.

    In pieces of one opacity each: a pen with a gradient takes twice as long.
    """
    across = np.arange(-1.25, 1.26, GRID_STEP)
    ends = []
    for x, reach in zip(across, np.sqrt(np.maximum(GROUND_HALF**2 - across**2, 0)), strict=True):
        cuts = np.linspace(-reach, reach, max(1, round(reach / PIECE)) * 2 + 1)
        ends += [((x, a), (x, b)) for a, b in zip(cuts, cuts[1:], strict=False)]
    ends = np.array(ends)
    ends = np.concatenate((ends, ends[..., ::-1]))
    far = np.linalg.norm(ends.mean(axis=1), axis=-1) / GROUND_HALF
    level = (far * len(FADES)).astype(int).clip(0, len(FADES) - 1)
    points = np.concatenate((ends, np.zeros((*ends.shape[:2], 1))), axis=-1).reshape(-1, 3)
    return points, [np.flatnonzero(level == k) for k in range(len(FADES))]


def tubes_on_screen(start: np.ndarray, end: np.ndarray, radii: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Outlines (t, 4, 2) of tubes between pixels and depths start, end (t, 3), radii (t, 2) pixels at depth 1, and
    where the light across each begins and ends (t, 2, 2)."""
    along = end[:, :2] - start[:, :2]
    length = np.hypot(*along.T).clip(1e-6)[:, None]
    across = np.column_stack((-along[:, 1], along[:, 0])) / length
    across *= np.where(across @ LIGHT < 0, -1.0, 1.0)[:, None]
    first, last = radii[:, :1] / start[:, 2:], radii[:, 1:] / end[:, 2:]
    a, b, widest = across * first, across * last, across * np.maximum(first, last)
    middle = (start[:, :2] + end[:, :2]) / 2
    corners = np.stack((start[:, :2] + a, end[:, :2] + b, end[:, :2] - b, start[:, :2] - a), axis=1)
    return corners, np.stack((middle + widest, middle - widest), axis=1)


def paint_ghost(
    painter: QPainter, solid: Solid, colour: QColor, matrix: np.ndarray, size: tuple[int, int], focal: float,
    layer: QImage,
) -> None:  # fmt: skip
    """A ghost in one flat translucent colour: drawn whole on ``layer``, so that it does not show through itself."""
    count = len(solid.start)
    points = to_pixels(matrix, np.concatenate((solid.start, solid.end, solid.centre)), size)
    ends = np.concatenate((points[:count, :2], points[count : 2 * count, :2]), axis=1)
    # A round pen is as wide all along; the tubes of a ghost are thin enough not to miss their taper.
    widths = focal * (solid.radii / np.stack((points[:count, 2], points[count : 2 * count, 2]), 1)).sum(1)
    radius = focal * solid.ball_radius / points[2 * count :, 2]
    heads = np.flatnonzero(solid.ball_radius > 1.5 * solid.radii.max())
    reach = 2 + max(float(widths.max()), float(radius.max()))
    low, high = points[:, :2].min(0) - reach, points[:, :2].max(0) + reach
    (left, top), (right, bottom) = low.clip(0, size).tolist(), high.clip(0, size).tolist()
    seen = QRect(int(left), int(top), int(right - left) + 1, int(bottom - top) + 1)
    layer.fill(0)
    inside = QPainter(layer)
    inside.setRenderHint(QPainter.RenderHint.Antialiasing)
    steps = (widths / WIDTH_STEP).round()
    for step in np.unique(steps).tolist():
        inside.setPen(QPen(colour, step * WIDTH_STEP, Qt.PenStyle.SolidLine, Qt.PenCapStyle.RoundCap))
        inside.drawLines([QLineF(*line) for line in ends[steps == step].tolist()])
    inside.setPen(Qt.PenStyle.NoPen)
    inside.setBrush(colour)
    for k in heads.tolist():
        inside.drawEllipse(QPointF(*points[2 * count + k, :2].tolist()), radius[k], radius[k])
    inside.end()
    painter.setOpacity(solid.alpha)
    ratio = layer.devicePixelRatio()
    part = QRect(*(round(v * ratio) for v in seen.getRect()))
    painter.drawImage(seen, layer, part)
    painter.setOpacity(1.0)
