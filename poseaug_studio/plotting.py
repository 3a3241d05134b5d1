"""What the plot panels share: type, colour tables, smooth densities, ticks and the base of a painted panel."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from PySide6.QtCore import QRectF, Qt
from PySide6.QtGui import QColor, QFont, QImage, QPainter, qRgb
from PySide6.QtWidgets import QWidget

from poseaug_core.palette import mix
from poseaug_core.snapshot import Snapshot
from poseaug_studio.selection import Selection
from poseaug_studio.theme import Theme

LEFT = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter
RIGHT = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
CENTRE = Qt.AlignmentFlag.AlignCenter
#: Fonts made so far: one made anew for each text would be looked up anew.
_FONTS: dict[tuple[str, float, bool], QFont] = {}


class PlotPanel(QWidget):
    """A widget that shows one row of a snapshot and repaints only when either changes.

    Subclasses paint from self.snapshot, self.row and self.theme; _snapshot_changed and _theme_changed are their hooks.
    """

    def __init__(self, theme: Theme, selection: Selection, parent: QWidget | None = None):
        super().__init__(parent)
        self.theme = theme
        self.selection = selection
        self.snapshot: Snapshot | None = None
        self.row = 0

    def present(self, snapshot: Snapshot | None, row: int) -> None:
        """Show a probe pose of a snapshot; free if both are already shown."""
        if snapshot is self.snapshot and row == self.row:
            return
        new, self.snapshot, self.row = snapshot is not self.snapshot, snapshot, row
        if new:
            self._snapshot_changed()
        self.update()

    def set_theme(self, theme: Theme) -> None:
        self.theme = theme
        self._theme_changed()
        self.update()

    def _snapshot_changed(self) -> None:
        """Called when another snapshot is shown, before the repaint."""

    def _theme_changed(self) -> None:
        """Called when the theme changes, before the repaint."""


def plot_font(base: QFont, scale: float = 1.0, bold: bool = False) -> QFont:
    """The widget's font at a scale, with digits of equal width, so that numbers do not dance."""
    key = (base.key(), scale, bold)
    if key not in _FONTS:
        _FONTS[key] = _made_font(base, scale, bold)
    return _FONTS[key]


def _made_font(base: QFont, scale: float, bold: bool) -> QFont:
    font = QFont(base)
    if base.pointSizeF() > 0:
        font.setPointSizeF(base.pointSizeF() * scale)
    else:
        font.setPixelSize(max(1, round(base.pixelSize() * scale)))
    font.setFeature(QFont.Tag("tnum"), 1)
    if bold:
        font.setWeight(QFont.Weight.DemiBold)
    return font


def colour(code: str, alpha: float = 1.0) -> QColor:
    """'#rrggbb' with an opacity, 0..1."""
    value = QColor(code)
    value.setAlphaF(alpha)
    return value


@lru_cache(maxsize=32)
def ramp(*stops: str) -> tuple[int, ...]:
    """256 opaque colours through evenly spaced stops, for colour_image."""
    points = np.stack([_channels(stop) for stop in stops])
    where = np.linspace(0, 1, len(stops))
    channels = [np.interp(np.linspace(0, 1, 256), where, points[:, c]).round().astype(int) for c in range(3)]
    return tuple(qRgb(*map(int, rgb)) for rgb in zip(*channels, strict=True))


def _channels(code: str) -> np.ndarray:
    return np.array([int(code[i : i + 2], 16) for i in (1, 3, 5)], dtype=float)


def diverging(theme: Theme) -> tuple[int, ...]:
    """Blue through the surface to orange: safe for colour-blind eyes, the neutral middle recedes."""
    middle = mix(theme.surface, theme.raised, 0.6)
    if theme.name == "dark":
        return ramp("#6cc0ff", "#2f6fa8", middle, "#a5651c", "#ffbe5c")
    return ramp("#14588f", "#7fb4dc", middle, "#eaa862", "#9c4a00")


def colour_image(share: np.ndarray, table: tuple[int, ...]) -> QImage:
    """(h, w) values 0..1 as an image, row 0 at the top."""
    indices = (np.clip(share, 0, 1) * 255).astype(np.uint8)
    height, width = indices.shape
    padded = np.zeros((height, -(-width // 4) * 4), np.uint8)  # Qt wants rows of whole 32-bit words
    padded[:, :width] = indices
    image = QImage(padded.data, width, height, padded.shape[1], QImage.Format.Format_Indexed8)
    image.setColorTable(table)
    return image.copy()


@lru_cache(maxsize=64)
def smoothing_matrix(bins: int, sigma: float, wrap: bool) -> np.ndarray:
    """(bins, bins) Gaussian smoothing of a histogram, sigma in bins; mass past an end is mirrored or wraps."""
    reach = int(np.ceil(4 * sigma))
    offsets = np.arange(-reach, reach + 1)
    weights = np.exp(-0.5 * (offsets / sigma) ** 2)
    matrix = np.zeros((bins, bins))
    for offset, weight in zip(offsets, weights / weights.sum(), strict=True):
        target = np.arange(bins) + offset
        target = target % bins if wrap else np.abs((target + bins) % (2 * bins) - bins + 0.5).astype(int)
        np.add.at(matrix, (target, np.arange(bins)), weight)
    return matrix


def density(values: np.ndarray, low: float, high: float, bins: int, sigma: float) -> np.ndarray:
    """(bins,) smooth density per unit of values (n,); those outside the range count at its ends."""
    index = ((values - low) / (high - low) * bins).astype(int).clip(0, bins - 1)
    counts = np.bincount(index, minlength=bins)
    return smoothing_matrix(bins, sigma, False) @ counts / max(len(values), 1) * bins / (high - low)


def density_map(
    x: np.ndarray,
    y: np.ndarray,
    x_range: tuple[float, float],
    y_range: tuple[float, float],
    shape: tuple[int, int],
    sigma: tuple[float, float],
    wrap_x: bool = False,
) -> np.ndarray:
    """(rows, columns) smooth density of points (n,), (n,): shares per cell, row 0 at the low end of y.

    shape: rows, columns. sigma: in cells, of y and x. Points outside the ranges are left out.
    """
    rows, columns = shape
    i = np.floor((y - y_range[0]) / (y_range[1] - y_range[0]) * rows).astype(int)
    j = np.floor((x - x_range[0]) / (x_range[1] - x_range[0]) * columns).astype(int)
    inside = (i >= 0) & (i < rows) & (j >= 0) & (j < columns)
    counts = np.bincount(i[inside] * columns + j[inside], minlength=rows * columns).reshape(shape)
    smooth = smoothing_matrix(rows, sigma[0], False) @ counts @ smoothing_matrix(columns, sigma[1], wrap_x).T
    return smooth / max(len(x), 1)


def nice_ticks(low: float, high: float, count: int) -> list[float]:
    """About so many round numbers (steps of 1, 2 or 5 times a power of ten) from low to high."""
    span = (high - low) / max(count, 1)
    power = 10.0 ** np.floor(np.log10(span))
    step = next(step for step in (power, 2 * power, 5 * power, 10 * power) if step >= span * 0.999)
    return [round(i * step, 10) for i in range(int(np.ceil(low / step - 1e-9)), int(np.floor(high / step + 1e-9)) + 1)]


def draw_text(painter: QPainter, rect: QRectF, text: str, ink: str | QColor, align=LEFT) -> None:
    """One line of text in the painter's font, shortened with an ellipsis to what fits."""
    shown = painter.fontMetrics().elidedText(text, Qt.TextElideMode.ElideRight, int(rect.width()) + 1)
    painter.setPen(colour(ink) if isinstance(ink, str) else ink)
    painter.drawText(rect, align, shown)


def draw_empty(painter: QPainter, rect: QRectF, theme: Theme, sentence: str) -> None:
    """A quiet sentence where there is nothing to plot yet."""
    painter.setPen(colour(theme.muted))
    inner = rect.adjusted(16, 8, -16, -8)
    painter.drawText(inner, int(CENTRE) | int(Qt.TextFlag.TextWordWrap.value), sentence)
