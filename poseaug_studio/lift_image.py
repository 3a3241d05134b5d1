"""The 2D input of lifting: the image where there is one, the skeleton over it, joints as sure as the detector was."""

from __future__ import annotations

from collections import OrderedDict
from pathlib import Path

import numpy as np
from PySide6.QtCore import QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QImage, QImageReader, QPainter, QPen
from PySide6.QtWidgets import QSizePolicy, QWidget

from poseaug_core.skeleton import HUMAN16
from poseaug_studio.plotting import colour, draw_empty, plot_font
from poseaug_studio.theme import Theme

#: Pixels of an image's longer side that are kept, and how many images.
LONGEST, KEPT = 1600, 24
#: How much larger than the person the part of the image is that a close-up shows.
ROOM = 1.35


class InputView(QWidget):
    """present(uv, confidence, size, path) shows one frame; ``whole`` the whole image, else the person close up."""

    def __init__(self, theme: Theme, parent: QWidget | None = None):
        super().__init__(parent)
        self.theme = theme
        self.whole = self.wants_image = True
        self._frame: tuple[np.ndarray, np.ndarray, np.ndarray, Path | None] | None = None
        self._images: OrderedDict[Path, QImage] = OrderedDict()
        self.setMinimumSize(200, 160)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)

    def set_theme(self, theme: Theme) -> None:
        self.theme = theme
        self.update()

    def set_whole(self, whole: bool) -> None:
        self.whole = whole
        self.update()

    def present(self, uv: np.ndarray, confidence: np.ndarray, size: np.ndarray, path: Path | None) -> None:
        """uv (16, 2), confidence (16,), size (2,) width and height in pixels, 0 where unknown."""
        self._frame = (uv.astype(np.float64), confidence, size, path)
        self.update()

    def clear(self) -> None:
        self._frame = None
        self._images.clear()
        self.update()

    def image(self, path: Path | None) -> QImage | None:
        """The image, scaled down; None where there is none that Qt can read."""
        if path is None:
            return None
        if path not in self._images:
            reader = QImageReader(str(path))
            reader.setAutoTransform(True)
            size = reader.size()
            if max(size.width(), size.height()) > LONGEST:
                reader.setScaledSize(size.scaled(QSize(LONGEST, LONGEST), Qt.AspectRatioMode.KeepAspectRatio))
            self._images[path] = reader.read()
            while len(self._images) > KEPT:
                self._images.popitem(last=False)
        self._images.move_to_end(path)
        return None if self._images[path].isNull() else self._images[path]

    def _extent(self, image: QImage | None, size: np.ndarray) -> tuple[float, float]:
        """Half width and height of the image in normalised units."""
        from poseaug_core.keypoints import normalising_side

        given = np.array((image.width(), image.height()), float) if image is not None else size.astype(float)
        if not given.all():
            return 1.0, 1.0
        half = given / normalising_side(given)
        return float(half[0]), float(half[1])

    def placement(self) -> tuple[np.ndarray, float]:
        """Where normalised (0, 0) lies in the widget, pixels, and pixels a unit."""
        uv, _, size, path = self._frame
        half = np.array(self._extent(self.image(path), size))
        room = np.array((self.width() - 24, self.height() - 24), float)
        middle, reach = np.zeros(2), half
        if not self.whole:
            low, high = uv.min(0), uv.max(0)
            middle, reach = (low + high) / 2, np.maximum(ROOM * (high - low) / 2, 0.05)
        scale = float((room / (2 * reach)).min())
        return np.array((self.width(), self.height())) / 2 - middle * scale, scale

    def paintEvent(self, event) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        painter.fillRect(self.rect(), QColor(self.theme.surface))
        if self._frame is None:
            draw_empty(painter, QRectF(self.rect()), self.theme, "2D keypoints appear here")
            painter.end()
            return
        uv, confidence, size, path = self._frame
        image = self.image(path)
        origin, scale = self.placement()
        half = np.array(self._extent(image, size)) * scale
        border = QRectF(QPointF(*(origin - half)), QPointF(*(origin + half)))
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(self.theme.background if self.theme.name == "dark" else self.theme.raised))
        painter.drawRect(border)
        if image is not None:
            painter.drawImage(border, image)
            painter.fillRect(border, colour("#000000", 0.18))
        painter.setPen(QPen(QColor(self.theme.line), 1))
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.drawRect(border)
        self._paint_person(painter, origin + uv * scale, confidence, image is not None)
        if image is None and self.wants_image:
            painter.setFont(plot_font(self.font(), 0.9))
            painter.setPen(QColor(self.theme.muted))
            painter.drawText(self.rect().adjusted(14, 0, 0, -8), Qt.AlignmentFlag.AlignBottom, "no image found")
        painter.end()

    def _paint_person(self, painter: QPainter, points: np.ndarray, confidence: np.ndarray, on_image: bool) -> None:
        """Limbs in their parts' colours, dashed to joints that were filled in; joints hollow where they were."""
        t = self.theme
        size = float(np.linalg.norm(np.ptp(points, axis=0)))
        thick = float(np.clip(0.015 * size, 2.0, 7.0))
        halo = colour("#000000" if on_image or t.name == "dark" else "#ffffff", 0.55)
        for (parent, child), part in zip(HUMAN16.edges, HUMAN16.paint, strict=True):
            a, b = QPointF(*points[parent]), QPointF(*points[child])
            sure = float(min(confidence[parent], confidence[child]))
            if sure > 0:
                painter.setPen(QPen(halo, thick + 2, c=Qt.PenCapStyle.RoundCap))
                painter.drawLine(a, b)
            pen = QPen(colour(t.parts[part], 0.5 + 0.5 * sure), thick, c=Qt.PenCapStyle.RoundCap)
            if sure == 0:
                pen.setWidthF(max(0.6 * thick, 1.5))
                pen.setDashPattern([1.5, 2.2])
            painter.setPen(pen)
            painter.drawLine(a, b)
        for point, sure in zip(points, confidence.tolist(), strict=True):
            ring = QColor("#ffffff") if sure > 0 else QColor(t.warning)
            painter.setPen(QPen(ring, 1.4))
            painter.setBrush(Qt.BrushStyle.NoBrush if sure == 0 else colour("#10161d", 0.35 + 0.65 * sure))
            painter.drawEllipse(QPointF(*point), 0.75 * thick + 0.6, 0.75 * thick + 0.6)
