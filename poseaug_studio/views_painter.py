"""The four 3D views drawn by QPainter, for screens without OpenGL: same figures, same camera, sorted by depth."""

from __future__ import annotations

from PySide6.QtCore import QRect, QRectF, QSize
from PySide6.QtGui import QColor, QImage, QLinearGradient, QPainter
from PySide6.QtWidgets import QWidget

from poseaug_studio.camera_link import TurntableCamera
from poseaug_studio.figure import StageFigure, mix, rgb, same
from poseaug_studio.painter_bodies import PaintedFigure, paint
from poseaug_studio.stage_columns import columns
from poseaug_studio.theme import Theme


class PainterViews(QWidget):
    """Draws StageFigures; paints on demand only, views that changed, and counts it in ``draws``."""

    def __init__(self, camera: TurntableCamera, theme: Theme, parent: QWidget | None = None, count: int = 4):
        super().__init__(parent)
        self.count = count
        self._camera = camera
        self._theme = theme
        self._figures: tuple[StageFigure, ...] = ()
        self._painted: dict[int, PaintedFigure] = {}  # by column, made when first painted
        self._layer = QImage()
        self.draws = 0

    @property
    def native(self) -> QWidget:
        return self

    def set_theme(self, theme: Theme) -> None:
        self._theme = theme
        self._painted.clear()
        self.update()

    def set_figures(self, figures: tuple[StageFigure, ...]) -> None:
        """Show these; a view whose figure is what it was is not painted again."""
        before, self._figures = self._figures, figures
        if len(before) != len(figures):
            self._painted.clear()
            self.update()
            return
        for index, (left, wide) in enumerate(columns(self.width(), self.count)):
            if index < len(figures) and not same(before[index], figures[index]):
                self._painted.pop(index, None)
                self.update(QRect(left, 0, wide, self.height()))

    def paintEvent(self, event) -> None:
        self.draws += 1
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        painter.fillRect(event.rect(), QColor(self._theme.line))
        for index, (left, wide) in enumerate(columns(self.width(), self.count)):
            if event.region().intersects(QRect(left, 0, wide, self.height())):
                painter.save()
                painter.translate(left, 0)
                painter.setClipRect(QRectF(0, 0, wide, self.height()))
                self._paint_view(painter, index, (wide, self.height()))
                painter.restore()
        painter.end()

    def _paint_view(self, painter: QPainter, index: int, size: tuple[int, int]) -> None:
        backdrop = QLinearGradient(0, 0, 0, size[1])
        backdrop.setColorAt(0, QColor(self._theme.surface))
        backdrop.setColorAt(1, paint(mix(rgb(self._theme.surface), rgb(self._theme.background), 0.6)))
        painter.fillRect(QRectF(0, 0, *size), backdrop)
        if index >= len(self._figures):
            return
        figure = self._figures[index]
        if index not in self._painted:
            self._painted[index] = PaintedFigure(figure, self._theme)
        matrix = self._camera.matrix(size, figure.framing)
        self._painted[index].paint(painter, matrix, size, self._layer_of(size, painter.device().devicePixelRatioF()))

    def _layer_of(self, size: tuple[int, int], ratio: float) -> QImage:
        """A clear picture as large as a view, kept from one paint to the next."""
        pixels = QSize(*size) * ratio
        if self._layer.size() != pixels or self._layer.devicePixelRatio() != ratio:
            self._layer = QImage(pixels, QImage.Format.Format_ARGB32_Premultiplied)
            self._layer.setDevicePixelRatio(ratio)
        return self._layer
