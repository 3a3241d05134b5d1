"""The sphere of view points: where around a body its cameras stand, seen from any side."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QPainter, QPainterPath, QPen

from poseaug_studio.plotting import CENTRE, colour, colour_image, draw_text, ramp
from poseaug_studio.theme import Theme

#: Rows and columns of the grid of directions on which the density is held.
GRID = (30, 60)
#: Sharpness of the von Mises-Fisher kernel; exp(k (cos a - 1)) falls to half at about 8 degrees.
KAPPA = 70.0
PIXELS = 160


def directions(azimuth: np.ndarray, elevation: np.ndarray) -> np.ndarray:
    """(..., 3) unit vectors front, left, up of the body, from degrees."""
    a, e = np.radians(azimuth), np.radians(elevation)
    return np.stack((np.cos(e) * np.cos(a), np.cos(e) * np.sin(a), np.sin(e)), -1).astype(np.float32)


def sphere_density(view_point: np.ndarray) -> np.ndarray:
    """GRID of density per solid angle of (n, 2) azimuths and elevations; row 0 looks from below, relative to even."""
    (rows, columns), (azimuth, elevation) = GRID, view_point.T
    i = ((elevation + 90) / 180 * rows).astype(int).clip(0, rows - 1)
    j = ((azimuth + 180) / 360 * columns).astype(int) % columns
    return _kernels()[i * columns + j].sum(0).reshape(GRID) / max(len(view_point), 1)


@lru_cache(maxsize=1)
def _kernels() -> np.ndarray:
    """(cells, cells) the density of a point in each cell: a von Mises-Fisher kernel, 1 on average over the sphere."""
    rows, columns = GRID
    elevation = -90 + 180 * (np.arange(rows) + 0.5) / rows
    azimuth = -180 + 360 * (np.arange(columns) + 0.5) / columns
    cells = directions(*np.broadcast_arrays(azimuth, elevation[:, None])).reshape(-1, 3)
    even = (1 - np.exp(-2 * KAPPA)) / (2 * KAPPA)
    # einsum: BLAS would wake its threads, which the training needs.
    return np.exp(KAPPA * (np.einsum("ai,bi->ab", cells, cells) - 1)) / np.float32(even)


def screen_axes(azimuth: float, elevation: float) -> np.ndarray:
    """(3, 3) right, up and towards the eye, for an eye at azimuth and elevation in degrees."""
    a = np.radians(azimuth)
    right = np.array([-np.sin(a), np.cos(a), 0])
    towards = directions(azimuth, elevation)
    return np.stack((right, np.cross(towards, right), towards))


@lru_cache(maxsize=8)
def _lookup(azimuth: float, elevation: float):
    """Flat indices and weights of the four grid cells around each pixel, and the pixels' depth (0 outside)."""
    rows, columns = GRID
    s = (np.arange(PIXELS) + 0.5) / PIXELS * 2 - 1
    x, y = np.meshgrid(s, -s)
    depth = np.sqrt(np.clip(1 - x**2 - y**2, 0, None))
    front, left, up = np.moveaxis(np.stack((x, y, depth), -1) @ screen_axes(azimuth, elevation), -1, 0)
    i = (np.degrees(np.arcsin(up.clip(-1, 1))) + 90) / 180 * rows - 0.5
    j = (np.degrees(np.arctan2(left, front)) + 180) / 360 * columns - 0.5
    i0, j0 = np.floor(i).astype(int), np.floor(j).astype(int)
    di, dj = i - i0, j - j0
    corners = [((i0 + a).clip(0, rows - 1) * columns + (j0 + b) % columns) for a in (0, 1) for b in (0, 1)]
    weights = [(di if a else 1 - di) * (dj if b else 1 - dj) for a in (0, 1) for b in (0, 1)]
    return np.stack(corners), np.stack(weights).astype(np.float32), depth


def paint_sphere(
    painter: QPainter,
    rect: QRectF,
    theme: Theme,
    values: np.ndarray,
    ink: str,
    eye: tuple[float, float],
    mark: np.ndarray | None,
) -> None:
    """A shaded globe in the middle of rect: values (GRID, 0..1) in ink, a graticule, the body's sides, one mark.

    eye: azimuth and elevation from which the globe is seen. mark: azimuth and elevation of the shown pose.
    """
    size = min(rect.width(), rect.height()) - 4
    globe = QRectF(rect.center().x() - size / 2, rect.center().y() - size / 2, size, size)
    corners, weights, depth = _lookup(*eye)
    shown = (values.ravel()[corners] * weights).sum(0) * (0.72 + 0.28 * depth)
    image = colour_image(shown, ramp(theme.raised, ink))
    painter.save()
    painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
    painter.setClipPath(_disc(globe))
    painter.drawImage(globe, image)
    painter.restore()
    axes = screen_axes(*eye)
    grid, equator = _graticule(*eye)
    painter.save()
    painter.setBrush(Qt.BrushStyle.NoBrush)
    painter.translate(globe.center())
    painter.scale(size / 2, size / 2)
    for path, strength in ((grid, 0.13), (equator, 0.4)):
        pen = QPen(colour(theme.text, strength), 1)
        pen.setCosmetic(True)
        painter.setPen(pen)
        painter.drawPath(path)
    painter.restore()
    painter.setPen(QPen(colour(theme.line), 1))
    painter.setBrush(Qt.BrushStyle.NoBrush)
    painter.drawEllipse(globe)
    for azimuth, name in ((0, "front"), (90, "left"), (180, "back"), (-90, "right")):
        x, y, z = axes @ directions(azimuth, 0.0)
        if z > 0.5:
            spot = _at(globe, x, y)
            draw_text(painter, QRectF(spot.x() - 24, spot.y() + 1, 48, 14), name, colour(theme.text, 0.75), CENTRE)
    if mark is not None:
        x, y, z = axes @ directions(*mark)
        painter.setBrush(colour(theme.text if z >= 0 else theme.raised))
        painter.setPen(QPen(colour(theme.surface if z >= 0 else theme.text), 1.5))
        painter.drawEllipse(_at(globe, x, y), 3.5, 3.5)


def _disc(globe: QRectF) -> QPainterPath:
    path = QPainterPath()
    path.addEllipse(globe)
    return path


def _at(globe: QRectF, x: float, y: float) -> QPointF:
    return QPointF(globe.center().x() + x * globe.width() / 2, globe.center().y() - y * globe.height() / 2)


@lru_cache(maxsize=8)
def _graticule(azimuth: float, elevation: float) -> tuple[QPainterPath, QPainterPath]:
    """Parallels and meridians, and the equator, of the half that faces the eye, on a disc of radius 1, y down."""
    axes = screen_axes(azimuth, elevation)
    around, across = np.linspace(-180, 180, 73), np.linspace(-90, 90, 37)
    arcs = [directions(around, np.full(73, e)) for e in (-60, -30, 30, 60)]
    arcs += [directions(np.full(37, a), across) for a in range(-180, 180, 45)]
    return _facing(arcs, axes), _facing([directions(around, np.zeros(73))], axes)


def _facing(arcs: list[np.ndarray], axes: np.ndarray) -> QPainterPath:
    """The parts of arcs (n, 3) on the sphere that face the eye."""
    path = QPainterPath()
    for arc in arcs:
        drawing = False
        for x, y, z in (axes @ arc.T).T:
            point = QPointF(float(x), -float(y))
            if z >= -0.01:
                path.lineTo(point) if drawing else path.moveTo(point)
            drawing = bool(z >= -0.01)
    return path
